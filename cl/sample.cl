// sample: from a row of logits to the next token, on the device. What changes logits (eos suppression, temperature, top_k, top_p)
// does so in place, by writing -INFINITY where a token is out, so that any other processor may stand between; then a greedy
// choice or a draw leaves candidates, and `sample_advance` tells everybody.
//
// A row is cut into `parts` of `part` logits (a multiple of 16), a work-item each. All sums are of integers: a part more or less
// changes nothing. Floats are ordered by `key`, an unsigned integer that grows with the float; NaN is above +inf, -0 equals +0.
// Probabilities are integers too: e^(x - largest) * 2^40, cut off: a row of 2^18 equal logits still fits into 64 bits.
//
//   logits     fp32 [rows][stride], vocab of them; stride >= vocab
//   workspace  uint64 [rows][WORDS(parts)], see sample.h
// Launch    {parts, rows} unless said otherwise; any local size
// Build     -DWG=1.. work-items of the kernels that take a whole group for a row
// On devices whose work-items are lanes, sample_lanes.cl has what goes through logits.
// Test      tests/cl/test_sample.c
// Source    the rules of transformers' TopKLogitsWarper, TopPLogitsWarper; selection by radix, 8 bits at a time

#include "random.h"
#include "sample.h"

#ifndef WG
#define WG 1
#endif

static inline uint16 key16(const float16 x)
{
    const uint16 bits = x == 0.0f ? (uint16)(0) : as_uint16(x);
    return x != x ? (uint16)(0xFFFFFFFFu) : bits ^ (0x80000000u | as_uint16(as_int16(bits) >> 31));
}

// 16 logits from element i on; beyond `end` there are -INFINITY.
static inline float16 load16(const __global float *const x, const uint i, const uint end)
{
    if (i + 16 <= end)
        return vload16(0, x + i);
    float few[16];
    for (uint j = 0; j < 16; j++)
        few[j] = i + j < end ? x[i + j] : -INFINITY;
    return vload16(0, few);
}

static inline void store16(const float16 v, __global float *const x, const uint i, const uint end)
{
    if (i + 16 <= end) {
        vstore16(v, 0, x + i);
        return;
    }
    float few[16];
    vstore16(v, 0, few);
    for (uint j = 0; j < 16; j++)
        if (i + j < end)
            x[i + j] = few[j];
}

static inline float largest_of_row(const __global ulong *const space, const uint parts)
{
    uint largest = 0;
    for (uint p = 0; p < parts; p++)
        largest = max(largest, (uint)space[LARGEST(parts) + p]);
    return float_of(largest);
}

// ---- What changes logits

__kernel void sample_temperature(__global float *restrict logits, const uint stride, const uint vocab, const uint part,
                                 const float temperature)
{
    __global float *const x = logits + get_global_id(1) * stride;
    const uint begin = (uint)get_global_id(0) * part, end = min(begin + part, vocab);
    for (uint i = begin; i < end; i += 16)
        store16(load16(x, i, end) / temperature, x, i, end);
}

// ---- Finding a key by its rank or by the mass below it: four passes of counting and picking a digit, the highest first.

// Sums, for each value of the digit at `shift`, over the part's keys that begin with the digits found so far:
// one for a key or, if `by_mass`, its probability.
__kernel void sample_count(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                           __global ulong *restrict workspace, const uint shift, const uint by_mass)
{
    const uint parts = (uint)get_global_size(0);
    const __global float *const x = logits + get_global_id(1) * stride;
    __global ulong *const space = workspace + get_global_id(1) * WORDS(parts);
    __global ulong *const bins = space + get_global_id(0) * BINS;
    const uint begin = (uint)get_global_id(0) * part, end = min(begin + part, vocab);
    const ulong prefix = shift == 24 ? 0 : space[PREFIX(parts)];
    const float largest = by_mass ? largest_of_row(space, parts) : 0.0f;
    for (uint b = 0; b < BINS; b++)
        bins[b] = 0;
    for (uint i = begin; i < end; i += 16) {
        const float16 v = load16(x, i, end);
        const uint16 k = key16(v);
        uint keys[16];
        float e[16];
        vstore16(k, 0, keys);
        if (shift < 24 && !any(k >> (shift + 8) == (uint16)((uint)prefix)))
            continue;
        vstore16(by_mass ? exp_f16(v - largest) : (float16)(0.0f), 0, e);
        for (uint j = 0; j < 16; j++)
            if (i + j < end && (ulong)keys[j] >> (shift + 8) == prefix)
                bins[keys[j] >> shift & (BINS - 1)] += by_mass ? mass(e[j]) : 1;
    }
}

// Adds up the parts' bins, one bin a work-item at a time, and sixteen bins each to `sixteens`, by which one work-item then finds a digit in 32
// steps instead of 256. Launch {WG, rows}, local {WG, 1}
static void add_parts(const __global ulong *const space, const uint parts, __local ulong *const bins, __local ulong *const sixteens)
{
    for (uint b = (uint)get_local_id(0); b < BINS; b += WG) {
        ulong sum = 0;
        for (uint p = 0; p < parts; p++)
            sum += space[p * BINS + b];
        bins[b] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint s = (uint)get_local_id(0); s < BINS / 16; s += WG) {
        ulong sum = 0;
        for (uint b = 0; b < 16; b++)
            sum += bins[16 * s + b];
        sixteens[s] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

// The next digit of the k-th largest key.
__kernel void sample_pick_rank(__global ulong *restrict workspace, const uint parts, const uint shift, const uint k)
{
    __local ulong bins[BINS], sixteens[BINS / 16];
    __global ulong *const space = workspace + get_global_id(1) * WORDS(parts);
    add_parts(space, parts, bins, sixteens);
    if (get_local_id(0) > 0)
        return;
    ulong left = shift == 24 ? k : space[LEFT(parts)];
    uint digit = BINS - 1;
    for (; digit >= 16 && sixteens[digit / 16] < left; digit -= 16)
        left -= sixteens[digit / 16];
    for (; digit > 0 && bins[digit] < left; digit--)
        left -= bins[digit];
    space[PREFIX(parts)] = (shift == 24 ? 0 : space[PREFIX(parts)] << 8) | digit;
    space[LEFT(parts)] = left;
}

// The next digit of the least key that stays: in ascending order the first with which the mass passes `share` / 2^64 of it all.
__kernel void sample_pick_mass(__global ulong *restrict workspace, const uint parts, const uint shift, const ulong share)
{
    __local ulong bins[BINS], sixteens[BINS / 16];
    __global ulong *const space = workspace + get_global_id(1) * WORDS(parts);
    add_parts(space, parts, bins, sixteens);
    if (get_local_id(0) > 0)
        return;
    ulong left = space[LEFT(parts)];
    if (shift == 24) {
        ulong total = 0;
        for (uint b = 0; b < BINS / 16; b++)
            total += sixteens[b];
        left = mul_hi(share, total);
        left = left < total ? left : total - (total > 0); // one token stays
    }
    uint digit = 0;
    for (; digit < BINS - 16 && sixteens[digit / 16] <= left; digit += 16)
        left -= sixteens[digit / 16];
    for (; digit < BINS - 1 && bins[digit] <= left; digit++)
        left -= bins[digit];
    space[PREFIX(parts)] = (shift == 24 ? 0 : space[PREFIX(parts)] << 8) | digit;
    space[LEFT(parts)] = left;
}

// What is below the k-th largest goes; ties with it stay.
__kernel void sample_cut_rank(__global float *restrict logits, const uint stride, const uint vocab, const uint part,
                              const __global ulong *restrict workspace)
{
    const uint parts = (uint)get_global_size(0);
    __global float *const x = logits + get_global_id(1) * stride;
    const uint least = (uint)workspace[get_global_id(1) * WORDS(parts) + PREFIX(parts)];
    const uint begin = (uint)get_global_id(0) * part, end = min(begin + part, vocab);
    for (uint i = begin; i < end; i += 16) {
        const float16 v = load16(x, i, end);
        store16(key16(v) < least ? (float16)(-INFINITY) : v, x, i, end);
    }
}

// What is below the least key that stays goes; of its ties as many as fit into the mass that was left, the lowest ids first.
__kernel void sample_cut_mass(__global float *restrict logits, const uint stride, const uint vocab, const uint part,
                              const __global ulong *restrict workspace)
{
    const uint parts = (uint)get_global_size(0);
    __global float *const x = logits + get_global_id(1) * stride;
    const __global ulong *const space = workspace + get_global_id(1) * WORDS(parts);
    const uint least = (uint)space[PREFIX(parts)];
    const ulong one = mass(exp_f1(float_of(least) - largest_of_row(space, parts)));
    if (one == 0)
        return; // a row without probabilities: the draw will tell
    ulong ties = space[LEFT(parts)] / one; // that go
    for (uint p = 0; p < get_global_id(0); p++) {
        const ulong before = space[p * BINS + (least & (BINS - 1))] / one;
        ties -= min(ties, before);
    }
    const uint begin = (uint)get_global_id(0) * part, end = min(begin + part, vocab);
    for (uint i = begin; i < end; i++) {
        const uint k = key(x[i]);
        const bool goes = k < least || (k == least && ties > 0);
        ties -= k == least && ties > 0;
        if (goes)
            x[i] = -INFINITY;
    }
}

// ---- The choice

// The largest key of a part: for probabilities.
__kernel void sample_largest(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                             __global ulong *restrict workspace)
{
    const uint parts = (uint)get_global_size(0);
    const __global float *const x = logits + get_global_id(1) * stride;
    const uint begin = (uint)get_global_id(0) * part, end = min(begin + part, vocab);
    uint16 best = 0;
    for (uint i = begin; i < end; i += 16)
        best = max(best, key16(load16(x, i, end)));
    const uint8 b8 = max(best.lo, best.hi);
    const uint4 b4 = max(b8.lo, b8.hi);
    const uint2 b2 = max(b4.lo, b4.hi);
    workspace[get_global_id(1) * WORDS(parts) + LARGEST(parts) + get_global_id(0)] = max(b2.x, b2.y);
}

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

// The probabilities of a part, added up.
__kernel void sample_mass(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                          __global ulong *restrict workspace)
{
    const uint parts = (uint)get_global_size(0);
    const __global float *const x = logits + get_global_id(1) * stride;
    __global ulong *const space = workspace + get_global_id(1) * WORDS(parts);
    const float largest = largest_of_row(space, parts);
    const uint begin = (uint)get_global_id(0) * part, end = min(begin + part, vocab);
    ulong sum = 0;
    for (uint i = begin; i < end; i += 16) {
        float e[16];
        vstore16(exp_f16(load16(x, i, end) - largest), 0, e);
        for (uint j = 0; j < 16; j++)
            sum += mass(e[j]);
    }
    space[MASSES(parts) + get_global_id(0)] = sum;
}

// Draws a token: the first whose mass, added to that of all before it, passes a random share of the whole. Its candidate is the
// only one; a row without probabilities (NaN, +inf, or -inf throughout) has none. Of `each` rows that continue one prompt each draws by its number
// among them, so that a prompt in a batch draws as it does alone; 0: the rows are successive steps of one. Launch {1, rows}
__kernel void sample_draw(const __global float *restrict logits, const uint stride, const uint vocab, const uint part,
                          __global ulong *restrict workspace, const uint parts, const __global uint *restrict step,
                          const ulong seed, const uint each)
{
    const uint row = (uint)get_global_id(1);
    const __global float *const x = logits + (size_t)row * stride;
    __global ulong *const space = workspace + row * WORDS(parts);
    const float largest = largest_of_row(space, parts);
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

// The best of `candidates` becomes the row's next id, -1 if there is none: for the next pass, for the host's ring; position and step
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
        const int id = best == 0 ? -1 : (int)~(uint)best;
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
