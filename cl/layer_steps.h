// layer_steps.h: the steps that decode_layers.cl takes, as the host writes them (runtime/model/layer_steps.h: the same, in the same order)
//
// A step is STEP_WORDS numbers of 32 bits: a head, and behind it what steps of its kind are told. Memory is named by its number among the
// pointers of the launch, of which number 0 is null; `.._at` is where in it something begins, in elements.
#ifndef OCLM_LAYER_STEPS_H
#define OCLM_LAYER_STEPS_H

#define STEP_WORDS 40

#define STEP_MULTIPLY 0 // layer_product.h
#define STEP_ATTEND   1 // layer_attention.h
#define STEP_MIX      2 // layer_mixer.h
#define STEP_ROUTE    3 // layer_experts.h: which experts a row chooses
#define STEP_JOIN     4 // layer_experts.h: what they made, added up
#define STEP_NORM     5 // layer_norm.h

typedef __global uchar *pointer;
#define FLOATS(number)   ((__global float *)pointers[number])
#define INTS(number)     ((__global int *)pointers[number])
#define UINTS(number)    ((__global uint *)pointers[number])
#define FROM(number, at) (pointers[number] ? FLOATS(number) + (at) : 0)

typedef struct step_head {
    uint kind;
    uint along; // it needs nothing of the step before, and waits for what that waits for
    uint rows;
} step_head;

// y = x W^T, and all that may happen to x before and to y behind that (product_data)
typedef struct multiply_step {
    uint x, x_at, x_stride, columns;
    uint normed, norm_w, norm_b, order;
    float eps;
    uint xielu, part, part_stride, times, times_at, times_stride, plus, plus_at, plus_stride;
    uint w, unit, unit_bytes, bias, bias_at;
    uint y, y_at, y_stride;
    float add;
    uint units, gated, active;
    uint groups, row_of, slots; // of experts: those that are chosen, at most `slots` of them
} multiply_step;

// attention_data and beside_attention
typedef struct attend_step {
    uint form, qkv, qkv_stride, keys, values, table, pages_per_sequence, positions, sequences;
    float scale;
    uint window, slopes, sinks, cosines, sines, growth, q_norm_w, q_norm_b, k_norm_w, k_norm_b;
    uint spans, partial, out, out_stride, shared, shared_at, shared_stride, kv, kv_stride, nope, rope, value, gates_at;
} attend_step;

// mixer_data
typedef struct mix_step {
    uint in, in_stride, mixed, mixed_stride, out, out_stride, channels, conv_w, conv_b, tail, memory, positions, sequences, reached, rate, dt,
        norm_w, key_heads, value_heads, value_dim, share;
    float eps;
} mix_step;

// As moe_route.cl and moe_sort.cl are told: a choice of each row, then all sorted by expert
typedef struct route_step {
    uint logits, stride, ids, weights, correction, counts, count, chosen, groups, groups_chosen;
    float eps, scale;
    uint row_of, place_of, tiles, tile_count;
} route_step;

// y += add * what the experts made, and the shared one; with an `add` of 0 y is that
typedef struct join_step {
    uint outer, stride, weights, place_of, chosen, shared, gate, gate_stride;
    float add;
    uint y;
} join_step;

// y = keep * (y + add * norm(x)), or with an `add` of 0 y = norm(x), where x may be y
typedef struct norm_step {
    uint x, y, stride, columns, norm_w, norm_b;
    float eps, add, keep;
} norm_step;

#endif
