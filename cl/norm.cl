// norm: y[r] = norm(x[r]), rows of n elements; norm.h tells which and in which order it sums
//   x, y    fp32, rows x_stride / y_stride elements apart, from element x_offset / y_offset on; must not overlap, but with RESULT 1 be one
//   w, b    fp32 [n], or null
//   scale, keep   only with RESULT 2
//   order   uint [n], each below n: only with RESULT 3
// Kernels   norm_row     a work-item takes a row: for CPUs
//           norm_lanes   a work-group takes a row, neighbouring work-items take neighbouring elements: for GPUs. Same bits
// Launch    norm_row {rows}; norm_lanes {rows * WG}, local {WG}, 8 * WG (at least 64) floats of local memory; any n >= 1
// Build     -DNORM=1..3 -DWG=<power of two> -DRESULT=0..3: y = norm(x); y = norm(y), of one buffer; y = keep * (y + scale * norm(x));
//           y[i] = norm(x)[order[i]], with NORM 0 too: x[order[i]]
// Test      tests/cl/test_norm.c

#ifndef WG
#define WG 32
#endif

#include "norm_group.h"

#ifndef NORM
#define NORM NORM_RMS
#endif
#ifndef RESULT
#define RESULT 0
#endif

#if RESULT == 1
#define APART
#else
#define APART restrict
#endif
#if RESULT == 3
#define MORE_ARGUMENTS     , const __global uint *restrict order
#define SOURCE_OF(i)       order[i]
#else
#define SOURCE_OF(i)       (i)
#endif
#if RESULT == 2
#define MORE_ARGUMENTS     , const float scale, const float keep
#define RESULT_OF(y, norm) (keep * norm_residual(y, scale, norm))
#else
#define RESULT_OF(y, norm) (norm)
#endif
#if RESULT < 2
#define MORE_ARGUMENTS
#endif

__kernel void norm_row(__global float *APART y, const ulong y_offset, const uint y_stride, const __global float *APART x,
                       const ulong x_offset, const uint x_stride, const __global float *restrict w,
                       const __global float *restrict b, const uint n, const float eps MORE_ARGUMENTS)
{
    const size_t r = get_global_id(0);
    x += x_offset + r * x_stride;
    y += y_offset + r * y_stride;
    const float2 of = NORM ? norm_of_row(x, n, eps, NORM) : (float2)(0.0f, 1.0f);
    for (uint i = 0; i < n; i++)
        y[i] = RESULT_OF(y[i], norm_apply(x[SOURCE_OF(i)], of.x, of.y, w, b, SOURCE_OF(i), NORM));
}

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void norm_lanes(__global float *APART y, const ulong y_offset, const uint y_stride, const __global float *APART x,
                const ulong x_offset, const uint x_stride, const __global float *restrict w, const __global float *restrict b,
                const uint n, const float eps MORE_ARGUMENTS)
{
    __local float piece[NORM_PIECE];
    const uint lid = (uint)get_local_id(0);
    const size_t r = get_group_id(0);
    x += x_offset + r * x_stride;
    y += y_offset + r * y_stride;
    const float2 of = NORM ? norm_of_row_group(x, n, eps, NORM, piece) : (float2)(0.0f, 1.0f);
#if RESULT == 3
    for (uint i = lid; i < n; i += WG)
        y[i] = norm_apply(x[order[i]], of.x, of.y, w, b, order[i], NORM);
#else
    for (uint begin = 0; begin < n; begin += NORM_PIECE) {
        const uint count = min(n - begin, (uint)NORM_PIECE);
        float own[NORM_LOADS];
#pragma unroll
        for (uint j = 0; j < NORM_LOADS; j++)
            own[j] = x[NORM_INDEX(begin, j, count)];
#if RESULT == 1
        barrier(CLK_GLOBAL_MEM_FENCE); // lanes past the end read the last element, too
#endif
        norm_apply_group(own, of, w, b, begin, count, NORM);
#pragma unroll
        for (uint j = 0; j < NORM_LOADS; j++)
            if (lid + j * WG < count)
                y[begin + lid + j * WG] = RESULT_OF(y[begin + lid + j * WG], own[j]);
    }
#endif
}
