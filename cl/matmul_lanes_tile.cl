// matmul_lanes_tile: y = epilogue(x * W^T + bias) for many rows, W in panels of 32 outputs, column by column (matrix.h)
//
// The shape for devices whose work-items are lanes (GPUs): a work-group takes a tile of TILE_ROWS rows by TILE_COLS outputs and goes through the
// inputs DEPTH at a time. Those of x (turned, so that rows are neighbours) and of W (widened to float) lie in local memory, where
// each number serves the whole tile; a lane multiplies ROWS rows by COLS outputs in registers. While it does, the next inputs are
// already under way to its registers.
//
// A tile's columns are two halves: neighbouring outputs, or with GATED the gates and the ups of as many. A lane has COLS / 2 of each, so gate
// and up of an output meet in one lane.
//
// The order of summation is that of matmul.cl: chunks of 64 inputs, first to last, then added to the total. That takes two sets of
// accumulators; past the last input zeros are added, which change no bit.
//
// Arguments as in matmul.cl, without a norm; `panels`: of this part. (TILE_ROWS + 4 + TILE_COLS) * DEPTH floats of local memory.
// Launch    global {ceil(rows / TILE_ROWS) * WG, ceil(outputs of this part (GATED: half of them) / (TILE_COLS, GATED: TILE_COLS / 2))},
//           local {WG, 1}, WG = TILE_ROWS / ROWS * TILE_COLS / COLS
// Build     -DSTORAGE=0..2 -DTILE_ROWS= -DTILE_COLS=32|64 -DDEPTH=8|16|32|64 -DROWS=4|8 (dividing TILE_ROWS) -DCOLS=4|8 (dividing TILE_COLS)
//           -DGATED=0|1 -DACTIVATION=0..8; WG divides DEPTH * TILE_ROWS and DEPTH * TILE_COLS / 4
// Test      tests/cl/test_matmul_lanes.c

#define VEC 4

#include "epilogue.h"
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
#define CHUNK   64
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

// Where the VEC columns from c on lie in w: the element of input 0. A tile that reaches over the part's end takes its last outputs again.
static inline size_t column_at(const uint tile, const uint c, const uint panels, const size_t panel_size)
{
#if GATED
    const uint output = min(tile * HALF + c % HALF, panels * (PANEL / 2) - VEC);
    const uint panel = output / PANEL * 2 + c / HALF;
#else
    const uint output = min(tile * TILE_COLS + c, panels * PANEL - VEC);
    const uint panel = output / PANEL;
#endif
    return panel * panel_size + output % PANEL;
}

// What a lane carries from memory to local memory: x by input, W by column, so that neighbours read neighbours.
typedef struct load {
    float x[X_LOADS];
    stored_vec w[W_LOADS];
} load;

#define X_INPUT(j)  (((uint)get_local_id(0) + (j) * WG) % DEPTH)
#define X_ROW(j)    (((uint)get_local_id(0) + (j) * WG) / DEPTH)
#define W_LINE(j)   (((uint)get_local_id(0) + (j) * WG) % (HALF / VEC) * VEC)
#define W_INPUT(j)  (((uint)get_local_id(0) + (j) * WG) / (HALF / VEC) % DEPTH)
#define W_HALF(j)   (((uint)get_local_id(0) + (j) * WG) / (HALF / VEC * DEPTH))
#define W_COLUMN(j) (W_HALF(j) * HALF + W_LINE(j))

static inline void fetch(load *l, const __global float *const *x, const __global stored *const *w, const uint k, const uint columns)
{
#pragma unroll
    for (uint j = 0; j < X_LOADS; j++)
        l->x[j] = x[j][min(k + X_INPUT(j), columns - 1)];
#pragma unroll
    for (uint j = 0; j < W_LOADS; j++)
        l->w[j] = *(const __global stored_vec *)(w[j] + (size_t)min(k + W_INPUT(j), columns - 1) * PANEL);
}

static inline void put(const load *l, __local float *xs, __local float *ws, const uint k, const uint columns)
{
#pragma unroll
    for (uint j = 0; j < X_LOADS; j++)
        xs[X_INPUT(j) * X_STEP + X_ROW(j)] = k + X_INPUT(j) < columns ? l->x[j] : 0.0f;
#pragma unroll
    for (uint j = 0; j < W_LOADS; j++)
        *(__local vec *)(ws + W_INPUT(j) * TILE_COLS + W_COLUMN(j)) = k + W_INPUT(j) < columns ? WIDEN(l->w[j]) : (vec)(0.0f);
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
            sum[2 * i] += a.x * b0;
            sum[2 * i + 1] += a.x * b1;
            sum[2 * i + 2] += a.y * b0;
            sum[2 * i + 3] += a.y * b1;
            sum[2 * i + 4] += a.z * b0;
            sum[2 * i + 5] += a.z * b1;
            sum[2 * i + 6] += a.w * b0;
            sum[2 * i + 7] += a.w * b1;
        }
    }
}

// A lane's outputs of one row. `at`: the lane's first output in y (GATED: of the gate), as the part counts them; `left`: outputs of the part.
static inline void store_row(__global float *y, const cols *total, const __global float *bias, const uint at, const uint left,
                             const uint accumulate)
{
    float sums[COLS]; // of both halves
    STORE_VECTOR(HALF_COLS, total[0], sums);
    STORE_VECTOR(HALF_COLS, total[1], sums + HALF_COLS);
#pragma unroll
    for (uint j = 0; j < COLS; j++) {
        const uint second = j / HALF_COLS, output = at + j % HALF_COLS + (GATED ? 0 : second * HALF);
        const uint row = GATED ? (output / PANEL * 2 + second) * PANEL + output % PANEL : output; // of W and of the bias
        if (output < left) {
            if (bias)
                sums[j] += bias[row];
            if (!GATED || second == 1)
                store_output(y + output, sums[GATED ? j - HALF_COLS : j], sums[j], accumulate);
        }
    }
}

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void matmul_lanes_tile(__global float *restrict y, const ulong y_offset, const uint y_stride, const __global float *restrict x,
                       const ulong x_offset, const uint x_stride, const __global stored *restrict w, const uint first_panel,
                       const __global float *restrict bias, const uint columns, const uint rows, const uint accumulate,
                       const uint panels)
{
    __local float xs[DEPTH * X_STEP] __attribute__((aligned(16)));
    __local float ws[DEPTH * TILE_COLS] __attribute__((aligned(16)));
    const uint lid = (uint)get_local_id(0), tile = (uint)get_group_id(1);
    const uint tile_row = (uint)get_group_id(0) * TILE_ROWS;
    const uint own_row = lid / LANES * ROWS, own_col = lid % LANES * HALF_COLS;
    const __global float *x_from[X_LOADS];
    const __global stored *w_from[W_LOADS];
    load l;
    cols sum[2 * ROWS], total[2 * ROWS];
#pragma unroll
    for (uint j = 0; j < X_LOADS; j++)
        x_from[j] = x + x_offset + (size_t)min(tile_row + X_ROW(j), rows - 1) * x_stride; // past the end: again the last row
#pragma unroll
    for (uint j = 0; j < W_LOADS; j++)
        w_from[j] = w + column_at(tile, W_COLUMN(j), panels, (size_t)columns * PANEL);
#pragma unroll
    for (uint i = 0; i < 2 * ROWS; i++)
        sum[i] = total[i] = 0.0f;

    fetch(&l, x_from, w_from, 0, columns);
    for (uint k = 0; k < columns; k += DEPTH) {
        put(&l, xs, ws, k, columns);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (k + DEPTH < columns)
            fetch(&l, x_from, w_from, k + DEPTH, columns);
        multiply(sum, xs + own_row, ws + own_col);
        if ((k + DEPTH) % CHUNK == 0 || k + DEPTH >= columns) {
#pragma unroll
            for (uint i = 0; i < 2 * ROWS; i++) {
                total[i] += sum[i];
                sum[i] = 0.0f;
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    const uint at = tile * (GATED ? HALF : TILE_COLS) + own_col;
    y += y_offset + (size_t)first_panel * (GATED ? PANEL / 2 : PANEL);
    bias += bias ? (size_t)first_panel * PANEL : 0;
#pragma unroll
    for (uint i = 0; i < ROWS; i++) {
        const uint row = tile_row + own_row + i;
        if (row < rows)
            store_row(y + (size_t)row * y_stride, total + 2 * i, bias, at, panels * (GATED ? PANEL / 2 : PANEL), accumulate);
    }
}
