// norm.h: the normalisation of one row by one work-item, into memory of its own.
//
// Sums run in 64 interleaved partial sums, element i into partial sum i % 64 from first to last, which are then joined by
// halves (l and l + 32, l and l + 16, ...). Any group of any size can keep that order, so the bits never depend on the shape.
//
//   NORM    NORM_RMS     x * w / sqrt(mean(x^2) + eps)
//           NORM_RMS1P   x * (w + 1) / sqrt(mean(x^2) + eps)
//           NORM_LAYER   (x - mean) / sqrt(mean((x - mean)^2) + eps) * w + b
// w and b may be null pointers: then they are 1 (RMS1P: 0) and 0.
// Sources: Zhang & Sennrich 2019; Ba et al. 2016; eps inside the root as in transformers.
#ifndef OCLM_NORM_H
#define OCLM_NORM_H

#include "common.h"

#define NORM_NONE  0
#define NORM_RMS   1
#define NORM_RMS1P 2
#define NORM_LAYER 3

#define NORM_LANES 64

// One element, given what was found out about its row.
static inline float norm_apply(const float x, const float mean, const float scale, const __global float *w,
                               const __global float *b, const uint i, const int kind)
{
    const float y = (x - mean) * scale;
    const float factor = !w ? 1.0f : kind == NORM_RMS1P ? w[i] + 1.0f : w[i];
    return b ? MUL_ADD(y, factor, b[i]) : y * factor;
}

// The residual takes in a normalised element.
static inline float norm_residual(const float y, const float scale, const float norm) { return MUL_ADD(scale, norm, y); }

static inline float16 norm_apply16(const float16 x, const float mean, const float scale, const __global float *w,
                                   const __global float *b, const uint i, const int kind)
{
    const float16 y = (x - mean) * scale;
    float16 factor = 1.0f;
    if (w)
        factor = kind == NORM_RMS1P ? vload16(0, w + i) + 1.0f : vload16(0, w + i);
    return b ? MUL_ADD(y, factor, vload16(0, b + i)) : y * factor;
}

// The elements from `i` on that are still in the row; 0 beyond. `n` > i.
static inline float16 norm_load_tail(const __global float *x, const uint i, const uint n, const float fill)
{
    float part[16];
    for (uint j = 0; j < 16; j++)
        part[j] = i + j < n ? x[i + j] : fill;
    return vload16(0, part);
}

// A sum takes in one more element, or with `power` 2 its square.
#define NORM_ADD(sum, p, power) ((power) == 1 ? (sum) + (p) : MUL_ADD(p, p, sum))

// The sum of (x - mean)^2, or with `power` 1 of x - mean.
static inline float norm_sum(const __global float *x, const uint n, const float mean, const int power)
{
    float16 a = 0.0f, b = 0.0f, c = 0.0f, d = 0.0f;
    uint i = 0;
    for (; i + NORM_LANES <= n; i += NORM_LANES) {
        const float16 p = vload16(0, x + i) - mean, q = vload16(0, x + i + 16) - mean;
        const float16 r = vload16(0, x + i + 32) - mean, s = vload16(0, x + i + 48) - mean;
        a = NORM_ADD(a, p, power);
        b = NORM_ADD(b, q, power);
        c = NORM_ADD(c, r, power);
        d = NORM_ADD(d, s, power);
    }
    for (uint lane = 0; i < n; i += 16, lane++) {
        const float16 p = norm_load_tail(x, i, n, mean) - mean;
        if (lane == 0)
            a = NORM_ADD(a, p, power);
        else if (lane == 1)
            b = NORM_ADD(b, p, power);
        else if (lane == 2)
            c = NORM_ADD(c, p, power);
        else
            d = NORM_ADD(d, p, power);
    }
    const float16 e = (a + c) + (b + d);
    const float8 f = e.lo + e.hi;
    const float4 g = f.lo + f.hi;
    const float2 h = g.lo + g.hi;
    return h.x + h.y;
}

// The two numbers a row is normalised with.
static inline float2 norm_of_row(const __global float *x, const uint n, const float eps, const int kind)
{
    const float mean = kind == NORM_LAYER ? norm_sum(x, n, 0.0f, 1) / (float)n : 0.0f;
    return (float2)(mean, 1.0f / sqrt(norm_sum(x, n, mean, 2) / (float)n + eps));
}

#endif
