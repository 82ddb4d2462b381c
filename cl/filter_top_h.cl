// filter_top_h: top_h: of the LISTED largest scores those stay, from the largest on, whose terms of the entropy sum up to a share of it
//
// A search for the LISTED-th largest has left the row's border (filter_mark). Then
//   filter_list      lists the keys above it, in any order; of those at it the number is known
//   filter_entropy   sorts them, sums -p ln p with p = softmax of the listed alone, and moves the border to the last that stays
//   filter_ties      counts the border's key in each part; filter_cut_border follows
// Launch    row_parts.h, unless said otherwise
// Build     -DWG=, as there
// Source    transformers' TopHLogitsWarper
// Test      tests/generation/test_processors.c

#include "row_parts.h"

__kernel GROUP
void filter_list(const __global float *restrict scores, const uint stride, const uint vocab, const uint part, __global ulong *restrict workspace)
{
    const __global float *const x = scores + ROW * stride;
    __global ulong *const space = workspace + ROW * WORDS(PARTS);
    volatile __global uint *const count = (volatile __global uint *)(space + LIST(PARTS));
    const uint begin = PART * part, end = min(begin + part, vocab), border = (uint)space[BORDER(PARTS)];
    for (uint i = begin + LANE; i < end; i += LANES) {
        const uint k = key(x[i]);
        if (k > border)
            space[LIST(PARTS) + 1 + atomic_inc(count)] = k;
    }
}

// Launch {WG, rows}, local {WG, 1}. `listed`: how many there are with those at the border; `share` of the entropy.
__kernel GROUP
void filter_entropy(__global ulong *restrict workspace, const uint parts, const uint listed, const float share)
{
#if WG > 1
    __local uint sorted[LISTED];
#else
    uint sorted[LISTED];
#endif
    __global ulong *const space = workspace + ROW * WORDS(parts);
    volatile __global uint *const count = (volatile __global uint *)(space + LIST(parts));
    const __global ulong *const list = space + LIST(parts) + 1;
    const uint above = min(*count, listed), border = (uint)space[BORDER(parts)];
    for (uint i = LANE; i < listed; i += LANES) {
        uint place = i;
        if (i < above) {
            place = 0;
            for (uint j = 0; j < above; j++)
                place += list[j] > list[i] || (list[j] == list[i] && j < i);
        }
        sorted[place] = i < above ? (uint)list[i] : border;
    }
#if WG > 1
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
#endif
    if (LANE > 0)
        return;
    const float largest = float_of(sorted[0]);
    ulong total = 0;
    for (uint i = 0; i < listed; i++)
        total += mass(exp_f1(float_of(sorted[i]) - largest));
    const float log_sum = log_of_mass(total);
    // Terms e^d (log_sum - d), d = x - largest: -p ln p, all times the same sum.
    ulong entropy = 0;
    for (uint i = 0; i < listed; i++) {
        const float d = float_of(sorted[i]) - largest, e = exp_f1(d);
        entropy += e > 0.0f ? mass(e * (log_sum - d)) : 0;
    }
    const ulong most = share >= 1.0f ? entropy : (ulong)((float)entropy * share);
    uint kept = 0;
    ulong sum = 0;
    for (uint i = 0; i < listed; i++) {
        const float d = float_of(sorted[i]) - largest, e = exp_f1(d);
        sum += e > 0.0f ? mass(e * (log_sum - d)) : 0;
        if (i > 0 && (sum > most || e == 0.0f))
            break;
        kept++;
    }
    const uint least = sorted[kept - 1];
    uint ties = 0;
    for (uint i = 0; i < kept; i++)
        ties += sorted[i] == least;
    space[BORDER(parts)] = least;
    space[BORDER(parts) + 1] = ties; // that stay
    *count = 0;
}

__kernel GROUP
void filter_ties(const __global float *restrict scores, const uint stride, const uint vocab, const uint part, __global ulong *restrict workspace)
{
#if WG > 1
    __local ulong values[WG];
#endif
    const __global float *const x = scores + ROW * stride;
    __global ulong *const space = workspace + ROW * WORDS(PARTS);
    const uint begin = PART * part, end = min(begin + part, vocab), border = (uint)space[BORDER(PARTS)];
    ulong ties = 0;
    for (uint i = begin + LANE; i < end; i += LANES)
        ties += key(x[i]) == border;
#if WG > 1
    ties = sum_of_group(values, ties);
#endif
    if (LANE == 0)
        space[TIES(PARTS) + PART] = ties;
}
