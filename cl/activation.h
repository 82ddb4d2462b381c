// activation.h: the functions between two matrices of a decoder, for float and its vectors.
//
//   ACTIVATION           one of ACT_NONE .. ACT_TANH, numbered as dev_activation
//   ACTIVATE(v, n)       of a floatn, n = 1, 8 or 16
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
#else
#error "ACTIVATION is none of those that activation.h knows"
#endif

#endif
