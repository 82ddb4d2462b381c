// layer_norm.h: a norm that no product takes along, as a step of decode_layers.cl
//
// Build     -DNORM=1..3
#ifndef OCLM_LAYER_NORM_H
#define OCLM_LAYER_NORM_H

#include "norm.h"
#include "tickets.h"

#ifndef NORM
#define NORM NORM_RMS
#endif

// Each row a ticket: y = keep * (y + add * norm(x)), or with an `add` of 0 y = norm(x), where x may be y. The bits of norm.cl.
static inline void norm_rows(walk *const w, const uint rows, const __global float *const x, __global float *const y, const uint stride,
                             const uint columns, const __global float *const norm_w, const __global float *const norm_b, const float eps,
                             const float add, const float keep)
{
    if (is_mine(w, rows)) {
        wait(w, 0, 0);
        do {
            const size_t first = (size_t)(w->ticket - w->begin) * stride;
            const __global float *const from = x + first;
            __global float *const to = y + first;
            const float2 of = norm_of_row(from, columns, eps, NORM);
            uint k = 0;
            for (; k + 16 <= columns; k += 16) {
                const float16 norm = norm_apply16(vload16(0, from + k), of.x, of.y, norm_w, norm_b, k, NORM);
                vstore16(add != 0.0f ? keep * MUL_ADD((float16)(add), norm, vload16(0, to + k)) : norm, 0, to + k);
            }
            for (; k < columns; k++) {
                const float norm = norm_apply(from[k], of.x, of.y, norm_w, norm_b, k, NORM);
                to[k] = add != 0.0f ? keep * norm_residual(to[k], add, norm) : norm;
            }
            finish(w);
        } while (is_mine(w, rows));
    }
    end_tickets(w, rows);
}

#endif
