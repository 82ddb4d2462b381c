// codes.h: codes of a few bits, in panels (code_panel.h), one at a time: what they stand for
//
//   code_of(panel, columns, k, row)          the code of input k and row `row` of the panel, as a float
//   code_scale_of(..), code_minimum_of(..)   what its group is multiplied by and shifted
//   code_value(..)                           scale * code + minimum: the product rounded, then the sum, as the formats' own decoders do
//
// Build     as code_panel.h
// Test      tests/cl/test_matmul_codes.c
#ifndef OCLM_CODES_H
#define OCLM_CODES_H

#include "code_panel.h"
#include "storage.h"

// A code's bits. The high plane's byte or word of an input holds those of several rows, HIGH_BITS each.
static inline uint code_bits_of(const __global uchar *const panel, const uint columns, const uint k, const uint row)
{
#if LOW_BITS == 8
    return panel[(size_t)k * 32 + row];
#else
    const uint low_row = row % (4 * LOW_BITS);
    uint bits = (uint)panel[(size_t)k * (4 * LOW_BITS) + low_row] >> row / (4 * LOW_BITS) * LOW_BITS & ((1u << LOW_BITS) - 1u);
#if HIGH_BITS == 2
    bits |= ((uint)panel[HIGH_PLANE_AT(columns) + (size_t)k * 8 + row % 8] >> row / 8 * 2 & 3u) << LOW_BITS;
#elif HIGH_BITS == 1
    bits |= ((uint)panel[HIGH_PLANE_AT(columns) + (size_t)k * 4 + row / 8] >> row % 8 & 1u) << LOW_BITS;
#endif
    return bits;
#endif
}

#if CODE == CODE_TABLE
static __constant float code_table[16] = { CODE_TABLE_VALUES }; // static: units that are linked have their own
#endif

static inline float code_of(const __global uchar *const panel, const uint columns, const uint k, const uint row)
{
    const uint bits = code_bits_of(panel, columns, k, row);
#if CODE == CODE_INT
    return (float)((int)(bits << (32 - BITS)) >> (32 - BITS));
#elif CODE == CODE_UINT
    return (float)bits;
#elif CODE == CODE_TABLE
    return code_table[bits];
#else
    const float size = bits & 0x78u ? as_float(((bits & 0x7fu) << 20) + (120u << 23)) : (float)(bits & 7u) * 0x1p-9f;
    return bits & 0x80u ? -size : size;
#endif
}

// Of a region of scales or minima, of whatever kind; `super` is the region of the float16s that its bytes are multiplied by.
static inline float code_number_of(const __global uchar *const numbers, const uint kind, const __global uchar *const super, const uint k,
                                   const uint row)
{
    const uint i = GROUP_OF(k) * 32 + row;
    if (kind == SCALE_F32)
        return ((const __global float *)numbers)[i];
    if (kind == SCALE_F16)
        return F16_ONE((const __global ushort *)numbers + i);
    if (kind == SCALE_E8M0)
        return as_float(numbers[i] ? (uint)numbers[i] << 23 : 0x00400000u);
    const float of_all = F16_ONE((const __global ushort *)super + k / SUPER_GROUP * 32 + row);
    return (kind == SCALE_I8_F16 ? (float)as_char(numbers[i]) : (float)numbers[i]) * of_all;
}

static inline float code_scale_of(const __global uchar *const panel, const uint columns, const uint k, const uint row)
{
    return code_number_of(panel + SCALES_AT(columns), SCALE, panel + SUPER_SCALES_AT(columns), k, row);
}

static inline float code_minimum_of(const __global uchar *const panel, const uint columns, const uint k, const uint row)
{
    return MINIMUM == SCALE_NONE ? 0.0f : code_number_of(panel + MINIMA_AT(columns), MINIMUM, panel + SUPER_MINIMA_AT(columns), k, row);
}

static inline float code_value(const __global uchar *const panel, const uint columns, const uint k, const uint row)
{
    volatile float product = code_scale_of(panel, columns, k, row) * code_of(panel, columns, k, row); // or it might be rounded with the sum
    return MINIMUM == SCALE_NONE ? product : product + code_minimum_of(panel, columns, k, row);
}

#endif
