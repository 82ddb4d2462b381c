// select_rows: y[i] = x[rows[i]]: the rows of the residual stream whose logits are wanted
//   x, y    fp32, rows x_stride / y_stride elements apart; must not overlap. Whole rows are copied, padding too
//   rows    int32 [count], each a row of x
// Launch    {min(x_stride, y_stride) / 16, count}: 16 elements a work-item; strides are multiples of 16; any local size
// Test      tests/cl/test_select_rows.c

#include "common.h"

__kernel void select_rows(const __global float *restrict x, const uint x_stride, const __global int *restrict rows,
                          __global float *restrict y, const uint y_stride)
{
    const size_t column = get_global_id(0) * 16, row = get_global_id(1);
    vstore16(vload16(0, x + (size_t)rows[row] * x_stride + column), 0, y + row * y_stride + column);
}
