// rope: makes of queries, keys and values what they are to be (head.h): turned by their position's angles, and more; and puts the new keys
// and values into the paged cache
//
//   qkv        fp32 [rows][qkv_stride]: queries [HEADS][HEAD_DIM], keys [KV_HEADS][HEAD_DIM], values [KV_HEADS][HEAD_DIM], as far as there
//              are any. Queries are turned in place
//   keys, values   as in kept.h
//   table      int32 [sequences][pages_per_sequence]; positions, sequences   int32 [rows]
//   cosines .. k_norm_b   as in head.h, null where there are none
// Launch    {LANES, HEADS + 2 * KV_HEADS, rows}, with QUERIES_ONLY {LANES, HEADS, rows}: LANES work-items share a head; any local size, but with QK_NORM {LANES, 1, 1}
// Build     as head.h; -DROTARY_DIMS=0..HEAD_DIM, even -DLANES=1.. -DQUANTIZED=0|1. Not QK_NORM_ALL: what a row is normalised with would be read while others
//           turn it. norm.cl does that before
// Test      tests/cl/test_rope.c

#include "kept.h"

#ifndef HEADS
#define HEADS 1
#endif
#ifndef KV_HEADS
#define KV_HEADS 1
#endif
#ifndef LANES
#define LANES 1
#endif

#if QK_NORM == QK_NORM_ALL
#error "rope.cl normalises heads one by one"
#endif

// Writes what a query head is to be to `to`, which may be the head itself.
static inline void finish_head(const head_way h, const float growth, __global float *const to, const uint lane)
{
    for (uint i = lane; i < HALF_ROTARY; i += LANES) {
        const float2 turned = turned_pair(h, i);
        to[PAIR_FIRST(i)] = GROWN(head_finished(h, turned.x, PAIR_FIRST(i)), growth);
        to[PAIR_SECOND(i)] = GROWN(head_finished(h, turned.y, PAIR_SECOND(i)), growth);
    }
    for (uint i = ROTARY_DIMS + lane; i < HEAD_DIM; i += LANES)
        to[i] = GROWN(head_finished(h, head_element(h, i), i), growth);
}

__kernel void rope_cache(__global float *qkv, const uint qkv_stride, __global kept *restrict keys,
                         __global kept *restrict values, const __global int *restrict table, const uint pages_per_sequence,
                         const __global int *restrict positions, const __global int *restrict sequences,
                         const __global float *restrict cosines, const __global float *restrict sines,
                         const __global float *restrict growth, const __global float *restrict q_norm_w,
                         const __global float *restrict q_norm_b, const __global float *restrict k_norm_w,
                         const __global float *restrict k_norm_b)
{
    const uint lane = (uint)get_global_id(0);
    const uint head = (uint)get_global_id(1);
    const size_t row = get_global_id(2);
    const uint position = (uint)positions[row];
    const head_tables tables = { cosines, sines, growth, q_norm_w, q_norm_b, k_norm_w, k_norm_b };
    __global float *const x = qkv + row * qkv_stride;
    const uint place = position % PAGE;
    const uint kv_head = (head - HEADS) % KV_HEADS; // of a key or value
    const bool query = head < HEADS, value = head >= HEADS + KV_HEADS;
    const size_t at = query ? 0 : ((size_t)table[(size_t)sequences[row] * pages_per_sequence + position / PAGE] * KV_HEADS + kv_head) *
                                      KEPT_HEAD;
    head_way h;
    take_head(&h, query ? x : x + HEADS * HEAD_DIM, query ? head : kv_head, query ? HEADS : KV_HEADS, position, tables,
              query ? q_norm_w : k_norm_w, query ? q_norm_b : k_norm_b);
#if QK_NORM && LANES > 1
    barrier(CLK_GLOBAL_MEM_FENCE); // all have read what they write now; values go along, for a barrier that some do not reach is none
#endif
    if (query)
        finish_head(h, growth_at(tables, position), x + head * HEAD_DIM, lane);
    else if (!value)
        keep_key(h, keys + at, place, lane, LANES);
    else
        keep_value(x + (HEADS + VALUE_HEAD(kv_head, KV_HEADS)) * HEAD_DIM, values + at, place, lane, LANES);
}
