// accept: checks what a draft model drew against what the model would have drawn: sampling by guessing ahead, with the model's distribution
//
// A guess x that was drawn by q is kept with probability min(1, p(x) / q(x)), p being the model's probabilities. In place of the first one
// that is not, a token is drawn by max(p - q, 0); where all were kept, one more is drawn by p. What comes out is distributed by p alone.
//
// Probabilities are integers, as in sample.cl: mass / total, and products of two of them have 128 bits. So all sums are exact, and how work is
// divided changes nothing.
//
//   scores    fp32 [rows][stride], vocab of them; stride >= vocab
//   chances   uint64 [rows][CHANCE_WORDS]: of each row what accept_chance found out
// Build     -DWG=<power of two>, lanes that share a row; 1 where work-items are cores
// Test      tests/cl/test_accept.c
// Source    Leviathan, Kalman and Matias, "Fast Inference from Transformers via Speculative Decoding" (ICML 2023), algorithm 1

#include "random.h"
#include "sample.h"
#include "sixteen.h"

#ifndef WG
#define WG 1
#endif

#include "lanes.h"

#define GROUP __attribute__((reqd_work_group_size(WG, 1, 1)))
#define LANE  LID

#define CHANCE_WORDS   4u
#define CHANCE_TOTAL   0u // the mass of all
#define CHANCE_MASS    1u // of one token
#define CHANCE_ID      2u // that one, as a signed number
#define CHANCE_LARGEST 3u // its key

#define ACCEPT_ROW 0x80000000u // where random numbers for keeping come from: no row of a batch has that number

// Lanes take one after the other `part` scores of a row.
static inline uint part_of(const uint vocab) { return ((vocab + WG - 1) / WG + 15) / 16 * 16; }

// What all lanes bring, added up; each lane's own stays in `values`.
static inline ulong sum_lanes(const ulong mine, __local ulong *const values)
{
    ulong sum = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    values[LANE] = mine;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = 0; i < WG; i++)
        sum += values[i];
    return sum;
}

// Finds the probability of ids[row + `first`] in each row, where that is a token; a draft's row goes to number *at of `chances` (and of `kept`, if
// there is one) and `at` counts on: only one row then.
//   at     uint32, or null: row r goes to number r
//   kept   fp32 [..][kept_stride], or null
// Launch    {WG, rows}, local {WG, 1}
__kernel GROUP
void accept_chance(const __global float *restrict scores, const uint stride, const uint vocab, const __global int *restrict ids, const uint first,
                   __global ulong *restrict chances, __global uint *restrict at, __global float *restrict kept, const uint kept_stride)
{
    __local ulong values[WG];
    const uint row = (uint)get_group_id(1), slot = at ? *at : row;
    const __global float *const x = scores + (size_t)row * stride;
    const uint part = part_of(vocab), begin = min(LANE * part, vocab), end = min(begin + part, vocab);
    uint best = 0;
    barrier(CLK_GLOBAL_MEM_FENCE); // all lanes have read the number that one writes below
    for (uint i = begin; i < end; i++)
        best = max(best, key(x[i]));
    best = (uint)largest_of_group(values, best);
    const float top = float_of(best);
    ulong sum = 0;
    for (uint i = begin; i < end; i += 16) {
        float e[16];
        vstore16(exp_f16(load16(x, i, end) - top), 0, e);
        for (uint j = 0; j < 16; j++)
            sum += mass(e[j]);
    }
    sum = sum_of_group(values, sum);
    if (kept) {
        __global float *const to = kept + (size_t)slot * kept_stride;
        for (uint i = begin; i < end; i++)
            to[i] = x[i];
    }
    if (LANE > 0)
        return;
    const int id = ids[first + row];
    __global ulong *const chance = chances + (size_t)slot * CHANCE_WORDS;
    chance[CHANCE_TOTAL] = sum;
    chance[CHANCE_MASS] = id >= 0 && (uint)id < vocab ? mass(exp_f1(x[id] - top)) : 0;
    chance[CHANCE_ID] = (ulong)(long)id;
    chance[CHANCE_LARGEST] = best;
    if (at)
        *at = slot + 1;
}

// Is a guess kept? u * q < p for a random share u, with both sides multiplied by both totals.
static inline bool is_kept(const __global ulong *const p, const __global ulong *const q, const ulong random)
{
    const ulong share = mul_hi(random, q[CHANCE_MASS]); // below its mass
    const ulong left = mul_hi(share, p[CHANCE_TOTAL]), right = mul_hi(p[CHANCE_MASS], q[CHANCE_TOTAL]);
    return left < right || (left == right && share * p[CHANCE_TOTAL] < p[CHANCE_MASS] * q[CHANCE_TOTAL]);
}

// By what a token is drawn: its mass in p or, `less` being the draft's row, in max(p - q, 0), in units of 2^shift.
typedef struct weights {
    const __global float *more, *less; // the latter may be null
    float more_top, less_top;
    ulong more_total, less_total;
    uint shift;
} weights;

static inline ulong weight_of(const weights *const w, const float more, const float less)
{
    const ulong p = mass(more);
    if (!w->less)
        return p;
    const ulong q = mass(less);
    const ulong high = mul_hi(p, w->less_total), low = p * w->less_total;
    const ulong high_q = mul_hi(q, w->more_total), low_q = q * w->more_total;
    if (high < high_q || (high == high_q && low <= low_q))
        return 0;
    const ulong d = low - low_q, d_high = high - high_q - (low < low_q);
    return w->shift == 0 ? d : d_high << (64 - w->shift) | d >> w->shift;
}

// The weights of 16 tokens from i on.
static inline void weigh16(const weights *const w, const uint i, const uint end, ulong *const to)
{
    float more[16], less[16];
    vstore16(exp_f16(load16(w->more, i, end) - w->more_top), 0, more);
    if (w->less)
        vstore16(exp_f16(load16(w->less, i, end) - w->less_top), 0, less);
    for (uint j = 0; j < 16; j++)
        to[j] = weight_of(w, more[j], w->less ? less[j] : 0.0f);
}

static inline ulong weigh_lane(const weights *const w, const uint begin, const uint end)
{
    ulong sum = 0, few[16];
    for (uint i = begin; i < end; i += 16) {
        weigh16(w, i, end, few);
        for (uint j = 0; j < 16; j++)
            sum += few[j];
    }
    return sum;
}

// Decides how many of `count` guesses are kept, and draws the token behind them: result[0] and result[1], the latter -1 where none can be drawn.
//   scores, chances     [count + 1] rows of the model, each with the chance of the guess that stands at its place
//   drafts, guesses     [count] rows of the draft model: its scores, and their chances of what it drew
//   step                number of the first of the tokens: random numbers are those of (seed, step + i)
// Launch    {WG}, local {WG}
__kernel GROUP
void accept_draw(const __global float *restrict scores, const uint stride, const uint vocab, const __global ulong *restrict chances,
                 const __global float *restrict drafts, const uint drafts_stride, const __global ulong *restrict guesses, const uint count,
                 const __global uint *restrict step, const ulong seed, __global int *restrict result)
{
    __local ulong values[WG];
    uint n = 0;
    while (n < count && is_kept(chances + n * CHANCE_WORDS, guesses + n * CHANCE_WORDS, random_bits(seed, *step + n, ACCEPT_ROW)))
        n++;
    const __global ulong *const p = chances + n * CHANCE_WORDS, *const q = guesses + (n < count ? n : 0) * CHANCE_WORDS;
    weights w = { scores + (size_t)n * stride, n < count ? drafts + (size_t)n * drafts_stride : 0, float_of((uint)p[CHANCE_LARGEST]), 0.0f,
                  p[CHANCE_TOTAL], 0, 0 };
    if (n < count) {
        w.less_top = float_of((uint)q[CHANCE_LARGEST]);
        w.less_total = q[CHANCE_TOTAL];
        const uint bits = 128 - (uint)clz(w.more_total) - (uint)clz(w.less_total); // of the sum of all weights, at most
        w.shift = bits > 63 ? bits - 63 : 0;
    }
    const uint part = part_of(vocab), begin = min(LANE * part, vocab), end = min(begin + part, vocab);
    ulong total = sum_lanes(weigh_lane(&w, begin, end), values);
    if (total == 0 && w.less) { // p is q, as far as integers tell
        w.less = 0;
        total = sum_lanes(weigh_lane(&w, begin, end), values);
    }
    if (LANE > 0)
        return;
    ulong left = mul_hi(random_bits(seed, *step + n, 0), total); // < total
    uint lane = 0;
    for (; lane + 1 < WG && values[lane] <= left; lane++)
        left -= values[lane];
    int id = -1;
    const uint from = min(lane * part, vocab), to = min(from + part, vocab);
    for (uint i = from; i < to && id < 0 && total > 0; i += 16) {
        ulong few[16];
        weigh16(&w, i, to, few);
        for (uint j = 0; j < 16 && id < 0; j++) {
            if (left < few[j])
                id = (int)(i + j);
            left -= few[j];
        }
    }
    result[0] = (int)n;
    result[1] = id;
}
