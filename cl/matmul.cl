// matmul_tile: y = epilogue(norm(x) * W^T + bias), W in panels of 32 outputs, column by column (matrix.h)
//
// The shape for CPUs: a work-item is a loop of vector code. It takes ROWS rows of x by COLS outputs of a panel; x[k] is broadcast, a
// column of the panel is a vector load, and no sum crosses lanes. With one row that is a plain GEMV that reads each weight once; with
// many, ROWS * COLS / VEC accumulators stay in registers (12 of 16 on AVX2, 16 of 32 on AVX-512) and each weight serves ROWS rows.
//
// Inputs are cut into chunks of 64. A chunk is summed from first to last in the accumulators, then added to the totals: the same
// operations in the same order for every ROWS, COLS and VEC, so a row's bits do not depend on how many rows come together.
//
//   x       fp32 [rows][x_stride], from element x_offset on; `columns` inputs
//   y       fp32 [rows][y_stride], from element y_offset on; all 32 outputs of each panel are written; must not overlap x or w
//   w       one part of the matrix, `panels` of `columns` * 32 elements; the part's panel 0 is panel first_panel of the matrix
//   bias    fp32 [panels * 32] of the whole matrix, or null
//   norm_w, norm_b, eps   only with NORM (norm.h)
//   normed  only with NORM: local memory for the normalised rows, ROWS * columns floats
//   accumulate   1: y += (the residual; not with GATED)
//   units_per_item   a unit is COLS outputs (GATED: of gate and up); a work-item takes so many neighbouring ones, for which it normalises
//           its rows only once
// GATED: panels 2p and 2p + 1 are gate and up of panel p of y: y = act(gate) * up. A part begins with an even panel.
// Launch    global {ceil(rows / ROWS), ceil(units / units_per_item)}, local {1, 1}
// Build     -DSTORAGE=0..2 -DROWS=1.. -DCOLS=8|16|32 -DVEC=8|16 (<= COLS) -DNORM=0..3 -DGATED=0|1 -DACTIVATION=0..8
//           -DPREFETCH=<bytes ahead; 0: none>: asks the cache for weights that come, where the compiler knows how. A core alone cannot keep
//           enough loads in flight: with one row 0.78 of the read rate became 0.92 on PoCL (2 cores with AVX2)
// Test      tests/cl/test_matmul.c

#include "activation.h"
#include "norm.h"
#include "storage.h"

#ifndef ROWS
#define ROWS 4
#endif
#ifndef COLS
#define COLS 16
#endif
#ifndef VEC
#define VEC 8
#endif
#ifndef NORM
#define NORM NORM_NONE
#endif
#ifndef GATED
#define GATED 0
#endif

#ifndef PREFETCH
#define PREFETCH 0
#endif

#define PANEL 32
#define CHUNK 64
#define VECTORS (COLS / VEC)

typedef VECTOR(float, VEC) vec;

#if NORM
#define X_SPACE __local
#else
#define X_SPACE __global
#endif

// total = sum over one chunk of `count` inputs, from x[.][0] and w on, added to total.
static inline void add_chunk(vec *total, const X_SPACE float *const *x, const uint first, const __global stored *w, const uint count)
{
    vec sum[ROWS * VECTORS];
#pragma unroll
    for (uint i = 0; i < ROWS * VECTORS; i++)
        sum[i] = 0.0f;
    for (uint k = 0; k < count; k++) {
        vec b[VECTORS];
#if PREFETCH
#pragma unroll
        for (uint j = 0; j < COLS * sizeof(stored); j += 64)
            PREFETCH_LINE((const __global char *)(w + k * PANEL) + PREFETCH + j);
#endif
#pragma unroll
        for (uint j = 0; j < VECTORS; j++)
            b[j] = LOAD_W(w + k * PANEL + j * VEC, VEC);
#pragma unroll
        for (uint i = 0; i < ROWS; i++) {
            const float a = x[i][first + k];
#pragma unroll
            for (uint j = 0; j < VECTORS; j++)
                sum[i * VECTORS + j] = MUL_ADD((vec)(a), b[j], sum[i * VECTORS + j]);
        }
    }
#pragma unroll
    for (uint i = 0; i < ROWS * VECTORS; i++)
        total[i] += sum[i];
}

static inline void product(vec *total, const X_SPACE float *const *x, const __global stored *w, const uint columns)
{
#pragma unroll
    for (uint i = 0; i < ROWS * VECTORS; i++)
        total[i] = 0.0f;
    uint k = 0;
    for (; k + CHUNK <= columns; k += CHUNK)
        add_chunk(total, x, k, w + (size_t)k * PANEL, CHUNK);
    if (k < columns)
        add_chunk(total, x, k, w + (size_t)k * PANEL, columns - k);
}

static inline void add_bias(vec *total, const __global float *bias)
{
    if (bias) {
#pragma unroll
        for (uint j = 0; j < VECTORS; j++) {
            const vec b = LOAD_VECTOR(VEC, bias + j * VEC);
#pragma unroll
            for (uint i = 0; i < ROWS; i++)
                total[i * VECTORS + j] += b;
        }
    }
}

// One unit: ROWS rows by COLS outputs of a panel. `w` begins with the unit's first weight, `bias` and `y` with its first output.
static inline void serve_unit(__global float *y, const uint y_stride, const X_SPACE float *const *row, const uint rows,
                              const __global stored *w, const __global float *bias, const uint columns, const uint accumulate)
{
    vec total[ROWS * VECTORS];
    product(total, row, w, columns);
    add_bias(total, bias);
#if GATED
    vec up[ROWS * VECTORS];
    product(up, row, w + (size_t)columns * PANEL, columns);
    add_bias(up, bias ? bias + PANEL : bias);
#endif
#pragma unroll
    for (uint i = 0; i < ROWS; i++) {
        if (i < rows) {
            __global float *to = y + (size_t)i * y_stride;
#pragma unroll
            for (uint j = 0; j < VECTORS; j++) {
                vec value = total[i * VECTORS + j];
#if GATED
                value = ACTIVATE(value, VEC) * up[i * VECTORS + j];
#else
                value = ACTIVATE(value, VEC);
                if (accumulate)
                    value += LOAD_VECTOR(VEC, to + j * VEC);
#endif
                STORE_VECTOR(VEC, value, to + j * VEC);
            }
        }
    }
}

__kernel void matmul_tile(__global float *restrict y, const ulong y_offset, const uint y_stride,
                          const __global float *restrict x, const ulong x_offset, const uint x_stride,
                          const __global stored *restrict w, const uint first_panel, const uint panels,
                          const __global float *restrict bias, const uint columns, const uint rows, const uint accumulate,
                          const uint units_per_item
#if NORM
                          , const __global float *restrict norm_w, const __global float *restrict norm_b, const float eps,
                          __local float *normed
#endif
                          )
{
    const uint first_row = (uint)get_global_id(0) * ROWS;
    const X_SPACE float *row[ROWS];
    x += x_offset;
#pragma unroll
    for (uint i = 0; i < ROWS; i++) {
        const __global float *from = x + (size_t)min(first_row + i, rows - 1) * x_stride; // past the end: again the last row
#if NORM
        const float2 of = norm_of_row(from, columns, eps, NORM);
        __local float *to = normed + i * columns;
        uint k = 0;
        for (; k + 16 <= columns; k += 16)
            vstore16(norm_apply16(vload16(0, from + k), of.x, of.y, norm_w, norm_b, k, NORM), 0, to + k);
        for (; k < columns; k++)
            to[k] = norm_apply(from[k], of.x, of.y, norm_w, norm_b, k, NORM);
        row[i] = to;
#else
        row[i] = from;
#endif
    }

    // Units are numbered along the panels (GATED: along pairs of them), PANEL / COLS to each.
    y += y_offset + (size_t)first_row * y_stride;
    const uint begin = (uint)get_global_id(1) * units_per_item;
    const uint end = min(begin + units_per_item, panels / (1 + GATED) * (PANEL / COLS));
    for (uint unit = begin; unit < end; unit++) {
        const uint panel = unit / (PANEL / COLS), lane = unit % (PANEL / COLS) * COLS;
        const uint first = (1 + GATED) * panel; // in this part
        serve_unit(y + (size_t)(first_panel / (1 + GATED) + panel) * PANEL + lane, y_stride, row, rows - first_row,
                   w + (size_t)first * columns * PANEL + lane, bias ? bias + (size_t)(first_panel + first) * PANEL + lane : bias, columns,
                   accumulate);
    }
}
