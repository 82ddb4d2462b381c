// layer_experts.h: the steps of decode_layers.cl that are between the products of one row's experts: the choice, and the sum of what they made
//
// Build     as moe_route.h
#ifndef OCLM_LAYER_EXPERTS_H
#define OCLM_LAYER_EXPERTS_H

#include "moe_join.h"
#include "moe_route.h"
#include "tickets.h"

#define JOIN_COLUMNS 512 // of a ticket

// One ticket. `scratch`: local memory, 3 * count + groups of them.
static inline void route(walk *const w, const routing r, const __global float *const logits, const __global float *const correction,
                         const __global float *const counts, __global uint *const ids, __global float *const weights, __local float *const scratch)
{
    if (is_mine(w, 1)) {
        wait(w, 0, 0);
        route_row(r, logits, correction, counts, ids, weights, scratch, scratch + r.count, scratch + 3 * r.count,
                  (__local uint *)(scratch + 2 * r.count));
        finish(w);
    }
    end_tickets(w, 1);
}

// y += add * what the experts made, and the shared one; with an `add` of 0 y is that. `shared` and `gate` may be null.
static inline void join_experts(walk *const w, const __global float *const outer, const uint stride, const __global float *const weights,
                                const uint chosen, const __global float *const shared, const __global float *const gate, const float add,
                                __global float *const y)
{
    const uint tickets = (stride + JOIN_COLUMNS - 1) / JOIN_COLUMNS;
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            const uint first = (w->ticket - w->begin) * JOIN_COLUMNS, end = min(first + JOIN_COLUMNS, stride);
            for (uint k = first; k < end; k += 16) {
                const float16 sum = join_experts16(outer + k, stride, weights, 0, chosen, shared ? shared + k : 0, gate);
                vstore16(add != 0.0f ? MUL_ADD(sum, (float16)(add), vload16(0, y + k)) : sum, 0, y + k);
            }
            finish(w);
        } while (is_mine(w, tickets));
    }
    end_tickets(w, tickets);
}

#endif
