// process_values: what changes every score of a row by a formula
//
//   scores     fp32 [rows][stride], vocab of them
//   workspace  uint64 [rows][WORDS(parts)] (sample.h): filter_look has left largest scores and masses, unless said otherwise
// Launch    row_parts.h
// Source    transformers' LogitNormalization, UnbatchedClassifierFreeGuidanceLogitsProcessor, InfNanRemoveLogitsProcessor
// Test      tests/generation/test_processors.c

#include "row_parts.h"

// score = log(softmax(score))
__kernel GROUP
void process_log_softmax(__global float *restrict scores, const uint stride, const uint vocab, const uint part,
                         const __global ulong *restrict workspace)
{
    __global float *const x = scores + ROW * stride;
    const __global ulong *const space = workspace + ROW * WORDS(PARTS);
    const float largest = largest_score(space, PARTS);
    const float log_sum = log_of_mass(sum_of_row(space, MASSES(PARTS), PARTS));
    const uint begin = PART * part, end = min(begin + part, vocab);
    for (uint i = begin + LANE; i < end; i += LANES)
        x[i] = x[i] - largest - log_sum;
}

// With log-probabilities s of row r and u of row `rows` + r: scores of row r become u + scale (s - u).
__kernel GROUP
void process_guidance(__global float *restrict scores, const uint stride, const uint vocab, const uint part,
                      const __global ulong *restrict workspace, const uint rows, const float scale)
{
    __global float *const x = scores + ROW * stride;
    const __global float *const y = x + (size_t)rows * stride;
    const __global ulong *const space = workspace + ROW * WORDS(PARTS), *const other = space + rows * WORDS(PARTS);
    const float largest = largest_score(space, PARTS), other_largest = largest_score(other, PARTS);
    const float log_sum = log_of_mass(sum_of_row(space, MASSES(PARTS), PARTS));
    const float other_log_sum = log_of_mass(sum_of_row(other, MASSES(PARTS), PARTS));
    const uint begin = PART * part, end = min(begin + part, vocab);
    for (uint i = begin + LANE; i < end; i += LANES) {
        const float s = x[i] - largest - log_sum, u = y[i] - other_largest - other_log_sum;
        x[i] = MUL_ADD(scale, s - u, u);
    }
}

// Not a number becomes 0, infinities the largest numbers. Asks nothing of the workspace, and has none.
__kernel GROUP
void process_invalid(__global float *restrict scores, const uint stride, const uint vocab, const uint part)
{
    __global float *const x = scores + ROW * stride;
    const uint begin = PART * part, end = min(begin + part, vocab);
    for (uint i = begin + LANE; i < end; i += LANES)
        x[i] = isnan(x[i]) ? 0.0f : clamp(x[i], -FLT_MAX, FLT_MAX);
}
