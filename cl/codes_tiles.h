// codes_tiles.h: a unit of a product for many rows where weights are codes: tiles of ROWS rows of x, up to TILES of them, by COLS outputs of a panel
//
// What codes stand for is unpacked once, SHARED inputs at a time with the scales and minima of their spans, and multiplied by all rows of the
// item: with ROWS rows alone unpacking costs as much as the product. The totals of all rows wait in memory meanwhile. Sums of x over spans, which
// minima are multiplied by, come from a launch before this one (span_sums.cl), or each panel would add them up again. Order and bits as in
// codes_unit.h.
//
// Included by matmul.cl.   Build  -DTILES=2..
#ifndef OCLM_CODES_TILES_H
#define OCLM_CODES_TILES_H

#include "matmul_unit.h"

#define TILE_VECTORS (ROWS * VECTORS)
#define SHARED       128 // a multiple of every CODE_SPAN; as vectors of floats they fit into the nearest cache
#define SHARED_SPANS (SHARED / CODE_SPAN)

// What a work-item shares: inputs `begin` .. `end` - 1, for all of its tiles.
typedef struct unpacked {
    vec  code[SHARED * VECTORS], scale[SHARED_SPANS * VECTORS], minimum[SHARED_SPANS * VECTORS];
    uint begin, end;
} unpacked;

static inline void unpack(unpacked *const u, const code_rows r, const uint begin, const uint end)
{
    u->begin = begin;
    u->end = end;
    for (uint k = begin; k < end; k++)
        code_column(u->code + (k - begin) * VECTORS, r, k);
    for (uint k = begin, span = 0; k < end; k += CODE_SPAN, span++)
        span_numbers(u->scale + span * VECTORS, u->minimum + span * VECTORS, r, k);
}

// The rows that an item multiplies: row 0, and how many there are from it on; their sums, those of a span's rows side by side.
typedef struct tile_rows {
    const X_SPACE float  *x;
    const __global float *sums;
    uint                  x_stride, sums_stride, rows;
} tile_rows;

// total [ROWS][VECTORS]
static inline void add_unpacked(vec *const total, const unpacked *const u, const tile_rows of, const uint tile)
{
    const X_SPACE float *row[ROWS];
    const __global float *sums = of.sums + (size_t)(u->begin / CODE_SPAN) * of.sums_stride + tile * ROWS;
    const vec *code = u->code, *scale = u->scale, *minimum = u->minimum;
#pragma unroll
    for (uint i = 0; i < ROWS; i++)
        row[i] = of.x + (size_t)min(tile * ROWS + i, of.rows - 1) * of.x_stride; // past the end: again the last row
#pragma unroll 1
    for (uint first = u->begin; first < u->end; first += CODE_SPAN) {
        const uint last = min(first + CODE_SPAN, u->end);
        vec   sum[TILE_VECTORS];
        float xsum[ROWS];
#pragma unroll
        for (uint i = 0; i < TILE_VECTORS; i++)
            sum[i] = 0.0f;
        uint k = first;
#pragma unroll 1
        for (; k + 2 <= last; k += 2, code += 2 * VECTORS) { // two, for half the jumps; more of them, and compilers run out of registers
            add_column(sum, row, k, code);
            add_column(sum, row, k + 1, code + VECTORS);
        }
        if (k < last) {
            add_column(sum, row, k, code);
            code += VECTORS;
        }
#if MINIMUM
#pragma unroll
        for (uint i = 0; i < ROWS; i++)
            xsum[i] = sums[i];
        sums += of.sums_stride;
#endif
        add_sums(total, sum, scale, minimum, xsum);
        scale += VECTORS;
        minimum += VECTORS;
    }
}

// total [tiles][ROWS][VECTORS]
static inline void product_of_tiles(vec *const total, const tile_rows of, const uint tiles, const __global stored *const panel, const uint columns,
                                    const uint lane)
{
    const code_rows r = code_rows_of(panel, columns, lane);
    unpacked        u;
    for (uint i = 0; i < tiles * TILE_VECTORS; i++)
        total[i] = 0.0f;
    for (uint begin = 0; begin < columns; begin += SHARED) {
        unpack(&u, r, begin, min(begin + SHARED, columns));
        for (uint tile = 0; tile < tiles; tile++)
            add_unpacked(total + tile * TILE_VECTORS, &u, of, tile);
    }
    for (uint i = 0; i < tiles * ROWS; i++)
        order_as_rows(total + i * VECTORS);
}

// As serve_unit(), for so many tiles.
static inline void serve_tiles(__global float *const y, const uint y_stride, const tile_rows of, const uint tiles, const __global stored *const w,
                               const uint lane, const __global float *const bias, const uint columns, const bool gated, const bool active,
                               const float add)
{
    vec total[TILES * TILE_VECTORS];
    product_of_tiles(total, of, tiles, w, columns, lane);
#if GATED
    vec up[TILES * TILE_VECTORS];
    if (gated)
        product_of_tiles(up, of, tiles, w + PANEL_SIZE(columns), columns, lane);
#endif
    for (uint tile = 0; tile < tiles; tile++) {
        vec *const t = total + tile * TILE_VECTORS, *u = t;
        add_bias(t, bias);
#if GATED
        u = up + tile * TILE_VECTORS;
        if (gated)
            add_bias(u, bias ? bias + PANEL : bias);
#endif
        put_unit(y + (size_t)tile * ROWS * y_stride, y_stride, of.rows - tile * ROWS, t, u, gated, active, add);
    }
}

#endif
