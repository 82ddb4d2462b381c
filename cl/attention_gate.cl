// attention_gate.cl: out[r][i] *= sigmoid(gate[r][at + i])
//   out, gate  fp32 [rows][out_stride], [rows][gate_stride]
// Launch    global {columns, rows}
// Source    transformers' Qwen3NextAttention
// Test      tests/cl/test_delta_net.c

#include "activation.h"

__kernel void attention_gate(__global float *restrict out, const uint out_stride, const __global float *restrict gate, const uint gate_stride,
                             const uint at)
{
    const size_t row = get_global_id(1), column = get_global_id(0);
    out[row * out_stride + column] *= SIGMOID(gate[row * gate_stride + at + column], 1);
}
