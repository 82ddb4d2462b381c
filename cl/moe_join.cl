// moe_join: y += scale * (sum_j weights[j] * x[place_of[j]] + shared): what a row's experts made, in ascending order of their ids
//
//   x         fp32 [slots][stride], sorted by expert (moe_sort.cl)
//   weights, place_of   [rows][chosen]
//   shared    fp32 [rows][stride], of experts that every row has; or null
//   gate      fp32 [rows][gate_stride]: shared counts sigmoid of the first of them; or null, then it counts whole
//   y         fp32 [rows][y_stride], from element y_offset on
// Launch    global {stride / 16, rows}; strides are multiples of 16
// Build     -DADD=0|1: y += or y =
// Test      tests/cl/test_moe.c

#include "moe_join.h"

#ifndef ADD
#define ADD 1
#endif

__kernel void moe_join(__global float *restrict y, const ulong y_offset, const uint y_stride, const __global float *restrict x, const uint stride,
                       const __global float *restrict weights, const __global uint *restrict place_of, const uint chosen,
                       const __global float *restrict shared, const __global float *restrict gate, const uint gate_stride, const float scale)
{
    const size_t column = get_global_id(0) * 16, row = get_global_id(1);
    const float16 sum = join_experts16(x + column, stride, weights + row * chosen, place_of + row * chosen, chosen,
                                       shared ? shared + row * stride + column : shared, gate ? gate + row * gate_stride : gate);
    __global float *const to = y + y_offset + row * y_stride + column;
    vstore16(ADD ? MUL_ADD(sum, (float16)(scale), vload16(0, to)) : sum * scale, 0, to);
}
