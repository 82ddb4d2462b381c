// matmul_lanes: y = epilogue(norm(x) * W^T + bias) for one or a few rows, W in panels of 32 outputs, column by column (matrix.h)
//
// The shape for devices whose work-items are lanes (GPUs). What counts is to keep enough reads of W in flight. A work-group takes a panel
// (GATED: the pair of gate and up) for ROWS rows. A lane holds VEC neighbouring outputs, so that PANEL / VEC lanes read a column in one go and
// UNROLL columns before the first is used; such a slice takes a chunk of 64 inputs (codes: a span), and the group's SLICES take as many chunks at
// a time. x comes through local memory, normalised on the way, for the inputs of those chunks only: any number of columns fits.
//
// The order of summation is that of matmul.cl: a chunk first to last, and then, through local memory, the chunks' sums in their
// order by one lane for each output. So the bits do not depend on WG, VEC, ROWS, nor on which of the two kernels it was.
// Of codes a span's sum is multiplied by its scale where it joins the total; scales, minima and the sums of x that minima are multiplied by come
// to that through local memory too: each is loaded once, all at a time, while x is.
//
// Arguments as in matmul.cl, but local memory is the kernel's own: ROWS * WG * VEC * 17 / 2 bytes (x and the sums take turns). Codes:
// at most (4 * GATES * ROWS + 8 * GATES) * WG * VEC and a little.
// Launch    global {ceil(rows / ROWS) * WG, panels of this part (GATED: half of them)}, local {WG, 1}
// EXPERTS: the weights are those of many experts, and a tile of sorted slots stands for rows: moe_product.cl tells what the last four arguments
//           are. Launch then global {tiles * WG, panels of an expert (GATED: half of them)}; no norm, add 0, at most ROWS slots a tile
// Build     -DSTORAGE=0..3 (3: and what code_panel.h lists) [-DHAS_FP16] -DWG=<a multiple of 32 that is a power of two> -DROWS=1..4
//           -DVEC=2|4|8 (codes: 4|8) -DUNROLL=4|8|16
//           -DNORM=0..3 -DGATED=0|1 -DACTIVATION=0..9 -DEXPERTS=0|1
// Test      tests/cl/test_matmul_lanes.c, tests/cl/test_matmul_codes_lanes.c, tests/cl/test_moe.c

#ifndef WG
#define WG 256
#endif
#ifndef ROWS
#define ROWS 1
#endif
#ifndef VEC
#define VEC 4
#endif

#include "widen.h"

#if STORAGE == STORAGE_CODES
#define CHUNK SPAN
#else
#define CHUNK 64
#endif
#define NORM_LOADS (VEC * CHUNK / 32) // of a lane, for the inputs of all chunks: SLICES * CHUNK / WG

#include "epilogue.h"
#include "expert_tile.h"
#include "norm_group.h"

#ifndef NORM
#define NORM NORM_NONE
#endif
#ifndef UNROLL
#define UNROLL 8
#endif

#define PANEL  32
#define SLICES (WG * VEC / PANEL)
#define PIECE  (SLICES * CHUNK) // inputs at a time
#define STRIDE (CHUNK + 4)      // of a chunk in local memory: slices of a wave read different banks
#define X_ROW  (SLICES * STRIDE)
#define GATES  (GATED + 1)
#define OWN    ((PANEL * ROWS + WG - 1) / WG) // outputs that a lane adds up
#define SHARED (ROWS * SLICES * (STRIDE > GATES * PANEL ? STRIDE : GATES * PANEL)) // floats: x, or sums

// The inputs begin .. begin + count - 1 of all rows, normalised, to local memory. What lies past them there is never used.
static inline void take_x(__local float *x, const __global float *const *rows, const float2 *of, const __global float *norm_w,
                          const __global float *norm_b, const uint begin, const uint count)
{
    const uint lid = (uint)get_local_id(0);
#pragma unroll
    for (uint r = 0; r < ROWS; r++) {
        float loaded[NORM_LOADS];
#pragma unroll
        for (uint j = 0; j < NORM_LOADS; j++)
            loaded[j] = rows[r][NORM_INDEX(begin, j, count)];
        if (NORM != NORM_NONE)
            norm_apply_group(loaded, of[r], norm_w, norm_b, begin, count, NORM);
#pragma unroll
        for (uint j = 0; j < NORM_LOADS; j++) {
            const uint k = lid + j * WG;
            x[r * X_ROW + k / CHUNK * STRIDE + k % CHUNK] = loaded[j];
        }
    }
}

// sum += UNROLL columns from number `first` of x and w on, all of which are read before the first is used.
static inline void add_columns(vec *sum, const __local float *x, const lane_weights w, const size_t panel_size, const uint first, const uint lane,
                               const __local float *table)
{
    stored_vec column[GATES * UNROLL];
    const lane_weights from = later(w, first);
    (void)lane; // of codes alone
    (void)table;
#pragma unroll
    for (uint k = 0; k < UNROLL; k++)
#pragma unroll
        for (uint g = 0; g < GATES; g++)
            column[g * UNROLL + k] = load_stored(from, g * panel_size, k);
#pragma unroll
    for (uint k = 0; k < UNROLL; k += 4)
#pragma unroll
        for (uint r = 0; r < ROWS; r++) {
            const float4 a = *(const __local float4 *)(x + r * X_ROW + first + k);
#pragma unroll
            for (uint g = 0; g < GATES; g++) {
                const stored_vec *const b = column + g * UNROLL + k;
                sum[g * ROWS + r] = MUL_ADD((vec)(a.x), WIDEN(b[0], lane, table), sum[g * ROWS + r]);
                sum[g * ROWS + r] = MUL_ADD((vec)(a.y), WIDEN(b[1], lane, table), sum[g * ROWS + r]);
                sum[g * ROWS + r] = MUL_ADD((vec)(a.z), WIDEN(b[2], lane, table), sum[g * ROWS + r]);
                sum[g * ROWS + r] = MUL_ADD((vec)(a.w), WIDEN(b[3], lane, table), sum[g * ROWS + r]);
            }
        }
}

// The sum of a chunk of `count` inputs, from x and w on.
static inline void add_chunk(vec *sum, const __local float *x, const lane_weights w, const size_t panel_size, const uint count, const uint lane,
                             const __local float *table)
{
    uint k = 0;
#pragma unroll 1
    for (; k + UNROLL <= count; k += UNROLL)
        add_columns(sum, x, w, panel_size, k, lane, table);
#pragma unroll 1
    for (; k < count; k++)
#pragma unroll
        for (uint r = 0; r < ROWS; r++)
#pragma unroll
            for (uint g = 0; g < GATES; g++) {
                const stored_vec b = load_stored(later(w, k), g * panel_size, 0);
                sum[g * ROWS + r] = MUL_ADD((vec)(x[r * X_ROW + k]), WIDEN(b, lane, table), sum[g * ROWS + r]);
            }
}

#if STORAGE == STORAGE_CODES
#define NUMBERS (MINIMUM ? 2 : 1) // scales, and minima

// A lane's scales and minima of its chunk go to numbers[scale or minimum][gate][slice][output].
static inline void take_numbers(__local float *numbers, const __global stored *w, const uint columns, const uint k, const uint slice, const uint lane)
{
#pragma unroll
    for (uint g = 0; g < GATES; g++)
#pragma unroll
        for (uint q = 0; q < QUADS; q++) {
            __local float *const to = numbers + (g * SLICES + slice) * PANEL + lane + 16 * q;
            const __global stored *const of = w + g * PANEL_SIZE(columns);
            *(__local float4 *)to = number4_value(LOAD_SCALE4(of, columns, k, lane + 16 * q), SCALE);
            if (MINIMUM)
                *(__local float4 *)(to + GATES * SLICES * PANEL) = number4_value(LOAD_MINIMUM4(of, columns, k, lane + 16 * q), MINIMUM);
        }
}

#if MINIMUM
// The sums of x in chunks, x_sums[row][slice], for the minima: each by one lane, in the order of matmul.cl.
static inline void put_x_sums(__local float *x_sums, const __local float *x, const uint count)
{
    const uint lid = (uint)get_local_id(0), row = lid / SLICES, slice = lid % SLICES, first = slice * CHUNK;
    if (row < ROWS && first < count)
        x_sums[row * SLICES + slice] = sum_of_span(x + row * X_ROW + slice * STRIDE, min(count - first, (uint)CHUNK));
}
#endif
#endif

// Chunks' sums in their order: sums[gate][row][slice][output]; of codes each times its scale.
static inline void add_sums(float *total, const __local float *sums, const uint chunks, const __local float *numbers, const __local float *x_sums)
{
    (void)numbers;
    (void)x_sums;
    const uint lid = (uint)get_local_id(0);
#pragma unroll
    for (uint own = 0; own < OWN; own++) {
        const uint row = (lid + own * WG) / PANEL, output = lid % PANEL;
        if (row < ROWS) {
#pragma unroll
            for (uint g = 0; g < GATES; g++) {
                const __local float *const from = sums + (g * ROWS + row) * SLICES * PANEL + output;
#if STORAGE == STORAGE_CODES
                const __local float *const scales = numbers + g * SLICES * PANEL + output, *const minima = scales + GATES * SLICES * PANEL;
#pragma unroll 4
                IN_ORDER for (uint s = 0; s < chunks; s++) {
                    total[own * GATES + g] = MUL_ADD(scales[s * PANEL], from[s * PANEL], total[own * GATES + g]);
                    if (MINIMUM)
                        total[own * GATES + g] = MUL_ADD(minima[s * PANEL], x_sums[row * SLICES + s], total[own * GATES + g]);
                }
#else
#pragma unroll 4
                IN_ORDER for (uint s = 0; s < chunks; s++)
                    total[own * GATES + g] += from[s * PANEL];
#endif
            }
        }
    }
}

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void matmul_lanes(__global float *restrict y, const ulong y_offset, const uint y_stride, const __global float *restrict x,
                  const ulong x_offset, const uint x_stride, const __global stored *restrict w, uint first_panel,
                  const __global float *restrict bias, const uint columns, uint rows, const float add
#if NORM
                  , const __global float *restrict norm_w, const __global float *restrict norm_b, const float eps
#endif
#if EXPERTS
                  , const uint part_panels, const uint panels, const __global uint *restrict row_of, const __global uint4 *restrict tiles
#endif
                  )
{
    __local float shared[SHARED] __attribute__((aligned(32))); // x, and between its pieces the chunks' sums
#if STORAGE == STORAGE_CODES
    __local float numbers[NUMBERS * GATES * SLICES * PANEL] __attribute__((aligned(16)));
#else
    const __local float *const numbers = 0;
#endif
#if STORAGE == STORAGE_CODES && MINIMUM
    __local float x_sums[ROWS * SLICES];
#else
    const __local float *const x_sums = 0;
#endif
#if STORAGE == STORAGE_CODES && CODE == CODE_TABLE
    __local float table[16];
#else
    const __local float *const table = 0;
#endif
    const uint lid = (uint)get_local_id(0), slice = lid / (PANEL / VEC), lane = LANE_OUTPUT(lid % (PANEL / VEC));
    const uint first_row = EXPERTS ? 0 : (uint)get_group_id(0) * ROWS, panel = (uint)get_group_id(1);
    const size_t panel_size = PANEL_SIZE(columns);
    const __global float *row[ROWS];
    float2 of[ROWS];
    float total[OWN * GATES];
#if EXPERTS
    const expert_tile of_expert = expert_tile_of(tiles[get_group_id(0)], panels, first_panel, part_panels);
    if (of_expert.slots == 0 || panel * GATES >= of_expert.count) // alike for the whole group
        return;
    rows = of_expert.slots;
    first_panel = of_expert.first;
    w += of_expert.skipped * panel_size;
    y += (size_t)of_expert.slot * y_stride;
    bias += bias ? (size_t)of_expert.begin * PANEL : 0;
#endif
#if !NORM
    const __global float *const norm_w = 0, *const norm_b = 0;
#endif
#pragma unroll
    for (uint r = 0; r < ROWS; r++) {
#if EXPERTS
        row[r] = x + x_offset + (size_t)row_of_slot(of_expert, r, row_of) * x_stride;
#else
        row[r] = x + x_offset + (size_t)min(first_row + r, rows - 1) * x_stride; // past the end: again the last row
#endif
#if NORM
        of[r] = norm_of_row_group(row[r], columns, eps, NORM, shared);
#else
        of[r] = 0.0f;
#endif
    }
#pragma unroll
    for (uint i = 0; i < OWN * GATES; i++)
        total[i] = 0.0f;
    w += panel * GATES * panel_size;
    const lane_weights from = weights_of_lane(w, columns, lane);
#if STORAGE == STORAGE_CODES && CODE == CODE_TABLE
    put_table(table);
#endif

    for (uint begin = 0; begin < columns; begin += PIECE) {
        const uint count = min(columns - begin, (uint)PIECE), first = slice * CHUNK;
        vec sum[GATES * ROWS];
#pragma unroll
        for (uint i = 0; i < GATES * ROWS; i++)
            sum[i] = 0.0f;
#if STORAGE == STORAGE_CODES
        take_numbers(numbers, w, columns, begin + min(first, count - 1), slice, lane);
#endif
        take_x(shared, row, of, norm_w, norm_b, begin, count);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (first < count)
            add_chunk(sum, shared + slice * STRIDE, later(from, begin + first), panel_size, min(count - first, (uint)CHUNK), lane, table);
#if STORAGE == STORAGE_CODES && MINIMUM
        put_x_sums(x_sums, shared, count);
#endif
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (uint i = 0; i < GATES * ROWS; i++)
            put_vec(shared + (i * SLICES + slice) * PANEL, lane, sum[i]);
        barrier(CLK_LOCAL_MEM_FENCE);
        add_sums(total, shared, (count + CHUNK - 1) / CHUNK, numbers, x_sums);
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    const size_t output = (size_t)panel * PANEL + lid % PANEL;
    y += y_offset + (size_t)(first_panel / GATES) * PANEL + output;
    bias += bias ? (size_t)(first_panel + panel * GATES) * PANEL + lid % PANEL : 0;
#pragma unroll
    for (uint own = 0; own < OWN; own++) {
        const uint r = (lid + own * WG) / PANEL;
        float *const sums = total + own * GATES;
        if (r < ROWS && first_row + r < rows) {
            if (bias) {
#pragma unroll
                for (uint g = 0; g < GATES; g++)
                    sums[g] += bias[g * PANEL];
            }
            store_output(y + (size_t)(first_row + r) * y_stride, sums[0], sums[GATES - 1], add);
        }
    }
}
