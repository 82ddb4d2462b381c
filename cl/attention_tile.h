// attention_tile.h: attention of one tile of rows with one key head: the vector code that attention.cl and decode_layers.cl share
//
// A tile is up to TILE_ROWS neighbouring rows of one sequence, times the HEAD_GROUP query heads that share a key head. It
// walks the pages up to the tile's last position. In a page, BLOCK of those rows at a time: their scores stay in registers while
// the page's keys stream by (q[d] is broadcast, no sum across lanes), then as many dimensions while its values do. Between pages a
// row's state lies in private memory, which on a CPU is the stack. softmax.h tells the order of all sums.
//
// attend_whole() takes all spans one after another into `out`, attend_span() one into `partial` (attention_join.h joins them): buffers as in
// attention.cl. TURNS does rope.cl's work on the way, where every row is of another sequence: queries and keys come as the product left
// them and become here what they are to be (head.h), the new key and value go into the cache.
//
// Build     -DHEAD_DIM=1.. -DHEAD_GROUP=1.. -DKV_HEADS=1.. -DTILE_ROWS=1..; -DBLOCK=1..6: TILE_ROWS * HEAD_GROUP is rounded up to a multiple of
//           it; -DWIDTH=8|16: floats of the device's vectors; -DTURNS=0|1, with 1
//           TILE_ROWS=1 and what head.h is built with; -DSOFTCAP= -DALIBI= -DCHUNKED= (score.h) -DSINKS=0|1 (softmax.h)
//           -DQUANTIZED=0|1 (kept.h). Private memory: about TILE_ROWS * HEAD_GROUP * (2 * HEAD_DIM + 32) floats
#ifndef OCLM_ATTENTION_TILE_H
#define OCLM_ATTENTION_TILE_H

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
#define BLOCK 6
#endif
#ifndef WIDTH
#define WIDTH 8
#endif

#define HEADS   (KV_HEADS * HEAD_GROUP)
#define STATES  ((TILE_ROWS * HEAD_GROUP + BLOCK - 1) / BLOCK * BLOCK) // a row of the tile times a head of the group, padded
#define WHOLE   (HEAD_DIM / COLUMNS * COLUMNS)                    // dimensions taken COLUMNS at a time; the rest singly

// A block is BLOCK rows by COLUMNS columns (positions or dimensions), in 6 float16 or 12 float8.
#if HEAD_DIM % 32 == 0 && (BLOCK <= 3 || WIDTH == 16)
#define COLUMNS 32
#else
#define COLUMNS 16
#endif
#define floatw VECTOR(float, WIDTH)

// Loops over the rows of a block are unrolled by name: only then does PoCL 3.1 keep a block in registers (180 ms become 70).

// What a work-item remembers, on a CPU's stack. softmax.h tells what these are.
typedef struct tile_state {
    float q[STATES * HEAD_DIM]; // times scale
    float largest[STATES + 8];  // the 8 so that a block's may be loaded as one vector
    float sums[STATES * PAGE];
    float values[STATES * HEAD_DIM];
} tile_state;

// c[r] = (fresh ? 0 : c[r] * keep[r]) + sum over i < n of a[r][i] * b[i], for the rows of a block and COLUMNS columns.
// On AVX2, whose 16 registers hold 8 floats each, 12 are c; of a and b, whichever are fewer stay for the other's loop.
__attribute__((always_inline)) // with its constants known, it is twice as fast
static inline void multiply_block(const float *const a, const uint a_stride, const __global kept *b, const uint b_stride,
                                  const uint n, const bool fresh, const float *const keep, float *const c, const uint c_stride)
{
    floatw sum[BLOCK][COLUMNS / WIDTH];
#pragma unroll
    for (uint r = 0; r < BLOCK; r++)
#pragma unroll
        for (uint v = 0; v < COLUMNS / WIDTH; v++)
            sum[r][v] = fresh ? (floatw)(0.0f) : LOAD_VECTOR(WIDTH, c + r * c_stride + v * WIDTH) * keep[r];
    for (uint i = 0; i < n; i++) {
#if BLOCK <= COLUMNS / WIDTH
#pragma unroll
        for (uint v = 0; v < COLUMNS / WIDTH; v++) {
            const floatw column = LOAD_KEPT(WIDTH, b + v * WIDTH);
#pragma unroll
            for (uint r = 0; r < BLOCK; r++)
                sum[r][v] = MUL_ADD((floatw)(a[r * a_stride + i]), column, sum[r][v]);
        }
#else
        floatw column[COLUMNS / WIDTH];
#pragma unroll
        for (uint v = 0; v < COLUMNS / WIDTH; v++)
            column[v] = LOAD_KEPT(WIDTH, b + v * WIDTH);
#pragma unroll
        for (uint r = 0; r < BLOCK; r++)
#pragma unroll
            for (uint v = 0; v < COLUMNS / WIDTH; v++)
                sum[r][v] = MUL_ADD((floatw)(a[r * a_stride + i]), column[v], sum[r][v]);
#endif
        b += b_stride;
    }
#pragma unroll
    for (uint r = 0; r < BLOCK; r++)
#pragma unroll
        for (uint v = 0; v < COLUMNS / WIDTH; v++)
            STORE_VECTOR(WIDTH, sum[r][v], c + r * c_stride + v * WIDTH);
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

// What decides about scores besides queries and keys.
typedef struct score_rules {
    uint window;                  // at most NO_WINDOW
    float scale;
    const __global float *slopes; // fp32 [HEAD_GROUP], of the key head's query heads; only with ALIBI
} score_rules;

// A block of rows, the first at position `at`, meets a page's keys, the first at `begin`. Leaves exp(score - largest) in `weights`
// [BLOCK][PAGE], with QUANTIZED times the scales of the values `v`, and in `shrink` by what earlier values shrink.
static inline void weigh_page(tile_state *const state, const uint s, const __global kept *const k, const __global kept *const v,
                              const uint at, const uint begin, const score_rules rules, float *const weights, float *const shrink)
{
    const int16 place = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const int seen = (int)(at + 1) - (int)begin; // row r sees the page's first seen + .. places but for those
    const int most = seen + (int)((s + BLOCK - 1) / HEAD_GROUP - s / HEAD_GROUP);
    for (uint t = 0; t < PAGE && (int)t < most; t += COLUMNS)
        multiply_block(state->q + s * HEAD_DIM, HEAD_DIM, k + t, PAGE, HEAD_DIM, true, shrink, weights + t, PAGE);
    float16 low[BLOCK], high[BLOCK];
    float largest[8];
    const float8 before = vload8(0, state->largest + s);
    vstore8(before, 0, largest);
#pragma unroll
    for (uint r = 0; r < BLOCK; r++) {
        const int sees = seen + (int)((s + r) / HEAD_GROUP - s / HEAD_GROUP);
        const int window = (int)seen_by((uint)(sees - 1 + (int)begin), rules.window);
        low[r] = vload16(2 * r, weights);
        high[r] = vload16(2 * r + 1, weights);
#if QUANTIZED
        low[r] *= vload16(0, KEPT_SCALES(k));
        high[r] *= vload16(1, KEPT_SCALES(k));
#endif
#if SOFTCAP || ALIBI
        const float slope = ALIBI ? rules.slopes[(s + r) % HEAD_GROUP] : 0.0f;
        low[r] = scored_f16(low[r], place + (int)begin, sees - 1 + (int)begin, slope, rules.scale);
        high[r] = scored_f16(high[r], place + (int)begin + 16, sees - 1 + (int)begin, slope, rules.scale);
#endif
        if (sees < (int)PAGE || sees > window) {
            low[r] = place < sees && place >= sees - window ? low[r] : (float16)(-INFINITY);
            high[r] = place + 16 < sees && place + 16 >= sees - window ? high[r] : (float16)(-INFINITY);
        }
        largest[r] = larger(largest_of(low[r], high[r]), largest[r]);
        state->largest[s + r] = largest[r];
    }
    vstore8(exp_f8(before - vload8(0, largest)), 0, shrink);
#pragma unroll
    for (uint r = 0; r < BLOCK; r++) {
        float *const sums = state->sums + (s + r) * PAGE;
        low[r] = exp_f16(low[r] - largest[r]);
        high[r] = exp_f16(high[r] - largest[r]);
#if QUANTIZED
        vstore16(low[r] * vload16(0, KEPT_SCALES(v)), 2 * r, weights);
        vstore16(high[r] * vload16(1, KEPT_SCALES(v)), 2 * r + 1, weights);
#else
        (void)v;
        vstore16(low[r], 2 * r, weights);
        vstore16(high[r], 2 * r + 1, weights);
#endif
        vstore16(MUL_ADD(vload16(0, sums), (float16)(shrink[r]), low[r]), 0, sums);
        vstore16(MUL_ADD(vload16(1, sums), (float16)(shrink[r]), high[r]), 1, sums);
    }
}

// A block of rows adds the page's first `count` values, weighted.
static inline void add_values(tile_state *const state, const uint s, const __global kept *const v, const uint count,
                              const float *const weights, const float *const shrink)
{
    float *const values = state->values + s * HEAD_DIM;
    for (uint d = 0; d < WHOLE; d += COLUMNS)
        multiply_block(weights, PAGE, v + d, HEAD_DIM, count, false, shrink, values + d, HEAD_DIM);
    for (uint r = 0; WHOLE < HEAD_DIM && r < BLOCK; r++) {
        for (uint d = WHOLE; d < HEAD_DIM; d++)
            values[r * HEAD_DIM + d] = values[r * HEAD_DIM + d] * shrink[r];
        IN_ORDER for (uint t = 0; t < count; t++)
            for (uint d = WHOLE; d < HEAD_DIM; d++)
                values[r * HEAD_DIM + d] = MUL_ADD(weights[r * PAGE + t], (float)v[t * HEAD_DIM + d], values[r * HEAD_DIM + d]);
    }
}

#if TURNS
// Takes in the queries of a row, `x` before the first of all heads. (Turned first and scaled then, as without TURNS.)
static void take_queries(tile_state *const state, const __global float *const x, const uint key_head, const uint position,
                         const head_tables tables, const float scale)
{
    const float growth = growth_at(tables, position);
    for (uint s = 0; s < STATES; s++) {
        head_way h;
        take_head(&h, x, key_head * HEAD_GROUP + min(s, (uint)HEAD_GROUP - 1), HEADS, position, tables, tables.q_norm_w, tables.q_norm_b);
        float *const to = state->q + s * HEAD_DIM;
        for (uint i = 0; i < HALF_ROTARY; i++) {
            const float2 turned = turned_pair(h, i);
            to[PAIR_FIRST(i)] = GROWN(head_finished(h, turned.x, PAIR_FIRST(i)), growth) * scale;
            to[PAIR_SECOND(i)] = GROWN(head_finished(h, turned.y, PAIR_SECOND(i)), growth) * scale;
        }
        for (uint d = ROTARY_DIMS; d < HEAD_DIM; d++)
            to[d] = GROWN(head_finished(h, head_element(h, d), d), growth) * scale;
    }
}
#else
// Takes in the queries of a tile, whose first row is `q`; padding repeats the last.
static void take_queries(tile_state *const state, const __global float *const q, const uint qkv_stride, const uint rows,
                         const float scale)
{
    for (uint s = 0; s < STATES; s++) {
        const uint own = min(s, rows * HEAD_GROUP - 1);
        const __global float *const from = q + (size_t)(own / HEAD_GROUP) * qkv_stride + own % HEAD_GROUP * HEAD_DIM;
        for (uint d = 0; d < HEAD_DIM; d++)
            state->q[s * HEAD_DIM + d] = from[d] * scale;
    }
}
#endif

// All states of a tile over the pages of one span, from nothing. The tile's first row stands at `position`.
static void walk_span(tile_state *const state, const uint rows, const uint position, const __global kept *const keys,
                      const __global kept *const values, const __global int *const pages, const uint span, const score_rules rules)
{
    const uint last = position + rows - 1;
    const uint end = min(last / PAGE + 1, (span + 1) * (KEY_SPAN / PAGE));
    for (uint s = 0; s < STATES; s++)
        state->largest[s] = LOWEST;
    for (uint i = 0; i < STATES * PAGE; i++)
        state->sums[i] = 0.0f;
    for (uint i = 0; i < STATES * HEAD_DIM; i++)
        state->values[i] = 0.0f;
    for (uint page = max(span * (KEY_SPAN / PAGE), first_seen(position, rules.window) / PAGE); page < end; page++) {
        const size_t at = (size_t)pages[page] * (KV_HEADS * KEPT_HEAD);
        const uint begin = page * PAGE;
        const uint count = min(last + 1 - begin, PAGE);
        for (uint s = 0; s < rows * HEAD_GROUP; s += BLOCK) {
            const uint row = position + s / HEAD_GROUP; // of the block, the first
            float weights[BLOCK * PAGE], shrink[8];
            if (row + (BLOCK - 1) / HEAD_GROUP + 1 < begin || first_seen(row, rules.window) >= begin + PAGE)
                continue;
            weigh_page(state, s, keys + at, values + at, row, begin, rules, weights, shrink);
            add_values(state, s, values + at, count, weights, shrink);
        }
    }
}

// The tile's queries, and with TURNS its new key and value into the cache unless a later span does that.
static inline void begin_tile(tile_state *const state, const attention_data a, const uint head, const uint first, const uint rows,
                              const bool keeps)
{
    const __global float *const row = a.qkv + (size_t)first * a.qkv_stride;
#if TURNS
    const uint position = (uint)a.positions[first];
    (void)rows; // one
    take_queries(state, row, head, position, a.tables, a.scale);
    if (keeps && !QUERIES_ONLY) {
        const size_t at = ((size_t)a.table[(size_t)a.sequences[first] * a.pages_per_sequence + position / PAGE] * KV_HEADS + head) * KEPT_HEAD;
        head_way key;
        take_head(&key, row + HEADS * HEAD_DIM, head, KV_HEADS, position, a.tables, a.tables.k_norm_w, a.tables.k_norm_b);
        keep_key(key, a.keys + at, position % PAGE, 0, 1);
        keep_value(row + (HEADS + VALUE_HEAD(head, KV_HEADS)) * HEAD_DIM, a.values + at, position % PAGE, 0, 1);
    }
#else
    (void)keeps;
    take_queries(state, row + head * (HEAD_GROUP * HEAD_DIM), a.qkv_stride, rows, a.scale);
#endif
}

static inline score_rules rules_of(const attention_data a, const uint head)
{
    const score_rules rules = { a.window, a.scale, a.slopes + head * HEAD_GROUP };
    return rules;
}

static inline void attend_whole(const attention_data a, const uint head, const uint first, const uint rows, __global float *const out,
                                const uint out_stride)
{
    tile_state state;
    float whole_largest[STATES], whole_sum[STATES]; // of all spans so far; their values lie in `out`
    const uint position = (uint)a.positions[first];
    const __global int *const pages = a.table + (size_t)a.sequences[first] * a.pages_per_sequence;
    __global float *const y = out + (size_t)first * out_stride + head * (HEAD_GROUP * HEAD_DIM);
    const uint first_span = first_seen(position, a.window) / KEY_SPAN, last_span = (position + rows - 1) / KEY_SPAN;
    const size_t offset = (size_t)head * KEPT_HEAD;
    begin_tile(&state, a, head, first, rows, true);
    for (uint span = first_span; span <= last_span; span++) {
        walk_span(&state, rows, position, a.keys + offset, a.values + offset, pages, span, rules_of(a, head));
        for (uint s = 0; s < rows * HEAD_GROUP; s++) {
            const uint own_last = (position + s / HEAD_GROUP) / KEY_SPAN;
            if (own_last < span)
                continue;
            __global float *const to = y + (size_t)(s / HEAD_GROUP) * out_stride + s % HEAD_GROUP * HEAD_DIM;
            const float sum = folded(state.sums + s * PAGE);
            if (span == first_span) {
                whole_largest[s] = state.largest[s];
                whole_sum[s] = sum;
                for (uint d = 0; d < HEAD_DIM; d++)
                    to[d] = state.values[s * HEAD_DIM + d];
            } else {
                const joining j = join_spans(whole_largest[s], state.largest[s]);
                whole_largest[s] = j.largest;
                whole_sum[s] = join_value(j, whole_sum[s], sum);
                for (uint d = 0; d < HEAD_DIM; d++)
                    to[d] = join_value(j, to[d], state.values[s * HEAD_DIM + d]);
            }
            if (own_last == span) {
                const float inverse = inverse_of(whole_largest[s], whole_sum[s], a.sinks, head * HEAD_GROUP + s % HEAD_GROUP);
                for (uint d = 0; d < HEAD_DIM; d++)
                    to[d] = normalized(to[d], inverse);
            }
        }
    }
}

// The index-th span that the tile sees.
static inline void attend_span(const attention_data a, const uint head, const uint first, const uint rows, const uint index,
                               const uint spans, __global float *const partial)
{
    tile_state state;
    const uint position = (uint)a.positions[first], span = first_seen(position, a.window) / KEY_SPAN + index;
    const __global int *const pages = a.table + (size_t)a.sequences[first] * a.pages_per_sequence;
    const size_t offset = (size_t)head * KEPT_HEAD;
    if (position + rows - 1 < span * KEY_SPAN)
        return;
    begin_tile(&state, a, head, first, rows, span == position / KEY_SPAN);
    walk_span(&state, rows, position, a.keys + offset, a.values + offset, pages, span, rules_of(a, head));
    for (uint s = 0; s < rows * HEAD_GROUP; s++) {
        const size_t row = first + s / HEAD_GROUP;
        __global float *const to = partial + ((row * HEADS + head * HEAD_GROUP + s % HEAD_GROUP) * spans + span) * (HEAD_DIM + 2);
        for (uint d = 0; d < HEAD_DIM; d++)
            to[d] = state.values[s * HEAD_DIM + d];
        to[HEAD_DIM] = state.largest[s];
        to[HEAD_DIM + 1] = folded(state.sums + s * PAGE);
    }
}

#endif
