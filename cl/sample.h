// sample.h: what sample.cl and sample_lanes.cl agree on: keys that order floats, probabilities as integers, the workspace.
#ifndef OCLM_SAMPLE_H
#define OCLM_SAMPLE_H

#include "math.h"

#define BINS 256u
// A row's workspace: sums [parts][BINS] of a radix pass, then candidates [parts], largest keys [parts], masses [parts], and
#define WORDS(parts)      ((size_t)(parts) * (BINS + 3u) + 4u)
#define CANDIDATES(parts) ((size_t)(parts) * BINS)
#define LARGEST(parts)    ((size_t)(parts) * (BINS + 1u))
#define MASSES(parts)     ((size_t)(parts) * (BINS + 2u))
#define PREFIX(parts)     ((size_t)(parts) * (BINS + 3u)) // the digits found so far
#define LEFT(parts)       (PREFIX(parts) + 1u)            // what is still to be counted off below them

#define KEY_MINUS_INFINITY 0x007FFFFFu

static inline uint key(const float x)
{
    const uint bits = x == 0.0f ? 0 : as_uint(x); // -0 becomes +0; a driver may drop x + 0.0f
    return isnan(x) ? 0xFFFFFFFFu : bits ^ (0x80000000u | (uint)((int)bits >> 31));
}

static inline float float_of(const uint key)
{
    return as_float(key & 0x80000000u ? key ^ 0x80000000u : ~key);
}

// A probability in units of 2^-40 of the largest one. Not a number counts nothing.
static inline ulong mass(const float e)
{
    return e > 0.0f ? (ulong)(long)(e * 1099511627776.0f) : 0;
}

#endif
