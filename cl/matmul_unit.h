// matmul_unit.h: a unit of a product, the vector code that matmul.cl and matmul_chain.cl share: ROWS rows of x by COLS outputs of a panel
//
// x[k] is broadcast, a column of the panel is a vector load, and no sum crosses lanes. With one row that is a plain GEMV that reads each
// weight once; with many, SUM_ROWS * SUM_COLS / VEC accumulators stay in registers (12 of 16 on AVX2, 16 of 32 on AVX-512) and each weight
// serves SUM_ROWS rows. A tile larger than that is summed block by block within a chunk, whose weights stay in the nearest cache meanwhile; what
// comes next is asked for by all blocks alike, so that arithmetic and memory work at the same time (2 cores with AVX2, bfloat16:
// 8 rows take 1.5 times the time of one, where it was 2.2 times).
//
// Inputs are cut into chunks of 64. A chunk is summed from first to last in the accumulators, then added to the totals: the same
// operations in the same order for every ROWS, COLS and VEC, so a row's bits do not depend on how many rows come together. Codes have
// spans instead of chunks: codes_unit.h.
//
// Build     -DSTORAGE=0..3 (3: also as code_panel.h) -DROWS=1.. -DCOLS=8|16|32 -DVEC=8|16 (<= COLS) -DACTIVATION=0..9
//           -DSUM_ROWS= -DSUM_COLS=: of a block, divisors of ROWS and COLS; not for codes
//           -DPREFETCH=<bytes ahead; 0: none; with blocks: chunks ahead; of codes with groups or in two planes: a panel ahead, whatever
//           it is>: asks the cache for weights that come, where the compiler knows how.
//           A core alone cannot keep enough loads in flight: with one row 0.78 of the read rate became 0.92 on PoCL (2 cores with AVX2)
//           X_SPACE, where the rows of x lie: __local or __global; defined by whoever includes this
#ifndef OCLM_MATMUL_UNIT_H
#define OCLM_MATMUL_UNIT_H

#include "activation.h"
#include "storage.h"
#include "take_row.h"

#ifndef ROWS
#define ROWS 4
#endif
#ifndef COLS
#define COLS 16
#endif
#ifndef VEC
#define VEC 8
#endif
#ifndef PREFETCH
#define PREFETCH 0
#endif
#ifndef SUM_ROWS
#define SUM_ROWS ROWS
#endif
#ifndef SUM_COLS
#define SUM_COLS COLS
#endif

#define PANEL 32
#define CHUNK 64
#define VECTORS     (COLS / VEC)
#define SUM_VECTORS (SUM_COLS / VEC)
#define BLOCKS      (ROWS / SUM_ROWS * (COLS / SUM_COLS))

typedef VECTOR(float, VEC) vec;

// sum += x[.][k] * b, a column of weights, for the rows and outputs of a block.
static inline void add_column(vec *const sum, const X_SPACE float *const *const x, const uint k, const vec *const b)
{
#pragma unroll
    for (uint i = 0; i < SUM_ROWS; i++) {
        const float a = x[i][k];
#pragma unroll
        for (uint j = 0; j < SUM_VECTORS; j++)
            sum[i * SUM_VECTORS + j] = MUL_ADD((vec)(a), b[j], sum[i * SUM_VECTORS + j]);
    }
}

#if STORAGE == STORAGE_CODES
#include "codes_unit.h"
#else

// Weights that lie in pairs are summed as they come, the even outputs in one vector and the odd ones in the next, and put in order once.
#if defined(LOAD_W_PAIRS) && SUM_VECTORS % 2 == 0
#define TWO_VECTORS 1
#else
#define TWO_VECTORS 0
#endif

static inline void load_weights(vec *b, const __global stored *w)
{
#if TWO_VECTORS
#pragma unroll
    for (uint j = 0; j < SUM_VECTORS; j += 2)
        LOAD_W_PAIRS(w + j * VEC, VEC, b[j], b[j + 1]);
#else
#pragma unroll
    for (uint j = 0; j < SUM_VECTORS; j++)
        b[j] = LOAD_W(w + j * VEC, VEC);
#endif
}

static inline void put_in_order(vec *total)
{
#if TWO_VECTORS
#pragma unroll
    for (uint i = 0; i < ROWS * VECTORS; i += 2) {
        vec low, high;
        low.even = total[i].lo;
        low.odd = total[i + 1].lo;
        high.even = total[i].hi;
        high.odd = total[i + 1].hi;
        total[i] = low;
        total[i + 1] = high;
    }
#else
    (void)total;
#endif
}

// total = sum over one chunk of `count` inputs, from x[.][first] and w on, added to total, for a block. `ahead`: what blocks ask for, a share of a
// column's bytes for each input.
static inline void add_block(vec *total, const X_SPACE float *const *x, const uint first, const __global stored *w, const uint count,
                             const __global char *const ahead)
{
    vec sum[SUM_ROWS * SUM_VECTORS];
#pragma unroll
    for (uint i = 0; i < SUM_ROWS * SUM_VECTORS; i++)
        sum[i] = 0.0f;
    for (uint k = 0; k < count; k++) {
        vec b[SUM_VECTORS];
#if PREFETCH && BLOCKS > 1
        PREFETCH_LINE(ahead + k * (PANEL * sizeof(stored) / BLOCKS));
#elif PREFETCH
#pragma unroll
        for (uint j = 0; j < COLS * sizeof(stored); j += 64)
            PREFETCH_LINE((const __global char *)(w + k * PANEL) + PREFETCH + j);
#else
        (void)ahead;
#endif
        load_weights(b, w + k * PANEL);
        add_column(sum, x, first + k, b);
    }
#pragma unroll
    for (uint i = 0; i < SUM_ROWS; i++)
#pragma unroll
        for (uint j = 0; j < SUM_VECTORS; j++)
            total[i * VECTORS + j] += sum[i * SUM_VECTORS + j];
}

static inline void add_chunk(vec *total, const X_SPACE float *const *x, const uint first, const __global stored *w, const uint count)
{
#if BLOCKS > 1
    const __global char *ahead = (const __global char *)(w + PREFETCH * CHUNK * PANEL);
    // Loops: each copy of a block's code would be compiled anew.
#pragma unroll 1
    for (uint i = 0; i < ROWS; i += SUM_ROWS)
#pragma unroll 1
        for (uint j = 0; j < COLS; j += SUM_COLS, ahead += CHUNK * PANEL * sizeof(stored) / BLOCKS)
            add_block(total + i * VECTORS + j / VEC, x + i, first, w + j, count, ahead);
#else
    add_block(total, x, first, w, count, 0);
#endif
}

static inline void product(vec *total, const X_SPACE float *const *x, const __global stored *panel, const uint columns, const uint lane,
                           const __global stored *const next, const uint more)
{
    (void)next, (void)more;
    const __global stored *const w = panel + lane;
#pragma unroll
    for (uint i = 0; i < ROWS * VECTORS; i++)
        total[i] = 0.0f;
    uint k = 0;
    for (; k + CHUNK <= columns; k += CHUNK)
        add_chunk(total, x, k, w + (size_t)k * PANEL, CHUNK);
    if (k < columns)
        add_chunk(total, x, k, w + (size_t)k * PANEL, columns - k);
    put_in_order(total);
}

#endif

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

// What comes of a unit's totals: `rows` of them are there. gated: of two panels, up being the second's; active: with the activation, which
// gated has anyway; add: 0, or y += add * ..
static inline void put_unit(__global float *y, const uint y_stride, const uint rows, const vec *const total, const vec *const up,
                            const bool gated, const bool active, const float add)
{
#pragma unroll
    for (uint i = 0; i < ROWS; i++) {
        if (i < rows) {
            __global float *to = y + (size_t)i * y_stride;
#pragma unroll
            for (uint j = 0; j < VECTORS; j++) {
                vec value = total[i * VECTORS + j];
                if (gated)
                    value = GATE(value, up[i * VECTORS + j], VEC);
                else if (active)
                    value = ACTIVATE(value, VEC);
                if (add != 0.0f)
                    value = MUL_ADD((vec)(add), value, LOAD_VECTOR(VEC, to + j * VEC));
                STORE_VECTOR(VEC, value, to + j * VEC);
            }
        }
    }
}

// One unit: ROWS rows by COLS outputs of the panel at `w`, from its row `lane` on. `bias` and `y` begin with the unit's first output.
// gated, active, add: as put_unit(). next: what will be read then, or null; of that not as much as a panel of this product is long, but so many times
// more.
static inline void serve_unit(__global float *y, const uint y_stride, const X_SPACE float *const *row, const uint rows,
                              const __global stored *w, const uint lane, const __global float *bias, const uint columns,
                              const bool gated, const bool active, const float add, const __global stored *const next, const uint more)
{
    vec total[ROWS * VECTORS], up[ROWS * VECTORS];
    product(total, row, w, columns, lane, gated ? w + PANEL_SIZE(columns) : next, gated ? 0 : more);
    add_bias(total, bias);
    if (gated) {
        product(up, row, w + PANEL_SIZE(columns), columns, lane, next, more);
        add_bias(up, bias ? bias + PANEL : bias);
    }
    put_unit(y, y_stride, rows, total, up, gated, active, add);
}

#endif
