// rows_gather: y[i] = scale * W[ids[i]], or y[i] += that with ADD: rows of a weight in panels (matrix.h), the embedding; with MORE then also
// y[i] += M[more_ids[i]]: its positions
//   y       fp32 [count][y_stride]
//   ids     int32, from element ids_offset on; one outside 0 .. all_rows - 1 means row 0
//   w       one part of the matrix: its rows first_row .. first_row + part_rows - 1. Other ids are left to the launches of other parts
//   more_ids, more, more_rows   only with MORE: all of the other matrix, stored alike and as wide, and of this one, too
// Launch    global {ceil(columns / BLOCK) or more, count}, local {1, 1} or any
// Build     -DSTORAGE=0..3 (3: as code_panel.h) -DADD=0|1 -DMORE=0|1 -DBLOCK=1.. (columns a work-item copies)
// Test      tests/cl/test_embed.c, of codes tests/cl/test_embed_codes.c

#include "panel_weight.h"

#ifndef ADD
#define ADD 0
#endif
#ifndef MORE
#define MORE 0
#endif
#if MORE
#define MORE_ARGUMENTS , const __global int *restrict more_ids, const __global stored *restrict more, const uint more_rows
#else
#define MORE_ARGUMENTS
#endif
#ifndef BLOCK
#define BLOCK 64
#endif
#define PANEL 32

__kernel void rows_gather(__global float *restrict y, const uint y_stride, const __global int *restrict ids, const uint ids_offset,
                          const __global stored *restrict w, const uint columns, const uint all_rows, const uint first_row,
                          const uint part_rows, const float scale MORE_ARGUMENTS)
{
    const uint i = (uint)get_global_id(1);
    const uint id = (uint)ids[ids_offset + i] < all_rows ? (uint)ids[ids_offset + i] : 0;
    if (id < first_row || id - first_row >= part_rows)
        return;
    const uint row = id - first_row;
    const uint begin = (uint)get_global_id(0) * BLOCK;
    const uint end = min(begin + BLOCK, columns);
    w += (size_t)(row / PANEL) * PANEL_SIZE(columns);
    y += (size_t)i * y_stride;
#if MORE
    const uint at = (uint)more_ids[i] < more_rows ? (uint)more_ids[i] : 0;
    more += (size_t)(at / PANEL) * PANEL_SIZE(columns);
#endif
    for (uint k = begin; k < end; k++) {
        const float value = WEIGHT(w, columns, k, row % PANEL);
#if MORE
        y[k] = WEIGHT(more, columns, k, at % PANEL) + value; // scale is 1
#else
        y[k] = ADD ? MUL_ADD(scale, value, y[k]) : scale * value;
#endif
    }
}
