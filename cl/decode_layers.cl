// decode_layers: several layers of a decoding step in one launch: for each the product that makes queries, keys and values, attention, and
// the products of its output and its MLP
//
// A launch costs a CPU more than its enqueueing: between launches every core sleeps, and wakes late (40 us in a virtual machine, where a
// token has 150 launches). Here a core goes from one step to the next as soon as the last piece of the one before is done.
//
// The work is cut into tickets, numbered from the first layer's first step on. A group takes the next ticket and serves it; before the
// first of a step it waits until all tickets of the steps before are finished. Whoever holds one of those has started, and waits for lower
// tickets only: so the launch ends however many groups run at once, be it a single one. The last group that leaves sets the counters
// back for the next launch.
//
// That what a group wrote before it counted its ticket is seen by whoever sees the count is a promise of acquire and release in OpenCL
// 3.0, which no version before makes. Where a device does not make it, each step is a launch of its own (matmul.cl, attention.cl) with the
// same bits: the code is the same (matmul_unit.h, attention_tile.h).
//
//   progress   uint [48], zero before and after: of tickets taken, finished, and groups gone, in cache lines of their own
//   rows       rows of x, each of another sequence; a piece of a product takes ROWS of them after another, while its weights are in the cache
//   cores      that share the work, more or less
//   layers     <= LAYERS
//   row        local memory for the longest rows that a product reads: rows * columns floats
//   hidden     fp32 [rows][hidden_stride]: comes in, goes out
//   qkv, attended, mlp   fp32 [rows][.._stride]: between the steps
//   branch     as hidden: only with BETWEEN 1
//   .._columns, .._units, .._tickets   of a product: inputs; pieces of COLS outputs; in how many tickets they are cut (piece_of() tells how)
//   cosines_2, sines_2   the other rotary tables
//   ring_table the page table of layers with LOOK_RING
//   the rest as in matmul.cl and attention.cl; then for each layer i its weights, each of one part, and its cache; `look` is its window, plus
//              LOOK_SECOND or LOOK_UNTURNED, and LOOK_RING
// Launch    global {groups}, local {1}; groups > 0, a few for each compute unit
// Build     -cl-std=CL3.0, as matmul_unit.h and attention_tile.h with -DTILE_ROWS=1 -DTURNS=1; -DNORM=0..3 -DGATED=0|1; -DSPLIT=0|1: each span
//           of positions is a ticket, as in attention_tile_split; -DLAYERS=1..6: for so many there are arguments
//           -DPARALLEL=0|1: the MLP reads the residual before attention adds to it; -DXIELU=0|1; -DBETWEEN=0..3: norms (BETWEEN_NORM=1..3) of
//           rows that no product takes along: 0 none, 1 of what is added to the residual, 2 of the residual after that, 3 before (model/pass.h)
//           Needs __opencl_c_atomic_order_acq_rel and __opencl_c_atomic_scope_device
// Test      tests/model/test_layers.c

#define X_SPACE __local

#ifndef TURNS
#define TURNS 1
#endif

#include "attention_tile.h" // first: it knows how many heads there are

#include "attention_join.h"
#include "matmul_unit.h"
#include "xielu.h"

#ifndef NORM
#define NORM NORM_RMS
#endif
#ifndef GATED
#define GATED 1
#endif
#ifndef SPLIT
#define SPLIT 0
#endif
#ifndef PARALLEL
#define PARALLEL 0
#endif
#ifndef XIELU
#define XIELU 0
#endif
#ifndef BETWEEN
#define BETWEEN 0
#endif
#ifndef BETWEEN_NORM
#define BETWEEN_NORM NORM_RMS
#endif

#ifndef LAYERS
#define LAYERS 6
#endif
#define LOOK_SECOND   (1u << 30) // rotary positions by the second tables
#define LOOK_UNTURNED (2u << 30) // by none
#define LOOK_RING     (1u << 29) // keys and values lie where the other page table says
#define AHEAD  (128 << 10) // bytes that a core's second cache has room for

// ---- Tickets

#define TAKEN    0
#define FINISHED 16
#define GONE     32

typedef volatile __global atomic_uint counter;

// Where a group stands: its ticket, and the first one of the step that it looks at.
typedef struct walk {
    counter *progress;
    uint ticket, begin;
} walk;

static inline void take(walk *const w)
{
    w->ticket = atomic_fetch_add_explicit(w->progress + TAKEN, 1u, memory_order_relaxed, memory_scope_device);
}

// The ticket is served: the next, please.
static inline void finish(walk *const w)
{
    atomic_fetch_add_explicit(w->progress + FINISHED, 1u, memory_order_release, memory_scope_device);
    take(w);
}

static inline bool is_mine(const walk *const w, const uint tickets) { return w->ticket < w->begin + tickets; }

// Waits until all steps before are finished, and meanwhile asks the cache for what will be read then, from `ahead` on.
static inline void wait(const walk *const w, const __global char *const ahead, const size_t bytes)
{
    size_t asked = 0;
    while (atomic_load_explicit(w->progress + FINISHED, memory_order_acquire, memory_scope_device) < w->begin) {
        for (uint i = 0; i < 4 && asked < bytes; i++, asked += 64)
            PREFETCH_LINE(ahead + asked);
    }
}

static inline void leave(counter *const progress)
{
    if (atomic_fetch_add_explicit(progress + GONE, 1u, memory_order_acq_rel, memory_scope_device) + 1 == (uint)get_num_groups(0)) {
        atomic_store_explicit(progress + TAKEN, 0u, memory_order_relaxed, memory_scope_device);
        atomic_store_explicit(progress + FINISHED, 0u, memory_order_relaxed, memory_scope_device);
        atomic_store_explicit(progress + GONE, 0u, memory_order_relaxed, memory_scope_device);
    }
}

// The units of a product's i-th ticket: first, and one past the last. In each round every core may take one piece, all together half of
// what is left: large pieces, because a stream of reads is slow to start, and at the end single units, so that all end together.
static inline uint2 piece_of(const uint units, const uint cores, uint i)
{
    uint first = 0;
    for (;;) {
        const uint size = (units - first) / (2 * cores);
        if (size <= 1)
            return (uint2)(first + i, first + i + 1);
        if (i < cores)
            return (uint2)(first + i * size, first + (i + 1) * size);
        i -= cores;
        first += cores * size;
    }
}

// ---- Products

typedef struct product_data {
    const __global float *x;
    __global float *y;
    const __global stored *w;
    const __global float *bias, *norm_w, *norm_b;
    uint x_stride, y_stride, columns, units, tickets;
    float eps;
    const __global float *xielu; // of x, or null
} product_data;

// The rows of x, normalised or activated, into local memory.
static inline void take_rows(const product_data p, const uint rows, const bool norm, __local float *const to)
{
    for (uint i = 0; i < rows; i++) {
        __local float *const row = to + i * p.columns;
        take_row(row, p.x + (size_t)i * p.x_stride, p.columns, NORM && norm, p.eps, p.norm_w, p.norm_b, NORM);
        if (XIELU && p.xielu) {
            uint k = 0;
            for (; k + 16 <= p.columns; k += 16)
                vstore16(xielu_f16(vload16(0, row + k), p.xielu), 0, row + k);
            for (; k < p.columns; k++)
                row[k] = xielu_f1(row[k], p.xielu);
        }
    }
}

static inline void multiply(walk *const w, const product_data p, const uint rows, const uint cores, __local float *const local_rows,
                            const bool norm, const bool up, const float add)
{
    if (is_mine(w, p.tickets)) {
        const uint2 first_piece = piece_of(p.units, cores, w->ticket - w->begin);
        const size_t unit_bytes = (up && GATED ? 2 : 1) * PANEL_SIZE(p.columns) / (PANEL / COLS) * sizeof(stored); // more or less, for codes
        wait(w, (const __global char *)p.w + first_piece.x * unit_bytes, min((first_piece.y - first_piece.x) * unit_bytes, (size_t)AHEAD));
        take_rows(p, rows, norm, local_rows);
        do {
            const uint2 piece = piece_of(p.units, cores, w->ticket - w->begin);
            for (uint unit = piece.x; unit < piece.y; unit++) {
                const uint panel = unit / (PANEL / COLS), lane = unit % (PANEL / COLS) * COLS;
                const uint first = up && GATED ? 2 * panel : panel;
                for (uint block = 0; block < rows; block += ROWS) {
                    const X_SPACE float *row[ROWS];
#pragma unroll
                    for (uint i = 0; i < ROWS; i++)
                        row[i] = local_rows + min(block + i, rows - 1) * p.columns; // past the end: again the last row
                    serve_unit(p.y + (size_t)block * p.y_stride + (size_t)panel * PANEL + lane, p.y_stride, row, rows - block,
                               p.w + first * PANEL_SIZE(p.columns), lane, p.bias ? p.bias + (size_t)first * PANEL + lane : p.bias, p.columns,
                               up && GATED, up, add);
                }
            }
            finish(w);
        } while (is_mine(w, p.tickets));
    }
    w->begin += p.tickets;
}

#if BETWEEN
// A norm between two products, each row a ticket: y += add * norm(x), or y = norm(y). The bits of norm.cl.
static inline void between(walk *const w, const uint rows, const __global float *const x, __global float *const y, const uint stride,
                           const uint columns, const __global float *const norm_w, const __global float *const norm_b, const float eps,
                           const float add)
{
    if (is_mine(w, rows)) {
        wait(w, 0, 0);
        do {
            const size_t first = (size_t)(w->ticket - w->begin) * stride;
            const __global float *const from = x + first;
            __global float *const to = y + first;
            const float2 of = norm_of_row(from, columns, eps, BETWEEN_NORM);
            uint k = 0;
            for (; k + 16 <= columns; k += 16) {
                const float16 norm = norm_apply16(vload16(0, from + k), of.x, of.y, norm_w, norm_b, k, BETWEEN_NORM);
                vstore16(BETWEEN == 1 ? MUL_ADD((float16)(add), norm, vload16(0, to + k)) : norm, 0, to + k);
            }
            for (; k < columns; k++) {
                const float norm = norm_apply(from[k], of.x, of.y, norm_w, norm_b, k, BETWEEN_NORM);
                to[k] = BETWEEN == 1 ? norm_residual(to[k], add, norm) : norm;
            }
            finish(w);
        } while (is_mine(w, rows));
    }
    w->begin += rows;
}
#endif

// ---- Attention

__attribute__((always_inline)) static inline void attend(walk *const w, const attention_data a, const uint rows, const uint spans, __global float *const partial,
                          __global float *const out, const uint out_stride)
{
#if SPLIT
    const uint tickets = rows * KV_HEADS * min(spans, (a.window + KEY_SPAN - 2) / KEY_SPAN + 1); // only so many does a row see
#else
    const uint tickets = rows * KV_HEADS;
#endif
    (void)spans, (void)partial, (void)out, (void)out_stride; // two of four, as SPLIT goes
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            const uint i = w->ticket - w->begin;
            const uint head = i % KV_HEADS, row = i / KV_HEADS % rows;
#if SPLIT
            attend_span(a, head, row, 1, i / KV_HEADS / rows, spans, partial);
#else
            attend_whole(a, head, row, 1, out, out_stride);
#endif
            finish(w);
        } while (is_mine(w, tickets));
    }
    w->begin += tickets;
}

#if SPLIT
static inline void join_spans_of_all(walk *const w, const attention_data a, const uint rows, const uint spans,
                                     const __global float *const partial, __global float *const out, const uint out_stride)
{
    const uint tickets = rows * HEADS;
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            const uint i = w->ticket - w->begin;
            join_head(partial, spans, (uint)a.positions[i / HEADS], a.window, a.sinks, i / HEADS, i % HEADS, 0, out, out_stride);
            finish(w);
        } while (is_mine(w, tickets));
    }
    w->begin += tickets;
}
#endif

// ---- Layers

typedef struct layer_data {
    const __global stored *w_qkv, *w_output, *w_up, *w_down;
    const __global float *b_qkv, *b_output, *b_up, *b_down;
    const __global float *attention_norm_w, *attention_norm_b, *mlp_norm_w, *mlp_norm_b;
    __global kept *keys, *values;
    uint look;
    const __global float *sinks, *q_norm_w, *k_norm_w; // only with SINKS, with QK_NORM
    const __global float *post_attention_norm_w, *post_mlp_norm_w, *xielu; // only with BETWEEN 1, with XIELU
} layer_data;

#if BETWEEN == 1
#define POST_ARGUMENTS(i) , const __global float *post_attention_norm_w_##i, const __global float *post_mlp_norm_w_##i
#define POST_OF(i)        post_attention_norm_w_##i, post_mlp_norm_w_##i
#else
#define POST_ARGUMENTS(i)
#define POST_OF(i) 0, 0
#endif
#if XIELU
#define XIELU_ARGUMENT(i) , const __global float *xielu_##i
#define XIELU_OF(i)       xielu_##i
#else
#define XIELU_ARGUMENT(i)
#define XIELU_OF(i) 0
#endif

#if SINKS
#define SINKS_ARGUMENT(i) , const __global float *sinks_##i
#define SINKS_OF(i)       sinks_##i
#else
#define SINKS_ARGUMENT(i)
#define SINKS_OF(i) 0
#endif
#if QK_NORM
#define QK_NORM_ARGUMENTS(i) , const __global float *q_norm_w_##i, const __global float *k_norm_w_##i
#define QK_NORM_OF(i)        q_norm_w_##i, k_norm_w_##i
#else
#define QK_NORM_ARGUMENTS(i)
#define QK_NORM_OF(i) 0, 0
#endif

#define LAYER_ARGUMENTS(i)                                                                                                         \
    , const __global stored *w_qkv_##i, const __global stored *w_output_##i, const __global stored *w_up_##i,                      \
        const __global stored *w_down_##i, const __global float *b_qkv_##i, const __global float *b_output_##i,                    \
        const __global float *b_up_##i, const __global float *b_down_##i, const __global float *attention_norm_w_##i,              \
        const __global float *attention_norm_b_##i, const __global float *mlp_norm_w_##i, const __global float *mlp_norm_b_##i,    \
        __global kept *keys_##i, __global kept *values_##i, const uint look_##i SINKS_ARGUMENT(i) QK_NORM_ARGUMENTS(i)              \
        POST_ARGUMENTS(i) XIELU_ARGUMENT(i)
#define LAYER(i)                                                                                                                   \
    { w_qkv_##i, w_output_##i, w_up_##i, w_down_##i, b_qkv_##i, b_output_##i, b_up_##i, b_down_##i, attention_norm_w_##i,          \
      attention_norm_b_##i, mlp_norm_w_##i, mlp_norm_b_##i, keys_##i, values_##i, look_##i, SINKS_OF(i), QK_NORM_OF(i), POST_OF(i),          \
      XIELU_OF(i) }

#if LAYERS == 1
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0)
#define ALL_LAYERS    LAYER(0)
#elif LAYERS == 2
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1)
#define ALL_LAYERS    LAYER(0), LAYER(1)
#elif LAYERS == 3
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1) LAYER_ARGUMENTS(2)
#define ALL_LAYERS    LAYER(0), LAYER(1), LAYER(2)
#elif LAYERS == 4
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1) LAYER_ARGUMENTS(2) LAYER_ARGUMENTS(3)
#define ALL_LAYERS    LAYER(0), LAYER(1), LAYER(2), LAYER(3)
#elif LAYERS == 5
#define ALL_ARGUMENTS LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1) LAYER_ARGUMENTS(2) LAYER_ARGUMENTS(3) LAYER_ARGUMENTS(4)
#define ALL_LAYERS    LAYER(0), LAYER(1), LAYER(2), LAYER(3), LAYER(4)
#else
#define ALL_ARGUMENTS                                                                                                              \
    LAYER_ARGUMENTS(0) LAYER_ARGUMENTS(1) LAYER_ARGUMENTS(2) LAYER_ARGUMENTS(3) LAYER_ARGUMENTS(4) LAYER_ARGUMENTS(5)
#define ALL_LAYERS LAYER(0), LAYER(1), LAYER(2), LAYER(3), LAYER(4), LAYER(5)
#endif

__kernel void decode_layers(counter *progress, const uint rows, const uint cores, const uint layers, __local float *row,
                            __global float *hidden, const uint hidden_stride, __global float *qkv, const uint qkv_stride,
                            __global float *attended, const uint attended_stride, __global float *mlp, const uint mlp_stride,
                            const uint hidden_columns, const uint attended_columns, const uint mlp_columns, const uint qkv_units,
                            const uint qkv_tickets, const uint output_units, const uint output_tickets, const uint up_units,
                            const uint up_tickets, const uint down_units, const uint down_tickets, __global float *branch,
                            const float add, const float norm_eps, const __global int *table, const __global int *ring_table,
                            const uint pages_per_sequence, const __global int *positions, const __global int *sequences,
                            const __global float *cosines, const __global float *sines, const __global float *cosines_2,
                            const __global float *sines_2, const __global float *growth, const __global float *slopes,
                            const float scale, const uint spans, __global float *partial ALL_ARGUMENTS)
{
    const layer_data all[LAYERS] = { ALL_LAYERS };
    __global float *const sums = BETWEEN == 1 ? branch : hidden; // where output and down go
    walk w = { progress, 0, 0 };
    take(&w);
    for (uint i = 0; i < layers; i++) {
        const layer_data l = all[i];
        const head_tables tables = { l.look & LOOK_UNTURNED ? 0 : l.look & LOOK_SECOND ? cosines_2 : cosines,
                                     l.look & LOOK_SECOND ? sines_2 : sines, growth, l.q_norm_w, 0, l.k_norm_w, 0 };
        const attention_data a = { qkv, l.keys, l.values, l.look & LOOK_RING ? ring_table : table, positions, sequences, qkv_stride,
                                   pages_per_sequence, scale, l.look & (LOOK_RING - 1), slopes, l.sinks, tables };
        const product_data to_qkv = { hidden, qkv, l.w_qkv, l.b_qkv, l.attention_norm_w, l.attention_norm_b, hidden_stride, qkv_stride,
                                      hidden_columns, qkv_units, qkv_tickets, norm_eps, 0 };
        const product_data output = { attended, sums, l.w_output, l.b_output, 0, 0, attended_stride, hidden_stride, attended_columns,
                                      output_units, output_tickets, 0.0f, 0 };
        const product_data up = { hidden, mlp, l.w_up, l.b_up, l.mlp_norm_w, l.mlp_norm_b, hidden_stride, mlp_stride, hidden_columns,
                                  up_units, up_tickets, norm_eps, 0 };
        const product_data down = { mlp, sums, l.w_down, l.b_down, 0, 0, mlp_stride, hidden_stride, mlp_columns, down_units, down_tickets,
                                    0.0f, l.xielu };
        // A loop, so that all products are one piece of code: compiled as four it takes drivers three times as long.
#pragma unroll 1
        for (uint step = 0; step < 4; step++) {
            const uint which = PARALLEL && (step == 1 || step == 2) ? 3 - step : step;
            const bool adds = which % 2; // output and down, to the residual; the other two take it in, normalised
#if BETWEEN == 3
            if (!adds)
                between(&w, rows, hidden, hidden, hidden_stride, hidden_columns, which == 0 ? l.attention_norm_w : l.mlp_norm_w,
                        which == 0 ? l.attention_norm_b : l.mlp_norm_b, norm_eps, 0.0f);
#endif
            multiply(&w, which == 0 ? to_qkv : which == 1 ? output : which == 2 ? up : down, rows, cores, row, !adds, which == 2,
                     adds && BETWEEN != 1 ? add : 0.0f);
#if BETWEEN == 1
            if (adds)
                between(&w, rows, branch, hidden, hidden_stride, hidden_columns, which == 1 ? l.post_attention_norm_w : l.post_mlp_norm_w, 0,
                        norm_eps, add);
#elif BETWEEN == 2
            if (adds)
                between(&w, rows, hidden, hidden, hidden_stride, hidden_columns, which == 1 ? l.attention_norm_w : l.mlp_norm_w,
                        which == 1 ? l.attention_norm_b : l.mlp_norm_b, norm_eps, 0.0f);
#endif
            if (step == 0) {
                attend(&w, a, rows, spans, partial, attended, attended_stride);
#if SPLIT
                join_spans_of_all(&w, a, rows, spans, partial, attended, attended_stride);
#endif
            }
        }
    }
    leave(progress);
}
