// span_sums: sums[s][r] = the sum of span s of row r of x: for products of many rows by codes with minima (codes_tiles.h), where each sum is used
// by all panels
//
//   sums    fp32 [spans][sums_stride], from element sums_offset on; sums_stride >= rows, a multiple of ROWS: past the last row its sum again
//   x       fp32 [rows][x_stride], from element x_offset on; `columns` inputs; must not overlap sums
// Launch    global {sums_stride / ROWS}: a work-item takes ROWS rows
// Build     -DGROUP=16|32|64: inputs of a span (code_panel.h)
// Test      tests/cl/test_matmul_codes.c

#define X_SPACE __global

#include "span_sum.h"

#define ROWS 16

__kernel void span_sums(__global float *restrict sums, const ulong sums_offset, const uint sums_stride, const __global float *restrict x,
                        const ulong x_offset, const uint x_stride, const uint columns, const uint rows)
{
    const uint first = (uint)get_global_id(0) * ROWS;
    sums += sums_offset + first;
    x += x_offset;
    for (uint i = 0; i < ROWS; i++) {
        const __global float *const row = x + (size_t)min(first + i, rows - 1) * x_stride;
        for (uint k = 0; k < columns; k += CODE_SPAN)
            sums[(size_t)(k / CODE_SPAN) * sums_stride + i] = span_sum(row + k, min((uint)CODE_SPAN, columns - k));
    }
}
