// moe_route.h: which experts a row chooses, and how much each counts, by a group of WG work-items: moe_route.cl, where all is told, and
// decode_layers.cl
//
// Build     -DWG=1.. -DROUTER=0..2 -DNORMALISED=0|1 -DGROUP_SUM=0|1
#ifndef OCLM_MOE_ROUTE_H
#define OCLM_MOE_ROUTE_H

#include "math.h"

#define ROUTER_SOFTMAX 0
#define ROUTER_TOP     1
#define ROUTER_SIGMOID 2

#ifndef WG
#define WG 1
#endif
#if WG > 1
#define LANE (uint)get_local_id(0)
#define MEET barrier(CLK_LOCAL_MEM_FENCE)
#else
#define LANE 0u
#define MEET (void)0
#endif
#ifndef ROUTER
#define ROUTER ROUTER_SOFTMAX
#endif
#ifndef NORMALISED
#define NORMALISED 0
#endif
#ifndef GROUP_SUM
#define GROUP_SUM 0
#endif

// Minus one where value i + j comes before `value`, that of expert `own`.
static inline int16 before16(const float16 values, const int i, const float value, const int own)
{
    const int16 at = i + (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return (values > value) | ((values == value) & (at < own));
}

// How many of values[0 .. count - 1] come before values[own]. 32 at a time: llvmpipe silently ends all loops of a work-item together after
// 65,535 rounds, and this one runs for each expert.
static inline uint rank_of(const __local float *values, const uint count, const uint own)
{
    const float value = values[own];
    int16 ranks = 0;
    uint i = 0;
    for (; i + 32 <= count; i += 32)
        ranks -= before16(vload16(0, values + i), (int)i, value, (int)own) + before16(vload16(0, values + i + 16), (int)i + 16, value, (int)own);
    const int8 r8 = ranks.lo + ranks.hi;
    const int4 r4 = r8.lo + r8.hi;
    const int2 r2 = r4.lo + r4.hi;
    uint rank = (uint)(r2.x + r2.y);
    for (; i < count; i++)
        rank += (uint)(values[i] > value || (values[i] == value && i < own));
    return rank;
}

static inline float largest_score(const __local float *values, const uint count)
{
    float largest = -INFINITY;
    for (uint i = 0; i < count; i++)
        largest = values[i] > largest ? values[i] : largest;
    return largest;
}

static inline float group_score(const __local float *values, const uint size)
{
    float first = -INFINITY, second = -INFINITY;
    for (uint i = 0; i < size; i++) {
        const float value = values[i];
        second = value > first ? first : value > second ? value : second;
        first = value > first ? value : first;
    }
    return GROUP_SUM && size > 1 ? first + second : first;
}

// How a row chooses: as moe_route.cl's arguments.
typedef struct routing {
    uint count, chosen, groups, groups_chosen;
    float eps, scale;
} routing;

// All of one row: logits [count], ids and weights [chosen]. `score`, `choice` and `taken` are of `count`, `group` of `groups`.
static inline void route_row(const routing r, const __global float *const logits, const __global float *const correction,
                             const __global float *const counts, __global uint *const ids, __global float *const weights,
                             __local float *const score, __local float *const choice, __local float *const group, __local uint *const taken)
{
    const uint lid = LANE, count = r.count;
    for (uint e = lid; e < count; e += WG)
        score[e] = logits[e];
    MEET;
#if ROUTER == ROUTER_SOFTMAX
    const float largest = largest_score(score, count);
    MEET;
    for (uint e = lid; e < count; e += WG)
        score[e] = exp_f1(score[e] - largest);
    MEET;
    float all = 0.0f;
    IN_ORDER for (uint e = 0; e < count; e++)
        all += score[e];
    MEET;
    for (uint e = lid; e < count; e += WG)
        score[e] /= all;
#elif ROUTER == ROUTER_SIGMOID
    for (uint e = lid; e < count; e += WG)
        score[e] = 1.0f / (1.0f + exp_f1(-score[e]));
#endif
    for (uint e = lid; e < count; e += WG) {
        const float value = correction ? score[e] + correction[e] : score[e];
        choice[e] = value == value ? value : -INFINITY;
    }
    MEET;

    if (r.groups > 1) {
        const uint size = count / r.groups;
        for (uint g = lid; g < r.groups; g += WG)
            group[g] = group_score(choice + g * size, size);
        MEET;
        for (uint e = lid; e < count; e += WG)
            choice[e] = rank_of(group, r.groups, e / size) < r.groups_chosen ? choice[e] : -INFINITY;
        MEET;
    }
    for (uint e = lid; e < count; e += WG)
        taken[e] = rank_of(choice, count, e) < r.chosen;
    MEET;

    // Of the chosen: the largest score, and the sum of what they count before that is divided.
    float top = -INFINITY, sum = 0.0f;
#if ROUTER == ROUTER_TOP
    for (uint e = 0; e < count; e++)
        top = taken[e] && score[e] > top ? score[e] : top;
#endif
    IN_ORDER for (uint e = 0; e < count; e++)
        if (taken[e])
            sum += ROUTER == ROUTER_TOP ? exp_f1(score[e] - top) : score[e];
    for (uint e = lid; e < count; e += WG)
        if (taken[e]) {
            uint place = 0;
            for (uint i = 0; i < e; i++)
                place += taken[i];
            const float weight = ROUTER == ROUTER_TOP ? exp_f1(score[e] - top) / sum : NORMALISED ? score[e] / (sum + r.eps) : score[e];
            ids[place] = e;
            weights[place] = counts ? weight * r.scale * counts[e] : weight * r.scale;
        }
}

#endif
