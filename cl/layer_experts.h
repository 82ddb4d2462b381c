// layer_experts.h: the steps of decode_layers.cl that are between the products of one row's experts: the choice, and the sum of what they made
//
// Build     as moe_route.h
#ifndef OCLM_LAYER_EXPERTS_H
#define OCLM_LAYER_EXPERTS_H

#include "moe_join.h"
#include "moe_route.h"
#include "tickets.h"

#define JOIN_COLUMNS 512 // of a ticket

// What a row's experts leave for each other, as in runtime/model/experts.h.
typedef struct expert_data {
    __global float *logits, *weights, *inner, *outer, *shared, *gate;
    __global uint *ids;
} expert_data;

// One ticket. `scratch`: local memory, 3 * count + groups of them.
static inline void route(walk *const w, const routing r, const expert_data e, const __global float *const correction,
                         const __global float *const counts, __local float *const scratch)
{
    begin_phase(w);
    if (is_mine(w, 1)) {
        wait(w, 0, 0);
        route_row(r, e.logits, correction, counts, e.ids, e.weights, scratch, scratch + r.count, scratch + 3 * r.count,
                  (__local uint *)(scratch + 2 * r.count));
        finish(w);
    }
    end_tickets(w, 1);
}

// y += add * what the experts made, shared or not; with an `add` of 0 y is that.
static inline void join_experts(walk *const w, const expert_data e, const uint chosen, const bool shared, const bool gate, const uint stride,
                                const float add, __global float *const y)
{
    const uint tickets = (stride + JOIN_COLUMNS - 1) / JOIN_COLUMNS;
    begin_phase(w);
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            const uint first = (w->ticket - w->begin) * JOIN_COLUMNS, end = min(first + JOIN_COLUMNS, stride);
            for (uint k = first; k < end; k += 16) {
                const float16 sum = join_experts16(e.outer + k, stride, e.weights, 0, chosen, shared ? e.shared + k : 0, gate ? e.gate : 0);
                vstore16(add != 0.0f ? MUL_ADD(sum, (float16)(add), vload16(0, y + k)) : sum, 0, y + k);
            }
            finish(w);
        } while (is_mine(w, tickets));
    }
    end_tickets(w, tickets);
}

#endif
