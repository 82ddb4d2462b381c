// norm: y[r] = norm(x[r]), rows of n elements; norm.h tells which and in which order it sums
//   x, y    fp32, rows x_stride / y_stride elements apart, from element x_offset / y_offset on; must not overlap
//   w, b    fp32 [n], or null
// Kernels   norm_row     a work-item takes a row: for CPUs
//           norm_lanes   a work-group takes a row, neighbouring work-items take neighbouring elements: for GPUs. Same bits
// Launch    norm_row {rows}; norm_lanes {rows * WG}, local {WG}; any n >= 1
// Build     -DNORM=1..3 -DWG=<power of two from 1 to 64>
// Test      tests/cl/test_norm.c

#include "norm.h"

#ifndef NORM
#define NORM NORM_RMS
#endif
#ifndef WG
#define WG 32
#endif

__kernel void norm_row(__global float *restrict y, const ulong y_offset, const uint y_stride, const __global float *restrict x,
                       const ulong x_offset, const uint x_stride, const __global float *restrict w,
                       const __global float *restrict b, const uint n, const float eps)
{
    const size_t r = get_global_id(0);
    x += x_offset + r * x_stride;
    y += y_offset + r * y_stride;
    const float2 of = norm_of_row(x, n, eps, NORM);
    for (uint i = 0; i < n; i++)
        y[i] = norm_apply(x[i], of.x, of.y, w, b, i, NORM);
}

// The sum over a row, in the order of norm_sum(); every work-item of the group gets it.
static inline float norm_sum_lanes(const __global float *x, const uint n, const float mean, const int power,
                                   __local float *partial)
{
    const uint lid = (uint)get_local_id(0);
    for (uint lane = lid; lane < NORM_LANES; lane += WG) {
        float sum = 0.0f;
        for (uint i = lane; i < n; i += NORM_LANES) {
            const float p = x[i] - mean;
            sum = NORM_ADD(sum, p, power);
        }
        partial[lane] = sum;
    }
    for (uint width = NORM_LANES / 2; width > 0; width >>= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint lane = lid; lane < width; lane += WG)
            partial[lane] += partial[lane + width];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const float sum = partial[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}

__kernel void norm_lanes(__global float *restrict y, const ulong y_offset, const uint y_stride, const __global float *restrict x,
                         const ulong x_offset, const uint x_stride, const __global float *restrict w,
                         const __global float *restrict b, const uint n, const float eps)
{
    __local float partial[NORM_LANES];
    const size_t r = get_group_id(0);
    x += x_offset + r * x_stride;
    y += y_offset + r * y_stride;
    const float mean = NORM == NORM_LAYER ? norm_sum_lanes(x, n, 0.0f, 1, partial) / (float)n : 0.0f;
    const float scale = 1.0f / sqrt(norm_sum_lanes(x, n, mean, 2, partial) / (float)n + eps);
    for (uint i = (uint)get_local_id(0); i < n; i += WG)
        y[i] = norm_apply(x[i], mean, scale, w, b, i, NORM);
}
