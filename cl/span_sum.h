// span_sum.h: the sum of x over a span, the inputs of a row that share a scale and a minimum (code_panel.h): what the minimum is multiplied by
//
// Eight sums, joined as a tree: the same bits wherever it is computed (lanes: sum_of_span() in widen_codes.h).
//
// Build     X_SPACE, where x lies: __local or __global; defined by whoever includes this
#ifndef OCLM_SPAN_SUM_H
#define OCLM_SPAN_SUM_H

#include "code_panel.h"

static inline float span_sum(const X_SPACE float *const x, const uint count)
{
    float8 eight = 0.0f;
    if (count == CODE_SPAN) { // nearly all: without a branch for what is left
#pragma unroll
        for (uint k = 0; k < CODE_SPAN; k += 8)
            eight += vload8(0, x + k);
    } else {
        uint k = 0;
#pragma unroll 1
        for (; k + 8 <= count; k += 8)
            eight += vload8(0, x + k);
        if (k < count) {
            float rest[8];
#pragma unroll 1
            for (uint i = 0; i < 8; i++)
                rest[i] = k + i < count ? x[k + i] : 0.0f;
            eight += vload8(0, rest);
        }
    }
    const float4 four = eight.lo + eight.hi;
    const float2 two = four.lo + four.hi;
    return two.x + two.y;
}

#endif
