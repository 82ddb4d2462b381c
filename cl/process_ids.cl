// process_ids: what changes the scores of a few tokens that the host lists, where a row has a certain length
//
// n = lengths[row]: the ids that stand before the row's scores, padding and prompt included.
//
//   scores    fp32 [rows][stride], vocab of them; listed ids outside [0, vocab) are passed over
//   lengths   uint32 [rows], or null: n is 0
// Launch    {listed, rows} unless said otherwise; any local size. No id is listed twice
// Source    transformers' MinLengthLogitsProcessor, MinNewTokensLengthLogitsProcessor, SuppressTokensLogitsProcessor,
//           SuppressTokensAtBeginLogitsProcessor, ForcedBOSTokenLogitsProcessor, ForcedEOSTokenLogitsProcessor,
//           ExponentialDecayLengthPenalty, SequenceBiasLogitsProcessor, NoBadWordsLogitsProcessor
// Test      tests/generation/test_processors.c

#include "row_parts.h"

// The listed tokens are out while from <= n < until.
__kernel void process_ban(__global float *restrict scores, const uint stride, const uint vocab, const __global int *restrict ids,
                          const __global uint *restrict lengths, const uint from, const uint until)
{
    const size_t row = get_global_id(1);
    const uint n = lengths ? lengths[row] : 0, id = (uint)ids[get_global_id(0)];
    if (n >= from && n < until && id < vocab)
        scores[row * stride + id] = -INFINITY;
}

// Ends become likelier behind `start` ids: score += |score| * growth[n - start - 1], growth[i] = factor^(i + 1) - 1, the last for all beyond.
__kernel void process_decay(__global float *restrict scores, const uint stride, const uint vocab, const __global int *restrict ids,
                            const __global uint *restrict lengths, const uint start, const __global float *restrict growth, const uint growths)
{
    const size_t row = get_global_id(1);
    const uint n = lengths[row], id = (uint)ids[get_global_id(0)];
    if (n <= start || id >= vocab)
        return;
    const float x = scores[row * stride + id];
    if (!isinf(x))
        scores[row * stride + id] = MUL_ADD(fabs(x), growth[min(n - start, growths) - 1], x);
}

// At n = `at` nothing but the listed tokens, whose scores become 0. Launch: row_parts.h
__kernel GROUP
void process_force(__global float *restrict scores, const uint stride, const uint vocab, const uint part, const __global int *restrict ids,
                   const uint count, const __global uint *restrict lengths, const uint at)
{
    if (lengths[ROW] != at)
        return;
    __global float *const x = scores + ROW * stride;
    const uint begin = PART * part, end = min(begin + part, vocab);
    for (uint i = begin + LANE; i < end; i += LANES) {
        bool listed = false;
        for (uint k = 0; k < count; k++)
            listed |= (uint)ids[k] == i;
        x[i] = listed ? 0.0f : -INFINITY;
    }
}

// Adds to a token's score the biases of those sequences that it would complete. A work-item has all the sequences that end in one token, so
// that their sum has one order.
//   lists   first sequence of each token [tokens + 1], first id of each sequence [sequences + 1], biases' bits [sequences], ids
__kernel void process_bias(__global float *restrict scores, const uint stride, const uint vocab, const __global int *restrict lists,
                           const uint tokens, const uint sequences, const __global int *restrict history, const uint history_stride,
                           const __global uint *restrict lengths)
{
    const size_t row = get_global_id(1);
    const uint token = (uint)get_global_id(0), n = lengths[row];
    const __global int *const firsts = lists + tokens + 1, *const biases = firsts + sequences + 1, *const ids = biases + sequences;
    const __global int *const before = history + row * history_stride + n;
    float bias = 0.0f;
    uint last = vocab;
    for (int s = lists[token]; s < lists[token + 1]; s++) {
        const int begin = firsts[s], end = firsts[s + 1] - 1; // without the last id
        bool stands = (uint)(end - begin) <= n;
        for (int i = begin; i < end && stands; i++)
            stands = before[i - end] == ids[i];
        bias += stands ? as_float(biases[s]) : 0.0f;
        last = (uint)ids[end];
    }
    if (last < vocab)
        scores[row * stride + last] += bias;
}
