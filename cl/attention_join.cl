// attention_join: joins the spans that attention_tile_split or attention_lanes_split left in `partial`, first to last, with the
// operations of the kernels that do so themselves
//
//   partial    fp32 [rows][HEADS][spans][HEAD_DIM + 2]: values, largest, sum; spans beyond a row's position, and before its
//              window, are not read
//   positions  int32 [rows]; window, sinks as in attention.cl
//   out        fp32 [rows][out_stride]: [HEADS][HEAD_DIM]
// Launch    {LANES, HEADS, rows}: LANES work-items share a head; any local size
// Build     -DHEAD_DIM=1.. -DHEADS=1.. -DLANES=1.. -DSINKS=0|1
// Test      tests/cl/test_attention.c

#include "attention_join.h"

__kernel void attention_join(const __global float *restrict partial, const uint spans, const __global int *restrict positions,
                             __global float *restrict out, const uint out_stride, const uint window,
                             const __global float *restrict sinks)
{
    const size_t row = get_global_id(2);
    join_head(partial, spans, (uint)positions[row], window, sinks, row, (uint)get_global_id(1), (uint)get_global_id(0), out, out_stride);
}
