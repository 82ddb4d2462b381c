// rope.h: rotary positions: pairs of a head's dimensions, turned by their position's angles.
//
//   first, second = first * cos - second * sin, second * cos + first * sin
// Pair i < ROTARY_DIMS / 2 is dimensions i and i + ROTARY_DIMS / 2, or with INTERLEAVED 2i and 2i + 1. Dimensions from ROTARY_DIMS on
// stay as they are.
//
// Build     -DROTARY_DIMS=0.., even -DINTERLEAVED=0|1
// Source    Su et al. 2021; the two ways to pair as in transformers' Llama and GPT-J
#ifndef OCLM_ROPE_H
#define OCLM_ROPE_H

#include "common.h"

#ifndef ROTARY_DIMS
#define ROTARY_DIMS 0
#endif
#ifndef INTERLEAVED
#define INTERLEAVED 0
#endif

#define HALF_ROTARY   (ROTARY_DIMS / 2)
#define PAIR_FIRST(i)  (INTERLEAVED ? 2 * (i) : (i))
#define PAIR_SECOND(i) (INTERLEAVED ? 2 * (i) + 1 : (i) + HALF_ROTARY)

static inline float2 turn_pair(const float first, const float second, const float cosine, const float sine)
{
    return (float2)(MUL_ADD(first, cosine, -(second * sine)), MUL_ADD(second, cosine, first * sine));
}

#endif
