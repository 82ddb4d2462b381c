// xielu.h: xIELU, an activation with numbers of each layer's own, for float and its vectors.
//
//   x > 0    p * x^2 + beta * x
//   else     n * (e^min(x, eps) - 1 - x) + beta * x
//
// numbers   fp32 [4]: p, n, beta, eps; p and n are what becomes of the stored alphas (runtime/model/weights.c)
// Source: Huang & Schlag 2024; transformers' XIELUActivation.
#ifndef OCLM_XIELU_H
#define OCLM_XIELU_H

#include "math.h"

#define DEFINE_XIELU(N, FLOAT)                                                                                                 \
    static inline FLOAT JOIN(xielu_f, N)(const FLOAT x, const __global float *const numbers)                                   \
    {                                                                                                                          \
        const FLOAT above = numbers[0] * (x * x);                                                                              \
        const FLOAT below = numbers[1] * (JOIN(expm1_f, N)(fmin(x, (FLOAT)(numbers[3]))) - x);                                 \
        return MUL_ADD((FLOAT)(numbers[2]), x, x > 0.0f ? above : below);                                                      \
    }

DEFINE_XIELU(1, float)
DEFINE_XIELU(16, float16)

#endif
