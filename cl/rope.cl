// rope: turns queries and keys by their position's angles (rope.h), and puts the new keys and values into the paged cache
//
//   qkv        fp32 [rows][qkv_stride]: queries [HEADS][HEAD_DIM], keys [KV_HEADS][HEAD_DIM], values [KV_HEADS][HEAD_DIM].
//              Queries are turned in place
//   keys       fp32 [pages][KV_HEADS][HEAD_DIM][PAGE]
//   values     fp32 [pages][KV_HEADS][PAGE][HEAD_DIM]
//   table      int32 [sequences][pages_per_sequence]; positions, sequences   int32 [rows]
//   cosines, sines   fp32 [positions][ROTARY_DIMS / 2]
// Launch    {LANES, HEADS + 2 * KV_HEADS, rows}: LANES work-items share a head; any local size
// Build     -DHEAD_DIM=1.. -DHEADS= -DKV_HEADS= -DROTARY_DIMS=0..HEAD_DIM, even -DINTERLEAVED=0|1 -DLANES=1..
// Test      tests/cl/test_rope.c

#include "rope.h"

#ifndef HEAD_DIM
#define HEAD_DIM 64
#endif
#ifndef HEADS
#define HEADS 1
#endif
#ifndef KV_HEADS
#define KV_HEADS 1
#endif
#ifndef LANES
#define LANES 1
#endif

#define PAGE 32u

// Writes x, turned, to `to`, whose elements lie `step` apart. `to` may be `x` itself.
static inline void turn(const __global float *const x, const __global float *const cosines, const __global float *const sines,
                        __global float *const to, const uint step, const uint lane)
{
    for (uint i = lane; i < HALF_ROTARY; i += LANES) {
        const float2 turned = turn_pair(x[PAIR_FIRST(i)], x[PAIR_SECOND(i)], cosines[i], sines[i]);
        to[PAIR_FIRST(i) * step] = turned.x;
        to[PAIR_SECOND(i) * step] = turned.y;
    }
    for (uint i = ROTARY_DIMS + lane; i < HEAD_DIM; i += LANES)
        to[i * step] = x[i];
}

__kernel void rope_cache(__global float *qkv, const uint qkv_stride, __global float *restrict keys,
                         __global float *restrict values, const __global int *restrict table, const uint pages_per_sequence,
                         const __global int *restrict positions, const __global int *restrict sequences,
                         const __global float *restrict cosines, const __global float *restrict sines)
{
    const uint lane = (uint)get_global_id(0);
    const uint head = (uint)get_global_id(1);
    const size_t row = get_global_id(2);
    const uint position = (uint)positions[row];
    __global float *const x = qkv + row * qkv_stride + head * HEAD_DIM;
    const size_t angle = (size_t)position * HALF_ROTARY;
    if (head < HEADS) {
        turn(x, cosines + angle, sines + angle, x, 1, lane);
        return;
    }
    const int page = table[(size_t)sequences[row] * pages_per_sequence + position / PAGE];
    const uint place = position % PAGE;
    const uint kv_head = (head - HEADS) % KV_HEADS;
    const size_t at = ((size_t)page * KV_HEADS + kv_head) * (PAGE * HEAD_DIM);
    if (head < HEADS + KV_HEADS) {
        turn(x, cosines + angle, sines + angle, keys + at + place, PAGE, lane);
        return;
    }
    for (uint i = lane; i < HEAD_DIM; i += LANES)
        values[at + place * HEAD_DIM + i] = x[i];
}
