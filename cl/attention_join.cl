// attention_join: joins the spans that attention_tile_split or attention_lanes_split left in `partial`, first to last, with the
// operations of the kernels that do so themselves
//
//   partial    fp32 [rows][HEADS][spans][HEAD_DIM + 2]: values, largest, sum; spans beyond a row's position are not read
//   positions  int32 [rows]
//   out        fp32 [rows][out_stride]: [HEADS][HEAD_DIM]
// Launch    {LANES, HEADS, rows}: LANES work-items share a head; any local size
// Build     -DHEAD_DIM=1.. -DHEADS=1.. -DLANES=1..
// Test      tests/cl/test_attention.c

#include "softmax.h"

#ifndef HEAD_DIM
#define HEAD_DIM 64
#endif
#ifndef HEADS
#define HEADS 1
#endif
#ifndef LANES
#define LANES 1
#endif

__kernel void attention_join(const __global float *restrict partial, const uint spans, const __global int *restrict positions,
                             __global float *restrict out, const uint out_stride)
{
    const uint lane = (uint)get_global_id(0);
    const uint head = (uint)get_global_id(1);
    const size_t row = get_global_id(2);
    const __global float *from = partial + (row * HEADS + head) * spans * (HEAD_DIM + 2);
    __global float *const to = out + row * out_stride + head * HEAD_DIM;
    const uint last_span = (uint)positions[row] / SPAN;
    float largest = from[HEAD_DIM], sum = from[HEAD_DIM + 1];
    for (uint d = lane; d < HEAD_DIM; d += LANES)
        to[d] = from[d];
    for (uint span = 1; span <= last_span; span++) {
        from += HEAD_DIM + 2;
        const joining j = join_spans(largest, from[HEAD_DIM]);
        largest = j.largest;
        sum = join_value(j, sum, from[HEAD_DIM + 1]);
        for (uint d = lane; d < HEAD_DIM; d += LANES)
            to[d] = join_value(j, to[d], from[d]);
    }
    const float inverse = 1.0f / sum;
    for (uint d = lane; d < HEAD_DIM; d += LANES)
        to[d] = normalized(to[d], inverse);
}
