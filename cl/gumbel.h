// gumbel.h: noise that turns the largest of scores into a draw by their probabilities: -log(-log(u)), u uniform in (0, 1).
//
// u comes of Philox on (seed, step, row, token); the logarithms are our own: the same noise on every device. Values are in (-2.9, 22.9).
#ifndef OCLM_GUMBEL_H
#define OCLM_GUMBEL_H

#include "math.h"
#include "random.h"

// u = 1 - v with v = (bits + 1/2) / 2^32. What decides are large values, which come of small v: there -log(1 - v) is v + v^2 / 2, and every bit counts.
static inline float gumbel_of(const uint bits)
{
    const float v = ((float)bits + 0.5f) * 2.3283064365386963e-10f;
    const float e = v < 0.0009765625f ? MUL_ADD(0.5f * v, v, v) : -log_f1(max(1.0f - v, 2.9802322387695312e-8f));
    return -log_f1(e);
}

// Counters differ from those of random_bits(), which have 0 in their third word.
static inline float gumbel(const ulong seed, const uint step, const uint row, const uint token)
{
    const uint4 r = philox4x32((uint4)(step, row, 1, token / 4), (uint2)((uint)seed, (uint)(seed >> 32)));
    return gumbel_of(token % 4 == 0 ? r.x : token % 4 == 1 ? r.y : token % 4 == 2 ? r.z : r.w);
}

#endif
