// attention: out[row][head] = sum over positions t <= position of row: softmax_t(scale * q . k_t) * v_t, over the paged cache
//
// A work-item takes a tile: up to TILE_ROWS neighbouring rows of one sequence, times the GROUP query heads that share a key head.
// It walks the pages up to the tile's last position. In a page, three rows at a time: 3 x 32 scores stay in registers while the
// page's keys stream by (q[d] is broadcast, no sum across lanes), then 3 x 32 dimensions while its values do. Between pages a
// row's state lies in private memory, which on a CPU is the stack. softmax.h tells the order of all sums.
//
//   qkv        fp32 [rows][qkv_stride]: from element 0 on the queries, [KV_HEADS * GROUP][HEAD_DIM]
//   keys       fp32 [pages][KV_HEADS][HEAD_DIM][PAGE]
//   values     fp32 [pages][KV_HEADS][PAGE][HEAD_DIM]
//   table      int32 [sequences][pages_per_sequence]: position t of sequence s lies in page table[s][t / PAGE]
//   positions, sequences   int32 [rows]
//   tiles      uint4 [tiles]: first row, rows <= TILE_ROWS. Consecutive positions of one sequence
//   out        fp32 [rows][out_stride]: [KV_HEADS * GROUP][HEAD_DIM]
//   partial    fp32 [rows][KV_HEADS * GROUP][spans][HEAD_DIM + 2]: values, largest, sum
// Kernels   attention_tile        all spans of a tile, one after another
//           attention_tile_split  one span of a tile into `partial`: for few rows with many positions
//           attention_join        joins the spans of `partial` in the order and with the operations of attention_tile
// Launch    attention_tile {KV_HEADS, tiles}, attention_tile_split {KV_HEADS, tiles, spans}, local {1, 1, 1};
//           attention_join {KV_HEADS * GROUP, rows}
// Build     -DHEAD_DIM=1.. -DGROUP=1.. -DKV_HEADS=1.. -DTILE_ROWS=1..; private memory: about TILE_ROWS * GROUP * (HEAD_DIM + 96) floats
// Test      tests/cl/test_attention.c

#include "softmax.h"

#ifndef HEAD_DIM
#define HEAD_DIM 64
#endif
#ifndef GROUP
#define GROUP 1
#endif
#ifndef KV_HEADS
#define KV_HEADS 1
#endif
#ifndef TILE_ROWS
#define TILE_ROWS 1
#endif

#define HEADS  (KV_HEADS * GROUP)
#define BLOCK  3u                                            // rows whose scores fit into 16 registers of 8 floats, beside a key
#define STATES ((TILE_ROWS * GROUP + BLOCK - 1) / BLOCK * BLOCK) // a row of the tile times a head of the group, padded
#define VALUES32 (HEAD_DIM / 32 * 32)                        // dimensions taken 32 at a time,
#define VALUES16 (HEAD_DIM / 16 * 16)                        // then up to here 16, then singly

// Three rows' scores against the 32 keys of a page.
static inline void score_rows(const __global float *const q0, const __global float *const q1, const __global float *const q2,
                              const __global float *k, float16 *const scores)
{
    float16 a0 = 0.0f, a1 = 0.0f, b0 = 0.0f, b1 = 0.0f, c0 = 0.0f, c1 = 0.0f;
    for (uint d = 0; d < HEAD_DIM; d++) {
        const float16 k0 = vload16(0, k), k1 = vload16(1, k);
        a0 = q0[d] * k0 + a0;
        a1 = q0[d] * k1 + a1;
        b0 = q1[d] * k0 + b0;
        b1 = q1[d] * k1 + b1;
        c0 = q2[d] * k0 + c0;
        c1 = q2[d] * k1 + c1;
        k += PAGE;
    }
    scores[0] = a0;
    scores[1] = a1;
    scores[2] = b0;
    scores[3] = b1;
    scores[4] = c0;
    scores[5] = c1;
}

static inline float largest_of(const float16 a, const float16 b)
{
    const float16 m16 = a > b ? a : b;
    const float8 m8 = m16.lo > m16.hi ? m16.lo : m16.hi;
    const float4 m4 = m8.lo > m8.hi ? m8.lo : m8.hi;
    const float2 m2 = m4.lo > m4.hi ? m4.lo : m4.hi;
    return larger(m2.x, m2.y);
}

static inline float folded(const float *const sums)
{
    const float16 s16 = vload16(0, sums) + vload16(1, sums);
    const float8 s8 = s16.lo + s16.hi;
    const float4 s4 = s8.lo + s8.hi;
    const float2 s2 = s4.lo + s4.hi;
    return s2.x + s2.y;
}

// One row meets a page: scores become weights, `largest` and `sums` move on. Returns by what earlier values shrink.
static inline float meet_page(float16 s0, float16 s1, const float scale, const int seen, float *const largest,
                              float *const sums, float *const weights)
{
    const int16 place = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    s0 = place < seen ? s0 * scale : (float16)(-INFINITY);
    s1 = place + 16 < seen ? s1 * scale : (float16)(-INFINITY);
    const float now = larger(largest_of(s0, s1), *largest);
    const float shrink = exp_f1(*largest - now);
    s0 = exp_f16(s0 - now);
    s1 = exp_f16(s1 - now);
    vstore16(s0, 0, weights);
    vstore16(s1, 1, weights);
    vstore16(vload16(0, sums) * shrink + s0, 0, sums);
    vstore16(vload16(1, sums) * shrink + s1, 1, sums);
    *largest = now;
    return shrink;
}

// Three rows add the page's first `count` values, weighted. Rows of `weights` and `acc` lie PAGE and HEAD_DIM apart.
static inline void add_values(const __global float *const v, const uint count, const float *const weights,
                              const float *const shrink, float *const acc)
{
    float *const a = acc, *const b = acc + HEAD_DIM, *const c = acc + 2 * HEAD_DIM;
    for (uint d = 0; d < VALUES32; d += 32) {
        float16 a0 = vload16(0, a + d) * shrink[0], a1 = vload16(1, a + d) * shrink[0];
        float16 b0 = vload16(0, b + d) * shrink[1], b1 = vload16(1, b + d) * shrink[1];
        float16 c0 = vload16(0, c + d) * shrink[2], c1 = vload16(1, c + d) * shrink[2];
        for (uint t = 0; t < count; t++) {
            const float16 v0 = vload16(0, v + t * HEAD_DIM + d), v1 = vload16(1, v + t * HEAD_DIM + d);
            a0 = weights[t] * v0 + a0;
            a1 = weights[t] * v1 + a1;
            b0 = weights[PAGE + t] * v0 + b0;
            b1 = weights[PAGE + t] * v1 + b1;
            c0 = weights[2 * PAGE + t] * v0 + c0;
            c1 = weights[2 * PAGE + t] * v1 + c1;
        }
        vstore16(a0, 0, a + d);
        vstore16(a1, 1, a + d);
        vstore16(b0, 0, b + d);
        vstore16(b1, 1, b + d);
        vstore16(c0, 0, c + d);
        vstore16(c1, 1, c + d);
    }
#if VALUES32 < VALUES16
    float16 a0 = vload16(0, a + VALUES32) * shrink[0];
    float16 b0 = vload16(0, b + VALUES32) * shrink[1];
    float16 c0 = vload16(0, c + VALUES32) * shrink[2];
    for (uint t = 0; t < count; t++) {
        const float16 v0 = vload16(0, v + t * HEAD_DIM + VALUES32);
        a0 = weights[t] * v0 + a0;
        b0 = weights[PAGE + t] * v0 + b0;
        c0 = weights[2 * PAGE + t] * v0 + c0;
    }
    vstore16(a0, 0, a + VALUES32);
    vstore16(b0, 0, b + VALUES32);
    vstore16(c0, 0, c + VALUES32);
#endif
#if VALUES16 < HEAD_DIM
    for (uint r = 0; r < BLOCK; r++)
        for (uint d = VALUES16; d < HEAD_DIM; d++) {
            float sum = acc[r * HEAD_DIM + d] * shrink[r];
            for (uint t = 0; t < count; t++)
                sum = weights[r * PAGE + t] * v[t * HEAD_DIM + d] + sum;
            acc[r * HEAD_DIM + d] = sum;
        }
#endif
}

// All states of a tile over the pages of one span, from nothing. `q` is the tile's first row, `position` where it stands.
static void walk_span(const __global float *const q, const uint qkv_stride, const uint rows, const uint position,
                      const __global float *const keys, const __global float *const values, const __global int *const pages,
                      const uint span, const float scale, float *const largest, float *const sums, float *const acc)
{
    const uint states = rows * GROUP;
    const uint last = position + rows - 1;
    const uint end = min(last / PAGE + 1, (span + 1) * (SPAN / PAGE));
    for (uint s = 0; s < STATES; s++)
        largest[s] = LOWEST;
    for (uint i = 0; i < STATES * PAGE; i++)
        sums[i] = 0.0f;
    for (uint i = 0; i < STATES * HEAD_DIM; i++)
        acc[i] = 0.0f;
    for (uint page = span * (SPAN / PAGE); page < end; page++) {
        const size_t at = (size_t)pages[page] * (KV_HEADS * PAGE * HEAD_DIM);
        const __global float *const k = keys + at;
        const __global float *const v = values + at;
        const uint begin = page * PAGE;
        const uint count = min(last + 1 - begin, PAGE);
        for (uint s = 0; s < states; s += BLOCK) {
            const uint s1 = min(s + 1, states - 1), s2 = min(s + 2, states - 1);
            const uint r0 = s / GROUP, r1 = s1 / GROUP, r2 = s2 / GROUP;
            if (position + r2 < begin)
                continue;
            float16 scores[6];
            float weights[BLOCK * PAGE], shrink[BLOCK];
            score_rows(q + (size_t)r0 * qkv_stride + s % GROUP * HEAD_DIM, q + (size_t)r1 * qkv_stride + s1 % GROUP * HEAD_DIM,
                       q + (size_t)r2 * qkv_stride + s2 % GROUP * HEAD_DIM, k, scores);
            const int seen = (int)(position + 1) - (int)begin;
            shrink[0] = meet_page(scores[0], scores[1], scale, seen + (int)r0, largest + s, sums + s * PAGE, weights);
            shrink[1] = meet_page(scores[2], scores[3], scale, seen + (int)r1, largest + s + 1, sums + (s + 1) * PAGE, weights + PAGE);
            shrink[2] = meet_page(scores[4], scores[5], scale, seen + (int)r2, largest + s + 2, sums + (s + 2) * PAGE, weights + 2 * PAGE);
            add_values(v, count, weights, shrink, acc + s * HEAD_DIM);
        }
    }
}

__kernel void attention_tile(const __global float *restrict qkv, const uint qkv_stride, const __global float *restrict keys,
                             const __global float *restrict values, const __global int *restrict table,
                             const uint pages_per_sequence, const __global int *restrict positions,
                             const __global int *restrict sequences, const __global uint4 *restrict tiles,
                             __global float *restrict out, const uint out_stride, const float scale)
{
    float largest[STATES], sums[STATES * PAGE], acc[STATES * HEAD_DIM];
    float whole_largest[STATES], whole_sum[STATES]; // of all spans so far; their values lie in `out`
    const uint head = (uint)get_global_id(0);
    const uint first = tiles[get_global_id(1)].x, rows = tiles[get_global_id(1)].y;
    const uint position = (uint)positions[first];
    const __global float *const q = qkv + (size_t)first * qkv_stride + head * (GROUP * HEAD_DIM);
    const __global int *const pages = table + (size_t)sequences[first] * pages_per_sequence;
    __global float *const y = out + (size_t)first * out_stride + head * (GROUP * HEAD_DIM);
    const uint last_span = (position + rows - 1) / SPAN;
    const size_t offset = (size_t)head * (PAGE * HEAD_DIM);
    for (uint span = 0; span <= last_span; span++) {
        walk_span(q, qkv_stride, rows, position, keys + offset, values + offset, pages, span, scale, largest, sums, acc);
        for (uint s = 0; s < rows * GROUP; s++) {
            const uint own_last = (position + s / GROUP) / SPAN;
            if (own_last < span)
                continue;
            __global float *const to = y + (size_t)(s / GROUP) * out_stride + s % GROUP * HEAD_DIM;
            const float sum = folded(sums + s * PAGE);
            if (span == 0) {
                whole_largest[s] = largest[s];
                whole_sum[s] = sum;
                for (uint d = 0; d < HEAD_DIM; d++)
                    to[d] = acc[s * HEAD_DIM + d];
            } else {
                const joining j = join_spans(whole_largest[s], whole_sum[s], largest[s], sum);
                whole_largest[s] = j.largest;
                whole_sum[s] = j.sum;
                for (uint d = 0; d < HEAD_DIM; d++)
                    to[d] = join_value(j, to[d], acc[s * HEAD_DIM + d]);
            }
            if (own_last == span) {
                const float inverse = 1.0f / whole_sum[s];
                for (uint d = 0; d < HEAD_DIM; d++)
                    to[d] = normalized(to[d], inverse);
            }
        }
    }
}

__kernel void attention_tile_split(const __global float *restrict qkv, const uint qkv_stride, const __global float *restrict keys,
                                   const __global float *restrict values, const __global int *restrict table,
                                   const uint pages_per_sequence, const __global int *restrict positions,
                                   const __global int *restrict sequences, const __global uint4 *restrict tiles,
                                   __global float *restrict partial, const float scale)
{
    float largest[STATES], sums[STATES * PAGE], acc[STATES * HEAD_DIM];
    const uint head = (uint)get_global_id(0);
    const uint span = (uint)get_global_id(2), spans = (uint)get_global_size(2);
    const uint first = tiles[get_global_id(1)].x, rows = tiles[get_global_id(1)].y;
    const uint position = (uint)positions[first];
    if (position + rows - 1 < span * SPAN)
        return;
    const __global float *const q = qkv + (size_t)first * qkv_stride + head * (GROUP * HEAD_DIM);
    const __global int *const pages = table + (size_t)sequences[first] * pages_per_sequence;
    const size_t offset = (size_t)head * (PAGE * HEAD_DIM);
    walk_span(q, qkv_stride, rows, position, keys + offset, values + offset, pages, span, scale, largest, sums, acc);
    for (uint s = 0; s < rows * GROUP; s++) {
        const size_t row = first + s / GROUP;
        __global float *const to = partial + ((row * HEADS + head * GROUP + s % GROUP) * spans + span) * (HEAD_DIM + 2);
        for (uint d = 0; d < HEAD_DIM; d++)
            to[d] = acc[s * HEAD_DIM + d];
        to[HEAD_DIM] = largest[s];
        to[HEAD_DIM + 1] = folded(sums + s * PAGE);
    }
}

__kernel void attention_join(const __global float *restrict partial, const uint spans, const __global int *restrict positions,
                             __global float *restrict out, const uint out_stride)
{
    const uint head = (uint)get_global_id(0);
    const size_t row = get_global_id(1);
    const __global float *from = partial + (row * HEADS + head) * spans * (HEAD_DIM + 2);
    __global float *const to = out + row * out_stride + head * HEAD_DIM;
    const uint last_span = (uint)positions[row] / SPAN;
    float largest = from[HEAD_DIM], sum = from[HEAD_DIM + 1];
    for (uint d = 0; d < HEAD_DIM; d++)
        to[d] = from[d];
    for (uint span = 1; span <= last_span; span++) {
        from += HEAD_DIM + 2;
        const joining j = join_spans(largest, sum, from[HEAD_DIM], from[HEAD_DIM + 1]);
        largest = j.largest;
        sum = j.sum;
        for (uint d = 0; d < HEAD_DIM; d++)
            to[d] = join_value(j, to[d], from[d]);
    }
    const float inverse = 1.0f / sum;
    for (uint d = 0; d < HEAD_DIM; d++)
        to[d] = normalized(to[d], inverse);
}
