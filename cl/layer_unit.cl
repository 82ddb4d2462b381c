// layer_unit: pieces of products by weights of one storage, a part of decode_layers.cl
//
//   SERVE   one unit, COLS outputs, for all rows, ROWS of them after another while the weights are in the cache; they go to y from row `to` on. `next`: what is
//           read then, or null
// Build     -cl-std=CL3.0, as matmul_unit.h; -DGATED=0|1: some products are; -DSERVE=<its name>
// Test      tests/model/test_layers.c

#define X_SPACE __local

#include "layer_data.h"
#include "matmul_unit.h"

#ifndef GATED
#define GATED 1
#endif
#ifndef SERVE
#define SERVE serve_0
#endif

void SERVE(const product_data *const data, const uint rows, const uint to, const uint expert, const uint unit, const __local float *const local_rows,
           const __global uchar *const next, const uint more);

void SERVE(const product_data *const data, const uint rows, const uint to, const uint expert, const uint unit, const __local float *const local_rows,
           const __global uchar *const next, const uint more)
{
    const product_data p = *data;
    const bool gated = p.gated && GATED;
    const uint panels = p.units / (PANEL / COLS) * (gated ? 2 : 1); // of an expert
    const uint panel = unit / (PANEL / COLS), lane = unit % (PANEL / COLS) * COLS;
    const uint first = expert * panels + (gated ? 2 : 1) * panel;
    __global float *const y = p.y + (size_t)to * p.y_stride + (size_t)panel * PANEL + lane;
    const __global stored *const w = (const __global stored *)p.w + first * PANEL_SIZE(p.columns);
    for (uint block = 0; block < rows; block += ROWS) {
        const X_SPACE float *row[ROWS];
#pragma unroll
        for (uint i = 0; i < ROWS; i++)
            row[i] = local_rows + min(block + i, rows - 1) * p.columns; // past the end: again the last row
        serve_unit(y + (size_t)block * p.y_stride, p.y_stride, row, rows - block, w, lane, p.bias ? p.bias + (size_t)first * PANEL + lane : p.bias,
                   p.columns, gated, p.active, p.add, (const __global stored *)next, more);
    }
}
