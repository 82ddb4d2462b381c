// math.h: elementary functions of our own, the same operations on every device.
//
// OpenCL leaves exp() to the driver: its bits differ from one to the next, and on some CPUs it is one call a lane. These are a
// few additions and multiplications that any compiler turns into vector code.
//
//   exp_f1, exp_f4, exp_f8, exp_f16   e^x for float, float4, float8, float16; at most 2 ulp off (tests/cl/test_math.c).
//                                     x < -87.3365 (a result below the smallest normal number): 0, so no denormals.
//                                     x > 88.3762: infinity (a little early: e^x fits up to 88.7228). NaN stays NaN.
//   expm1_f1, .. expm1_f16            e^x - 1 without the loss of digits around 0, for x <= 88; likewise
//   log_f1                            the natural logarithm of normal numbers; at most 2 ulp off (tests/cl/test_math.c). 0: -infinity
//   tanh_f1, tanh_f16                 the hyperbolic tangent; at most 3 ulp off (tests/cl/test_math.c). NaN stays NaN.
//
// Source: S. Moshier's Cephes, expf: x = n ln 2 + r with |r| <= ln 2 / 2, n ln 2 subtracted in two parts of which the first is
// exact, a polynomial of degree 5 for (e^r - 1 - r) / r^2, and n added to the exponent. tanhf: a polynomial in x^2 below 0.625, beyond
// that 1 - 2 / (e^(2|x|) + 1) with the sign of x. logf: x = 2^n m with m in [sqrt(1/2), sqrt(2)), a polynomial for log(m).
#ifndef OCLM_MATH_H
#define OCLM_MATH_H

#include "common.h"

#define EXP_LOWEST  -87.336544f
#define EXP_HIGHEST 88.376259f
#define EXP_ROUND   12582912.0f // 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits

// Declares p = e^r - 1 and scale = 2^n.
#define EXP_PARTS(x, FLOAT, AS_FLOAT, AS_INT)                                                                                  \
        const FLOAT shifted = MUL_ADD(x, (FLOAT)(1.44269504f), (FLOAT)(EXP_ROUND));                                            \
        const FLOAT n = shifted - EXP_ROUND;                                                                                   \
        FLOAT r = MUL_ADD(n, (FLOAT)(-0.693359375f), x);                                                                       \
        r = MUL_ADD(n, (FLOAT)(2.12194440e-4f), r);                                                                            \
        FLOAT p = MUL_ADD(r, (FLOAT)(1.9875691500e-4f), (FLOAT)(1.3981999507e-3f));                                            \
        p = MUL_ADD(p, r, (FLOAT)(8.3334519073e-3f));                                                                          \
        p = MUL_ADD(p, r, (FLOAT)(4.1665795894e-2f));                                                                          \
        p = MUL_ADD(p, r, (FLOAT)(1.6666665459e-1f));                                                                          \
        p = MUL_ADD(p, r, (FLOAT)(5.0000001201e-1f));                                                                          \
        const FLOAT square = r * r;                                                                                            \
        p = MUL_ADD(p, square, r);                                                                                             \
        const FLOAT scale = AS_FLOAT((AS_INT(shifted) - (0x4B400000 - 127)) << 23);

#define DEFINE_EXP(N, FLOAT, AS_FLOAT, AS_INT)                                                                                 \
    static inline FLOAT JOIN(exp_f, N)(const FLOAT x)                                                                          \
    {                                                                                                                          \
        EXP_PARTS(x, FLOAT, AS_FLOAT, AS_INT)                                                                                  \
        const FLOAT y = x > EXP_HIGHEST ? (FLOAT)(INFINITY) : (p + 1.0f) * scale;                                              \
        return x < EXP_LOWEST ? (FLOAT)(0.0f) : y;                                                                             \
    }                                                                                                                          \
    static inline FLOAT JOIN(expm1_f, N)(const FLOAT x)                                                                        \
    {                                                                                                                          \
        EXP_PARTS(x, FLOAT, AS_FLOAT, AS_INT)                                                                                  \
        return x < EXP_LOWEST ? (FLOAT)(-1.0f) : MUL_ADD(p, scale, scale - 1.0f);                                              \
    }

DEFINE_EXP(1, float, as_float, as_int)
DEFINE_EXP(4, float4, as_float4, as_int4)
DEFINE_EXP(8, float8, as_float8, as_int8)
DEFINE_EXP(16, float16, as_float16, as_int16)

#define DEFINE_TANH(NAME, FLOAT, EXP)                                                                                          \
    static inline FLOAT NAME(const FLOAT x)                                                                                    \
    {                                                                                                                          \
        const FLOAT z = x * x;                                                                                                 \
        FLOAT p = MUL_ADD(z, (FLOAT)(-5.70498872745e-3f), (FLOAT)(2.06390887954e-2f));                                         \
        p = MUL_ADD(p, z, (FLOAT)(-5.37397155531e-2f));                                                                        \
        p = MUL_ADD(p, z, (FLOAT)(1.33314422036e-1f));                                                                         \
        p = MUL_ADD(p, z, (FLOAT)(-3.33332819422e-1f));                                                                        \
        p = MUL_ADD(p * z, x, x);                                                                                              \
        const FLOAT y = 1.0f - 2.0f / (EXP(2.0f * fabs(x)) + 1.0f);                                                            \
        return fabs(x) < 0.625f ? p : copysign(y, x);                                                                          \
    }

DEFINE_TANH(tanh_f1, float, exp_f1)
DEFINE_TANH(tanh_f16, float16, exp_f16)

static inline float log_f1(const float x)
{
    const uint shifted = as_uint(x) - 0x3F3504F3u; // sqrt(1/2) becomes 0: the exponent of what is left counts from there
    const float n = (float)((int)shifted >> 23);
    const float m = as_float((shifted & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
    float p = MUL_ADD(m, 7.0376836292e-2f, -1.1514610310e-1f);
    p = MUL_ADD(p, m, 1.1676998740e-1f);
    p = MUL_ADD(p, m, -1.2420140846e-1f);
    p = MUL_ADD(p, m, 1.4249322787e-1f);
    p = MUL_ADD(p, m, -1.6668057665e-1f);
    p = MUL_ADD(p, m, 2.0000714765e-1f);
    p = MUL_ADD(p, m, -2.4999993993e-1f);
    p = MUL_ADD(p, m, 3.3333331174e-1f);
    const float square = m * m;
    p = MUL_ADD(n, -2.12194440e-4f, p * m * square);
    p = MUL_ADD(square, -0.5f, p);
    const float y = MUL_ADD(n, 0.693359375f, m + p);
    return x == 0.0f ? -INFINITY : y;
}

#endif
