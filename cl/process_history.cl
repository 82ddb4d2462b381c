// process_history: what changes scores by the ids that stand before: penalties and bans of repetition
//
// A work-group takes a row: its work is that of the history, not of the vocabulary. n = lengths[row], padding and prompt included.
//
//   scores    fp32 [rows][stride], vocab of them; ids outside [0, vocab) are passed over
//   history   int32 [rows][history_stride]; history_stride 0: all rows continue the same ids, as far as their length
//   lengths   uint32 [rows]
// Launch    {WG, rows}, local {WG, 1}
// Build     -DWG=<power of two>
// Source    transformers' RepetitionPenaltyLogitsProcessor, EncoderRepetitionPenaltyLogitsProcessor, NoRepeatNGramLogitsProcessor,
//           EncoderNoRepeatNGramLogitsProcessor
// Test      tests/generation/test_processors.c

#ifndef WG
#define WG 1
#endif

// Each id that stands in [begins[row], min(n, until)): score * penalty if it is below 0, else score / penalty; once, however often it stands there.
// Who first sets an id's bit changes its score.
//   begins    uint32 [rows], or null: 0
//   seen      uint32 [rows][words], a bit for each id; zeros, and zeros again afterwards
__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void process_repetition(__global float *restrict scores, const uint stride, const uint vocab, const __global int *restrict history,
                        const uint history_stride, const __global uint *restrict lengths, const __global uint *restrict begins,
                        const uint until, const float penalty, __global uint *restrict seen, const uint words)
{
    const size_t row = get_group_id(1);
    __global float *const x = scores + row * stride;
    const __global int *const ids = history + row * history_stride;
    volatile __global uint *const bits = seen + row * words;
    const uint end = min(lengths[row], until), first = (begins ? begins[row] : 0) + (uint)get_local_id(0);
    for (uint i = first; i < end; i += WG) {
        const uint id = (uint)ids[i], bit = 1u << (id & 31u);
        if (id < vocab && (atomic_or(&bits[id / 32u], bit) & bit) == 0)
            x[id] = x[id] < 0.0f ? x[id] * penalty : x[id] / penalty;
    }
    barrier(CLK_GLOBAL_MEM_FENCE);
    for (uint i = first; i < end; i += WG)
        if ((uint)ids[i] < vocab)
            atomic_xchg(&bits[(uint)ids[i] / 32u], 0u);
}

// Bans each token that followed the last size - 1 ids anywhere in [0, min(n, until)). Launch as above; several lanes may write the same -INFINITY
__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void process_ngram(__global float *restrict scores, const uint stride, const uint vocab, const __global int *restrict history,
                   const uint history_stride, const __global uint *restrict lengths, const uint until, const uint size)
{
    const size_t row = get_group_id(1);
    __global float *const x = scores + row * stride;
    const __global int *const ids = history + row * history_stride;
    const uint n = lengths[row], end = min(n, until), before = size - 1;
    if (before > n)
        return;
    for (uint i = (uint)get_local_id(0); i < end && end - i > before; i += WG) {
        uint same = 0;
        while (same < before && ids[i + same] == ids[n - before + same])
            same++;
        if (same == before && (uint)ids[i + before] < vocab)
            x[(uint)ids[i + before]] = -INFINITY;
    }
}
