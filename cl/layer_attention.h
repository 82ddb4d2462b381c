// layer_attention.h: attention as steps of decode_layers.cl
//
// Build     as attention_tile.h, which comes first; -DSPLIT=0|1: each span of positions is a ticket, as in attention_tile_split
#ifndef OCLM_LAYER_ATTENTION_H
#define OCLM_LAYER_ATTENTION_H

#include "attention_join.h"
#include "tickets.h"

#ifndef SPLIT
#define SPLIT 0
#endif

__attribute__((always_inline)) static inline void attend(walk *const w, const attention_data a, const uint rows, const uint spans,
                                                         __global float *const partial, __global float *const out, const uint out_stride)
{
#if SPLIT
    const uint tickets = rows * KV_HEADS * min(spans, (a.window + KEY_SPAN - 2) / KEY_SPAN + 1); // only so many does a row see
#else
    const uint tickets = rows * KV_HEADS;
#endif
    begin_phase(w);
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
    begin_phase(w);
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

// Latent attention made ordinary: latent_spread and latent_gather of latent.cl, a head of a row a ticket.
static inline void spread(walk *const w, const uint rows, const __global float *const shared, const uint shared_stride,
                          const __global float *const kv, const uint kv_stride, const uint nope, const uint rope, const uint value,
                          __global float *const qkv, const uint qkv_stride)
{
    const uint tickets = rows * HEADS, dims = rope + nope;
    begin_phase(w);
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            const uint row = (w->ticket - w->begin) / HEADS, head = (w->ticket - w->begin) % HEADS;
            const __global float *const own = kv + (size_t)row * kv_stride + (size_t)head * (nope + value);
            __global float *const keys = qkv + (size_t)row * qkv_stride + (size_t)(HEADS + head) * dims, *const values = keys + HEADS * dims;
            for (uint i = 0; i < rope; i++)
                keys[i] = shared[(size_t)row * shared_stride + i];
            for (uint i = 0; i < nope; i++)
                keys[rope + i] = own[i];
            for (uint i = 0; i < dims; i++)
                values[i] = i < value ? own[nope + i] : 0.0f;
            finish(w);
        } while (is_mine(w, tickets));
    }
    w->begin += tickets;
}

static inline void gather(walk *const w, const uint rows, const __global float *const x, const uint x_stride, const uint value,
                          __global float *const y, const uint y_stride)
{
    const uint tickets = rows * HEADS;
    begin_phase(w);
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            const uint row = (w->ticket - w->begin) / HEADS, head = (w->ticket - w->begin) % HEADS;
            for (uint i = 0; i < value; i++)
                y[(size_t)row * y_stride + head * value + i] = x[(size_t)row * x_stride + head * HEAD_DIM + i];
            finish(w);
        } while (is_mine(w, tickets));
    }
    w->begin += tickets;
}

#endif
