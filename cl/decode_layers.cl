// decode_layers: several layers of a decoding step in one launch: for each the product that makes queries, keys and values, attention, the
// product of its output, and its MLP or its experts
//
// A launch costs a CPU more than its enqueueing: between launches every core sleeps, and wakes late (40 us in a virtual machine, where a
// token has 150 launches). Here a core goes from one step to the next as soon as the last piece of the one before is done: tickets.h.
//
// That what a group wrote before it counted its ticket is seen by whoever sees the count is a promise of acquire and release in OpenCL
// 3.0, which no version before makes. Where a device does not make it, each step is a launch of its own (matmul.cl, attention.cl, moe_*.cl) with
// the same bits: the code is the same (matmul_unit.h, attention_tile.h, moe_route.h, moe_join.h); latent.cl's copies alone are written twice.
//
//   progress   as in tickets.h
//   rows       rows of x, each of another sequence; with EXPERTS one
//   cores      that share the work, more or less
//   layers     <= LAYERS
//   row        local memory for the longest rows that a product reads, rows * columns floats, and for what routing needs (layer_experts.h)
//   hidden     fp32 [rows][hidden_stride]: comes in, goes out
//   qkv, attended, mlp   fp32 [rows][.._stride]: between the steps
//   branch     as hidden: only with BETWEEN 1
//   .._columns, .._units, .._tickets   of a product: inputs; pieces of COLS outputs (of one expert); in how many tickets they are cut
//              (piece_of() tells how), 0: there is none
//   cosines_2, sines_2   the other rotary tables
//   ring_table the page table of layers with LOOK_RING
//   latent, heads_kv   only with LATENT: fp32 [rows][.._stride], what queries, keys and values of heads are made of (runtime/model/latent.h)
//   logits, ids, weights, inner, outer, shared, gate, chosen, ..   only with EXPERTS: as in moe_route.cl, moe_join.cl and runtime/model/experts.h
//   the rest as in matmul.cl and attention.cl; then for each layer i its weights, each of one part, and its cache; `look` is its window, plus
//              LOOK_SECOND or LOOK_UNTURNED, and LOOK_RING
// Launch    global {groups}, local {1}; groups > 0, a few for each compute unit
// Build     -cl-std=CL3.0, as layer_product.h and attention_tile.h with -DTILE_ROWS=1 -DTURNS=1; -DSPLIT=0|1: each span of positions is a
//           ticket, as in attention_tile_split; -DLAYERS=1..6: for so many there are arguments
//           -DPARALLEL=0|1: the MLP reads the residual before attention adds to it; -DBETWEEN=0..3: norms (BETWEEN_NORM=1..3) of
//           rows that no product takes along: 0 none, 1 of what is added to the residual, 2 of the residual after that, 3 before (model/pass.h)
//           -DSECOND_HALF=0|1: attention, or what a layer has in its place, is computed already, with its output
//           -DLATENT=0..2: keys and values are latent, with 2 queries, too; -DEXPERTS=0|1, then also as layer_experts.h
//           Needs __opencl_c_atomic_order_acq_rel and __opencl_c_atomic_scope_device
// Test      tests/model/test_layers.c

#define X_SPACE __local

#ifndef TURNS
#define TURNS 1
#endif

#include "attention_tile.h" // first: it knows how many heads there are

#include "layer_attention.h"
#include "layer_norm.h"
#include "layer_product.h"

#ifndef PARALLEL
#define PARALLEL 0
#endif
#ifndef SECOND_HALF
#define SECOND_HALF 0
#endif
#ifndef LATENT
#define LATENT 0
#endif
#ifndef EXPERTS
#define EXPERTS 0
#endif
#if EXPERTS
#include "layer_experts.h"
#endif
#ifndef LAYERS
#define LAYERS 6
#endif
#define LOOK_SECOND   (1u << 30) // rotary positions by the second tables
#define LOOK_UNTURNED (2u << 30) // by none
#define LOOK_RING     (1u << 29) // keys and values lie where the other page table says

// ---- The order of a layer's products

enum { TO_QKV, TO_OUTPUT, TO_UP, TO_DOWN, TO_LATENT, TO_HEADS_KV, TO_LOGITS, TO_SHARED_GATE, TO_INNER, TO_OUTER, PRODUCTS };
#define ALONG 16 // needs nothing of the one before, and waits for what that waits for

__constant uint order[] = { // of bytes, oclgrind 21.10 takes the wrong branches
#if !SECOND_HALF
#if LATENT == 2
    TO_LATENT, TO_QKV, TO_HEADS_KV | ALONG,
#elif LATENT
    TO_LATENT, TO_QKV | ALONG, TO_HEADS_KV,
#else
    TO_QKV,
#endif
#if PARALLEL
    TO_UP, TO_OUTPUT, TO_DOWN
#else
    TO_OUTPUT,
#endif
#endif
#if EXPERTS
    TO_LOGITS, TO_UP | ALONG, TO_SHARED_GATE | ALONG, TO_INNER, TO_DOWN | ALONG, TO_OUTER
#elif !PARALLEL
    TO_UP, TO_DOWN
#endif
};
#define LAST_BEFORE_ATTENTION (LATENT ? TO_HEADS_KV : TO_QKV)

// ---- Layers

typedef struct layer_data {
    const __global stored *w_qkv, *w_output, *w_up, *w_down;
    const __global float *b_qkv, *b_output, *b_up, *b_down;
    const __global float *attention_norm_w, *attention_norm_b, *mlp_norm_w, *mlp_norm_b;
    __global kept *keys, *values;
    uint look;
    const __global float *sinks, *q_norm_w, *k_norm_w; // only with SINKS, with QK_NORM
    const __global float *post_attention_norm_w, *post_mlp_norm_w, *xielu; // only with BETWEEN 1, with XIELU
    const __global stored *w_latent, *w_latent_kv; // these only with LATENT
    const __global float *b_latent, *latent_q_norm_w, *latent_kv_norm_w;
    const __global stored *w_router, *w_shared_gate, *w_experts_up, *w_experts_down; // and these with EXPERTS
    const __global float *b_router, *b_experts_up, *b_experts_down, *correction, *counts;
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

#if LATENT
#define LATENT_ARGUMENTS(i)                                                                                                        \
    , const __global stored *w_latent_##i, const __global stored *w_latent_kv_##i, const __global float *b_latent_##i,             \
        const __global float *latent_q_norm_w_##i, const __global float *latent_kv_norm_w_##i
#define LATENT_OF(i) w_latent_##i, w_latent_kv_##i, b_latent_##i, latent_q_norm_w_##i, latent_kv_norm_w_##i
#else
#define LATENT_ARGUMENTS(i)
#define LATENT_OF(i) 0, 0, 0, 0, 0
#endif
#if EXPERTS
#define EXPERTS_ARGUMENTS(i)                                                                                                       \
    , const __global stored *w_router_##i, const __global stored *w_shared_gate_##i, const __global stored *w_experts_up_##i,      \
        const __global stored *w_experts_down_##i, const __global float *b_router_##i, const __global float *b_experts_up_##i,     \
        const __global float *b_experts_down_##i, const __global float *correction_##i, const __global float *counts_##i
#define EXPERTS_OF(i)                                                                                                              \
    w_router_##i, w_shared_gate_##i, w_experts_up_##i, w_experts_down_##i, b_router_##i, b_experts_up_##i, b_experts_down_##i,     \
        correction_##i, counts_##i
#else
#define EXPERTS_ARGUMENTS(i)
#define EXPERTS_OF(i) 0, 0, 0, 0, 0, 0, 0, 0, 0
#endif

#define LAYER_ARGUMENTS(i)                                                                                                         \
    , const __global stored *w_qkv_##i, const __global stored *w_output_##i, const __global stored *w_up_##i,                      \
        const __global stored *w_down_##i, const __global float *b_qkv_##i, const __global float *b_output_##i,                    \
        const __global float *b_up_##i, const __global float *b_down_##i, const __global float *attention_norm_w_##i,              \
        const __global float *attention_norm_b_##i, const __global float *mlp_norm_w_##i, const __global float *mlp_norm_b_##i,    \
        __global kept *keys_##i, __global kept *values_##i, const uint look_##i SINKS_ARGUMENT(i) QK_NORM_ARGUMENTS(i)              \
        POST_ARGUMENTS(i) XIELU_ARGUMENT(i) LATENT_ARGUMENTS(i) EXPERTS_ARGUMENTS(i)
#define LAYER(i)                                                                                                                   \
    { w_qkv_##i, w_output_##i, w_up_##i, w_down_##i, b_qkv_##i, b_output_##i, b_up_##i, b_down_##i, attention_norm_w_##i,          \
      attention_norm_b_##i, mlp_norm_w_##i, mlp_norm_b_##i, keys_##i, values_##i, look_##i, SINKS_OF(i), QK_NORM_OF(i), POST_OF(i),          \
      XIELU_OF(i), LATENT_OF(i), EXPERTS_OF(i) }

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

#if LATENT
#define LATENT_COMMON                                                                                                              \
    , __global float *latent, const uint latent_stride, __global float *heads_kv, const uint heads_kv_stride, const uint q_rank,   \
        const uint kv_rank, const uint nope_dim, const uint rope_dim, const uint value_dim, const float latent_eps,                \
        const uint latent_units, const uint latent_tickets, const uint latent_kv_units, const uint latent_kv_tickets
#else
#define LATENT_COMMON
#endif
#if EXPERTS
#define EXPERTS_COMMON                                                                                                             \
    , __global float *logits, __global uint *ids, __global float *weights, __global float *inner, const uint inner_stride,         \
        __global float *outer, __global float *shared, __global float *gate, const uint experts, const uint chosen,                \
        const uint groups, const uint groups_chosen, const float route_eps, const float route_scale, const uint inner_columns,     \
        const uint router_units, const uint router_tickets, const uint gate_units, const uint gate_tickets,                        \
        const uint experts_up_units, const uint experts_up_tickets, const uint experts_down_units, const uint experts_down_tickets
#else
#define EXPERTS_COMMON
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
                            const float scale, const uint spans, __global float *partial LATENT_COMMON EXPERTS_COMMON ALL_ARGUMENTS)
{
    const layer_data all[LAYERS] = { ALL_LAYERS };
    __global float *const sums = BETWEEN == 1 ? branch : hidden; // where output and down go
    const float adds = BETWEEN == 1 ? 0.0f : add;
    walk w = { progress, 0, 0, 0 };
    uint routed = 0; // so many tickets, once it is known which experts are chosen
    take(&w);
    for (uint i = 0; i < layers; i++) {
        const layer_data l = all[i];
        const head_tables tables = { l.look & LOOK_UNTURNED ? 0 : l.look & LOOK_SECOND ? cosines_2 : cosines,
                                     l.look & LOOK_SECOND ? sines_2 : sines, growth, l.q_norm_w, 0, l.k_norm_w, 0 };
        const attention_data a = { qkv, l.keys, l.values, l.look & LOOK_RING ? ring_table : table, positions, sequences, qkv_stride,
                                   pages_per_sequence, scale, l.look & (LOOK_RING - 1), slopes, l.sinks, tables };
        product_data products[PRODUCTS] = {
            [TO_QKV] = { hidden, qkv, l.w_qkv, l.b_qkv, l.attention_norm_w, l.attention_norm_b, hidden_stride, qkv_stride, hidden_columns,
                      qkv_units, qkv_tickets, true, false, norm_eps, 0.0f, 0, 0, 1, false },
            [TO_OUTPUT] = { attended, sums, l.w_output, l.b_output, 0, 0, attended_stride, hidden_stride, attended_columns, output_units,
                         output_tickets, false, false, 0.0f, adds, 0, 0, 1, false },
            [TO_UP] = { hidden, mlp, l.w_up, l.b_up, l.mlp_norm_w, l.mlp_norm_b, hidden_stride, mlp_stride, hidden_columns, up_units,
                     up_tickets, true, true, norm_eps, 0.0f, 0, 0, 1, false },
            [TO_DOWN] = { mlp, sums, l.w_down, l.b_down, 0, 0, mlp_stride, hidden_stride, mlp_columns, down_units, down_tickets, false, false,
                       0.0f, adds, l.xielu, 0, 1, false },
        };
#if LATENT
        products[TO_OUTPUT].x = heads_kv, products[TO_OUTPUT].x_stride = heads_kv_stride; // what attention made is gathered there
        products[TO_LATENT] = (product_data){ hidden, latent, l.w_latent, l.b_latent, l.attention_norm_w, l.attention_norm_b,
                                                hidden_stride, latent_stride, hidden_columns, latent_units, latent_tickets, true, false,
                                                norm_eps, 0.0f, 0, 0, 1, false };
        products[TO_HEADS_KV] = (product_data){ latent + q_rank, heads_kv, l.w_latent_kv, 0, l.latent_kv_norm_w, 0, latent_stride,
                                              heads_kv_stride, kv_rank, latent_kv_units, latent_kv_tickets, true, false, latent_eps, 0.0f,
                                              0, 0, 1, false };
#if LATENT == 2
        products[TO_QKV].x = latent, products[TO_QKV].x_stride = latent_stride, products[TO_QKV].columns = q_rank;
        products[TO_QKV].norm_w = l.latent_q_norm_w, products[TO_QKV].norm_b = 0, products[TO_QKV].eps = latent_eps;
#endif
#endif
#if EXPERTS
        const routing r = { experts, chosen, groups, groups_chosen, route_eps, route_scale };
        const expert_data e = { logits, weights, inner, outer, shared, gate, ids };
        products[TO_LOGITS] = (product_data){ hidden, logits, l.w_router, l.b_router, l.mlp_norm_w, l.mlp_norm_b, hidden_stride, 0, hidden_columns,
                                           router_units, router_tickets, true, false, norm_eps, 0.0f, 0, 0, 1, false };
        products[TO_SHARED_GATE] = (product_data){ hidden, gate, l.w_shared_gate, 0, l.mlp_norm_w, l.mlp_norm_b, hidden_stride, 0, hidden_columns,
                                                gate_units, gate_tickets, true, false, norm_eps, 0.0f, 0, 0, 1, false };
        products[TO_INNER] = (product_data){ hidden, inner, l.w_experts_up, l.b_experts_up, l.mlp_norm_w, l.mlp_norm_b, hidden_stride,
                                               inner_stride, hidden_columns, experts_up_units, experts_up_tickets, true, true, norm_eps, 0.0f,
                                               0, ids, chosen, false };
        products[TO_OUTER] = (product_data){ inner, outer, l.w_experts_down, l.b_experts_down, 0, 0, inner_stride, hidden_stride,
                                                 inner_columns, experts_down_units, experts_down_tickets, false, false, 0.0f, 0.0f, 0, ids,
                                                 chosen, true };
        products[TO_DOWN].y = shared, products[TO_DOWN].add = 0.0f;
#endif
        // A loop, so that all products are one piece of code: compiled one by one it takes drivers three times as long.
#pragma unroll 1
        for (uint step = 0; step < sizeof order / sizeof *order; step++) {
            const uint which = order[step] & (ALONG - 1);
#if BETWEEN == 3
            if (which == TO_QKV || which == TO_UP)
                between(&w, rows, hidden, hidden, hidden_stride, hidden_columns, which == TO_QKV ? l.attention_norm_w : l.mlp_norm_w,
                        which == TO_QKV ? l.attention_norm_b : l.mlp_norm_b, norm_eps, 0.0f);
#endif
            if (!(order[step] & ALONG))
                begin_phase(&w);
            multiply(&w, products[which], rows, cores, routed, row);
#if BETWEEN == 1
            if (which == TO_OUTPUT || which == TO_DOWN)
                between(&w, rows, branch, hidden, hidden_stride, hidden_columns,
                        which == TO_OUTPUT ? l.post_attention_norm_w : l.post_mlp_norm_w, 0, norm_eps, add);
#elif BETWEEN == 2
            if (which == TO_OUTPUT || which == TO_DOWN)
                between(&w, rows, hidden, hidden, hidden_stride, hidden_columns, which == TO_OUTPUT ? l.attention_norm_w : l.mlp_norm_w,
                        which == TO_OUTPUT ? l.attention_norm_b : l.mlp_norm_b, norm_eps, 0.0f);
#endif
#if !SECOND_HALF
            if (which == LAST_BEFORE_ATTENTION) {
#if LATENT
                spread(&w, rows, latent + q_rank + kv_rank, latent_stride, heads_kv, heads_kv_stride, nope_dim, rope_dim, value_dim, qkv, qkv_stride);
#endif
                attend(&w, a, rows, spans, partial, attended, attended_stride);
#if SPLIT
                join_spans_of_all(&w, a, rows, spans, partial, attended, attended_stride);
#endif
#if LATENT
                gather(&w, rows, attended, attended_stride, value_dim, heads_kv, heads_kv_stride);
#endif
            }
#endif
#if EXPERTS
            if (which == TO_SHARED_GATE) {
                route(&w, r, e, l.correction, l.counts, row);
                routed = w.begin;
            }
#endif
        }
#if EXPERTS
        join_experts(&w, e, chosen, down_tickets > 0, gate_tickets > 0, hidden_stride, add, hidden);
#endif
    }
    leave(progress);
}
