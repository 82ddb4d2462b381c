// decode_layers: several layers of a decoding step in one launch: a list of steps (layer_steps.h), each cut into tickets or units
//
// A launch costs a CPU more than its enqueueing: between launches every core sleeps, and wakes late (40 us in a virtual machine, where a
// token has 150 launches). Here a core goes from one step to the next as soon as the last piece of the one before is done: tickets.h.
//
// That what a group wrote before it counted its ticket is seen by whoever sees the count is a promise of acquire and release in OpenCL
// 3.0, which no version before makes. Where a device does not make it, each step is a launch of its own (matmul.cl, attention.cl, short_conv.cl,
// moe_*.cl and so on) with the same bits: the code is the same (matmul_unit.h, attention_tile.h, short_conv.h, delta_net.h, moe_route.h,
// moe_join.h), but for steps that only copy or multiply, which are written twice.
//
// What the layers are is the list's affair alone (runtime/model/layer_steps.c writes it): unlike ones share a launch. What the compiler has
// to know of a step is compiled apart, once for each way there is, and linked: products by the storage of their weights (layer_unit.cl), attention
// by the form of its heads (layer_attention.cl).
//
//   progress   as in tickets.h
//   steps      [first + count][STEP_WORDS], of which this launch takes `count` from `first` on
//   cores      that share the work, more or less
//   row        local memory for the longest rows that a product reads, rows * columns floats, and for what routing needs (layer_experts.h)
//   p00 ..     the pointers that steps name, from number 0 on
// Launch    global {groups}, local {1}; groups > 0, a few for each compute unit
// Build     -cl-std=CL3.0, as layer_product.h, layer_mixer.h, layer_norm.h; -DFORMS=0..4: of attention; -DEXPERTS=0|1, then also as moe_route.h;
//           -DQUANTIZED=0|1
//           Needs __opencl_c_atomic_order_acq_rel and __opencl_c_atomic_scope_device
// Link      layer_unit.cl as serve_0 .., layer_attention.cl as attend_0 .., so many as UNITS and FORMS say
// Test      tests/model/test_layers.c

#define TURNS 1

#include "layer_product.h" // before headers that only some builds want: each header is where it is included first
#include "layer_norm.h"
#include "layer_steps.h"

#include "layer_mixer.h"

#ifndef FORMS
#define FORMS 1
#endif
#ifndef EXPERTS
#define EXPERTS 0
#endif
#if EXPERTS
#include "layer_experts.h"
#endif

static inline product_data product_of(const __global multiply_step *const s, const pointer *const pointers)
{
    const product_data p = {
        .x = FLOATS(s->x) + s->x_at, .x_stride = s->x_stride, .columns = s->columns, .normed = s->normed != 0, .norm_w = FLOATS(s->norm_w),
        .norm_b = FLOATS(s->norm_b), .eps = s->eps, .order = (__global uint *)pointers[s->order], .xielu = FLOATS(s->xielu), .part = s->part, .part_stride = s->part_stride,
        .times = FROM(s->times, s->times_at), .times_stride = s->times_stride, .plus = FROM(s->plus, s->plus_at), .plus_stride = s->plus_stride,
        .w = pointers[s->w], .unit = s->unit, .unit_bytes = s->unit_bytes, .bias = FROM(s->bias, s->bias_at), .y = FLOATS(s->y) + s->y_at,
        .y_stride = s->y_stride, .add = s->add, .units = s->units, .gated = s->gated != 0, .active = s->active != 0,
        .groups = (__global uint4 *)pointers[s->groups], .row_of = (__global uint *)pointers[s->row_of], .slots = s->slots,
    };
    return p;
}

#define DECLARE_ATTEND(name) void name(walk *const w, const attention_data *const a, const beside_attention *const b);
DECLARE_ATTEND(attend_0)
DECLARE_ATTEND(attend_1)
DECLARE_ATTEND(attend_2)
DECLARE_ATTEND(attend_3)

static inline void attend(walk *const w, const __global attend_step *const s, const pointer *const pointers, const uint rows)
{
    const attention_data a = {
        FLOATS(s->qkv), (__global kept *)pointers[s->keys], (__global kept *)pointers[s->values], INTS(s->table), INTS(s->positions),
        INTS(s->sequences), s->qkv_stride, s->pages_per_sequence, s->scale, s->window, FLOATS(s->slopes), FLOATS(s->sinks),
        { FLOATS(s->cosines), FLOATS(s->sines), FLOATS(s->growth), FLOATS(s->q_norm_w), FLOATS(s->q_norm_b), FLOATS(s->k_norm_w), FLOATS(s->k_norm_b) },
    };
    const beside_attention b = {
        .rows = rows, .spans = s->spans, .partial = FLOATS(s->partial), .out = FLOATS(s->out), .out_stride = s->out_stride,
        .shared = FROM(s->shared, s->shared_at), .shared_stride = s->shared_stride, .kv = FLOATS(s->kv), .kv_stride = s->kv_stride,
        .nope = s->nope, .rope = s->rope, .value = s->value, .qkv = FLOATS(s->qkv), .gates_at = s->gates_at,
    };
    switch (s->form) {
#if FORMS > 1
    case 1: attend_1(w, &a, &b); break;
#endif
#if FORMS > 2
    case 2: attend_2(w, &a, &b); break;
#endif
#if FORMS > 3
    case 3: attend_3(w, &a, &b); break;
#endif
    default: attend_0(w, &a, &b);
    }
}

#if MIXER
static inline void mix(walk *const w, const __global mix_step *const s, const pointer *const pointers, const uint rows)
{
    const mixer_data m = {
        .in = FLOATS(s->in), .in_stride = s->in_stride, .mixed = FLOATS(s->mixed), .mixed_stride = s->mixed_stride, .out = FLOATS(s->out),
        .out_stride = s->out_stride, .channels = s->channels, .conv_w = FLOATS(s->conv_w), .conv_b = FLOATS(s->conv_b), .tail = FLOATS(s->tail),
        .memory = FLOATS(s->memory), .positions = INTS(s->positions), .sequences = INTS(s->sequences), .reached = INTS(s->reached),
        .rate = FLOATS(s->rate), .dt = FLOATS(s->dt), .norm_w = FLOATS(s->norm_w), .key_heads = s->key_heads, .value_heads = s->value_heads,
        .value_dim = s->value_dim, .share = s->share, .eps = s->eps,
    };
    mix_rows(w, m, rows);
}
#endif

// What the group reads first of the next product from step `i` on, a panel of so many bytes, or null where there is none, or where that is not known
// yet.
static inline const __global uchar *read_next(const walk *const w, const __global uint *const steps, uint i, const uint end,
                                              const pointer *const pointers, uint *const bytes)
{
    *bytes = 0;
    for (; i < end; i++) {
        const __global head_step *const head = (const __global head_step *)(steps + i * STEP_WORDS);
        const __global multiply_step *const s = (const __global void *)(head + 1);
        if (head->kind != STEP_MULTIPLY)
            continue;
        if (s->groups)
            return 0;
        *bytes = PANEL_BYTES(*s);
        return pointers[s->w] + (size_t)share_of(w, s->units, w->home) * s->unit_bytes;
    }
    return 0;
}

#define P10(t)                                                                                                                     \
    , pointer p##t##0, pointer p##t##1, pointer p##t##2, pointer p##t##3, pointer p##t##4, pointer p##t##5, pointer p##t##6,       \
        pointer p##t##7, pointer p##t##8, pointer p##t##9
#define OF10(t) p##t##0, p##t##1, p##t##2, p##t##3, p##t##4, p##t##5, p##t##6, p##t##7, p##t##8, p##t##9

__kernel void decode_layers(counter *progress, const __global uint *steps, const uint first, const uint count, const uint cores, __local float *row
                            P10(0) P10(1) P10(2) P10(3) P10(4) P10(5) P10(6) P10(7) P10(8) P10(9) P10(a))
{
    const pointer pointers[] = { OF10(0), OF10(1), OF10(2), OF10(3), OF10(4), OF10(5), OF10(6), OF10(7), OF10(8), OF10(9), OF10(a) };
    walk w = begin_walk(progress, cores);
    uint routed = 0; // what must be finished before it is known which experts are chosen
#pragma unroll 1
    for (uint i = first; i < first + count; i++) {
        const __global head_step *const head = (const __global head_step *)(steps + i * STEP_WORDS);
        const __global void *const told = head + 1;
        const uint rows = head->rows;
        if (!head->along)
            begin_phase(&w);
        switch (head->kind) {
        case STEP_MULTIPLY: {
            const __global multiply_step *const s = told;
            if (s->row_of)
                routed = w.phase; // the first that reads what the choice left
            const uint units = s->units * (s->groups ? s->slots : 1);
            if (!is_finished(&w, w.before + units)) {
                uint next_bytes;
                const __global uchar *const next = read_next(&w, steps, i + 1, first + count, pointers, &next_bytes);
                multiply(&w, product_of(s, pointers), units, rows, routed, row, next, next_bytes);
            }
            end_units(&w, units);
            break;
        }
#if FORMS
        case STEP_ATTEND: attend(&w, told, pointers, rows); break;
#endif
#if MIXER
        case STEP_MIX: mix(&w, told, pointers, rows); break;
#endif
#if EXPERTS
        case STEP_ROUTE: {
            const __global route_step *const s = told;
            route(&w, s, pointers, rows, row);
            break;
        }
        case STEP_JOIN: {
            const __global join_step *const s = told;
            join_experts(&w, s, pointers, rows);
            break;
        }
#endif
        case STEP_NORM: {
            const __global norm_step *const s = told;
            norm_rows(&w, rows, FLOATS(s->x), FLOATS(s->y), s->stride, s->columns, FLOATS(s->norm_w), FLOATS(s->norm_b), s->eps, s->add, s->keep);
            break;
        }
        default: break;
        }
    }
    leave(&w);
}
