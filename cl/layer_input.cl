// layer_input: gate[r][i] *= a[r][a_at + i] + b[r][b_at + i]: what a layer is told of its row's token once more, let through by a gate
//   gate     fp32 [rows][gate_stride]; a, b  fp32 [rows][a_stride], [rows][b_stride]
// Launch    {columns, rows}; any local size
// Source    transformers' Gemma4TextDecoderLayer
// Test      tests/cl/test_rows.c

#include "common.h"

__kernel void layer_input(__global float *restrict gate, const uint gate_stride, const __global float *restrict a, const uint a_stride,
                          const uint a_at, const __global float *restrict b, const uint b_stride, const uint b_at)
{
    const size_t column = get_global_id(0), row = get_global_id(1);
    gate[row * gate_stride + column] *= a[row * a_stride + a_at + column] + b[row * b_stride + b_at + column];
}
