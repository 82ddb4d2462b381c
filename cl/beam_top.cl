// beam_top: the best continuations of the beams of each prompt, from rows of log-probabilities (generation/beams.c).
//
// Row r is beam r % BEAMS of prompt r / BEAMS. A continuation of a prompt is a beam and a token, numbered beam * vocab + token; its score is
// scores[r][token] + sums[r]. A continuation is held as a 64-bit word, key(score) above and the complement of its number below, so that the
// largest words are the best scores, and of equal ones the lowest numbers. 0: none.
//
// With SAMPLE they are drawn without replacement, by probabilities e^score: to each score -log(-log(u)) is added, u uniform in (0, 1), and the
// largest are taken. That is the distribution of one draw after the other, each among what the others left (Vieira 2014, "Gumbel-max
// trick and weighted reservoir sampling"; Efraimidis and Spirakis 2006). u comes of Philox on (seed, step, beam, token), the logarithms are
// our own: the same continuations on every device.
//
//   scores   fp32 [rows][stride], vocab of them
//   sums     fp32 [rows], of the beams so far
//   lists    uint64 [prompts][BEAMS * parts][count]: the best of each part of a row, in order
//   numbers, totals   int32, fp32 [prompts][count]: the best of a prompt, in order, and their scores
// Build     -DBEAMS=1.. -DSAMPLE=0|1 -DWG=1.. work-items of a group: 1 takes its part alone, with vectors of 16
//           -DPART=, with WG > 1: the most elements of a part; so many uints of local memory
// Test      tests/cl/test_beams.c

#include "gumbel.h"
#include "sample.h"

#ifndef BEAMS
#define BEAMS 4
#endif
#ifndef SAMPLE
#define SAMPLE 0
#endif
#ifndef WG
#define WG 1
#endif
#ifndef PART
#define PART 1024
#endif

#if WG > 1
#include "lanes.h"
#endif

// The key of a continuation, by which it is chosen.
static inline uint key_of(const float score, const ulong seed, const uint step, const uint beam, const uint token)
{
#if SAMPLE
    if (!(score > -INFINITY))
        return key(score); // out, or not a number
    return key(score + gumbel(seed, step, beam, token));
#else
    (void)seed, (void)step, (void)beam, (void)token;
    return key(score);
#endif
}

#if WG == 1
// Puts a word into its place in a list of `held`, of which the last goes where there are `count`. Returns how many are held then.
static inline uint insert(__global ulong *const list, const uint held, const uint count, const ulong word)
{
    uint i = min(held, count - 1);
    for (; i > 0 && list[i - 1] < word; i--)
        list[i] = list[i - 1];
    list[i] = word;
    return min(held + 1, count);
}
#endif

// The best `count` of each part of each row. Launch {WG * parts, rows}, local {WG, 1}
__kernel void beam_top(const __global float *restrict scores, const uint stride, const uint vocab, const uint part,
                       const __global float *restrict sums, __global ulong *restrict lists, const uint count,
                       const __global uint *restrict control, const ulong seed)
{
    const uint row = (uint)get_global_id(1), parts = (uint)get_num_groups(0), p = (uint)get_group_id(0), step = control[0];
    const __global float *const x = scores + (size_t)row * stride;
    __global ulong *const list = lists + ((size_t)row * parts + p) * count;
    const uint begin = p * part, end = min(begin + part, vocab), first = row % BEAMS * vocab;
    const float sum = sums[row];
#if WG > 1
    __local uint keys[PART];
    __local ulong words[WG];
    const uint lid = (uint)get_local_id(0);
    for (uint i = begin + lid; i < end; i += WG)
        keys[i - begin] = key_of(x[i] + sum, seed, step, row % BEAMS, i);
    ulong last = ULONG_MAX;
    for (uint c = 0; c < count; c++) { // a work-item reads what it has written itself
        ulong best = 0;
        for (uint i = begin + lid; i < end; i += WG) {
            const ulong word = (ulong)keys[i - begin] << 32 | ~(first + i);
            best = word < last ? max(best, word) : best;
        }
        last = largest_of_group(words, best);
        if (lid == 0)
            list[c] = last;
    }
#else
    uint  held = 0;
    ulong least = 0; // of a full list
    for (uint i = begin; i < end; i += 16) {
        float few[16];
        bool  any_in = true;
        if (i + 16 <= end) {
            const float16 v = vload16(0, x + i) + sum;
            vstore16(v, 0, few);
            if (!SAMPLE && least > 0 && !any(!(v <= float_of((uint)(least >> 32)))))
                any_in = false; // none above the least
        } else {
            for (uint j = 0; j < 16; j++)
                few[j] = i + j < end ? x[i + j] + sum : 0.0f;
        }
        for (uint j = 0; any_in && j < 16 && i + j < end; j++) {
            const ulong word = (ulong)key_of(few[j], seed, step, row % BEAMS, i + j) << 32 | ~(first + i + j);
            if (word > least) {
                held = insert(list, held, count, word);
                least = held == count ? list[count - 1] : 0;
            }
        }
    }
    for (; held < count; held++)
        list[held] = 0;
#endif
}

// The best `count` of a prompt, from the lists of its rows. Launch {WG, prompts}, local {WG, 1}
__kernel void beam_join(const __global ulong *restrict lists, const uint parts, const __global float *restrict scores, const uint stride,
                        const uint vocab, const __global float *restrict sums, __global int *restrict numbers, __global float *restrict totals,
                        const uint count)
{
    const uint prompt = (uint)get_global_id(1), lid = (uint)get_local_id(0), words_of_prompt = BEAMS * parts * count;
    const __global ulong *const list = lists + (size_t)prompt * words_of_prompt;
#if WG > 1
    __local ulong words[WG];
#endif
    ulong last = ULONG_MAX;
    for (uint c = 0; c < count; c++) {
        ulong best = 0;
#if WG > 1
        for (uint i = lid; i < words_of_prompt; i += WG)
            best = list[i] < last ? max(best, list[i]) : best;
        best = largest_of_group(words, best);
#else
        for (uint i = 0; i < words_of_prompt; i += count) { // of each list, which falls, the first that is not taken
            uint taken = 0;
            for (uint left = count; left > 0;) {
                const uint middle = left / 2;
                const bool behind = list[i + taken + middle] >= last;
                taken += behind ? middle + 1 : 0;
                left = behind ? left - middle - 1 : middle;
            }
            best = taken < count ? max(best, list[i + taken]) : best;
        }
#endif
        last = best;
        if (lid == 0) {
            const uint number = ~(uint)best, beam = number / vocab, row = prompt * BEAMS + beam;
            const float total = scores[(size_t)row * stride + number % vocab] + sums[row];
            uint i = prompt * count + c;
            for (; SAMPLE && i > prompt * count && totals[i - 1] < total; i--) { // drawn in some order, looked at from the best on
                numbers[i] = numbers[i - 1];
                totals[i] = totals[i - 1];
            }
            numbers[i] = (int)number;
            totals[i] = total;
        }
    }
}
