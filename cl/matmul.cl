// matmul_tile: y = epilogue(norm(x) * W^T + bias), W in panels of 32 outputs, column by column (matrix.h)
//
// The shape for CPUs: a work-item is a loop of vector code (matmul_unit.h). It takes ROWS rows of x by COLS outputs of a panel.
//
//   x       fp32 [rows][x_stride], from element x_offset on; `columns` inputs
//   y       fp32 [rows][y_stride], from element y_offset on; all 32 outputs of each panel are written; must not overlap x or w
//   w       one part of the matrix, `panels` of PANEL_SIZE(columns) elements; the part's panel 0 is panel first_panel of the matrix
//   bias    fp32 [panels * 32] of the whole matrix, or null
//   norm_w, norm_b, eps   only with NORM (norm.h)
//   kept    only with NORM: local memory for the rows, ROWS * columns floats
//   flags   what this product wants of what the kernel is built for, a sum of
//           1 norm(x), 2 gated, 4 the activation
//   add     0, or y += add * .. (the residual; not when gated)
//   units_per_item   a unit is COLS outputs (gated: of gate and up); a work-item takes so many neighbouring ones, for which it normalises
//           its rows only once
//   tiles, sums, sums_offset, sums_stride   only with TILES > 1: tiles of ROWS rows of a work-item, at most TILES; of codes with minima the sums
//           of x over spans (span_sums.cl), fp32 [spans][sums_stride], sums_stride a multiple of ROWS; else null
// Gated: panels 2p and 2p + 1 are gate and up of panel p of y: y = act(gate) * up. A part begins with an even panel.
// Launch    global {ceil(rows / (ROWS * tiles)), ceil(units / units_per_item)}, local {1, 1}; without `tiles` that is 1
// Build     as matmul_unit.h, -DNORM=0..3 -DGATED=0|1: what a product may ask for by its flags. One kernel for all products of a layer,
//           because drivers for CPUs take a second to compile each. -DTILES=1..: of a work-item at most; more than 1 only for codes and
//           without NORM: weights are unpacked once for all (codes_tiles.h)
// Test      tests/cl/test_matmul.c

#ifndef NORM
#define NORM 0 // NORM_NONE
#endif
#ifndef GATED
#define GATED 0
#endif

#define NORMALIZE  1u
#define GATES      2u
#define ACTIVE     4u

#if NORM
#define X_SPACE __local
#else
#define X_SPACE __global
#endif

#ifndef TILES
#define TILES 1
#endif

#include "matmul_unit.h"
#if TILES > 1
#include "codes_tiles.h"
#endif

__kernel void matmul_tile(__global float *restrict y, const ulong y_offset, const uint y_stride,
                          const __global float *restrict x, const ulong x_offset, const uint x_stride,
                          const __global stored *restrict w, const uint first_panel, const uint panels,
                          const __global float *restrict bias, const uint columns, const uint rows, const uint flags, const float add,
                          const uint units_per_item
#if NORM
                          , const __global float *restrict norm_w, const __global float *restrict norm_b, const float eps,
                          __local float *kept
#endif
#if TILES > 1
                          , const uint tiles, const __global float *restrict sums, const ulong sums_offset, const uint sums_stride
#endif
                          )
{
    x += x_offset;
#if TILES > 1
    const uint first_row = (uint)get_global_id(0) * (ROWS * tiles);
    const tile_rows all = { x + (size_t)first_row * x_stride, sums ? sums + sums_offset + first_row : sums, x_stride, sums_stride, rows - first_row };
#else
    const uint first_row = (uint)get_global_id(0) * ROWS;
    const X_SPACE float *row[ROWS];
#pragma unroll
    for (uint i = 0; i < ROWS; i++) {
        const __global float *from = x + (size_t)min(first_row + i, rows - 1) * x_stride; // past the end: again the last row
#if NORM
        take_row(kept + i * columns, from, columns, flags & NORMALIZE, eps, norm_w, norm_b, NORM);
        row[i] = kept + i * columns;
#else
        row[i] = from;
#endif
    }
#endif

    // Units are numbered along the panels (gated: along pairs of them), PANEL / COLS to each.
    const bool gated = GATED && (flags & GATES), active = ACTIVATION && (flags & ACTIVE);
    const uint gates = gated ? 2 : 1;
    y += y_offset + (size_t)first_row * y_stride;
    const uint begin = (uint)get_global_id(1) * units_per_item;
    const uint end = min(begin + units_per_item, panels / gates * (PANEL / COLS));
    for (uint unit = begin; unit < end; unit++) {
        const uint panel = unit / (PANEL / COLS), lane = unit % (PANEL / COLS) * COLS;
        const uint first = gates * panel; // in this part
#if TILES > 1
        serve_tiles(y + (size_t)(first_panel / gates + panel) * PANEL + lane, y_stride, all, min(tiles, (all.rows + ROWS - 1) / ROWS),
                    w + first * PANEL_SIZE(columns), lane, bias ? bias + (size_t)(first_panel + first) * PANEL + lane : bias, columns,
                    gated, active, add);
#else
        serve_unit(y + (size_t)(first_panel / gates + panel) * PANEL + lane, y_stride, row, rows - first_row,
                   w + first * PANEL_SIZE(columns), lane, bias ? bias + (size_t)(first_panel + first) * PANEL + lane : bias, columns,
                   gated, active, add, w + (first + gates) * PANEL_SIZE(columns), 0);
#endif
    }
}
