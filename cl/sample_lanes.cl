// sample_lanes: the kernels of sample.cl that go through logits, in the shape for devices whose work-items are lanes (GPUs)
//
// A work-group takes a part of a row, neighbouring lanes neighbouring logits. What they find is joined in local memory: all of it integers, so
// that it is the same whatever the order, and the same as by sample.cl. A token's place among those before it is a sum over lanes.
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
