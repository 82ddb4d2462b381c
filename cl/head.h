// head.h: what queries, keys and values become between their product and the cache: cut, normalised, turned, and queries grown
//
//   cut         to -CLIP .. CLIP; values too
//   values      with VALUE_NORM each head by its root mean square, without factors (not with CLIP); VALUES_ARE_KEYS: they are what the
//               keys' product made; QUERIES_ONLY: there are no new keys and values, but those another layer put into the cache
//   normalised  as norm.h tells, by factors w and b. QK_NORM_HEAD: each head by itself with the same factors; QK_NORM_HEADS: with its own;
//               QK_NORM_ALL: all query heads as one row, all key heads as another
//   turned      as rope.h tells
//   grown       times a number that rises each QUERY_LENGTH positions
// in this order, but with CLIP_LATE cut after the norm, and with QK_NORM_LATE normalised after turning (by heads, by root mean square).
//
// Build     -DHEAD_DIM= -DHEADS= -DKV_HEADS=, as rope.h, and -DCLIP=<bits of a float>, 0: none -DCLIP_LATE=0|1 -DQK_NORM=0..3
//           -DVALUE_NORM=0|1 -DVALUES_ARE_KEYS=0|1 -DQUERIES_ONLY=0|1
//           -DQK_NORM_KIND=1..3 (norm.h) -DQK_EPS=<bits of a float> -DQK_NORM_LATE=0|1 -DQUERY_LENGTH=, 0: queries do not grow
//           -DMAY_STAND=0|1: 1: where `cosines` is null nothing is turned
// Source    transformers' Qwen3, Cohere, Olmo2 and OLMoE, Mpt, HunYuan, Ministral3, Gemma4
#ifndef OCLM_HEAD_H
#define OCLM_HEAD_H

#include "attention_data.h"
#include "norm.h"
#include "rope.h"

#ifndef HEAD_DIM
#define HEAD_DIM 64
#endif
#ifndef CLIP
#define CLIP 0
#endif
#ifndef CLIP_LATE
#define CLIP_LATE 0
#endif
#ifndef QK_NORM
#define QK_NORM 0
#endif
#ifndef QK_NORM_KIND
#define QK_NORM_KIND NORM_RMS
#endif
#ifndef QK_EPS
#define QK_EPS 0
#endif
#ifndef QK_NORM_LATE
#define QK_NORM_LATE 0
#endif
#ifndef MAY_STAND
#define MAY_STAND 0
#endif
#ifndef QUERY_LENGTH
#define QUERY_LENGTH 0
#endif
#ifndef VALUE_NORM
#define VALUE_NORM 0
#endif
#ifndef VALUES_ARE_KEYS
#define VALUES_ARE_KEYS 0
#endif
#ifndef QUERIES_ONLY
#define QUERIES_ONLY 0
#endif

#if MAY_STAND
#define STANDS(x) (!(x).cosines)
#else
#define STANDS(x) false
#endif

#define QK_NORM_HEAD  1
#define QK_NORM_HEADS 2
#define QK_NORM_ALL   3

#define NORM_EARLY (QK_NORM * (1 - QK_NORM_LATE)) // 0: not before turning
#define NORM_LATE  (QK_NORM * QK_NORM_LATE)

// What turns one head at its position.
typedef struct head_way {
    const __global float *x;               // HEAD_DIM numbers, as the product left them
    const __global float *cosines, *sines; // of the position
    const __global float *w, *b;           // of the head, or null
    float2 of;                             // mean and scale (norm.h)
} head_way;

static inline float cut(const float x)
{
    return CLIP != 0 ? fmin(fmax(x, -as_float(CLIP)), as_float(CLIP)) : x;
}

// A dimension before turning.
static inline float head_element(const head_way h, const uint i)
{
    float x = CLIP_LATE ? h.x[i] : cut(h.x[i]);
    if (NORM_EARLY != 0)
        x = norm_apply(x, h.of.x, h.of.y, h.w, h.b, i, QK_NORM_KIND);
    return CLIP_LATE ? cut(x) : x;
}

static inline float2 turned_pair(const head_way h, const uint i)
{
    const float first = head_element(h, PAIR_FIRST(i)), second = head_element(h, PAIR_SECOND(i));
    return STANDS(h) ? (float2)(first, second) : turn_pair(first, second, h.cosines[i], h.sines[i]);
}

// A dimension after turning becomes what it is at last.
static inline float head_finished(const head_way h, const float x, const uint i)
{
    return NORM_LATE != 0 ? norm_apply(x, h.of.x, h.of.y, h.w, h.b, i, QK_NORM_KIND) : x;
}

// The two numbers of a head that is normalised after turning.
static inline float2 norm_of_turned(const head_way h)
{
    float sum = 0.0f;
    IN_ORDER for (uint i = 0; i < HALF_ROTARY; i++) {
        const float2 turned = turned_pair(h, i);
        sum = MUL_ADD(turned.x, turned.x, sum);
        sum = MUL_ADD(turned.y, turned.y, sum);
    }
    IN_ORDER for (uint i = ROTARY_DIMS; i < HEAD_DIM; i++)
        sum = MUL_ADD(head_element(h, i), head_element(h, i), sum);
    return (float2)(0.0f, 1.0f / sqrt(sum / (float)HEAD_DIM + as_float(QK_EPS)));
}

// Query head or key head `head` of the `heads` heads from `first` on. (Not returned: inlined, that becomes what oclgrind does not know.)
static inline void take_head(head_way *const h, const __global float *const first, const uint head, const uint heads, const uint position,
                             const head_tables t, const __global float *const w, const __global float *const b)
{
    const uint factors = QK_NORM > QK_NORM_HEAD ? head * HEAD_DIM : 0;
    const size_t angle = STANDS(t) ? 0 : (size_t)position * HALF_ROTARY;
    h->x = first + head * HEAD_DIM;
    h->cosines = t.cosines + angle;
    h->sines = t.sines + angle;
    h->w = w ? w + factors : w;
    h->b = b ? b + factors : b;
    h->of = (float2)(0.0f, 1.0f);
    (void)heads;
#if NORM_LATE
    h->of = norm_of_turned(*h);
#elif QK_NORM == QK_NORM_ALL
    h->of = norm_of_row(first, heads * HEAD_DIM, as_float(QK_EPS), QK_NORM_KIND);
#elif QK_NORM != 0
    h->of = norm_of_row(h->x, HEAD_DIM, as_float(QK_EPS), QK_NORM_KIND);
#endif
}

// What of values comes from where keys do.
#define VALUE_HEAD(key_head, kv_heads) (VALUES_ARE_KEYS ? (key_head) : (kv_heads) + (key_head))

// The two numbers that a value is normalised by, where it is.
static inline float2 norm_of_value(const __global float *const value)
{
#if VALUE_NORM
    return norm_of_row(value, HEAD_DIM, as_float(QK_EPS), NORM_RMS);
#else
    (void)value;
    return (float2)(0.0f, 1.0f);
#endif
}

// A dimension of a value as it is kept.
static inline float value_finished(const __global float *const value, const float2 of, const uint i)
{
    return VALUE_NORM ? norm_apply(value[i], of.x, of.y, 0, 0, i, NORM_RMS) : cut(value[i]);
}

// Queries are multiplied by what this says for their position.
static inline float growth_at(const head_tables t, const uint position)
{
#if QUERY_LENGTH > 0
    return t.growth[position / QUERY_LENGTH];
#else
    (void)t, (void)position;
    return 1.0f;
#endif
}

#define GROWN(x, growth) (QUERY_LENGTH > 0 ? (x) * (growth) : (x))

#endif
