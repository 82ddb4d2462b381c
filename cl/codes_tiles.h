// codes_tiles.h: a unit of a product for many rows where weights are codes: TILES times ROWS rows of x by COLS outputs of a panel
//
// What codes stand for is unpacked once, a span at a time, and multiplied by all rows of the item; only sums meet scales and minima. With ROWS
// rows alone unpacking costs as much as the product. The totals of all rows wait in memory between spans. Order and bits as in codes_unit.h.
//
// Included by matmul.cl.   Build  -DTILES=2..
#ifndef OCLM_CODES_TILES_H
#define OCLM_CODES_TILES_H

#include "matmul_unit.h"

#define TILE_VECTORS (ROWS * VECTORS)

// total [tiles][ROWS][VECTORS]; x: row 0 of the first tile; rows: how many there are from it on.
static inline void product_of_tiles(vec *const total, const X_SPACE float *const x, const uint x_stride, const uint rows, const uint tiles,
                                    const __global stored *const panel, const uint columns, const uint lane)
{
    const code_rows r = code_rows_of(panel, columns, lane);
    vec b[CODE_SPAN * VECTORS];
    for (uint i = 0; i < tiles * TILE_VECTORS; i++)
        total[i] = 0.0f;
    for (uint first = 0; first < columns; first += CODE_SPAN) {
        const uint count = min((uint)CODE_SPAN, columns - first);
        for (uint k = 0; k < count; k++)
            code_column(b + k * VECTORS, r, first + k);
        for (uint tile = 0; tile < tiles; tile++) {
            const X_SPACE float *row[ROWS];
            vec sum[TILE_VECTORS];
#pragma unroll
            for (uint i = 0; i < ROWS; i++)
                row[i] = x + (size_t)min(tile * ROWS + i, rows - 1) * x_stride; // past the end: again the last row
#pragma unroll
            for (uint i = 0; i < TILE_VECTORS; i++)
                sum[i] = 0.0f;
            for (uint k = 0; k < count; k++)
                add_column(sum, row, first + k, b + k * VECTORS);
            add_sums(total + tile * TILE_VECTORS, sum, row, r, first, count);
        }
    }
    for (uint i = 0; i < tiles * ROWS; i++)
        order_as_rows(total + i * VECTORS);
}

// As serve_unit(), for so many tiles.
static inline void serve_tiles(__global float *const y, const uint y_stride, const X_SPACE float *const x, const uint x_stride, const uint rows,
                               const uint tiles, const __global stored *const w, const uint lane, const __global float *const bias,
                               const uint columns, const bool gated, const bool active, const float add)
{
    vec total[TILES * TILE_VECTORS];
    product_of_tiles(total, x, x_stride, rows, tiles, w, columns, lane);
#if GATED
    vec up[TILES * TILE_VECTORS];
    if (gated)
        product_of_tiles(up, x, x_stride, rows, tiles, w + PANEL_SIZE(columns), columns, lane);
#endif
    for (uint tile = 0; tile < tiles; tile++) {
        vec *const t = total + tile * TILE_VECTORS, *u = t;
        add_bias(t, bias);
#if GATED
        u = up + tile * TILE_VECTORS;
        if (gated)
            add_bias(u, bias ? bias + PANEL : bias);
#endif
        put_unit(y + (size_t)tile * ROWS * y_stride, y_stride, rows - tile * ROWS, t, u, gated, active, add);
    }
}

#endif
