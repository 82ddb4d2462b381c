// attention_lanes: the attention of attention.cl, in the shape for devices whose work-items are lanes (GPUs)
//
// A work-group of PAGE work-items takes BLOCK rows of a tile (a row times a query head of one key head). For scores a lane is a
// position of the page: neighbours read neighbouring keys, q comes from local memory. For values a lane is a dimension, and then
// each PAGE-th: neighbours read neighbouring values, weights come from local memory. The largest score of a row is found by one
// lane; softmax.h tells the order of all sums, which is that of attention.cl, so that both make the same bits.
//
// Arguments as for attention.cl; a tile has TILE_ROWS * HEAD_GROUP rows, cut into CHUNKS blocks.
// A group with nothing to do, past a short tile's rows or past its positions, goes the same way and stores nothing that counts: a return
// before a barrier, though taken by the whole group, made wrong code on PoCL 3.1.
//
// Kernels   attention_lanes        all spans of a tile, one after another
//           attention_lanes_split  one span of a tile into `partial`
// Launch    {KV_HEADS * CHUNKS * PAGE, tiles, 1 or spans that a tile may see}, local {PAGE, 1, 1}
// Build     -DHEAD_DIM=1.. -DHEAD_GROUP=1.. -DKV_HEADS=1.. -DTILE_ROWS=1.. -DBLOCK=1..16; BLOCK * (HEAD_DIM + 39) floats of local memory;
//           -DSOFTCAP= -DALIBI= -DCHUNKED= (score.h) -DSINKS=0|1 (softmax.h) -DQUANTIZED=0|1 (kept.h)
// Test      tests/cl/test_attention.c

#include "kept.h"
#include "score.h"
#include "softmax.h"

#ifndef HEAD_DIM
#define HEAD_DIM 64
#endif
#ifndef HEAD_GROUP
#define HEAD_GROUP 1
#endif
#ifndef KV_HEADS
#define KV_HEADS 1
#endif
#ifndef TILE_ROWS
#define TILE_ROWS 1
#endif
#ifndef BLOCK
#define BLOCK 4
#endif

#define HEADS  (KV_HEADS * HEAD_GROUP)
#define CHUNKS ((TILE_ROWS * HEAD_GROUP + BLOCK - 1) / BLOCK)
#define OWN    ((HEAD_DIM + PAGE - 1) / PAGE) // dimensions of a lane: lane, lane + PAGE, ...

// What a group keeps in local memory.
typedef struct group_state {
    float q[BLOCK][HEAD_DIM];        // times scale
    float weights[BLOCK][PAGE + 1];  // scores before; one more, so that lanes that take a row each do not meet in one bank
    float largest[BLOCK], shrink[BLOCK], sum[BLOCK];
    float whole_largest[BLOCK], whole_sum[BLOCK]; // of the spans so far
    joining join[BLOCK];                          // of the latest span to them
} group_state;

// What tells a group its place: rows of the tile, its first row's position, its first state, and the lane.
typedef struct group_place {
    uint first, rows, position, head, state, lane;
} group_place;

static inline group_place place_of(const __global uint4 *const tiles, const __global int *const positions)
{
    group_place p;
    p.first = tiles[get_group_id(1)].x;
    p.rows = tiles[get_group_id(1)].y;
    p.position = (uint)positions[p.first];
    p.head = (uint)get_group_id(0) / CHUNKS;
    p.state = (uint)get_group_id(0) % CHUNKS * BLOCK;
    p.lane = (uint)get_local_id(0);
    return p;
}

// Row r of the block: which row of the tile, or the last one where the block reaches over the tile's end.
static inline uint tile_row(const group_place p, const uint r)
{
    return min(p.state + r, p.rows * HEAD_GROUP - 1) / HEAD_GROUP;
}

static inline uint query_head(const group_place p, const uint r)
{
    return p.head * HEAD_GROUP + min(p.state + r, p.rows * HEAD_GROUP - 1) % HEAD_GROUP;
}

static inline void take_queries(__local group_state *const g, const group_place p, const __global float *const qkv,
                                const uint qkv_stride, const float scale)
{
    for (uint r = 0; r < BLOCK; r++) {
        const __global float *const q = qkv + (size_t)(p.first + tile_row(p, r)) * qkv_stride + query_head(p, r) * HEAD_DIM;
        for (uint d = p.lane; d < HEAD_DIM; d += PAGE)
            g->q[r][d] = q[d] * scale;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

// The block's scores against one page become weights; sums[r] is the lane's place. `begin` is the page's first position.
static inline void weigh_page(__local group_state *const g, const group_place p, const __global kept *const k,
                              const __global kept *const v, const uint begin, const uint window, const float scale, const __global float *const slopes, float *const sums)
{
    float score[BLOCK];
#pragma unroll
    for (uint r = 0; r < BLOCK; r++)
        score[r] = 0.0f;
    IN_ORDER for (uint d = 0; d < HEAD_DIM; d++) {
        const float column = (float)k[d * PAGE + p.lane];
#pragma unroll
        for (uint r = 0; r < BLOCK; r++)
            score[r] = MUL_ADD(g->q[r][d], column, score[r]);
    }
#pragma unroll
    for (uint r = 0; r < BLOCK; r++) {
        const uint at = p.position + tile_row(p, r), t = begin + p.lane;
#if QUANTIZED
        score[r] *= KEPT_SCALES(k)[p.lane];
#endif
        score[r] = scored_f1(score[r], (int)t, (int)at, ALIBI ? slopes[query_head(p, r)] : 0.0f, scale);
        score[r] = at - t < seen_by(at, window) ? score[r] : -INFINITY; // a later position is a huge number back
        g->weights[r][p.lane] = score[r];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (p.lane < BLOCK) {
        float now = g->weights[p.lane][0];
        for (uint t = 1; t < PAGE; t++)
            now = larger(now, g->weights[p.lane][t]);
        now = larger(now, g->largest[p.lane]);
        g->shrink[p.lane] = exp_f1(g->largest[p.lane] - now);
        g->largest[p.lane] = now;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (uint r = 0; r < BLOCK; r++) {
        const float weight = exp_f1(score[r] - g->largest[r]);
#if QUANTIZED
        g->weights[r][p.lane] = weight * KEPT_SCALES(v)[p.lane];
#else
        (void)v;
        g->weights[r][p.lane] = weight;
#endif
        sums[r] = MUL_ADD(sums[r], g->shrink[r], weight);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

// acc[r][i]: the lane's dimensions.
static inline void add_values(const __local group_state *const g, const group_place p, const __global kept *const v,
                              const uint count, float acc[BLOCK][OWN])
{
#pragma unroll
    for (uint r = 0; r < BLOCK; r++)
#pragma unroll
        for (uint i = 0; i < OWN; i++)
            acc[r][i] = acc[r][i] * g->shrink[r];
    IN_ORDER for (uint t = 0; t < count; t++)
#pragma unroll
        for (uint i = 0; i < OWN; i++) {
            const uint d = p.lane + i * PAGE;
            const float value = d < HEAD_DIM ? (float)v[t * HEAD_DIM + d] : 0.0f;
#pragma unroll
            for (uint r = 0; r < BLOCK; r++)
                acc[r][i] = MUL_ADD(g->weights[r][t], value, acc[r][i]);
        }
    barrier(CLK_LOCAL_MEM_FENCE); // weights are free again
}

// The block over the pages of one span, from nothing. Leaves g->largest, g->sum and acc.
static inline void walk_span(__local group_state *const g, const group_place p, const __global kept *const keys,
                             const __global kept *const values, const __global int *const pages, const uint span,
                             const uint window, const float scale, const __global float *const slopes, float acc[BLOCK][OWN])
{
    const uint last = p.position + p.rows - 1;
    const uint end = min(p.position + tile_row(p, BLOCK - 1), (span + 1) * KEY_SPAN - 1) / PAGE + 1; // nothing to see from here on
    float sums[BLOCK];
#pragma unroll
    for (uint r = 0; r < BLOCK; r++) {
        sums[r] = 0.0f;
#pragma unroll
        for (uint i = 0; i < OWN; i++)
            acc[r][i] = 0.0f;
    }
    if (p.lane < BLOCK)
        g->largest[p.lane] = LOWEST;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint page = max(span * (KEY_SPAN / PAGE), first_seen(p.position + tile_row(p, 0), window) / PAGE); page < end; page++) {
        const size_t at = ((size_t)pages[page] * KV_HEADS + p.head) * KEPT_HEAD;
        weigh_page(g, p, keys + at, values + at, page * PAGE, window, scale, slopes, sums);
        add_values(g, p, values + at, min(last + 1 - page * PAGE, PAGE), acc);
    }
#pragma unroll
    for (uint r = 0; r < BLOCK; r++)
        g->weights[r][p.lane] = sums[r];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint width = PAGE / 2; width > 0; width >>= 1) {
        if (p.lane < width)
            for (uint r = 0; r < BLOCK; r++)
                g->weights[r][p.lane] += g->weights[r][p.lane + width];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (p.lane < BLOCK)
        g->sum[p.lane] = g->weights[p.lane][0];
    barrier(CLK_LOCAL_MEM_FENCE);
}

// A lane per row joins the span to those before it.
static inline void join_rows(__local group_state *const g, const uint lane, const bool first)
{
    if (lane < BLOCK) {
        if (first) {
            g->whole_largest[lane] = g->largest[lane];
            g->whole_sum[lane] = g->sum[lane];
        } else {
            g->join[lane] = join_spans(g->whole_largest[lane], g->largest[lane]);
            g->whole_largest[lane] = g->join[lane].largest;
            g->whole_sum[lane] = join_value(g->join[lane], g->whole_sum[lane], g->sum[lane]);
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

__kernel void attention_lanes(const __global float *restrict qkv, const uint qkv_stride, const __global kept *restrict keys,
                              const __global kept *restrict values, const __global int *restrict table,
                              const uint pages_per_sequence, const __global int *restrict positions,
                              const __global int *restrict sequences, const __global uint4 *restrict tiles,
                              __global float *restrict out, const uint out_stride, const float scale, const uint window,
                              const __global float *restrict slopes, const __global float *restrict sinks)
{
    __local group_state g;
    const group_place p = place_of(tiles, positions);
    const __global int *const pages = table + (size_t)sequences[p.first] * pages_per_sequence;
    const uint first_span = first_seen(p.position + tile_row(p, 0), window) / KEY_SPAN;
    const uint last_span = (p.position + tile_row(p, BLOCK - 1)) / KEY_SPAN;
    take_queries(&g, p, qkv, qkv_stride, scale);
    for (uint span = first_span; span <= last_span; span++) {
        float acc[BLOCK][OWN];
        walk_span(&g, p, keys, values, pages, span, window, scale, slopes, acc);
        join_rows(&g, p.lane, span == first_span);
#pragma unroll
        for (uint r = 0; r < BLOCK; r++) {
            const uint own_last = (p.position + tile_row(p, r)) / KEY_SPAN;
            if (p.state + r >= p.rows * HEAD_GROUP || own_last < span)
                continue;
            __global float *const to = out + (size_t)(p.first + tile_row(p, r)) * out_stride + query_head(p, r) * HEAD_DIM;
            const float inverse = inverse_of(g.whole_largest[r], g.whole_sum[r], sinks, query_head(p, r));
#pragma unroll
            for (uint i = 0; i < OWN; i++) {
                const uint d = p.lane + i * PAGE;
                if (d < HEAD_DIM) {
                    const float whole = span == first_span ? acc[r][i] : join_value(g.join[r], to[d], acc[r][i]);
                    to[d] = own_last == span ? normalized(whole, inverse) : whole;
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE); // sums and joins are free again
    }
}

__kernel void attention_lanes_split(const __global float *restrict qkv, const uint qkv_stride, const __global kept *restrict keys,
                                    const __global kept *restrict values, const __global int *restrict table,
                                    const uint pages_per_sequence, const __global int *restrict positions,
                                    const __global int *restrict sequences, const __global uint4 *restrict tiles,
                                    __global float *restrict partial, const uint spans, const float scale, const uint window,
                                    const __global float *restrict slopes, const __global float *restrict sinks)
{
    __local group_state g;
    const group_place p = place_of(tiles, positions);
    const uint span = first_seen(p.position, window) / KEY_SPAN + (uint)get_group_id(2);
    const __global int *const pages = table + (size_t)sequences[p.first] * pages_per_sequence;
    (void)sinks; // join last
    take_queries(&g, p, qkv, qkv_stride, scale);
    float acc[BLOCK][OWN];
    walk_span(&g, p, keys, values, pages, span, window, scale, slopes, acc);
#pragma unroll
    for (uint r = 0; r < BLOCK; r++) {
        if (p.state + r >= p.rows * HEAD_GROUP || span >= spans)
            continue;
        const size_t row = p.first + tile_row(p, r);
        __global float *const to = partial + ((row * HEADS + query_head(p, r)) * spans + span) * (HEAD_DIM + 2);
#pragma unroll
        for (uint i = 0; i < OWN; i++)
            if (p.lane + i * PAGE < HEAD_DIM)
                to[p.lane + i * PAGE] = acc[r][i];
        if (p.lane == 0) {
            to[HEAD_DIM] = g.largest[r];
            to[HEAD_DIM + 1] = g.sum[r];
        }
    }
}
