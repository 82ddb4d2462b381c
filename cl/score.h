// score.h: what becomes of a score between its product with a key and softmax (softmax.h), shared by every shape of attention
//
//   score = SOFTCAP * tanh(score / SOFTCAP)
//   score += slope * (t - at): ALiBi, of the key at position t for a row at position `at`. (Only differences matter to softmax, and small
//            numbers are exact.) With ALIBI_FALCON slope is bfloat16, bfloat16 are t, at and their products, and the sum is scaled too
// A row at `at` sees the positions first_seen() .. at, seen_by() of them where there are so many: through a window of `window` positions,
// itself included, at most NO_WINDOW of them. With CHUNKED positions lie in chunks of `window`, and a row sees those of its own.
//
// Build     -DSOFTCAP=<bits of a float>, 0: none -DALIBI=0|1|2 -DCHUNKED=0|1
// Source    Press et al. 2021; transformers' Bloom, Falcon and Gemma2; Llama 4 for chunks
#ifndef OCLM_SCORE_H
#define OCLM_SCORE_H

#include "math.h"

#ifndef SOFTCAP
#define SOFTCAP 0
#endif
#ifndef ALIBI
#define ALIBI 0
#endif
#ifndef CHUNKED
#define CHUNKED 0
#endif

#define ALIBI_FALCON 2
#define NO_WINDOW    (1u << 28) // no position is as far back

static inline uint seen_by(const uint at, const uint window) { return CHUNKED ? at % window + 1 : window; }

static inline uint first_seen(const uint at, const uint window)
{
    if (CHUNKED)
        return at - at % window;
    return (uint)max((int)(at + 1) - (int)window, 0); // of unsigned numbers it becomes an instruction that oclgrind does not know
}

#define DEFINE_SCORED(NAME, FLOAT, INT, TO_FLOAT, TANH, ROUNDED)                                                               \
    static inline FLOAT NAME(FLOAT score, const INT t, const int at, const float slope, const float scale)                     \
    {                                                                                                                          \
        if (SOFTCAP != 0)                                                                                                      \
            score = as_float(SOFTCAP) * TANH(score * (1.0f / as_float(SOFTCAP)));                                              \
        if (ALIBI == ALIBI_FALCON)                                                                                             \
            score = MUL_ADD(ROUNDED(slope * ROUNDED(TO_FLOAT(t))) - rounded_f1(slope * rounded_f1((float)at)), (FLOAT)(scale), \
                            score);                                                                                            \
        else if (ALIBI != 0)                                                                                                   \
            score = MUL_ADD(TO_FLOAT(t - at), (FLOAT)(slope), score);                                                          \
        return score;                                                                                                          \
    }

// To bfloat16 and back, to even where two are as near.
#define DEFINE_ROUNDED(NAME, FLOAT, AS_FLOAT, AS_UINT)                                                                         \
    static inline FLOAT NAME(const FLOAT x)                                                                                    \
    {                                                                                                                          \
        return AS_FLOAT((AS_UINT(x) + 0x7fffu + ((AS_UINT(x) >> 16) & 1u)) & 0xffff0000u);                                     \
    }

DEFINE_ROUNDED(rounded_f1, float, as_float, as_uint)
DEFINE_ROUNDED(rounded_f16, float16, as_float16, as_uint16)
DEFINE_SCORED(scored_f1, float, int, (float), tanh_f1, rounded_f1)
DEFINE_SCORED(scored_f16, float16, int16, convert_float16, tanh_f16, rounded_f16)

#endif
