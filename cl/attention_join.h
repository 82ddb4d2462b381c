// attention_join.h: joins the spans of one row's head, first to last, with the operations of the kernels that do so themselves
//
// LANES work-items share a head; `lane` is one of them. Buffers as in attention_join.cl.
// Build     -DHEAD_DIM=1.. -DHEADS=1.. -DLANES=1.. -DSINKS=0|1 -DCHUNKED=0|1 (score.h)
#ifndef OCLM_ATTENTION_JOIN_H
#define OCLM_ATTENTION_JOIN_H

#include "score.h"
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

static inline void join_head(const __global float *const partial, const uint spans, const uint position, const uint window,
                             const __global float *const sinks, const size_t row, const uint head, const uint lane,
                             __global float *const out, const uint out_stride)
{
    const uint first_span = first_seen(position, window) / KEY_SPAN, last_span = position / KEY_SPAN;
    const __global float *from = partial + ((row * HEADS + head) * spans + first_span) * (HEAD_DIM + 2);
    __global float *const to = out + row * out_stride + head * HEAD_DIM;
    float largest = from[HEAD_DIM], sum = from[HEAD_DIM + 1];
    for (uint d = lane; d < HEAD_DIM; d += LANES)
        to[d] = from[d];
    for (uint span = first_span + 1; span <= last_span; span++) {
        from += HEAD_DIM + 2;
        const joining j = join_spans(largest, from[HEAD_DIM]);
        largest = j.largest;
        sum = join_value(j, sum, from[HEAD_DIM + 1]);
        for (uint d = lane; d < HEAD_DIM; d += LANES)
            to[d] = join_value(j, to[d], from[d]);
    }
    const float inverse = inverse_of(largest, sum, sinks, head);
    for (uint d = lane; d < HEAD_DIM; d += LANES)
        to[d] = normalized(to[d], inverse);
}

#endif
