// norm_group.h: the normalisation of one row by a whole work-group of lanes; norm.h tells what it is and in which order it sums.
//
// The row passes through local memory in pieces. All lanes load, neighbours neighbouring elements, each its NORM_LOADS at once: one trip
// to memory a piece. Then 64 lanes add up a partial sum each (fewer lanes: several), 16 join them to 16, and every lane joins
// those alone, which costs less than four more barriers.
//
// Build     -DWG=<a power of two> work-items of the group -DNORM_LOADS=<so many that NORM_LOADS * WG is a multiple of 64>
#ifndef OCLM_NORM_GROUP_H
#define OCLM_NORM_GROUP_H

#include "norm.h"

#ifndef NORM_LOADS
#define NORM_LOADS (WG < 8 ? 64 / WG : 8)
#endif

#define NORM_PIECE (NORM_LOADS * WG) // elements of a piece, floats of local memory
#define NORM_OWN   (WG < NORM_LANES ? NORM_LANES / WG : 1)

// A lane's elements of the piece: lid, lid + WG, ...; past the end again the last one, so that no load waits for a condition.
#define NORM_INDEX(begin, j, count) ((begin) + min((uint)get_local_id(0) + (j) * WG, (count) - 1))

// The sum over the row of (x - mean)^2, or with `power` 1 of x - mean; all lanes get it. `piece` is free afterwards.
static inline float norm_sum_group(const __global float *x, const uint n, const float mean, const int power, __local float *piece)
{
    const uint lid = (uint)get_local_id(0);
    float sum[NORM_OWN], joined[16];
#pragma unroll
    for (uint own = 0; own < NORM_OWN; own++)
        sum[own] = 0.0f;
    for (uint begin = 0; begin < n; begin += NORM_PIECE) {
        const uint count = min(n - begin, (uint)NORM_PIECE);
        float loaded[NORM_LOADS];
#pragma unroll
        for (uint j = 0; j < NORM_LOADS; j++)
            loaded[j] = x[NORM_INDEX(begin, j, count)];
#pragma unroll
        for (uint j = 0; j < NORM_LOADS; j++)
            piece[lid + j * WG] = loaded[j];
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (uint own = 0; own < NORM_OWN; own++) {
            if (lid + own * WG < NORM_LANES) {
                IN_ORDER for (uint i = lid + own * WG; i < count; i += NORM_LANES) {
                    const float p = piece[i] - mean;
                    sum[own] = NORM_ADD(sum[own], p, power);
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (uint own = 0; own < NORM_OWN; own++)
        if (lid + own * WG < NORM_LANES)
            piece[lid + own * WG] = sum[own];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = lid; i < 16; i += WG)
        piece[i] = (piece[i] + piece[i + 32]) + (piece[i + 16] + piece[i + 48]);
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (uint i = 0; i < 16; i++)
        joined[i] = piece[i];
#pragma unroll
    for (uint width = 8; width > 0; width >>= 1)
#pragma unroll
        for (uint i = 0; i < width; i++)
            joined[i] += joined[i + width];
    barrier(CLK_LOCAL_MEM_FENCE);
    return joined[0];
}

// The two numbers a row is normalised with. One call in a loop, not two: smaller code, and with two PoCL 3.1's compiler crashes.
static inline float2 norm_of_row_group(const __global float *x, const uint n, const float eps, const int kind, __local float *piece)
{
    float mean = 0.0f, square = 0.0f;
#pragma unroll 1
    for (int power = kind == NORM_LAYER ? 1 : 2; power <= 2; power++) {
        square = norm_sum_group(x, n, mean, power, piece) / (float)n;
        mean = power == 1 ? square : mean;
    }
    return (float2)(mean, 1.0f / sqrt(square + eps));
}

// A lane's elements of the piece from `begin` on, normalised: norm_apply() for all of them, with one question for null pointers.
static inline void norm_apply_group(float *y, const float2 of, const __global float *w, const __global float *b, const uint begin,
                                    const uint count, const int kind)
{
    float factor[NORM_LOADS];
#pragma unroll
    for (uint j = 0; j < NORM_LOADS; j++) {
        y[j] = (y[j] - of.x) * of.y;
        factor[j] = 1.0f;
    }
    if (w) {
#pragma unroll
        for (uint j = 0; j < NORM_LOADS; j++) {
            const float weight = w[NORM_INDEX(begin, j, count)];
            factor[j] = kind == NORM_RMS1P ? weight + 1.0f : weight;
        }
    }
    if (b) {
#pragma unroll
        for (uint j = 0; j < NORM_LOADS; j++)
            y[j] = MUL_ADD(y[j], factor[j], b[NORM_INDEX(begin, j, count)]);
    } else {
#pragma unroll
        for (uint j = 0; j < NORM_LOADS; j++)
            y[j] *= factor[j];
    }
}

#endif
