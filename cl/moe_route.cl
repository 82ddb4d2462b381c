// moe_route: which experts each row chooses, and how much each counts
//
//   logits      fp32 [rows][stride], the router's, of `count` experts
//   correction  fp32 [count], added to what experts are chosen by and not to how much they count; or null
//   counts      fp32 [count], times which what an expert counts, at last; or null
//   ids         uint [rows][chosen], in ascending order; weights fp32 likewise
// Experts are scored by ROUTER, a softmax over all or a sigmoid each, or are left as they are (ROUTER_TOP: then the softmax is over the chosen).
// With more than one group, neighbouring experts being one, only those of the `groups_chosen` best groups can be chosen; a group is as good as its
// best expert, or with GROUP_SUM as the sum of its two best. Of equals the lower id is better, and NaN is worse than all; so there are always
// `chosen` experts (groups_chosen * count / groups >= chosen).
// NORMALISED: the weights are divided by their sum + eps. Then they are multiplied by `scale`.
//
// Who is chosen is found by rank, how many others are better: each expert by itself, whatever WG is. Sums run from the first expert to the last.
//
// Launch    global {rows * WG}, local {WG}: a work-group a row; (2 * count + groups) floats and `count` uints of local memory
// Build     -DWG=1.. -DROUTER=0..2 -DNORMALISED=0|1 -DGROUP_SUM=0|1
// Source    transformers 5.23: modeling_mixtral.py, modeling_granitemoe.py, modeling_deepseek_v3.py, modeling_gemma4.py
// Test      tests/cl/test_moe.c

#include "math.h"

#define ROUTER_SOFTMAX 0
#define ROUTER_TOP     1
#define ROUTER_SIGMOID 2

#ifndef WG
#define WG 1
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

static inline float largest_of(const __local float *values, const uint count)
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

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void moe_route(const __global float *restrict logits, const uint stride, const __global float *restrict correction,
               const __global float *restrict counts, __global uint *restrict ids, __global float *restrict weights, const uint count, const uint chosen, const uint groups, const uint groups_chosen,
               const float eps, const float scale, __local float *score, __local float *choice, __local float *group, __local uint *taken)
{
    const uint lid = (uint)get_local_id(0);
    const size_t row = get_group_id(0);
    logits += row * stride;
    ids += row * chosen;
    weights += row * chosen;

    for (uint e = lid; e < count; e += WG)
        score[e] = logits[e];
    barrier(CLK_LOCAL_MEM_FENCE);
#if ROUTER == ROUTER_SOFTMAX
    const float largest = largest_of(score, count);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint e = lid; e < count; e += WG)
        score[e] = exp_f1(score[e] - largest);
    barrier(CLK_LOCAL_MEM_FENCE);
    float all = 0.0f;
    IN_ORDER for (uint e = 0; e < count; e++)
        all += score[e];
    barrier(CLK_LOCAL_MEM_FENCE);
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
    barrier(CLK_LOCAL_MEM_FENCE);

    if (groups > 1) {
        const uint size = count / groups;
        for (uint g = lid; g < groups; g += WG)
            group[g] = group_score(choice + g * size, size);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint e = lid; e < count; e += WG)
            choice[e] = rank_of(group, groups, e / size) < groups_chosen ? choice[e] : -INFINITY;
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (uint e = lid; e < count; e += WG)
        taken[e] = rank_of(choice, count, e) < chosen;
    barrier(CLK_LOCAL_MEM_FENCE);

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
            const float weight = ROUTER == ROUTER_TOP ? exp_f1(score[e] - top) / sum : NORMALISED ? score[e] / (sum + eps) : score[e];
            ids[place] = e;
            weights[place] = counts ? weight * scale * counts[e] : weight * scale;
        }
}
