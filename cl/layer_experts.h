// layer_experts.h: the steps of decode_layers.cl that are between the products of experts: the choice, and the sum of what they made
//
// Build     as moe_route.h
#ifndef OCLM_LAYER_EXPERTS_H
#define OCLM_LAYER_EXPERTS_H

#include "layer_steps.h"
#include "moe_join.h"
#include "moe_route.h"
#include "tickets.h"

#define JOIN_COLUMNS 512 // of a ticket

// As moe_sort.cl, by one work-item, which does not cut an expert's slots into tiles. `number`: local memory of `count`, before and after of no
// meaning.
static inline void sort_choices(const __global route_step *const s, const pointer *const pointers, const uint rows, __local uint *const number)
{
    const __global uint *const ids = UINTS(s->ids);
    __global uint4 *const tiles = (__global uint4 *)pointers[s->tiles];
    uint slot = 0, tile = 0;
    for (uint e = 0; e < s->count; e++)
        number[e] = 0;
    for (uint i = 0; i < rows * s->chosen; i++)
        number[ids[i]]++;
    for (uint e = 0; e < s->count; e++) {
        const uint slots = number[e];
        if (slots > 0)
            tiles[tile++] = (uint4)(e, slot, slots, 0);
        number[e] = slot; // where the next one comes
        slot += slots;
    }
    for (; tile < s->tile_count; tile++)
        tiles[tile] = 0;
    for (uint i = 0; i < rows * s->chosen; i++) {
        const uint place = number[ids[i]]++;
        UINTS(s->row_of)[place] = i / s->chosen;
        UINTS(s->place_of)[i] = place;
    }
}

// One ticket: the choices of few rows, and their order. `scratch`: local memory, 3 * count + groups floats.
static inline void route(walk *const w, const __global route_step *const s, const pointer *const pointers, const uint rows,
                         __local float *const scratch)
{
    if (is_mine(w, 1)) {
        const routing r = { s->count, s->chosen, s->groups, s->groups_chosen, s->eps, s->scale };
        wait(w, 0, 0);
        for (uint i = 0; i < rows; i++)
            route_row(r, FLOATS(s->logits) + (size_t)i * s->stride, FLOATS(s->correction), FLOATS(s->counts), UINTS(s->ids) + i * s->chosen,
                      FLOATS(s->weights) + i * s->chosen, scratch, scratch + r.count, scratch + 3 * r.count, (__local uint *)(scratch + 2 * r.count));
        sort_choices(s, pointers, rows, (__local uint *)scratch);
        finish(w);
    }
    end_tickets(w, 1);
}

static inline void join_experts(walk *const w, const __global join_step *const s, const pointer *const pointers, const uint rows)
{
    const uint pieces = (s->stride + JOIN_COLUMNS - 1) / JOIN_COLUMNS, tickets = rows * pieces;
    if (is_mine(w, tickets)) {
        wait(w, 0, 0);
        do {
            const uint row = (w->ticket - w->begin) / pieces, first = (w->ticket - w->begin) % pieces * JOIN_COLUMNS;
            const __global float *const shared = FROM(s->shared, (size_t)row * s->stride), *const gate = FROM(s->gate, (size_t)row * s->gate_stride);
            __global float *const y = FLOATS(s->y) + (size_t)row * s->stride;
            for (uint k = first; k < min(first + JOIN_COLUMNS, s->stride); k += 16) {
                const float16 sum = join_experts16(FLOATS(s->outer) + k, s->stride, FLOATS(s->weights) + row * s->chosen,
                                                   UINTS(s->place_of) + row * s->chosen, s->chosen, shared ? shared + k : 0, gate);
                vstore16(s->add != 0.0f ? MUL_ADD(sum, (float16)(s->add), vload16(0, y + k)) : sum, 0, y + k);
            }
            finish(w);
        } while (is_mine(w, tickets));
    }
    end_tickets(w, tickets);
}

#endif
