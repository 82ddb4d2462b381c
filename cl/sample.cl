// sample: from a row of scores to the next token, on the device: a greedy choice or a draw leaves candidates, and `sample_advance` tells everybody.
// What changes scores comes before: filter.cl, process_*.cl.
//
// A row is cut into `parts` of `part` logits (a multiple of 16), a work-item each. All sums are of integers: a part more or less
// changes nothing. Floats are ordered by `key`, an unsigned integer that grows with the float; NaN is above +inf, -0 equals +0.
// Probabilities are integers too: e^(x - largest) * 2^40, cut off.
//
//   logits     fp32 [rows][stride], vocab of them; stride >= vocab
//   workspace  uint64 [rows][WORDS(parts)], see sample.h
// Launch    {parts, rows} unless said otherwise; any local size
// Build     -DWG=1.. work-items of the kernels that take a whole group for a row
// On devices whose work-items are lanes, sample_lanes.cl has what goes through logits.
// Test      tests/cl/test_sample.c, tests/cl/test_draw.c

#include "random.h"
#include "sample.h"
#include "sixteen.h"

#ifndef WG
#define WG 1
#endif

// A part's candidate: the key above, the complement of the id below, so that the largest candidate is the first of the
// largest logits.
__kernel void sample_greedy(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                            __global ulong *restrict workspace)
{
    const uint parts = (uint)get_global_size(0);
    const __global float *const x = logits + get_global_id(1) * stride;
    const uint begin = (uint)get_global_id(0) * part, end = min(begin + part, vocab);
    uint16 best = 0, where = 0;
    uint16 id = (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) + begin;
    for (uint i = begin; i < end; i += 16) {
        const uint16 k = key16(load16(x, i, end));
        where = k > best ? id : where;
        best = max(best, k);
        id += 16;
    }
    uint keys[16], ids[16];
    vstore16(best, 0, keys);
    vstore16(where, 0, ids);
    ulong candidate = 0;
    for (uint j = 0; j < 16; j++)
        candidate = max(candidate, begin + j < end ? (ulong)keys[j] << 32 | ~ids[j] : 0);
    workspace[get_global_id(1) * WORDS(parts) + CANDIDATES(parts) + get_global_id(0)] = candidate;
}

// Draws a token, by the largest scores and masses that filter.cl has left: the first whose mass, added to that of all before it, passes a random share
// of the whole. Its candidate is the only one; a row without probabilities (NaN, +inf, or -inf throughout) has none. Of `each` rows that continue
// one prompt each draws by its number among them, so that a prompt in a batch draws as it does alone; 0: the rows are successive steps of one.
// Launch {1, rows}
__kernel void sample_draw(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                          __global ulong *restrict workspace, const uint parts, const __global uint *restrict step,
                          const ulong seed, const uint each)
{
    const uint row = (uint)get_global_id(1);
    const __global float *const x = logits + (size_t)row * stride;
    __global ulong *const space = workspace + row * WORDS(parts);
    const float largest = largest_score(space, parts);
    ulong total = 0;
    for (uint p = 0; p < parts; p++)
        total += space[MASSES(parts) + p];
    ulong left = mul_hi(each > 0 ? random_bits(seed, *step, row % each) : random_bits(seed, *step + row, 0), total); // < total
    uint p = 0;
    for (; p + 1 < parts && space[MASSES(parts) + p] <= left; p++)
        left -= space[MASSES(parts) + p];
    const uint end = min((p + 1) * part, vocab);
    ulong candidate = 0;
    for (uint i = p * part; i < end && candidate == 0 && total > 0; i += 16) {
        float e[16];
        vstore16(exp_f16(load16(x, i, end) - largest), 0, e);
        for (uint j = 0; j < 16 && candidate == 0; j++) {
            const ulong m = mass(e[j]);
            if (left < m)
                candidate = 1ul << 32 | ~(i + j);
            left -= m;
        }
    }
    space[CANDIDATES(parts)] = candidate;
}

// The best of `candidates` becomes the row's next id, -1 if there is none or it is no finite number: for the next pass, for the host's ring; position and step
// go on, and the row's ids (history may be null) grow by it. One work-group, because `step` may change only when every row has read it.
// Launch {WG}, local {WG}
__kernel void sample_advance(const __global ulong *restrict workspace, const uint parts, const uint candidates, const uint rows,
                             __global int *restrict ids, __global int *restrict ring, const uint ring_size,
                             __global int *restrict positions, const int advance, __global uint *restrict step,
                             __global int *restrict history, const uint history_stride, __global uint *restrict lengths)
{
    const size_t slot = (size_t)(*step % ring_size) * rows;
    for (uint row = (uint)get_local_id(0); row < rows; row += WG) {
        const __global ulong *const mine = workspace + row * WORDS(parts) + CANDIDATES(parts);
        ulong best = 0;
#if WG > 1 // a lane keeps several loads in flight; vector code does so anyway, and warns that it was vectorised instead
#pragma unroll 8
#endif
        for (uint c = 0; c < candidates; c++)
            best = max(best, mine[c]);
        const int id = best == 0 || best >> 32 >= KEY_OF_INFINITY ? -1 : (int)~(uint)best; // a greedy choice of NaN or +inf is none
        ids[row] = id;
        ring[slot + row] = id;
        positions[row] += advance;
        if (history) {
            if (lengths[row] < history_stride)
                history[(size_t)row * history_stride + lengths[row]] = id;
            lengths[row]++;
        }
    }
    barrier(CLK_GLOBAL_MEM_FENCE);
    if (get_local_id(0) == 0)
        *step += 1;
}
