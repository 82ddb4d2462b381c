// matmul_lanes_tile: y = epilogue(x * W^T + bias) for many rows, W in panels of 32 outputs, column by column (matrix.h)
//
// The shape for devices whose work-items are lanes (GPUs): a work-group takes a tile of TILE_ROWS rows by TILE_COLS outputs and goes through the
// inputs DEPTH at a time. Those of x (turned, so that rows are neighbours) and of W (widened to float; codes without their scales) lie in local memory, where
// each number serves the whole tile; a lane multiplies ROWS rows by COLS outputs in registers. While it does, the next inputs are
// already under way to its registers.
//
// A tile's columns are two halves: neighbouring outputs, or with GATED the gates and the ups of as many. A lane has COLS / 2 of each, so gate
// and up of an output meet in one lane.
//
// The order of summation is that of matmul.cl: chunks of 64 inputs, first to last, then added to the total. That takes two sets of
// accumulators; past the last input zeros are added, which change no bit. Of codes the chunks are spans, and a span's scales and the sums of x
// that minima are multiplied by lie in local memory too.
//
// Arguments as in matmul.cl, without a norm; `panels`: of this part. (TILE_ROWS + 4 + TILE_COLS) * DEPTH floats of local memory.
// Launch    global {ceil(rows / TILE_ROWS) * WG, ceil(outputs of this part (GATED: half of them) / (TILE_COLS, GATED: TILE_COLS / 2))},
//           local {WG, 1}, WG = TILE_ROWS / ROWS * TILE_COLS / COLS
// EXPERTS: the weights are those of many experts, and a tile of sorted slots stands for rows: moe_product.cl tells what the last four arguments
//           are. Launch then global {tiles * WG, as above for the panels of an expert}; add 0, at most TILE_ROWS slots a tile; x of less than 2^32 bytes
// Build     -DSTORAGE=0..3 (3: and what code_panel.h lists) [-DHAS_FP16] -DTILE_ROWS= -DTILE_COLS=32|64 -DDEPTH=8|16|32|64 (codes: dividing SPAN) -DROWS=4|8 (dividing TILE_ROWS) -DCOLS=4|8 (dividing TILE_COLS)
//           -DGATED=0|1 -DACTIVATION=0..9 -DEXPERTS=0|1; WG divides DEPTH * TILE_ROWS and DEPTH * TILE_COLS / 4; codes: WG >= TILE_ROWS
// Test      tests/cl/test_matmul_lanes.c, tests/cl/test_matmul_codes_lanes.c, tests/cl/test_moe.c

#define VEC 4

#include "epilogue.h"
#include "expert_tile.h"
#include "widen.h"

#ifndef TILE_ROWS
#define TILE_ROWS 64
#endif
#ifndef TILE_COLS
#define TILE_COLS 64
#endif
#ifndef DEPTH
#define DEPTH 16
#endif
#ifndef ROWS
#define ROWS 8
#endif
#ifndef COLS
#define COLS 4
#endif

#define PANEL   32
#if STORAGE == STORAGE_CODES
#define CHUNK SPAN
#else
#define CHUNK 64
#endif
#define HALF    (TILE_COLS / 2)
#define LANES   (TILE_COLS / COLS) // lanes side by side
#define WG      (TILE_ROWS / ROWS * LANES)
#define X_STEP  (TILE_ROWS + 4) // a multiple of 4 for loads of four; not of 32, for stores by lanes that differ in the input
#define X_LOADS (DEPTH * TILE_ROWS / WG)
#define W_LOADS (DEPTH * TILE_COLS / VEC / WG)

#if COLS == 4
#define HALF_COLS 2 // of a lane in each half of the tile
#elif COLS == 8
#define HALF_COLS 4
#endif
typedef VECTOR(float, HALF_COLS) cols;

#define FIRST_PANEL(tile) (GATED ? (tile) * HALF / PANEL * 2 : (tile) * TILE_COLS / PANEL) // of those that the tile touches

// Of the VEC columns from c on of a tile: their panel, counted from the tile's first on, times 32, and the first's place in it. A tile that
// reaches over the part's end takes its last outputs again.
static inline uint output_of(const uint tile, const uint c, const uint panels)
{
#if GATED
    const uint output = min(tile * HALF + c % HALF, panels * (PANEL / 2) - VEC);
    const uint panel = output / PANEL * 2 + c / HALF;
#else
    const uint output = min(tile * TILE_COLS + c, panels * PANEL - VEC);
    const uint panel = output / PANEL;
#endif
    return (panel - FIRST_PANEL(tile)) * PANEL + output % PANEL;
}

// What a lane carries from memory to local memory, x by input and W by column, so that neighbours read neighbours: the numbers, and where
// they lie, in bytes from an address that is the same for all lanes. 32 bits are enough for a tile, and half the work.
typedef struct load {
    float x[X_LOADS];
    stored_vec w[W_LOADS];
    uint x_at[X_LOADS], w_at[W_LOADS];
#if STORAGE == STORAGE_CODES
    uint    high_at[W_LOADS], output[W_LOADS]; // in the second plane; which of a panel's 32 it is
    number4 scale, minimum;                    // of four columns, by as many lanes as that takes
    uint    number_at, number_output;          // of their panel the first byte; the first of the four
#endif
} load;

#define X_INPUT(j)  (((uint)get_local_id(0) + (j) * WG) % DEPTH)
#define X_ROW(j)    (((uint)get_local_id(0) + (j) * WG) / DEPTH)
#define W_LINE(j)   (((uint)get_local_id(0) + (j) * WG) % (HALF / VEC) * VEC)
#define W_INPUT(j)  (((uint)get_local_id(0) + (j) * WG) / (HALF / VEC) % DEPTH)
#define W_HALF(j)   (((uint)get_local_id(0) + (j) * WG) / (HALF / VEC * DEPTH))
#define W_COLUMN(j) (W_HALF(j) * HALF + W_LINE(j))
#define NUMBER_COLUMN ((uint)get_local_id(0) % (TILE_COLS / 4) * 4) // the first of four whose scales a lane carries

#if STORAGE == STORAGE_CODES
#define PLACE_BYTES (4 * LOW_BITS) // from one input to the next
#else
#define PLACE_BYTES (PANEL * (uint)sizeof(stored))
#endif

// Asks for DEPTH inputs of the tile. x and w: of the first of them; `left`: how many there are; in place of others the first is read again.
// The loads stand behind no branch: a compiler that joins two ways waits there for what was loaded.
static inline void fetch(load *l, const __global float *x, const lane_weights w, const uint left)
{
    if (left < DEPTH) {
#pragma unroll
        for (uint j = 0; j < X_LOADS; j++)
            l->x_at[j] -= X_INPUT(j) < left ? 0 : X_INPUT(j) * (uint)sizeof(float);
#pragma unroll
        for (uint j = 0; j < W_LOADS; j++)
            l->w_at[j] -= W_INPUT(j) < left ? 0 : W_INPUT(j) * PLACE_BYTES;
#if STORAGE == STORAGE_CODES
#pragma unroll
        for (uint j = 0; j < W_LOADS; j++)
            l->high_at[j] -= W_INPUT(j) < left ? 0 : W_INPUT(j) * (4 * HIGH_BITS);
#endif
    }
#pragma unroll
    for (uint j = 0; j < X_LOADS; j++)
        l->x[j] = *(const __global float *)((const __global char *)x + l->x_at[j]);
#pragma unroll
    for (uint j = 0; j < W_LOADS; j++) {
#if STORAGE == STORAGE_CODES
        lane_weights at;
        at.low = w.low + l->w_at[j];
        at.high = w.high + l->high_at[j];
        l->w[j] = load_stored(at, 0, 0);
#else
        l->w[j] = *(const __global stored_vec *)((const __global char *)w + l->w_at[j]);
#endif
    }
}

#if STORAGE == STORAGE_CODES
// Asks for the scales and minima of input k. w: the tile's first panel.
static inline void fetch_numbers(load *l, const __global stored *w, const uint columns, const uint k)
{
    l->scale = LOAD_SCALE4(w + l->number_at, columns, k, l->number_output);
    if (MINIMUM)
        l->minimum = LOAD_MINIMUM4(w + l->number_at, columns, k, l->number_output);
}

static inline void put_numbers(const load *l, __local float *scales, __local float *minima)
{
    if (get_local_id(0) < TILE_COLS / 4) {
        *(__local float4 *)(scales + NUMBER_COLUMN) = number4_value(l->scale, SCALE);
        if (MINIMUM)
            *(__local float4 *)(minima + NUMBER_COLUMN) = number4_value(l->minimum, MINIMUM);
    }
}

#if MINIMUM
// A row's inputs into the eight sums of a span, by one lane for each row; and what they join to so far.
static inline void add_x(float *p, __local float *x_sums, const __local float *xs, const bool begins)
{
    const uint row = (uint)get_local_id(0);
    if (row < TILE_ROWS) {
#pragma unroll
        for (uint j = 0; j < 8; j++)
            p[j] = begins ? 0.0f : p[j];
#pragma unroll
        for (uint k = 0; k < DEPTH; k++)
            p[k % 8] += xs[k * X_STEP + row];
        x_sums[row] = join_of_span(p);
    }
}
#endif

// total = scale * sum + total, and then the minima. From the lane's first row and column on.
static inline void scale_sums(cols *total, const cols *sum, const __local float *scales, const __local float *minima, const __local float *x_sums)
{
    const cols s0 = *(const __local cols *)scales, s1 = *(const __local cols *)(scales + HALF);
#pragma unroll
    for (uint i = 0; i < ROWS; i++) {
        total[2 * i] = MUL_ADD(s0, sum[2 * i], total[2 * i]);
        total[2 * i + 1] = MUL_ADD(s1, sum[2 * i + 1], total[2 * i + 1]);
    }
    if (MINIMUM) {
        const cols m0 = *(const __local cols *)minima, m1 = *(const __local cols *)(minima + HALF);
#pragma unroll
        for (uint i = 0; i < ROWS; i++) {
            total[2 * i] = MUL_ADD(m0, (cols)(x_sums[i]), total[2 * i]);
            total[2 * i + 1] = MUL_ADD(m1, (cols)(x_sums[i]), total[2 * i + 1]);
        }
    }
}
#endif

// They go to local memory; an input that there is not becomes zero, and what is multiplied by it a weight, which is finite.
static inline void put(load *l, __local float *xs, __local float *ws, const uint left, const __local float *table)
{
    (void)table; // of codes alone
    if (left < DEPTH) {
#pragma unroll
        for (uint j = 0; j < X_LOADS; j++)
            l->x[j] = X_INPUT(j) < left ? l->x[j] : 0.0f;
    }
#pragma unroll
    for (uint j = 0; j < X_LOADS; j++)
        xs[X_INPUT(j) * X_STEP + X_ROW(j)] = l->x[j];
#pragma unroll
    for (uint j = 0; j < W_LOADS; j++)
        *(__local vec *)(ws + W_INPUT(j) * TILE_COLS + W_COLUMN(j)) = WIDEN(l->w[j], l->output[j], table);
}

// sum += the DEPTH inputs in local memory, from the lane's first row and column on.
static inline void multiply(cols *sum, const __local float *xs, const __local float *ws)
{
#pragma unroll
    for (uint k = 0; k < DEPTH; k++) {
        const cols b0 = *(const __local cols *)(ws + k * TILE_COLS), b1 = *(const __local cols *)(ws + k * TILE_COLS + HALF);
#pragma unroll
        for (uint i = 0; i < ROWS; i += 4) {
            const float4 a = *(const __local float4 *)(xs + k * X_STEP + i);
            sum[2 * i] = MUL_ADD((cols)(a.x), b0, sum[2 * i]);
            sum[2 * i + 1] = MUL_ADD((cols)(a.x), b1, sum[2 * i + 1]);
            sum[2 * i + 2] = MUL_ADD((cols)(a.y), b0, sum[2 * i + 2]);
            sum[2 * i + 3] = MUL_ADD((cols)(a.y), b1, sum[2 * i + 3]);
            sum[2 * i + 4] = MUL_ADD((cols)(a.z), b0, sum[2 * i + 4]);
            sum[2 * i + 5] = MUL_ADD((cols)(a.z), b1, sum[2 * i + 5]);
            sum[2 * i + 6] = MUL_ADD((cols)(a.w), b0, sum[2 * i + 6]);
            sum[2 * i + 7] = MUL_ADD((cols)(a.w), b1, sum[2 * i + 7]);
        }
    }
}

// A half of a lane's outputs of one row; `up` only with GATED.
static inline void store_half(__global float *to, const cols total, const cols up, const float add)
{
    float sums[HALF_COLS], ups[HALF_COLS];
    STORE_VECTOR(HALF_COLS, total, sums);
    STORE_VECTOR(HALF_COLS, up, ups);
#pragma unroll
    for (uint j = 0; j < HALF_COLS; j++)
        store_output(to + j, sums[j], ups[j], add);
}

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void matmul_lanes_tile(__global float *restrict y, const ulong y_offset, const uint y_stride, const __global float *restrict x,
                       const ulong x_offset, const uint x_stride, const __global stored *restrict w, uint first_panel,
                       const __global float *restrict bias, const uint columns, uint rows, const float add, uint panels
#if EXPERTS
                       , const uint each, const __global uint *restrict row_of, const __global uint4 *restrict tiles
#endif
                       )
{
    __local float xs[DEPTH * X_STEP] __attribute__((aligned(16)));
    __local float ws[DEPTH * TILE_COLS] __attribute__((aligned(16)));
#if STORAGE == STORAGE_CODES
    __local float scales[TILE_COLS] __attribute__((aligned(16)));
#endif
#if STORAGE == STORAGE_CODES && MINIMUM
    __local float minima[TILE_COLS] __attribute__((aligned(16))), x_sums[TILE_ROWS];
    float p[8];
#elif STORAGE == STORAGE_CODES
    __local float *const minima = 0, *const x_sums = 0;
#endif
#if STORAGE == STORAGE_CODES && CODE == CODE_TABLE
    __local float table[16];
#else
    const __local float *const table = 0;
#endif
    const uint lid = (uint)get_local_id(0), tile = (uint)get_group_id(1);
    const uint tile_row = EXPERTS ? 0 : (uint)get_group_id(0) * TILE_ROWS;
    const uint own_row = lid / LANES * ROWS, own_col = lid % LANES * HALF_COLS;
    load l;
    cols sum[2 * ROWS], total[2 * ROWS];
#if EXPERTS
    const expert_tile of_expert = expert_tile_of(tiles[get_group_id(0)], each, first_panel, panels);
    if (of_expert.slots == 0 || FIRST_PANEL(tile) >= of_expert.count) // alike for the whole group
        return;
    rows = of_expert.slots;
    first_panel = of_expert.first;
    panels = of_expert.count;
    w += of_expert.skipped * PANEL_SIZE(columns);
    y += (size_t)of_expert.slot * y_stride;
    bias += bias ? (size_t)of_expert.begin * PANEL : 0;
#define X_ROW_OF(i) row_of_slot(of_expert, i, row_of)
#else
#define X_ROW_OF(i) min(i, rows - 1 - tile_row)
#endif
    x += x_offset + (size_t)tile_row * x_stride;
    w += FIRST_PANEL(tile) * PANEL_SIZE(columns);
    const lane_weights weights = weights_of_lane(w, columns, 0);
#pragma unroll
    for (uint j = 0; j < X_LOADS; j++) // past the last row again that one
        l.x_at[j] = (X_ROW_OF(X_ROW(j)) * x_stride + X_INPUT(j)) * (uint)sizeof(float);
#pragma unroll
    for (uint j = 0; j < W_LOADS; j++) {
        const uint output = output_of(tile, W_COLUMN(j), panels);
#if STORAGE == STORAGE_CODES
        l.output[j] = output % PANEL;
        l.w_at[j] = output / PANEL * CODE_PANEL_BYTES(columns) + LOW_BYTE(output % PANEL) + W_INPUT(j) * PLACE_BYTES;
        l.high_at[j] = output / PANEL * CODE_PANEL_BYTES(columns) + HIGH_BYTE(output % PANEL) + W_INPUT(j) * (4 * HIGH_BITS);
#else
        l.w_at[j] = (output / PANEL * columns * PANEL + output % PANEL) * (uint)sizeof(stored) + W_INPUT(j) * PLACE_BYTES;
#endif
    }
#if STORAGE == STORAGE_CODES
    l.number_output = output_of(tile, NUMBER_COLUMN, panels) % PANEL;
    l.number_at = output_of(tile, NUMBER_COLUMN, panels) / PANEL * CODE_PANEL_BYTES(columns);
#endif
#pragma unroll
    for (uint i = 0; i < 2 * ROWS; i++)
        sum[i] = total[i] = 0.0f;

#if STORAGE == STORAGE_CODES && CODE == CODE_TABLE
    put_table(table);
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    fetch(&l, x, weights, columns);
#if STORAGE == STORAGE_CODES
    fetch_numbers(&l, w, columns, 0);
#endif
    for (uint k = 0; k < columns; k += DEPTH) {
        const bool ends = (k + DEPTH) % CHUNK == 0 || k + DEPTH >= columns; // a chunk
        put(&l, xs, ws, columns - k, table);
#if STORAGE == STORAGE_CODES
        put_numbers(&l, scales, minima);
#endif
        barrier(CLK_LOCAL_MEM_FENCE);
        if (k + DEPTH < columns) {
            fetch(&l, x + (k + DEPTH), later(weights, k + DEPTH), columns - k - DEPTH);
#if STORAGE == STORAGE_CODES
            fetch_numbers(&l, w, columns, k + DEPTH);
#endif
        }
#if STORAGE == STORAGE_CODES && MINIMUM
        add_x(p, x_sums, xs, k % CHUNK == 0);
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        multiply(sum, xs + own_row, ws + own_col);
        if (ends) {
#if STORAGE == STORAGE_CODES
            scale_sums(total, sum, scales + own_col, minima + own_col, x_sums + own_row);
#pragma unroll
            for (uint i = 0; i < 2 * ROWS; i++)
                sum[i] = 0.0f;
#else
#pragma unroll
            for (uint i = 0; i < 2 * ROWS; i++) {
                total[i] += sum[i];
                sum[i] = 0.0f;
            }
#endif
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    // Outputs of the part; the lane's first of each half (GATED: the gate's and the up's are one), and their row of W.
    const uint outputs = panels * (GATED ? PANEL / 2 : PANEL);
    const uint at = tile * (GATED ? HALF : TILE_COLS) + own_col, at1 = at + (GATED ? 0 : HALF);
    const uint row0 = GATED ? at / PANEL * 2 * PANEL + at % PANEL : at, row1 = GATED ? row0 + PANEL : at1;
    y += y_offset + (size_t)first_panel * (GATED ? PANEL / 2 : PANEL);
    if (bias) {
        const cols b0 = at < outputs ? LOAD_VECTOR(HALF_COLS, bias + (size_t)first_panel * PANEL + row0) : (cols)(0.0f);
        const cols b1 = at1 < outputs ? LOAD_VECTOR(HALF_COLS, bias + (size_t)first_panel * PANEL + row1) : (cols)(0.0f);
#pragma unroll
        for (uint i = 0; i < ROWS; i++) {
            total[2 * i] += b0;
            total[2 * i + 1] += b1;
        }
    }
#pragma unroll
    for (uint i = 0; i < ROWS; i++) {
        const uint row = tile_row + own_row + i;
        __global float *const to = y + (size_t)row * y_stride;
        if (row < rows && at < outputs)
            store_half(to + at, total[2 * i], total[2 * i + 1], add);
        if (row < rows && at1 < outputs - GATED * outputs)
            store_half(to + at1, total[2 * i + 1], total[2 * i + 1], add);
    }
}
