// take_row.h: a row of x comes into local memory for a product: normalised (norm.h) or as it is, and in another order where that is asked for
#ifndef OCLM_TAKE_ROW_H
#define OCLM_TAKE_ROW_H

#include "norm.h"

static inline void take_row(__local float *const to, const __global float *const from, const uint columns, const bool norm, const float eps,
                            const __global float *const norm_w, const __global float *const norm_b, const int kind)
{
    uint k = 0;
    if (norm) {
        const float2 of = norm_of_row(from, columns, eps, kind);
        for (; k + 16 <= columns; k += 16)
            vstore16(norm_apply16(vload16(0, from + k), of.x, of.y, norm_w, norm_b, k, kind), 0, to + k);
        for (; k < columns; k++)
            to[k] = norm_apply(from[k], of.x, of.y, norm_w, norm_b, k, kind);
    } else {
        for (; k + 16 <= columns; k += 16)
            vstore16(vload16(0, from + k), 0, to + k);
        for (; k < columns; k++)
            to[k] = from[k];
    }
}

static inline void take_row_in_order(__local float *const to, const __global float *const from, const uint columns, const __global uint *const order,
                                     const bool norm, const float eps, const __global float *const norm_w, const __global float *const norm_b,
                                     const int kind)
{
    const float2 of = norm ? norm_of_row(from, columns, eps, kind) : (float2)(0.0f, 1.0f);
    for (uint k = 0; k < columns; k++)
        to[k] = norm ? norm_apply(from[order[k]], of.x, of.y, norm_w, norm_b, order[k], kind) : from[order[k]];
}

#endif
