// layer_product.h: a product as a step of decode_layers.cl, whose units are taken as tickets.h tells
//
// x is read into local memory, normalised or otherwise prepared: all its rows at once. Then each unit (layer_unit.cl) takes them while its weights
// are in the cache.
//
// Build     -DNORM=1..3 -DXIELU=0|1 -DUNITS=1..4: parts that serve units
#ifndef OCLM_LAYER_PRODUCT_H
#define OCLM_LAYER_PRODUCT_H

#include "layer_data.h"
#include "take_row.h"
#include "tickets.h"
#include "xielu.h"

#ifndef NORM
#define NORM NORM_RMS
#endif
#ifndef XIELU
#define XIELU 0
#endif
#ifndef UNITS
#define UNITS 1
#endif
#define AHEAD (128 << 10) // bytes that a core's second cache has room for

#define DECLARE_SERVE(name)                                                                                                \
    void name(const product_data *const data, const uint rows, const uint to, const uint expert, const uint unit,             \
              const __local float *const local_rows, const __global uchar *const next, const uint more);
DECLARE_SERVE(serve_0)
DECLARE_SERVE(serve_1)
DECLARE_SERVE(serve_2)
DECLARE_SERVE(serve_3)

static inline void serve(const product_data *const p, const uint rows, const uint to, const uint expert, const uint unit,
                         const __local float *const local_rows, const __global uchar *const next, const uint more)
{
    switch (p->unit) {
#if UNITS > 1
    case 1: serve_1(p, rows, to, expert, unit, local_rows, next, more); break;
#endif
#if UNITS > 2
    case 2: serve_2(p, rows, to, expert, unit, local_rows, next, more); break;
#endif
#if UNITS > 3
    case 3: serve_3(p, rows, to, expert, unit, local_rows, next, more); break;
#endif
    default: serve_0(p, rows, to, expert, unit, local_rows, next, more);
    }
}

// Rows of x, as the product wants them, into local memory: those of slots from `first` on.
static inline void take_rows(const product_data p, const uint first, const uint rows, __local float *const to)
{
    for (uint i = 0; i < rows; i++) {
        __local float *const row = to + i * p.columns;
        const __global float *const x = p.x + (size_t)(p.row_of ? p.row_of[first + i] : first + i) * p.x_stride;
        for (uint at = 0, k = 0; p.part && k < p.columns; at += p.part_stride, k += p.part)
            take_row(row + k, x + at, p.part, false, 0.0f, 0, 0, NORM);
        if (p.order)
            take_row_in_order(row, x, p.columns, p.order, p.normed, p.eps, p.norm_w, p.norm_b, NORM);
        else if (!p.part)
            take_row(row, x, p.columns, p.normed, p.eps, p.norm_w, p.norm_b, NORM);
        for (uint k = 0; p.times && k < p.columns; k++)
            row[k] *= p.times[(size_t)i * p.times_stride + k] + p.plus[(size_t)i * p.plus_stride + k];
        if (XIELU && p.xielu) {
            uint k = 0;
            for (; k + 16 <= p.columns; k += 16)
                vstore16(xielu_f16(vload16(0, row + k), p.xielu), 0, row + k);
            for (; k < p.columns; k++)
                row[k] = xielu_f1(row[k], p.xielu);
        }
    }
}

static inline uint4 group_of(const product_data p, const uint group, const uint rows)
{
    return p.groups ? p.groups[group] : (uint4)(0, 0, rows, 0);
}

// Where the weights of a unit are, in all groups' count.
static inline const __global uchar *weights_of(const product_data p, const uint at)
{
    return p.w + (at % p.units + (p.groups ? (size_t)p.groups[at / p.units].x * p.units : 0)) * p.unit_bytes;
}

// `units`: of all groups. `routed`: so much must be finished before groups are there. `next`: what is read in the step behind this one, a panel of so
// many bytes, or null.
static inline void multiply(walk *const w, const product_data p, const uint units, const uint rows, const uint routed, __local float *const local_rows,
                            const __global uchar *const next, const uint next_bytes)
{
    const uint first = share_of(w, units, w->home), end = share_of(w, units, w->home + 1);
    while (p.groups && !is_finished(w, routed)) { }
    if (first < end)
        wait(w, weights_of(p, first), min((end - first) * (size_t)p.unit_bytes, (size_t)AHEAD));
    else
        wait(w, 0, 0);
    uint held = UINT_MAX; // whose inputs are in local memory
    const uint more = next_bytes > 0 ? min((next_bytes - 1) / PANEL_BYTES(p), 3u) : 0; // than what the last panel is long
    uint helped = 0, served = 0;
    for (uint at, count; (count = take_units(w, units, &helped, &at)) > 0; served += count) {
        for (const uint last = at + count; at < last; at++) {
            const uint4 group = group_of(p, at / p.units, rows);
            if (at / p.units != held)
                take_rows(p, group.y, group.z, local_rows);
            held = at / p.units;
            const bool goes_on = helped == 0 && at + 1 < end;
            if (group.z > 0)
                serve(&p, group.z, group.y, group.x, at % p.units, local_rows, goes_on ? weights_of(p, at + 1) : next, goes_on ? 0 : more);
        }
    }
    count_finished(w, served);
}

#endif
