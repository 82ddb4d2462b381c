// xielu: y = xielu(y), rows of a multiple of 16 elements (xielu.h)
//   y        fp32 [rows][y_stride]
//   numbers  fp32 [4]
// Launch    {columns / 16, rows}: 16 elements a work-item; any local size
// Test      tests/cl/test_rows.c

#include "xielu.h"

__kernel void xielu(__global float *y, const uint y_stride, const __global float *restrict numbers)
{
    y += get_global_id(1) * y_stride + get_global_id(0) * 16;
    vstore16(xielu_f16(vload16(0, y), numbers), 0, y);
}
