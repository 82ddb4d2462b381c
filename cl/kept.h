// kept.h: how keys and values lie in the cache, and how they get there: as they are, or with QUANTIZED as int8 with a scale for each position
// of a key head: x = scale * int8, scale = largest |x| of the head / 127
//
//   keys     kept [pages][KV_HEADS][KEPT_HEAD]: of a page and a head [HEAD_DIM][PAGE], with QUANTIZED then fp32 [PAGE] scales
//   values   the same, [PAGE][HEAD_DIM] in front
//
// What attention makes of int8 is scaled once for each position: scores, and weights before they meet values. A head that holds NaN or
// infinity gets such a scale.
//
// Build     as head.h; -DQUANTIZED=0|1
#ifndef OCLM_KEPT_H
#define OCLM_KEPT_H

#include "head.h"
#include "softmax.h"

#if QUANTIZED
#define KEPT_HEAD       (PAGE * (HEAD_DIM + 4))
#define LOAD_KEPT(N, p) JOIN(convert_float, N)(LOAD_VECTOR(N, p))
#else
#define KEPT_HEAD       (PAGE * HEAD_DIM)
#define LOAD_KEPT(N, p) LOAD_VECTOR(N, p)
#endif

// The scales of a page and head, only with QUANTIZED. (Aligned: PAGE * HEAD_DIM bytes are in front.)
#define KEPT_SCALES(page) ((const __global float *)((page) + PAGE * HEAD_DIM))

#if QUANTIZED
static inline float larger_size(const float largest, const float x)
{
    return fabs(x) <= largest || largest != largest ? largest : fabs(x); // NaN stays
}

// Puts down a head's scale; returns what its numbers are multiplied with.
static inline float keep_scale(__global kept *const page, const uint place, const float largest, const bool writes)
{
    if (writes)
        ((__global float *)(page + PAGE * HEAD_DIM))[place] = largest * (1.0f / 127.0f);
    return largest > 0.0f ? 127.0f / largest : 0.0f;
}

static inline kept quantized(const float x, const float factor) { return (kept)convert_int_rte(x * factor); }
#else
static inline kept quantized(const float x, const float factor) { return (void)factor, x; }
#endif

// Puts a key, as it leaves head.h, where a page of the cache has `place` for it: the lane-th of `lanes` shares.
static inline void keep_key(const head_way key, __global kept *const page, const uint place, const uint lane, const uint lanes)
{
    float factor = 1.0f;
#if QUANTIZED
    float largest = 0.0f;
    for (uint i = 0; i < HALF_ROTARY; i++) {
        const float2 turned = turned_pair(key, i);
        largest = larger_size(largest, head_finished(key, turned.x, PAIR_FIRST(i)));
        largest = larger_size(largest, head_finished(key, turned.y, PAIR_SECOND(i)));
    }
    for (uint d = ROTARY_DIMS; d < HEAD_DIM; d++)
        largest = larger_size(largest, head_finished(key, head_element(key, d), d));
    factor = keep_scale(page, place, largest, lane == 0);
#endif
    for (uint i = lane; i < HALF_ROTARY; i += lanes) {
        const float2 turned = turned_pair(key, i);
        page[PAIR_FIRST(i) * PAGE + place] = quantized(head_finished(key, turned.x, PAIR_FIRST(i)), factor);
        page[PAIR_SECOND(i) * PAGE + place] = quantized(head_finished(key, turned.y, PAIR_SECOND(i)), factor);
    }
    for (uint d = ROTARY_DIMS + lane; d < HEAD_DIM; d += lanes)
        page[d * PAGE + place] = quantized(head_finished(key, head_element(key, d), d), factor);
}

// The same of a value.
static inline void keep_value(const __global float *const value, __global kept *const page, const uint place, const uint lane, const uint lanes)
{
    const float2 of = norm_of_value(value);
    float factor = 1.0f;
#if QUANTIZED
    float largest = 0.0f;
    for (uint d = 0; d < HEAD_DIM; d++)
        largest = larger_size(largest, value_finished(value, of, d));
    factor = keep_scale(page, place, largest, lane == 0);
#endif
    for (uint d = lane; d < HEAD_DIM; d += lanes)
        page[place * HEAD_DIM + d] = quantized(value_finished(value, of, d), factor);
}

#endif
