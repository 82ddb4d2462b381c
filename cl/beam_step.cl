// beam_step: what becomes of the best continuations: which of them go on, and which are kept as finished (generation/beams.c).
//
// The rule is that of transformers' _beam_search(), with its arithmetic in float32. Sequences are not moved: each step notes for each row its
// token and the beam it went on from, and a finished sequence is its last token, the beam before it, and how long it is; who follows the notes
// back finds the rest. A continuation that has finished counts DOWN less, as does one that may not be kept, so that it loses to all others.
//
//   numbers, totals   [prompts][count]: beam * vocab + token of each continuation, and its score; the best first
//   stops    int32 [prompts][count]: the host says that a continuation has finished; may be NULL
//   ends     int32 [end_count]: tokens that finish a sequence
//   powers   fp32 [new tokens + 1]: length ^ length_penalty
//   control  uint32: STEP steps done, STOPPED, FORCED (all finish now: set by the host), FAULT (a score is not a number, or nothing could be drawn)
//   sums     fp32 [rows] of the running beams
//   notes    int2 [new tokens][rows]: token, beam before
//   done     finished_t [rows], the best first; value -1e9 and length 0 where there is none
//   flags    uint32 [prompts]: IMPROVABLE, and of the last step FULL, ALL_HIT
//   ids, positions, lengths, origins   int32, int32, uint32, int32 [copies * rows]: what the next pass reads, and the row that a row goes on
//            from. Rows from the second copy on run without the prompt, beside those of the first. `lengths` may be NULL
// When STOPPED nothing changes any more, whatever was enqueued ahead.
// Launch    {WG}, local {WG}: one group; a work-item a prompt
// Build     -DBEAMS=1.. -DWG=1..
// Test      tests/cl/test_beams.c

#include "sample.h"

#ifndef BEAMS
#define BEAMS 4
#endif
#ifndef WG
#define WG 1
#endif

#define DOWN -1.0e9f

#define STEP    0
#define STOPPED 1
#define FORCED  2
#define FAULT   3

#define IMPROVABLE 1u
#define FULL       2u
#define ALL_HIT    4u

// early_stopping, as oclm_early_stopping counts.
#define EARLY_ON    2u
#define EARLY_NEVER 3u

typedef struct finished_t {
    float value;  // score / length ^ length_penalty
    int   token;  // the last
    int   beam;   // before it
    uint  length; // new tokens; 0: none
} finished_t;

// Larger words for larger floats; of equal ones the lower index is larger. Not a number is largest.
static inline ulong word_of(const float x, const uint index)
{
    return (ulong)key(x) << 32 | ~index;
}

static inline bool is_end(const __global int *const ends, const uint end_count, const int token)
{
    bool is = false;
    for (uint e = 0; e < end_count; e++)
        is = is || ends[e] == token;
    return is;
}

// A prompt's share of the work.
typedef struct share {
    const __global int   *numbers, *stops, *ends;
    const __global float *totals;
    uint  count, vocab, end_count;
    uint  length; // new tokens, the one of this step included
    bool  all;    // finish
    float power;  // of length
    uint  early;
} share;

static inline bool hits(const share s, const uint c)
{
    return s.all || is_end(s.ends, s.end_count, (int)((uint)s.numbers[c] % s.vocab)) || (s.stops != 0 && s.stops[c] != 0);
}

// Chooses the beams that go on; returns the score of the best.
static float go_on(const share s, __global float *const sums, __global int2 *const notes)
{
    ulong last = ULONG_MAX;
    for (uint k = 0; k < BEAMS; k++) {
        ulong best = 0;
        float sum = 0.0f;
        for (uint c = 0; c < s.count; c++) {
            const float total = s.totals[c] + (hits(s, c) ? DOWN : 0.0f);
            const ulong word = word_of(total, c);
            if (word < last && word > best) {
                best = word;
                sum = total;
            }
        }
        last = best;
        const uint number = (uint)s.numbers[~(uint)best];
        sums[k] = sum;
        notes[k] = (int2)((int)(number % s.vocab), (int)(number / s.vocab));
    }
    return sums[0];
}

// What a continuation is worth among the finished ones.
static inline float value_of(const share s, const uint c, const bool full, const bool improvable)
{
    float value = s.totals[c] / s.power;
    value += full && s.early == EARLY_ON ? DOWN : 0.0f;
    value += improvable ? 0.0f : DOWN;
    return value + (c < BEAMS && hits(s, c) ? 0.0f : DOWN);
}

// Where none has finished yet, whatever has is as good: of equal values it comes first.
#define EMPTY 0x80000000u

// Keeps the best of what had finished and of what has now.
static void keep(const share s, __global finished_t *const done, const bool full, const bool improvable)
{
    finished_t kept[BEAMS];
    ulong last = ULONG_MAX;
    for (uint k = 0; k < BEAMS; k++) {
        ulong best = 0;
        float value = 0.0f;
        for (uint i = 0; i < BEAMS + s.count; i++) {
            const float v = i < BEAMS ? done[i].value : value_of(s, i - BEAMS, full, improvable);
            const ulong word = word_of(v, i < BEAMS && done[i].length == 0 ? i | EMPTY : i);
            if (word < last && word > best) {
                best = word;
                value = v;
            }
        }
        last = best;
        const uint i = ~(uint)best & ~EMPTY;
        if (i < BEAMS) {
            kept[k] = done[i];
        } else {
            const uint c = i - BEAMS, number = (uint)s.numbers[c];
            kept[k].value = value;
            kept[k].token = (int)(number % s.vocab);
            kept[k].beam = (int)(number / s.vocab);
            kept[k].length = c < BEAMS && hits(s, c) ? s.length : 0;
        }
    }
    for (uint k = 0; k < BEAMS; k++)
        done[k] = kept[k];
}

static bool is_full(const __global finished_t *const done)
{
    bool full = true;
    for (uint k = 0; k < BEAMS; k++)
        full = full && done[k].length > 0;
    return full;
}

__kernel void beam_step(const __global int *restrict numbers, const __global float *restrict totals, const __global int *restrict stops,
                        const uint count, const uint vocab, const __global int *restrict ends, const uint end_count,
                        const __global float *restrict powers, const uint new_limit, const uint early, const int by_limit,
                        const int sample, __global uint *control, __global float *restrict sums, __global int2 *restrict notes,
                        __global finished_t *restrict done, __global uint *flags, const uint prompts, __global int *restrict ids,
                        __global int *restrict positions, __global uint *restrict lengths, __global int *restrict origins, const uint copies,
                        const int advance)
{
    const uint rows = prompts * BEAMS, length = control[STEP] + 1;
    const bool stopped = control[STOPPED] != 0;
    const bool all = control[FORCED] != 0 || length == new_limit;
    bool fault = false;
    for (uint p = (uint)get_local_id(0); p < prompts; p += WG) {
        const uint row = p * BEAMS;
        if (!stopped) {
            const share s = { numbers + p * count, stops == 0 ? stops : stops + p * count, ends, totals + p * count, count, vocab, end_count,
                              length, all, powers[length], early };
            __global int2 *const mine = notes + (size_t)(length - 1) * rows + row;
            const bool full = is_full(done + row), improvable = (flags[p] & IMPROVABLE) != 0;
            bool all_hit = true;
            for (uint c = 0; c < count; c++) {
                all_hit = all_hit && hits(s, c);
                fault = fault || isnan(s.totals[c]);
            }
            fault = fault || (sample && !(s.totals[0] > -INFINITY));
            const float best = go_on(s, sums + row, mine);
            keep(s, done + row, full, improvable);
            // Could the best that goes on still be better than the worst that is kept?
            float worst = done[row].value;
            for (uint k = 1; k < BEAMS; k++)
                worst = min(worst, done[row + k].value);
            const bool now_full = is_full(done + row);
            const float possible = best / powers[by_limit ? new_limit : length];
            const bool better = possible > worst || (!now_full && possible > DOWN);
            flags[p] = (improvable && better ? IMPROVABLE : 0) | (now_full ? FULL : 0) | (all_hit ? ALL_HIT : 0);
        }
        for (uint k = 0; k < BEAMS; k++) {
            const int2 note = stopped ? (int2)(0, (int)k) : notes[(size_t)(length - 1) * rows + row + k];
            for (uint i = 0; i < copies; i++) {
                const uint r = i * rows + row + k;
                origins[r] = (int)(i * rows + row) + note.y;
                if (!stopped) {
                    ids[r] = note.x;
                    positions[r] += advance;
                }
            }
            if (!stopped && lengths != 0)
                lengths[row + k] += 1;
        }
    }
    if (fault)
        control[FAULT] = 1;
    barrier(CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE);
    if (get_local_id(0) > 0 || stopped)
        return;
    bool improvable = false, full = true, all_hit = true;
    for (uint p = 0; p < prompts; p++) {
        improvable = improvable || (flags[p] & IMPROVABLE) != 0;
        full = full && (flags[p] & FULL) != 0;
        all_hit = all_hit && (flags[p] & ALL_HIT) != 0;
    }
    control[STEP] = length;
    control[STOPPED] = !improvable || (early == EARLY_ON && full) || all_hit;
}

// The rows of `history` go on from others, and take in their new token: int32 [rows][stride], `lengths` of each, the new one included.
// Whoever stands at a column reads it of all beams of a prompt before it writes. Launch {columns, prompts}: any number of columns >= the longest
__kernel void beam_history(__global int *restrict history, const uint stride, const __global uint *restrict lengths,
                           const __global int *restrict origins, const __global int *restrict ids)
{
    const uint column = (uint)get_global_id(0), row = (uint)get_global_id(1) * BEAMS, last = lengths[row] - 1; // alike for all beams
    if (column > last)
        return;
    int column_of[BEAMS];
    for (uint k = 0; k < BEAMS; k++)
        column_of[k] = column == last ? ids[row + k] : history[(size_t)origins[row + k] * stride + column];
    for (uint k = 0; k < BEAMS; k++)
        history[(size_t)(row + k) * stride + column] = column_of[k];
}
