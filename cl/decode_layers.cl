// decode_layers: several layers of a decoding step in one launch: for each the product that makes queries, keys and values, attention or what
// the layer has in its place, the product of its output, and its MLP or its experts
//
// A launch costs a CPU more than its enqueueing: between launches every core sleeps, and wakes late (40 us in a virtual machine, where a
// token has 150 launches). Here a core goes from one step to the next as soon as the last piece of the one before is done: tickets.h.
//
// That what a group wrote before it counted its ticket is seen by whoever sees the count is a promise of acquire and release in OpenCL
// 3.0, which no version before makes. Where a device does not make it, each step is a launch of its own (matmul.cl, attention.cl, short_conv.cl,
// moe_*.cl and so on) with the same bits: the code is the same (matmul_unit.h, attention_tile.h, short_conv.h, delta_net.h, moe_route.h,
// moe_join.h), but for steps that only copy or multiply, which are written twice.
//
//   progress   as in tickets.h
//   rows       rows of x, each of another sequence; with EXPERTS one
//   cores      that share the work, more or less: tickets.h
//   layers     <= LAYERS
//   row        local memory for the longest rows that a product reads, rows * columns floats, and for what routing needs (layer_experts.h)
//   hidden     fp32 [rows][hidden_stride]: comes in, goes out
//   qkv, attended, mlp   fp32 [rows][.._stride]: between the steps
//   branch     as hidden: only with BETWEEN 1
//   .._columns, .._units   of a product: inputs; pieces of COLS outputs (of one expert), 0: there is none
//   cosines_2, sines_2   the other rotary tables
//   ring_table the page table of layers with LOOK_RING
//   gates_at   only with ATTENTION_GATE: where in a row of qkv the gates are
//   mixed, reached, channels, key_heads, ..   only with MIXER: as in short_conv.cl and delta_net.cl
//   latent, heads_kv   only with LATENT: fp32 [rows][.._stride], what queries, keys and values of heads are made of (runtime/model/latent.h)
//   logits, ids, weights, inner, outer, shared, gate, chosen, ..   only with EXPERTS: as in moe_route.cl, moe_join.cl and runtime/model/experts.h
//   made, found   only with LAYER_INPUT: what layers are told of the token (runtime/model/layer_input.h); a layer's part is .._part long
//   the rest as in matmul.cl and attention.cl; then for each layer i what layer_arguments.h tells, its weights each of one part; `look` is its
//              window, plus LOOK_SECOND or LOOK_UNTURNED, and LOOK_RING
// Launch    global {groups}, local {1}; groups > 0, a few for each compute unit
// Build     -cl-std=CL3.0, as layer_product.h and attention_tile.h with -DTILE_ROWS=1 -DTURNS=1, as layer_attention.h, layer_mixer.h and
//           layer_arguments.h
//           -DPARALLEL=0|1: the MLP reads the residual before attention adds to it; -DBETWEEN=0..3: norms (BETWEEN_NORM=1..3) of
//           rows that no product takes along: 0 none, 1 of what is added to the residual, 2 of the residual after that, 3 before (model/pass.h)
//           -DLATENT=0..2: keys and values are latent, with 2 queries, too; -DEXPERTS=0..2, then also as layer_experts.h: 2: beside the MLP,
//           with BETWEEN 1; -DLAYER_INPUT=0|1: another step behind the MLP, with BETWEEN 1; -DLAYER_SCALAR=0|1: the residual is multiplied at the end
//           Needs __opencl_c_atomic_order_acq_rel and __opencl_c_atomic_scope_device
// Test      tests/model/test_layers.c

#define X_SPACE __local

#ifndef TURNS
#define TURNS 1
#endif

#include "attention_tile.h" // first: it knows how many heads there are

#include "layer_attention.h"
#include "layer_mixer.h"
#include "layer_norm.h"
#include "layer_product.h"

#ifndef PARALLEL
#define PARALLEL 0
#endif
#ifndef LAYER_SCALAR
#define LAYER_SCALAR 0
#endif
#ifndef EXPERTS
#define EXPERTS 0
#endif
#if EXPERTS
#include "layer_experts.h"
#endif
#include "layer_arguments.h"

#define LOOK_SECOND   (1u << 30) // rotary positions by the second tables
#define LOOK_UNTURNED (2u << 30) // by none
#define LOOK_RING     (1u << 29) // keys and values lie where the other page table says

// ---- The order of a layer's products

enum { TO_QKV, TO_OUTPUT, TO_UP, TO_DOWN, TO_LATENT, TO_HEADS_KV, TO_LOGITS, TO_SHARED_GATE, TO_INNER, TO_OUTER, TO_INPUT_GATE, TO_INPUT_OUT,
       PRODUCTS };
#define ALONG 16 // needs nothing of the one before, and waits for what that waits for

__constant uint order[] = { // of bytes, oclgrind 21.10 takes the wrong branches
#if LATENT == 2
    TO_LATENT, TO_QKV, TO_HEADS_KV | ALONG,
#elif LATENT
    TO_LATENT, TO_QKV | ALONG, TO_HEADS_KV,
#else
    TO_QKV,
#endif
#if PARALLEL
    TO_UP, TO_OUTPUT, TO_DOWN,
#else
    TO_OUTPUT,
#endif
#if EXPERTS
    TO_LOGITS, TO_UP | ALONG, TO_SHARED_GATE | ALONG, TO_INNER, TO_DOWN | ALONG, TO_OUTER,
#elif !PARALLEL
    TO_UP, TO_DOWN,
#endif
#if LAYER_INPUT
    TO_INPUT_GATE, TO_INPUT_OUT,
#endif
};
#define STEPS (uint)(sizeof order / sizeof *order)
#define LAST_BEFORE_ATTENTION (LATENT ? TO_HEADS_KV : TO_QKV)
#define LAST_OF_MLP (EXPERTS == 2 ? TO_OUTER : TO_DOWN)

// ---- What all layers are given

#if LATENT
#define LATENT_COMMON                                                                                                              \
    , __global float *latent, const uint latent_stride, __global float *heads_kv, const uint heads_kv_stride, const uint q_rank,   \
        const uint kv_rank, const uint nope_dim, const uint rope_dim, const uint value_dim, const float latent_eps,                \
        const uint latent_units, const uint latent_kv_units
#else
#define LATENT_COMMON
#endif
#if EXPERTS
#define EXPERTS_COMMON                                                                                                             \
    , __global float *logits, __global uint *ids, __global float *weights, __global float *inner, const uint inner_stride,         \
        __global float *outer, __global float *shared, __global float *gate, const uint experts, const uint chosen,                \
        const uint groups, const uint groups_chosen, const float route_eps, const float route_scale, const uint inner_columns,     \
        const uint router_units, const uint gate_units, const uint experts_up_units, const uint experts_down_units
#else
#define EXPERTS_COMMON
#endif

#if MIXER
#define MIXER_COMMON                                                                                                               \
    , __global float *mixed, const uint mixed_stride, __global int *reached, const uint channels, const uint key_heads,            \
        const uint value_heads, const uint value_dim, const uint share
#else
#define MIXER_COMMON
#endif
#if ATTENTION_GATE
#define GATE_COMMON , const uint gates_at
#else
#define GATE_COMMON
#endif
#if LAYER_INPUT
#define INPUT_COMMON                                                                                                               \
    , const __global float *made, const uint made_stride, const uint made_part, const __global float *found,                       \
        const uint found_stride, const uint found_part, const uint input_gate_units, const uint input_out_units
#else
#define INPUT_COMMON
#endif
#define ALL_COMMON MIXER_COMMON GATE_COMMON LATENT_COMMON EXPERTS_COMMON INPUT_COMMON

__kernel void decode_layers(counter *progress, const uint rows, const uint cores, const uint layers, __local float *row,
                            __global float *hidden, const uint hidden_stride, __global float *qkv, const uint qkv_stride,
                            __global float *attended, const uint attended_stride, __global float *mlp, const uint mlp_stride,
                            const uint hidden_columns, const uint attended_columns, const uint mlp_columns, const uint qkv_units,
                            const uint output_units, const uint up_units, const uint down_units, __global float *branch, const float add,
                            const float norm_eps, const __global int *table, const __global int *ring_table,
                            const uint pages_per_sequence, const __global int *positions, const __global int *sequences,
                            const __global float *cosines, const __global float *sines, const __global float *cosines_2,
                            const __global float *sines_2, const __global float *growth, const __global float *slopes,
                            const float scale, const uint spans, __global float *partial ALL_COMMON ALL_ARGUMENTS)
{
    const layer_data all[LAYERS] = { ALL_LAYERS };
    __global float *const sums = BETWEEN == 1 ? branch : hidden; // where output and down go
    const float adds = BETWEEN == 1 ? 0.0f : add;
    walk w = begin_walk(progress, cores);
    uint routed = 0; // what must be finished before it is known which experts are chosen
    for (uint i = 0; i < layers; i++) {
        const layer_data l = all[i];
        const head_tables tables = { l.look & LOOK_UNTURNED ? 0 : l.look & LOOK_SECOND ? cosines_2 : cosines,
                                     l.look & LOOK_SECOND ? sines_2 : sines, growth, l.q_norm_w, l.q_norm_b, l.k_norm_w,
                                     l.k_norm_b };
        const attention_data a = { qkv, l.keys, l.values, l.look & LOOK_RING ? ring_table : table, positions, sequences, qkv_stride,
                                   pages_per_sequence, scale, l.look & (LOOK_RING - 1), slopes, l.sinks, tables };
        product_data products[PRODUCTS] = {
            [TO_QKV] = { .x = hidden, .x_stride = hidden_stride, .columns = hidden_columns, .norm = true, .norm_w = l.attention_norm_w,
                         .norm_b = l.attention_norm_b, .eps = norm_eps, .w = l.w_qkv, .bias = l.b_qkv, .y = qkv, .y_stride = qkv_stride,
                         .units = qkv_units },
            [TO_OUTPUT] = { .x = attended, .x_stride = attended_stride, .columns = attended_columns, .w = l.w_output, .bias = l.b_output,
                            .y = sums, .y_stride = hidden_stride, .add = adds, .units = output_units },
            [TO_UP] = { .x = hidden, .x_stride = hidden_stride, .columns = hidden_columns, .norm = true, .norm_w = l.mlp_norm_w,
                        .norm_b = l.mlp_norm_b, .eps = norm_eps, .w = l.w_up, .bias = l.b_up, .up = true, .y = mlp, .y_stride = mlp_stride,
                        .units = up_units },
            [TO_DOWN] = { .x = mlp, .x_stride = mlp_stride, .columns = mlp_columns, .xielu = l.xielu, .w = l.w_down, .bias = l.b_down,
                          .y = sums, .y_stride = hidden_stride, .add = adds, .units = down_units },
        };
        const beside_attention beside = {
            .rows = rows, .spans = spans, .partial = partial, .out = attended, .out_stride = attended_stride,
#if LATENT
            .shared = latent + q_rank + kv_rank, .shared_stride = latent_stride, .kv = heads_kv, .kv_stride = heads_kv_stride,
            .nope = nope_dim, .rope = rope_dim, .value = value_dim, .qkv = qkv,
#endif
#if ATTENTION_GATE
            .gates_at = gates_at,
#endif
        };
#if LATENT
        products[TO_OUTPUT].part = value_dim, products[TO_OUTPUT].part_stride = HEAD_DIM; // of heads the part that is values
        products[TO_LATENT] = (product_data){ .x = hidden, .x_stride = hidden_stride, .columns = hidden_columns, .norm = true,
            .norm_w = l.attention_norm_w, .norm_b = l.attention_norm_b, .eps = norm_eps, .w = l.w_latent, .bias = l.b_latent, .y = latent,
            .y_stride = latent_stride, .units = latent_units };
        products[TO_HEADS_KV] = (product_data){ .x = latent + q_rank, .x_stride = latent_stride, .columns = kv_rank, .norm = true,
            .norm_w = l.latent_kv_norm_w, .eps = latent_eps, .w = l.w_latent_kv, .y = heads_kv, .y_stride = heads_kv_stride,
            .units = latent_kv_units };
#if LATENT == 2
        products[TO_QKV].x = latent, products[TO_QKV].x_stride = latent_stride, products[TO_QKV].columns = q_rank;
        products[TO_QKV].norm_w = l.latent_q_norm_w, products[TO_QKV].norm_b = 0, products[TO_QKV].eps = latent_eps;
#endif
#endif
#if MIXER
        const mixer_data m = {
            .in = qkv, .in_stride = qkv_stride, .mixed = mixed, .mixed_stride = mixed_stride, .out = attended, .out_stride = attended_stride,
            .channels = channels, .conv_w = l.conv_w, .conv_b = l.conv_b, .tail = l.tail, .memory = l.memory, .positions = positions,
            .sequences = sequences, .reached = reached, .rate = l.rate, .dt = l.dt, .norm_w = l.delta_norm_w, .key_heads = key_heads,
            .value_heads = value_heads, .value_dim = value_dim, .share = share, .eps = norm_eps,
        };
#endif
#if EXPERTS
        const routing r = { experts, chosen, groups, groups_chosen, route_eps, route_scale };
        const expert_data e = { logits, weights, inner, outer, shared, gate, ids };
        products[TO_LOGITS] = (product_data){ .x = hidden, .columns = hidden_columns, .norm = true, .norm_w = l.mlp_norm_w,
            .norm_b = l.mlp_norm_b, .eps = norm_eps, .w = l.w_router, .bias = l.b_router, .y = logits, .units = router_units };
        products[TO_SHARED_GATE] = (product_data){ .x = hidden, .columns = hidden_columns, .norm = true, .norm_w = l.mlp_norm_w,
            .norm_b = l.mlp_norm_b, .eps = norm_eps, .w = l.w_shared_gate, .y = gate, .units = gate_units };
        products[TO_INNER] = (product_data){ .x = hidden, .columns = hidden_columns, .norm = true, .norm_w = l.mlp_norm_w,
            .norm_b = l.mlp_norm_b, .eps = norm_eps, .w = l.w_experts_up, .bias = l.b_experts_up, .ids = ids, .slots = chosen, .up = true,
            .y = inner, .y_stride = inner_stride, .units = experts_up_units };
        products[TO_OUTER] = (product_data){ .x = inner, .x_stride = inner_stride, .columns = inner_columns, .x_is_slots = true,
            .w = l.w_experts_down, .bias = l.b_experts_down, .ids = ids, .slots = chosen, .y = outer, .y_stride = hidden_stride,
            .units = experts_down_units };
#if EXPERTS == 2
        products[TO_LOGITS].norm_w = l.router_norm_w, products[TO_INNER].norm_w = l.experts_norm_w;
#else
        products[TO_DOWN].y = shared, products[TO_DOWN].add = 0.0f;
#endif
#endif
#if LAYER_INPUT
        products[TO_INPUT_GATE] = (product_data){ .x = hidden, .x_stride = hidden_stride, .columns = hidden_columns, .w = l.w_input_gate,
            .active = true, .y = mlp, .y_stride = mlp_stride, .units = input_gate_units };
        products[TO_INPUT_OUT] = (product_data){ .x = mlp, .x_stride = mlp_stride, .columns = found_part, .times = made + l.index * made_part,
            .times_stride = made_stride, .plus = found + l.index * found_part, .plus_stride = found_stride, .w = l.w_input_out, .y = branch,
            .y_stride = hidden_stride, .units = input_out_units };
#endif
        // A loop, so that all products are one piece of code: compiled one by one it takes drivers three times as long.
#pragma unroll 1
        for (uint step = 0; step < STEPS; step++) {
            const uint which = order[step] & (ALONG - 1);
#if BETWEEN == 3
            if (which == TO_QKV || which == TO_UP)
                between(&w, rows, hidden, hidden, hidden_stride, hidden_columns, which == TO_QKV ? l.attention_norm_w : l.mlp_norm_w,
                        which == TO_QKV ? l.attention_norm_b : l.mlp_norm_b, norm_eps, 0.0f, 1.0f);
#endif
            if (!(order[step] & ALONG))
                begin_phase(&w);
            uint follows = step + 1;
            while (follows < STEPS && !products[order[follows] & (ALONG - 1)].units)
                follows++;
            product_data then = products[order[follows % STEPS] & (ALONG - 1)];
            if (follows == STEPS) { // the next layer's first product
                const layer_data after = all[min(i + 1, layers - 1)];
                then.w = LATENT ? after.w_latent : after.w_qkv;
            }
            multiply(&w, products[which], rows, routed, row, follows == STEPS && i + 1 == layers ? 0 : read_first(&w, then));
            if (which == LAST_BEFORE_ATTENTION) {
#if MIXER
                mix_rows(&w, m, rows);
#else
                attend(&w, a, beside);
#if SPLIT
                join_spans_of_all(&w, a, beside);
#endif
#endif
            }
#if EXPERTS
            if (which == TO_SHARED_GATE) {
                route(&w, r, e, l.correction, l.counts, row);
                routed = w.before;
            }
#endif
#if EXPERTS == 2
            if (which == TO_OUTER) { // both normalised, then one branch
                join_experts(&w, e, chosen, false, false, hidden_stride, 0.0f, shared);
                between(&w, rows, branch, branch, hidden_stride, hidden_columns, l.post_dense_norm_w, 0, norm_eps, 0.0f, 1.0f);
                between(&w, rows, shared, branch, hidden_stride, hidden_columns, l.post_experts_norm_w, 0, norm_eps, 1.0f, 1.0f);
            }
#elif EXPERTS
            if (which == TO_OUTER)
                join_experts(&w, e, chosen, down_units > 0, gate_units > 0, hidden_stride, add, hidden);
#endif
#if BETWEEN == 1
            if (which == TO_OUTPUT || which == LAST_OF_MLP)
                between(&w, rows, branch, hidden, hidden_stride, hidden_columns,
                        which == TO_OUTPUT ? l.post_attention_norm_w : l.post_mlp_norm_w, 0, norm_eps, add,
                        which == TO_OUTPUT || LAYER_INPUT ? 1.0f : l.keep);
#if LAYER_INPUT
            if (which == TO_INPUT_OUT)
                between(&w, rows, branch, hidden, hidden_stride, hidden_columns, l.post_input_norm_w, 0, norm_eps, 1.0f, l.keep);
#endif
#elif BETWEEN == 2
            if (which == TO_OUTPUT || which == TO_DOWN)
                between(&w, rows, hidden, hidden, hidden_stride, hidden_columns, which == TO_OUTPUT ? l.attention_norm_w : l.mlp_norm_w,
                        which == TO_OUTPUT ? l.attention_norm_b : l.mlp_norm_b, norm_eps, 0.0f, 1.0f);
#endif
        }
    }
    leave(&w);
}
