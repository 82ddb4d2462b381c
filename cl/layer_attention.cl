// layer_attention: attention with heads of one form, a part of decode_layers.cl
//
//   ATTEND   a step (layer_steps.h): a ticket is a key head of a row, and with SPLIT a span of it, which another phase joins
//
// A ticket does what is asked for before and behind attention on its way: where keys and values are latent it makes them those of its head
// (latent_spread of latent.cl), and opens the gates on what comes out (attention_gate.cl).
//
// Build     -cl-std=CL3.0, as attention_tile.h, with -DTILE_ROWS=1 -DTURNS=1; -DSPLIT=0|1: each span of positions is a ticket, as in attention_tile_split
//           -DLATENT=0|1 -DATTENTION_GATE=0|1 -DATTEND=<its name>
// Test      tests/model/test_layers.c

#ifndef TURNS
#define TURNS 1
#endif

#include "attention_tile.h" // first: it knows how many heads there are

#include "activation.h"
#include "attention_join.h"
#include "layer_data.h"

#ifndef SPLIT
#define SPLIT 0
#endif
#ifndef LATENT
#define LATENT 0
#endif
#ifndef ATTENTION_GATE
#define ATTENTION_GATE 0
#endif
#ifndef ATTEND
#define ATTEND attend_0
#endif

#if LATENT
static inline void spread_head(const beside_attention b, const uint qkv_stride, const uint row, const uint head)
{
    const uint dims = b.rope + b.nope;
    const __global float *const own = b.kv + (size_t)row * b.kv_stride + (size_t)head * (b.nope + b.value);
    __global float *const keys = b.qkv + (size_t)row * qkv_stride + (size_t)(HEADS + head) * dims, *const values = keys + HEADS * dims;
    for (uint i = 0; i < b.rope; i++)
        keys[i] = b.shared[(size_t)row * b.shared_stride + i];
    for (uint i = 0; i < b.nope; i++)
        keys[b.rope + i] = own[i];
    for (uint i = 0; i < dims; i++)
        values[i] = i < b.value ? own[b.nope + i] : 0.0f;
}
#endif

// `heads` heads of a row from `first` on are summed.
static inline void open_gates(const attention_data a, const beside_attention b, const uint row, const uint first, const uint heads)
{
#if ATTENTION_GATE
    __global float *const out = b.out + (size_t)row * b.out_stride + first * HEAD_DIM;
    const __global float *const gates = a.qkv + (size_t)row * a.qkv_stride + b.gates_at + first * HEAD_DIM;
    uint i = 0;
    for (; i + 16 <= heads * HEAD_DIM; i += 16)
        vstore16(vload16(0, out + i) * SIGMOID(vload16(0, gates + i), 16), 0, out + i);
    for (; i < heads * HEAD_DIM; i++)
        out[i] *= SIGMOID(gates[i], 1);
#else
    (void)a, (void)b, (void)row, (void)first, (void)heads;
#endif
}

static inline void attend(walk *const w, const attention_data a, const beside_attention b)
{
#if SPLIT
    const uint tickets = b.rows * KV_HEADS * min(b.spans, (a.window + KEY_SPAN - 2) / KEY_SPAN + 1); // only so many does a row see
#else
    const uint tickets = b.rows * KV_HEADS;
#endif
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            const uint i = w->ticket - w->begin;
            const uint head = i % KV_HEADS, row = i / KV_HEADS % b.rows;
#if LATENT
            const uint position = (uint)a.positions[row];
            if (!SPLIT || first_seen(position, a.window) / KEY_SPAN + i / KV_HEADS / b.rows == position / KEY_SPAN) // it keeps them
                spread_head(b, a.qkv_stride, row, head);
#endif
#if SPLIT
            attend_span(a, head, row, 1, i / KV_HEADS / b.rows, b.spans, b.partial);
#else
            attend_whole(a, head, row, 1, b.out, b.out_stride);
            open_gates(a, b, row, head * HEAD_GROUP, HEAD_GROUP);
#endif
            finish(w);
        } while (is_mine(w, tickets));
    }
    end_tickets(w, tickets);
}

#if SPLIT
static inline void join_spans_of_all(walk *const w, const attention_data a, const beside_attention b)
{
    const uint tickets = b.rows * HEADS;
    begin_phase(w);
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            const uint row = (w->ticket - w->begin) / HEADS, head = (w->ticket - w->begin) % HEADS;
            join_head(b.partial, b.spans, (uint)a.positions[row], a.window, a.sinks, row, head, 0, b.out, b.out_stride);
            open_gates(a, b, row, head, 1);
            finish(w);
        } while (is_mine(w, tickets));
    }
    end_tickets(w, tickets);
}
#endif

void ATTEND(walk *const w, const attention_data *const a, const beside_attention *const b);

void ATTEND(walk *const w, const attention_data *const a, const beside_attention *const b)
{
    attend(w, *a, *b);
#if SPLIT
    join_spans_of_all(w, *a, *b);
#endif
}
