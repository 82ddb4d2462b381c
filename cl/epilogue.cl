// epilogue: what matmul.cl does with its sums before it writes them, for products that a library computed
//   product fp32 [rows][n], from element 0 on: sums of `n` outputs, 32 for each panel of the block
//   y       fp32 [rows][y_stride], from element y_offset on, where the block's first output goes; must not overlap
//   bias    fp32 [n], from element bias_offset on, or null
//   add     0, or y += add * .. (the residual; not with GATED)
// GATED: panels 2p and 2p + 1 of the block are gate and up of panel p of y: y = act(gate) * up
// A work-item takes VEC outputs after another, `step` vectors apart: all of a row where work-items run vector code
// Launch    {vectors of a row at most, rows}, local {1, 1} or any; step = the first of these
// Build     -DGATED=0|1 -DACTIVATION=0..8 -DVEC=1|16
// Test      tests/device/test_clblast.c

#include "activation.h"

#ifndef GATED
#define GATED 0
#endif
#ifndef VEC
#define VEC 16
#endif
#define PANEL 32

#if VEC == 1
typedef float vec;
#define LOAD(p)     (*(p))
#define STORE(v, p) (*(p) = (v))
#else
typedef VECTOR(float, VEC) vec;
#define LOAD(p)     LOAD_VECTOR(VEC, p)
#define STORE(v, p) STORE_VECTOR(VEC, v, p)
#endif

static inline vec biased(const __global float *sums, const __global float *bias, const uint at)
{
    vec v = LOAD(sums + at);
    if (bias)
        v += LOAD(bias + at);
    return v;
}

__kernel void epilogue(__global float *restrict y, const ulong y_offset, const uint y_stride, const __global float *restrict product,
                       const uint n, const __global float *restrict bias, const uint bias_offset, const uint step,
                       const float add)
{
    const size_t r = get_global_id(1);
    const uint outputs = GATED ? n / 2 : n;
    y += y_offset + r * y_stride;
    product += r * n;
    if (bias)
        bias += bias_offset;
    for (uint i = (uint)get_global_id(0) * VEC; i < outputs; i += step * VEC) {
#if GATED
        const uint gate = i / PANEL * 2 * PANEL + i % PANEL;
        const vec value = biased(product, bias, gate);
        STORE(ACTIVATE(value, VEC) * biased(product, bias, gate + PANEL), y + i);
#else
        vec value = biased(product, bias, i);
        value = ACTIVATE(value, VEC);
        if (add != 0.0f)
            value = MUL_ADD((vec)(add), value, LOAD(y + i));
        STORE(value, y + i);
#endif
    }
}
