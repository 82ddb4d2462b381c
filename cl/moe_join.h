// moe_join.h: what a row's experts made, joined, in 16 columns: moe_join.cl, where all is told, and decode_layers.cl
//
//   x, shared   from the first of the columns on, x [slots][stride]
//   weights, place_of   of the row, [chosen]; without place_of slot j is choice j
//   gate        of the row, or null
#ifndef OCLM_MOE_JOIN_H
#define OCLM_MOE_JOIN_H

#include "math.h"

static inline float16 join_experts16(const __global float *const x, const uint stride, const __global float *const weights,
                                     const __global uint *const place_of, const uint chosen, const __global float *const shared,
                                     const __global float *const gate)
{
    float16 sum = 0.0f;
    for (uint j = 0; j < chosen; j++)
        sum = MUL_ADD((float16)(weights[j]), vload16(0, x + (size_t)(place_of ? place_of[j] : j) * stride), sum);
    if (shared) {
        const float part = gate ? 1.0f / (1.0f + exp_f1(-*gate)) : 1.0f;
        sum = MUL_ADD((float16)(part), vload16(0, shared), sum);
    }
    return sum;
}

#endif
