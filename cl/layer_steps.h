// layer_steps.h: the steps that decode_layers.cl takes. The host reads this file, too (runtime/model/layer_steps.h), and writes them
//
// A step is STEP_WORDS numbers of 32 bits: a head, and behind it what steps of its kind are told. Memory is named by its number among the
// pointers of the launch, of which number 0 is null; `.._at` is where in it something begins, in elements.
//
// Build     the host only: STEP(name), the name of a type, and STEP_UINT, what uint is there
#ifndef OCLM_LAYER_STEPS_H
#define OCLM_LAYER_STEPS_H

#ifndef STEP
#define STEP(name)       name##_step
#define STEP_UINT        uint
typedef __global uchar *pointer;
#define FLOATS(number)   ((__global float *)pointers[number])
#define INTS(number)     ((__global int *)pointers[number])
#define UINTS(number)    ((__global uint *)pointers[number])
#define FROM(number, at) (pointers[number] ? FLOATS(number) + (at) : 0)
#endif

#define STEP_WORDS 40

#define STEP_MULTIPLY 0 // layer_product.h
#define STEP_ATTEND   1 // layer_attention.cl
#define STEP_MIX      2 // layer_mixer.h
#define STEP_ROUTE    3 // layer_experts.h: which experts a row chooses
#define STEP_JOIN     4 // layer_experts.h: what they made, added up
#define STEP_NORM     5 // layer_norm.h

typedef struct STEP(head) {
    STEP_UINT kind;
    STEP_UINT along; // it needs nothing of the step before, and waits for what that waits for
    STEP_UINT rows;
} STEP(head);

// y = x W^T, and all that may happen to x before and to y behind that (product_data)
typedef struct STEP(multiply) {
    STEP_UINT x, x_at, x_stride, columns;
    STEP_UINT normed, norm_w, norm_b, order;
    float eps;
    STEP_UINT xielu, part, part_stride, times, times_at, times_stride, plus, plus_at, plus_stride;
    STEP_UINT w, unit, unit_bytes, bias, bias_at;
    STEP_UINT y, y_at, y_stride;
    float add;
    STEP_UINT units, gated, active;
    STEP_UINT groups, row_of, slots; // of experts: those that are chosen, at most `slots` of them
} STEP(multiply);

// attention_data and beside_attention
typedef struct STEP(attend) {
    STEP_UINT form, qkv, qkv_stride, keys, values, table, pages_per_sequence, positions, sequences;
    float scale;
    STEP_UINT window, slopes, sinks, cosines, sines, growth, q_norm_w, q_norm_b, k_norm_w, k_norm_b;
    STEP_UINT spans, partial, out, out_stride, shared, shared_at, shared_stride, kv, kv_stride, nope, rope, value, gates_at;
} STEP(attend);

// mixer_data
typedef struct STEP(mix) {
    STEP_UINT in, in_stride, mixed, mixed_stride, out, out_stride, channels, conv_w, conv_b, tail, memory, positions, sequences, reached, rate, dt,
        norm_w, key_heads, value_heads, value_dim, share;
    float eps;
} STEP(mix);

// As moe_route.cl and moe_sort.cl are told: a choice of each row, then all sorted by expert
typedef struct STEP(route) {
    STEP_UINT logits, stride, ids, weights, correction, counts, count, chosen, groups, groups_chosen;
    float eps, scale;
    STEP_UINT row_of, place_of, tiles, tile_count;
} STEP(route);

// y += add * what the experts made, and the shared one; with an `add` of 0 y is that
typedef struct STEP(join) {
    STEP_UINT outer, stride, weights, place_of, chosen, shared, gate, gate_stride;
    float add;
    STEP_UINT y;
} STEP(join);

// y = keep * (y + add * norm(x)), or with an `add` of 0 y = norm(x), where x may be y
typedef struct STEP(norm) {
    STEP_UINT x, y, stride, columns, norm_w, norm_b;
    float eps, add, keep;
} STEP(norm);

#endif
