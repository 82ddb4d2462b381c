// gumbel.h: noise that turns the largest of scores into a draw by their probabilities: -log(-log(u)), u uniform in (0, 1).
//
// u comes of Philox on (seed, step, row, token); the logarithms are our own: the same noise on every device. Values are in (-2.9, 22.9).
// Source: S. Moshier's Cephes, logf
#ifndef OCLM_GUMBEL_H
#define OCLM_GUMBEL_H

#include "math.h"
#include "random.h"

// log(x) of a normal x > 0: Cephes, logf: the exponent, and a polynomial of degree 8 for the mantissa in [sqrt(1/2), sqrt(2)).
static inline float log_of(const float x)
{
    const uint bits = as_uint(x);
    int e = (int)(bits >> 23) - 126;
    float m = as_float((bits & 0x007FFFFFu) | 0x3F000000u); // [0.5, 1)
    if (m < 0.707106781f) {
        e -= 1;
        m += m;
    }
    m -= 1.0f;
    const float z = m * m;
    float p = MUL_ADD(7.0376836292e-2f, m, -1.1514610310e-1f);
    p = MUL_ADD(p, m, 1.1676998740e-1f);
    p = MUL_ADD(p, m, -1.2420140846e-1f);
    p = MUL_ADD(p, m, 1.4249322787e-1f);
    p = MUL_ADD(p, m, -1.6668057665e-1f);
    p = MUL_ADD(p, m, 2.0000714765e-1f);
    p = MUL_ADD(p, m, -2.4999993993e-1f);
    p = MUL_ADD(p, m, 3.3333331174e-1f);
    p = p * m * z;
    p = MUL_ADD((float)e, -2.12194440e-4f, p);
    p = MUL_ADD(z, -0.5f, p);
    return MUL_ADD((float)e, 0.693359375f, m + p);
}

// u = 1 - v with v = (bits + 1/2) / 2^32. What decides are large values, which come of small v: there -log(1 - v) is v + v^2 / 2, and every bit counts.
static inline float gumbel_of(const uint bits)
{
    const float v = ((float)bits + 0.5f) * 2.3283064365386963e-10f;
    const float e = v < 0.0009765625f ? MUL_ADD(0.5f * v, v, v) : -log_of(max(1.0f - v, 2.9802322387695312e-8f));
    return -log_of(e);
}

// Counters differ from those of random_bits(), which have 0 in their third word.
static inline float gumbel(const ulong seed, const uint step, const uint row, const uint token)
{
    const uint4 r = philox4x32((uint4)(step, row, 1, token / 4), (uint2)((uint)seed, (uint)(seed >> 32)));
    return gumbel_of(token % 4 == 0 ? r.x : token % 4 == 1 ? r.y : token % 4 == 2 ? r.z : r.w);
}

#endif
