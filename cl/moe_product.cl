// moe_product: y = act(x * W_e^T + bias_e) of sorted slots (moe_sort.cl), each with the weights of its expert e
//
// The shape for CPUs: matmul.cl's, with a tile's expert in front of everything. A work-item takes a tile of at most ROWS slots, which are of one
// expert, by COLS outputs of a panel. Sums are those of matmul_unit.h: the bits of a slot do not depend on what it is computed with.
//
//   x       fp32, rows x_stride apart. Slot s multiplies row row_of[s], or without row_of row s
//   y       fp32 [slots][y_stride]; all 32 outputs of each panel are written; must not overlap x or w
//   tiles   uint4: expert, first slot, number of slots (0: none)
//   w       one part of a matrix of all experts below each other, each of `panels` panels; first_panel, part_panels: the part's
//   bias    fp32 [panels * 32] of each expert, or null
//   units_per_item   as in matmul.cl
// GATED: panels 2p and 2p + 1 of an expert are gate and up of panel p of y; a part begins with an even panel.
// Launch    global {tiles, ceil(units / units_per_item)}, local {1, 1}; units: of an expert
// Build     as matmul_unit.h, -DGATED=0|1
// Test      tests/cl/test_moe.c

#ifndef GATED
#define GATED 0
#endif
#define X_SPACE __global

#include "matmul_unit.h"

__kernel void moe_product(__global float *restrict y, const uint y_stride, const __global float *restrict x, const uint x_stride,
                          const __global uint *restrict row_of, const __global uint4 *restrict tiles, const __global stored *restrict w,
                          const uint first_panel, const uint part_panels, const uint panels, const __global float *restrict bias,
                          const uint columns, const uint units_per_item)
{
    const uint4 tile = tiles[get_global_id(0)];
    const uint expert = tile.x, slots = tile.z;
    const __global float *row[ROWS];
    if (slots == 0)
        return;
#pragma unroll
    for (uint i = 0; i < ROWS; i++) {
        const uint slot = tile.y + min(i, slots - 1); // past the end: again the last one
        row[i] = x + (size_t)(row_of ? row_of[slot] : slot) * x_stride;
    }

    y += (size_t)tile.y * y_stride;
    const uint begin = (uint)get_global_id(1) * units_per_item;
    const uint end = min(begin + units_per_item, panels / (1 + GATED) * (PANEL / COLS));
    for (uint unit = begin; unit < end; unit++) {
        const uint panel = unit / (PANEL / COLS), lane = unit % (PANEL / COLS) * COLS;
        const uint first = expert * panels + (1 + GATED) * panel; // of the matrix
        if (first >= first_panel && first - first_panel < part_panels)
            serve_unit(y + (size_t)panel * PANEL + lane, y_stride, row, slots, w + (first - first_panel) * PANEL_SIZE(columns), lane,
                       bias ? bias + (size_t)first * PANEL + lane : bias, columns, GATED, true, 0,
                       w + (first - first_panel + 1 + GATED) * PANEL_SIZE(columns), 0);
    }
}
