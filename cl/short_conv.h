// short_conv.h: what a convolution over a sequence's rows (short_conv.cl) reads and makes, n channels from c on
//
//   CONV_INPUT(x, c, channels, n)           u of a row
//   CONV_FINISHED(sum, x, c, channels, n)   what a row becomes
//   convolve_f1, convolve_f16               the same of a row whose neighbours are all of other sequences, into y; the tail (of its sequence) is then
//                                           ready for the next pass
//
// Build     -DTAPS=<2 or more> -DCONV_GATED=0|1
#ifndef OCLM_SHORT_CONV_H
#define OCLM_SHORT_CONV_H

#include "activation.h"

#ifndef TAPS
#define TAPS 4
#endif
#ifndef CONV_GATED
#define CONV_GATED 0
#endif

#if CONV_GATED
#define CONV_INPUT(x, c, channels, n)         (LOAD_VECTOR(n, (x) + (c)) * LOAD_VECTOR(n, (x) + 2 * (size_t)(channels) + (c)))
#define CONV_FINISHED(sum, x, c, channels, n) (LOAD_VECTOR(n, (x) + (channels) + (c)) * (sum))
#else
#define CONV_INPUT(x, c, channels, n)         LOAD_VECTOR(n, (x) + (c))
#define CONV_FINISHED(sum, x, c, channels, n) ((sum) * SIGMOID(sum, n))
#endif

#define DEFINE_CONVOLVE(n)                                                                                                         \
    static inline void JOIN(convolve_f, n)(__global float *const y, const __global float *const x, const __global float *const w,  \
                                           const __global float *const bias, __global float *const tail, const uint position,      \
                                           const uint c, const uint channels)                                                      \
    {                                                                                                                              \
        VECTOR(float, n) u[TAPS], sum = 0.0f;                                                                                      \
        u[0] = CONV_INPUT(x, c, channels, n); /* then the latest of the tail first */                                              \
        for (uint back = 1; back < TAPS; back++) {                                                                                 \
            u[back] = 0.0f;                                                                                                        \
            if (back <= position)                                                                                                  \
                u[back] = LOAD_VECTOR(n, tail + (size_t)(back - 1) * channels + c);                                                \
        }                                                                                                                          \
        if (bias)                                                                                                                  \
            sum = LOAD_VECTOR(n, bias + c);                                                                                        \
        for (uint t = 0; t < TAPS; t++)                                                                                            \
            sum = MUL_ADD(LOAD_VECTOR(n, w + (size_t)t * channels + c), u[TAPS - 1 - t], sum);                                     \
        STORE_VECTOR(n, CONV_FINISHED(sum, x, c, channels, n), y + c);                                                             \
        for (uint back = 0; back + 1 < TAPS; back++)                                                                               \
            STORE_VECTOR(n, u[back], tail + (size_t)back * channels + c);                                                          \
    }

DEFINE_CONVOLVE(1)
DEFINE_CONVOLVE(16)

#endif
