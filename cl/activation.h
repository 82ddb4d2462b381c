// activation.h: the functions between two matrices of a decoder, for float and its vectors.
//
//   ACTIVATION           one of ACT_NONE .. ACT_CLAMPED_SWIGLU, numbered as dev_activation
//   ACTIVATE(v, n)       of a floatn, n = 1, 8 or 16
//   GATE(v, up, n)       a gate with what it lets through: ACTIVATE(v, n) * up, but for ACT_CLAMPED_SWIGLU, which is of both halves: with v at
//                        most limit and up within +- limit, v * sigmoid(alpha * v) * (up + 1); -DGATE_ALPHA and -DGATE_LIMIT are their bits
//
// Sources: transformers' activations.py. gelu_tanh is written as x * sigmoid(2u), which is the same function.
// Test: tests/cl/test_activation.c.
#ifndef OCLM_ACTIVATION_H
#define OCLM_ACTIVATION_H

#include "common.h"
#include "math.h"

#define ACT_NONE       0
#define ACT_SILU       1
#define ACT_GELU       2
#define ACT_GELU_TANH  3
#define ACT_RELU       4
#define ACT_QUICK_GELU 5
#define ACT_RELU2      6
#define ACT_SIGMOID    7
#define ACT_TANH       8
#define ACT_CLAMPED_SWIGLU 9

#ifndef GATE_ALPHA
#define GATE_ALPHA 0x3FD9DB23 // 1.702
#endif
#ifndef GATE_LIMIT
#define GATE_LIMIT 0x40E00000 // 7
#endif

#ifndef ACTIVATION
#define ACTIVATION ACT_NONE
#endif

#define SIGMOID(x, n) (1.0f / (1.0f + JOIN(exp_f, n)(-(x))))

#if ACTIVATION == ACT_NONE
#define ACTIVATE(v, n) (v)
#elif ACTIVATION == ACT_SILU
#define ACTIVATE(v, n) ((v) * SIGMOID(v, n))
#elif ACTIVATION == ACT_GELU
#define ACTIVATE(v, n) ((v) * 0.5f * (1.0f + erf((v) * 0.70710678f)))
#elif ACTIVATION == ACT_GELU_TANH
#define ACTIVATE(v, n) \
    ((v) * SIGMOID((v) * MUL_ADD(0.0713548163f * (v), (v), (VECTOR(float, n))(1.59576912f)), n))
#elif ACTIVATION == ACT_RELU
#define ACTIVATE(v, n) fmax((v), 0.0f)
#elif ACTIVATION == ACT_QUICK_GELU
#define ACTIVATE(v, n) ((v) * SIGMOID((v) * 1.702f, n))
#elif ACTIVATION == ACT_RELU2
#define ACTIVATE(v, n) (fmax((v), 0.0f) * fmax((v), 0.0f))
#elif ACTIVATION == ACT_SIGMOID
#define ACTIVATE(v, n) SIGMOID(v, n)
#elif ACTIVATION == ACT_TANH
#define ACTIVATE(v, n) tanh(v)
#elif ACTIVATION == ACT_CLAMPED_SWIGLU
#define ACTIVATE(v, n) (v)
#else
#error "ACTIVATION is none of those that activation.h knows"
#endif

#if ACTIVATION == ACT_CLAMPED_SWIGLU
#define AT_MOST(v)     fmin((v), as_float(GATE_LIMIT))
#define GATE(v, up, n) (AT_MOST(v) * SIGMOID(AT_MOST(v) * as_float(GATE_ALPHA), n) * (fmax(AT_MOST(up), -as_float(GATE_LIMIT)) + 1.0f))
#else
#define GATE(v, up, n) (ACTIVATE(v, n) * (up))
#endif

#endif
