// layer_product.h: a product as a step of decode_layers.cl, whose units are taken as tickets.h tells
//
// x is read into local memory, normalised or otherwise prepared: all its rows at once, and then each unit (matmul_unit.h) takes ROWS of them after
// another, while its weights are in the cache. A product with experts has one row and `slots`, each of which has the weights of the expert that ids
// names, outputs of its own, and, where x_is_slots, inputs of its own.
//
// Build     as matmul_unit.h with X_SPACE __local; -DNORM=0..3 -DGATED=0|1 -DXIELU=0|1 -DLATENT=0..2 -DLAYER_INPUT=0|1
#ifndef OCLM_LAYER_PRODUCT_H
#define OCLM_LAYER_PRODUCT_H

#include "matmul_unit.h"
#include "tickets.h"
#include "xielu.h"

#ifndef NORM
#define NORM NORM_RMS
#endif
#ifndef GATED
#define GATED 1
#endif
#ifndef XIELU
#define XIELU 0
#endif
#ifndef LATENT
#define LATENT 0
#endif
#ifndef LAYER_INPUT
#define LAYER_INPUT 0
#endif
#define AHEAD (128 << 10) // bytes that a core's second cache has room for

typedef struct product_data {
    const __global float *x;
    __global float *y;
    const __global stored *w;
    const __global float *bias, *norm_w, *norm_b;
    uint x_stride, y_stride, columns, units;
    bool norm;                          // of x
    bool up, active;                    // of two panels as GATED says, and active; of one, and active
    float eps, add;                     // add: 0, or y += add * ..
    const __global float *xielu;        // of x, or null
    uint part, part_stride;             // x is parts of its rows, so many numbers so far apart; 0: whole rows
    const __global float *times, *plus; // x is multiplied by the sum of both, rows that are .._stride apart; or null
    uint times_stride, plus_stride;
    const __global uint *ids;           // of slots; null: one slot, the whole matrix
    uint slots;
    bool x_is_slots;
} product_data;

static inline uint slots_of(const product_data p) { return p.ids ? p.slots : 1; }

// The rows of x from `from` on, as the product wants them, into local memory.
static inline void take_rows(const product_data p, const __global float *const from, const uint rows, __local float *const to)
{
    for (uint i = 0; i < rows; i++) {
        __local float *const row = to + i * p.columns;
        const __global float *const x = from + (size_t)i * p.x_stride;
#if LATENT
        for (uint at = 0, k = 0; p.part && k < p.columns; at += p.part_stride, k += p.part)
            take_row(row + k, x + at, p.part, false, 0.0f, 0, 0, NORM);
        if (!p.part)
#endif
            take_row(row, x, p.columns, NORM && p.norm, p.eps, p.norm_w, p.norm_b, NORM);
#if LAYER_INPUT
        for (uint k = 0; p.times && k < p.columns; k++)
            row[k] *= p.times[(size_t)i * p.times_stride + k] + p.plus[(size_t)i * p.plus_stride + k];
#endif
        if (XIELU && p.xielu) {
            uint k = 0;
            for (; k + 16 <= p.columns; k += 16)
                vstore16(xielu_f16(vload16(0, row + k), p.xielu), 0, row + k);
            for (; k < p.columns; k++)
                row[k] = xielu_f1(row[k], p.xielu);
        }
    }
}

// A slot's unit in its matrix: where its first panel's weights are.
static inline const __global stored *panel_of(const product_data p, const uint unit, const uint slot)
{
    const uint gates = p.up && GATED ? 2 : 1;
    return p.w + (unit / (PANEL / COLS) + (p.ids ? p.ids[slot] * (p.units / (PANEL / COLS)) : 0)) * gates * PANEL_SIZE(p.columns);
}

// What the group will read of such a product first, or null where that is not known yet.
static inline const __global stored *read_first(const walk *const w, const product_data p)
{
    return p.ids || !p.units ? 0 : panel_of(p, share_of(w, p.units, w->home), 0);
}

// A unit of a slot's product, all rows. `next`: what the group reads behind it, or null.
static inline void multiply_unit(const product_data p, const uint rows, const uint unit, const uint slot, const __local float *const local_rows,
                                 const __global stored *const next)
{
    const bool gated = p.up && GATED;
    const uint panels = p.units / (PANEL / COLS) * (gated ? 2 : 1); // of a slot
    const uint panel = unit / (PANEL / COLS), lane = unit % (PANEL / COLS) * COLS;
    const uint first = (p.ids ? p.ids[slot] * panels : 0) + (gated ? 2 : 1) * panel;
    __global float *const y = p.y + (size_t)slot * p.y_stride + (size_t)panel * PANEL + lane;
    for (uint block = 0; block < rows; block += ROWS) {
        const X_SPACE float *row[ROWS];
#pragma unroll
        for (uint i = 0; i < ROWS; i++)
            row[i] = local_rows + min(block + i, rows - 1) * p.columns; // past the end: again the last row
        serve_unit(y + (size_t)block * p.y_stride, p.y_stride, row, rows - block, p.w + first * PANEL_SIZE(p.columns), lane,
                   p.bias ? p.bias + (size_t)first * PANEL + lane : p.bias, p.columns, gated, p.up || p.active, p.add, next);
    }
}

// `routed`: so much must be finished before ids are there. `next`: what the group reads in the step behind this one, or null.
static inline void multiply(walk *const w, const product_data p, const uint rows, const uint routed, __local float *const local_rows,
                            const __global stored *const next)
{
    const uint units = slots_of(p) * p.units, first = share_of(w, units, w->home), last = share_of(w, units, w->home + 1) - 1;
    if (units > 0 && !is_finished(w, w->before + units)) {
        while (p.ids && !is_finished(w, routed)) { }
        const size_t unit_bytes = (p.up && GATED ? 2 : 1) * PANEL_SIZE(p.columns) / (PANEL / COLS) * sizeof(stored); // more or less, for codes
        wait(w, (const __global char *)panel_of(p, first % p.units, first / p.units), min((last + 1 - first) * unit_bytes, (size_t)AHEAD));
        uint held = UINT_MAX; // whose inputs are in local memory
        uint helped = 0, served = 0;
        for (uint at; take_unit(w, units, &helped, &at); served++) {
            const uint slot = at / p.units, input = p.x_is_slots ? slot : 0;
            if (input != held)
                take_rows(p, p.x + (size_t)input * p.x_stride, rows, local_rows);
            held = input;
            multiply_unit(p, rows, at % p.units, slot, local_rows,
                          at == last || helped > 0 ? next : panel_of(p, (at + 1) % p.units, (at + 1) / p.units));
        }
        count_finished(w, served);
    }
    end_units(w, units);
}

#endif
