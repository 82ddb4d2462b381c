// sample.h: what the kernels over rows of scores agree on: keys that order floats, probabilities as integers, the workspace.
#ifndef OCLM_SAMPLE_H
#define OCLM_SAMPLE_H

#include "math.h"

#define BINS   256u
#define LISTED 100u // the largest scores that top_h looks at
// A row's workspace: two sets of sums [parts][BINS] for the passes of a search (filter.h), then candidates, largest keys, masses, moments, and how
// many have the border's key, each [parts], and
#define BIN_SET(parts, set) ((size_t)(parts) * BINS * (set))
#define CANDIDATES(parts)   ((size_t)(parts) * (2u * BINS))
#define LARGEST(parts)      ((size_t)(parts) * (2u * BINS + 1u))
#define MASSES(parts)       ((size_t)(parts) * (2u * BINS + 2u))
#define MOMENTS(parts)      ((size_t)(parts) * (2u * BINS + 3u))
#define TIES(parts)         ((size_t)(parts) * (2u * BINS + 4u))
#define STATES(parts)       ((size_t)(parts) * (2u * BINS + 5u)) // of a search: its digits so far and what is left to count off, [3]
#define BORDER(parts)       (STATES(parts) + 6u)                 // a key, and how many of those that have it go
#define LIST(parts)         (BORDER(parts) + 2u)                 // how many keys are listed, and they [LISTED]
#define WORDS(parts)        (LIST(parts) + 1u + LISTED)

static inline uint key(const float x)
{
    const uint bits = x == 0.0f ? 0 : as_uint(x); // -0 becomes +0; a driver may drop x + 0.0f
    return isnan(x) ? 0xFFFFFFFFu : bits ^ (0x80000000u | (uint)((int)bits >> 31));
}

#define KEY_OF_INFINITY 0xFF800000u // +inf's; NaN's is larger

static inline float float_of(const uint key)
{
    return as_float(key & 0x80000000u ? key ^ 0x80000000u : ~key);
}

// A probability in units of 2^-40 of the largest one. Not a number counts nothing.
static inline ulong mass(const float e)
{
    return e > 0.0f ? (ulong)(long)(e * 1099511627776.0f) : 0;
}

// The largest score of a row, from those of its parts.
static inline float largest_score(const __global ulong *const space, const uint parts)
{
    uint largest = 0;
    for (uint p = 0; p < parts; p++)
        largest = max(largest, (uint)space[LARGEST(parts) + p]);
    return float_of(largest);
}

#endif
