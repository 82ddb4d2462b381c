// sample_lanes: the kernels of sample.cl that go through logits, in the shape for devices whose work-items are lanes (GPUs)
//
// A work-group takes a part of a row, neighbouring lanes neighbouring logits. What they find is joined in local memory: all of it integers, so
// that it is the same whatever the order, and the same as by sample.cl. A radix pass counts in local memory, by atomic additions.
// A token's place among those before it, for ties and for the draw, is a sum over lanes.
//
// Arguments and workspace as in sample.cl; the parts are the groups of dimension 0.
// Launch    {parts * WG, rows}, local {WG, 1}; sample_lanes_draw {WG, rows}
// Build     -DWG=<power of two>
// Test      tests/cl/test_sample.c, tests/cl/test_draw.c

#ifndef WG
#define WG 128
#endif

#include "lanes.h"
#include "random.h"
#include "sample.h"

#define PART  ((uint)get_group_id(0))
#define PARTS ((uint)get_num_groups(0))

#define NOWHERE 0xFFFFFFFFu

static inline float largest_of_row(const __global ulong *const space, const uint parts, __local ulong *const values)
{
    ulong largest = 0;
    for (uint p = LID; p < parts; p += WG)
        largest = max(largest, space[LARGEST(parts) + p]);
    return float_of((uint)largest_of_group(values, largest));
}

// ---- What changes logits

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void sample_lanes_temperature(__global float *restrict logits, const uint stride, const uint vocab, const uint part,
                              const float temperature)
{
    __global float *const x = logits + get_group_id(1) * stride;
    const uint begin = PART * part, end = min(begin + part, vocab);
    for (uint i = begin + LID; i < end; i += WG)
        x[i] = x[i] / temperature;
}

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void sample_lanes_count(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                        __global ulong *restrict workspace, const uint shift, const uint by_mass)
{
    __local ulong values[WG];
    __local uint low[BINS], high[BINS]; // 64 bits in two halves: atomic additions of 32 are what every device has
    const __global float *const x = logits + get_group_id(1) * stride;
    __global ulong *const space = workspace + get_group_id(1) * WORDS(PARTS);
    __global ulong *const bins = space + PART * BINS;
    const uint begin = PART * part, end = min(begin + part, vocab);
    const ulong prefix = shift == 24 ? 0 : space[PREFIX(PARTS)];
    const float largest = largest_of_row(space, PARTS, values); // without meaning where nothing is counted by mass
    for (uint b = LID; b < BINS; b += WG)
        low[b] = high[b] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = begin + LID; i < end; i += WG) {
        const uint k = key(x[i]);
        if ((ulong)k >> (shift + 8) == prefix) {
            const ulong more = by_mass ? mass(exp_f1(x[i] - largest)) : 1;
            const uint bin = k >> shift & (BINS - 1);
            const uint before = atomic_add(&low[bin], (uint)more);
            const uint carry = before + (uint)more < before;
            if (more >> 32 || carry)
                atomic_add(&high[bin], (uint)(more >> 32) + carry);
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint b = LID; b < BINS; b += WG)
        bins[b] = (ulong)high[b] << 32 | low[b];
}

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void sample_lanes_cut_rank(__global float *restrict logits, const uint stride, const uint vocab, const uint part,
                           const __global ulong *restrict workspace)
{
    __global float *const x = logits + get_group_id(1) * stride;
    const uint least = (uint)workspace[get_group_id(1) * WORDS(PARTS) + PREFIX(PARTS)];
    const uint begin = PART * part, end = min(begin + part, vocab);
    for (uint i = begin + LID; i < end; i += WG)
        if (key(x[i]) < least)
            x[i] = -INFINITY;
}

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void sample_lanes_cut_mass(__global float *restrict logits, const uint stride, const uint vocab, const uint part,
                           const __global ulong *restrict workspace)
{
    __local ulong values[WG];
    __global float *const x = logits + get_group_id(1) * stride;
    const __global ulong *const space = workspace + get_group_id(1) * WORDS(PARTS);
    const uint least = (uint)space[PREFIX(PARTS)];
    const uint begin = PART * part, end = min(begin + part, vocab);
    const ulong one = mass(exp_f1(float_of(least) - largest_of_row(space, PARTS, values)));
    ulong before = 0;
    for (uint p = LID; p < PART && one > 0; p += WG)
        before += space[p * BINS + (least & (BINS - 1))] / one;
    before = sum_of_group(values, before);
    ulong ties = one > 0 ? space[LEFT(PARTS)] / one : 0; // that go
    ties -= min(ties, before);
    for (uint block = begin; block < end; block += WG) {
        const uint i = block + LID, k = key(x[min(i, end - 1)]);
        const bool tie = i < end && k == least;
        ulong all;
        const ulong place = sum_up_to(values, tie, &all); // from 1 on
        if (i < end && one > 0 && (k < least || (tie && place <= ties))) // without probabilities: the draw will tell
            x[i] = -INFINITY;
        ties -= min(ties, all);
    }
}

// ---- The choice

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void sample_lanes_largest(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                          __global ulong *restrict workspace)
{
    __local ulong values[WG];
    const __global float *const x = logits + get_group_id(1) * stride;
    const uint begin = PART * part, end = min(begin + part, vocab);
    uint best = 0;
    for (uint i = begin + LID; i < end; i += WG)
        best = max(best, key(x[i]));
    const ulong largest = largest_of_group(values, best);
    if (LID == 0)
        workspace[get_group_id(1) * WORDS(PARTS) + LARGEST(PARTS) + PART] = largest;
}

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void sample_lanes_greedy(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                         __global ulong *restrict workspace)
{
    __local ulong values[WG];
    const __global float *const x = logits + get_group_id(1) * stride;
    const uint begin = PART * part, end = min(begin + part, vocab);
    ulong candidate = 0;
    for (uint i = begin + LID; i < end; i += WG)
        candidate = max(candidate, (ulong)key(x[i]) << 32 | ~i);
    candidate = largest_of_group(values, candidate);
    if (LID == 0)
        workspace[get_group_id(1) * WORDS(PARTS) + CANDIDATES(PARTS) + PART] = candidate;
}

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void sample_lanes_mass(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                       __global ulong *restrict workspace)
{
    __local ulong values[WG];
    const __global float *const x = logits + get_group_id(1) * stride;
    __global ulong *const space = workspace + get_group_id(1) * WORDS(PARTS);
    const float largest = largest_of_row(space, PARTS, values);
    const uint begin = PART * part, end = min(begin + part, vocab);
    ulong sum = 0;
    for (uint i = begin + LID; i < end; i += WG)
        sum += mass(exp_f1(x[i] - largest));
    sum = sum_of_group(values, sum);
    if (LID == 0)
        space[MASSES(PARTS) + PART] = sum;
}

// The token whose mass, added to that of all before it, passes a random share of the whole: first its part, then the place in that.
__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void sample_lanes_draw(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                       __global ulong *restrict workspace, const uint parts, const __global uint *restrict step, const ulong seed,
                       const uint each)
{
    __local ulong values[WG];
    __local ulong left_inside; // of the share, in what was found
    __local uint found;
    const uint row = (uint)get_group_id(1);
    const __global float *const x = logits + (size_t)row * stride;
    __global ulong *const space = workspace + row * WORDS(parts);
    const float largest = largest_of_row(space, parts, values);
    ulong total = 0;
    for (uint p = LID; p < parts; p += WG)
        total += space[MASSES(parts) + p];
    total = sum_of_group(values, total);
    ulong left = mul_hi(each > 0 ? random_bits(seed, *step, row % each) : random_bits(seed, *step + row, 0), total); // < total, or both are 0
    uint begin = 0, count = parts;
    if (LID == 0)
        found = NOWHERE;
#pragma unroll 1
    for (uint in_part = 0; in_part < 2; in_part++) { // one loop for both, with one call: with two PoCL 3.1's compiler crashes
        for (uint block = 0; block < count; block += WG) {
            const uint i = block + LID;
            ulong own = 0, all;
            if (i < count)
                own = in_part ? mass(exp_f1(x[begin + i] - largest)) : space[MASSES(parts) + i];
            const ulong upto = sum_up_to(values, own, &all);
            if (left < upto && left >= upto - own) {
                found = i;
                left_inside = left - (upto - own);
            }
            left = left < all ? ULONG_MAX : left - all; // found: from here on nobody passes
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        const uint at = found;
        left = at == NOWHERE ? ULONG_MAX : left_inside;
        if (in_part == 0) {
            begin = at == NOWHERE ? 0 : at * part;
            count = min(part, vocab - begin);
        } else if (LID == 0) {
            space[CANDIDATES(parts)] = at == NOWHERE ? 0 : 1ul << 32 | ~(begin + at);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (LID == 0)
            found = NOWHERE;
    }
}
