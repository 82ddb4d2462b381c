// attention: out[row][head] = sum over positions t <= position of row: softmax_t(scale * q . k_t) * v_t, over the paged cache
//
// The shape for devices whose work-items run vector code (CPUs); attention_lanes.cl is the other one, attention_join.cl serves both.
//
// A work-item takes a tile with one key head (attention_tile.h).
//
//   qkv        fp32 [rows][qkv_stride]: from element 0 on the queries, [KV_HEADS * HEAD_GROUP][HEAD_DIM]; with TURNS then the new keys and
//              values, [KV_HEADS][HEAD_DIM] each
//   keys, values   as in kept.h
//   table      int32 [sequences][pages_per_sequence]: position t of sequence s lies in page table[s][t / PAGE]
//   positions, sequences   int32 [rows]
//   tiles      uint4 [tiles]: first row, rows <= TILE_ROWS. Consecutive positions of one sequence
//   out        fp32 [rows][out_stride]: [KV_HEADS * HEAD_GROUP][HEAD_DIM]
//   partial    fp32 [rows][KV_HEADS * HEAD_GROUP][spans][HEAD_DIM + 2]: values, largest, sum
//   window     a row sees so many positions, itself included; at most NO_WINDOW
//   slopes, sinks   fp32 [KV_HEADS * HEAD_GROUP], only with ALIBI, with SINKS
//   cosines .. k_norm_b   as in head.h, only with TURNS
// Kernels   attention_tile        all spans of a tile, one after another
//           attention_tile_split  one span of a tile into `partial`: for few rows with many positions
// Launch    attention_tile {KV_HEADS, tiles, 1}, attention_tile_split {KV_HEADS, tiles, spans that a tile may see}, local {1, 1, 1}
// Build     as attention_tile.h
// Measured  (AVX2, PoCL 3.1) prefill of 512 positions: 116-130 GFLOPS on two cores whose multiplications alone reach 202;
//           one row after 8,000 positions: 64 % of the read rate, Intel's runtime 72 %
// Test      tests/cl/test_attention.c

#include "attention_tile.h"

#if TURNS
#define TURN_ARGUMENTS                                                                                                         \
    , const __global float *restrict cosines, const __global float *restrict sines, const __global float *restrict growth,     \
        const __global float *restrict q_norm_w, const __global float *restrict q_norm_b, const __global float *restrict k_norm_w, \
        const __global float *restrict k_norm_b
#define TURN_TABLES { cosines, sines, growth, q_norm_w, q_norm_b, k_norm_w, k_norm_b }
#else
#define TURN_ARGUMENTS
#define TURN_TABLES { 0, 0, 0, 0, 0, 0, 0 }
#endif
#define DATA                                                                                                                   \
    { qkv, keys, values, table, positions, sequences, qkv_stride, pages_per_sequence, scale, window, slopes, sinks, TURN_TABLES }

__kernel void attention_tile(const __global float *restrict qkv, const uint qkv_stride, CACHE restrict keys, CACHE restrict values,
                             const __global int *restrict table, const uint pages_per_sequence, const __global int *restrict positions,
                             const __global int *restrict sequences, const __global uint4 *restrict tiles,
                             __global float *restrict out, const uint out_stride, const float scale, const uint window,
                             const __global float *restrict slopes, const __global float *restrict sinks TURN_ARGUMENTS)
{
    const attention_data data = DATA;
    const uint4 tile = tiles[get_global_id(1)];
    attend_whole(data, (uint)get_global_id(0), tile.x, tile.y, out, out_stride);
}

__kernel void attention_tile_split(const __global float *restrict qkv, const uint qkv_stride, CACHE restrict keys, CACHE restrict values,
                                   const __global int *restrict table, const uint pages_per_sequence,
                                   const __global int *restrict positions, const __global int *restrict sequences,
                                   const __global uint4 *restrict tiles, __global float *restrict partial, const uint spans,
                                   const float scale, const uint window, const __global float *restrict slopes,
                                   const __global float *restrict sinks TURN_ARGUMENTS)
{
    const attention_data data = DATA;
    const uint4 tile = tiles[get_global_id(1)];
    attend_span(data, (uint)get_global_id(0), tile.x, tile.y, (uint)get_global_id(2), spans, partial);
}
