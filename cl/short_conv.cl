// short_conv.cl: convolutions of each channel over the rows of its own sequence, the last inputs of which lie in a tail between passes
//
//   y[r][c] = finish(bias[c] + sum over t < TAPS of w[t][c] * u[r - (TAPS - 1) + t][c]), where u before position 0 is 0
//     CONV_GATED 0: u = x, finish(v) = v * sigmoid(v)
//     CONV_GATED 1: a row of x is [b, g, v], each `channels` wide: u = b * v, finish multiplies by g
// A sequence's rows stand side by side in order of position, each sequence once: a row whose neighbour is of another sequence begins or
// ends what a pass has of it. The terms are added from the oldest on, whether they come from rows or from the tail, so that a prompt
// gives the same bits however it is cut.
//   x, y       fp32 [rows][x_stride], [rows][y_stride]; must not overlap
//   w, bias    fp32 [TAPS][channels], [channels] or NULL
//   tail       fp32 [sequences][TAPS - 1][channels]: u of the positions before the pass, the latest first; not read where that is before 0
//   positions, sequences  int32 [rows]
// short_conv_keep makes the tail ready for the next pass, after all rows were computed, and reached[sequence] the position that comes next.
// Launch    global {channels, rows}
// Build     -DTAPS=<2 or more> -DCONV_GATED=<0 or 1>
// Source    transformers' Lfm2ShortConv and torch_causal_conv1d_update
// Test      tests/cl/test_short_conv.c

#include "short_conv.h"

// How many rows up to this one, itself included, are of its sequence: TAPS at most.
static inline uint rows_here(const __global int *const sequences, const size_t row)
{
    uint count = 1;
    while (count < TAPS && row >= count && sequences[row - count] == sequences[row])
        count++;
    return count;
}

__kernel void short_conv(__global float *restrict y, const uint y_stride, const __global float *restrict x, const uint x_stride,
                         const __global float *restrict w, const __global float *restrict bias, const __global float *restrict tail,
                         const __global int *restrict positions, const __global int *restrict sequences, const uint channels)
{
    const uint c = (uint)get_global_id(0);
    const size_t row = get_global_id(1);
    const uint here = rows_here(sequences, row), position = (uint)positions[row];
    float sum = bias != 0 ? bias[c] : 0.0f;
    tail += (size_t)sequences[row] * (TAPS - 1) * channels + c;
    for (uint t = 0; t < TAPS; t++) {
        const uint back = TAPS - 1 - t;
        float u = 0.0f;
        if (back < here)
            u = CONV_INPUT(x + (row - back) * x_stride, c, channels, 1);
        else if (back <= position)
            u = tail[(size_t)(back - here) * channels];
        sum = MUL_ADD(w[(size_t)t * channels + c], u, sum);
    }
    y[row * y_stride + c] = CONV_FINISHED(sum, x + row * x_stride, c, channels, 1);
}

__kernel void short_conv_keep(__global float *restrict tail, __global int *restrict reached, const __global float *restrict x,
                              const uint x_stride, const __global int *restrict positions, const __global int *restrict sequences,
                              const uint rows, const uint channels)
{
    const uint c = (uint)get_global_id(0);
    const size_t row = get_global_id(1);
    const int sequence = sequences[row];
    if (row + 1 < rows && sequences[row + 1] == sequence)
        return;
    const uint here = rows_here(sequences, row);
    tail += (size_t)sequence * (TAPS - 1) * channels + c;
    for (uint i = TAPS - 1; i-- > 0;) // from the oldest on: what moves back is read before it is overwritten
        tail[(size_t)i * channels] = i < here ? CONV_INPUT(x + (row - i) * x_stride, c, channels, 1) : tail[(size_t)(i - here) * channels];
    if (c == 0)
        reached[sequence] = positions[row] + 1;
}
