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

#include "moe_route.h"

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void moe_route(const __global float *restrict logits, const uint stride, const __global float *restrict correction,
               const __global float *restrict counts, __global uint *restrict ids, __global float *restrict weights, const uint count,
               const uint chosen, const uint groups, const uint groups_chosen, const float eps, const float scale, __local float *score,
               __local float *choice, __local float *group, __local uint *taken)
{
    const size_t row = get_group_id(0);
    const routing r = { count, chosen, groups, groups_chosen, eps, scale };
    route_row(r, logits + row * stride, correction, counts, ids + row * chosen, weights + row * chosen, score, choice, group, taken);
}
