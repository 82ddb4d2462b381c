// logits: y = scale * y or, with a cap, cap * tanh(scale * y / cap), rows of a multiple of 16 elements
//   y        fp32 [rows][y_stride]
//   cap      0: none
// Launch    {columns / 16, rows}: 16 elements a work-item; any local size
// Test      tests/cl/test_rows.c

#include "math.h"

__kernel void logits(__global float *y, const uint y_stride, const float scale, const float cap)
{
    y += get_global_id(1) * y_stride + get_global_id(0) * 16;
    const float16 value = scale * vload16(0, y);
    vstore16(cap != 0.0f ? cap * tanh_f16(value / cap) : value, 0, y);
}
