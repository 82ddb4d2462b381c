// pack: a slab of a checkpoint's tensor, as it lies in the file, into panels of 32 rows, column by column (matrix.h)
//   from    from element from_offset on, [rows][stride] of FROM, or with TRANSPOSED [columns][stride]: `rows` outputs by `columns` inputs
//   to      one part of the matrix, panels of `all_columns` columns
//   first_row     where the slab's row 0 goes, were the panels neighbours; panel p of those is panel p * panel_step + panel_shift of
//                 the part: so that gate and up can take turns
//   first_column  where the slab's column 0 goes
// A work-item takes one panel by BLOCK columns
// Launch    {ceil(columns / BLOCK), panels that the rows touch}, local {1, 1} or any
// Build     -DFROM=0..2 -DTO=0..2 (0: float32, 1: float16, 2: bfloat16) -DTRANSPOSED=0|1 -DBLOCK=1..
// Rounds to nearest even, in integer arithmetic: the same bits as core_f32_to_f16() and core_f32_to_bf16(), on every device.
// Test      tests/cl/test_pack.c

#include "common.h"

#ifndef FROM
#define FROM 0
#endif
#ifndef TO
#define TO 0
#endif
#ifndef TRANSPOSED
#define TRANSPOSED 0
#endif
#ifndef BLOCK
#define BLOCK 64
#endif
#define PANEL 32

#if FROM == 0
typedef uint from_type;
#else
typedef ushort from_type;
#endif
#if TO == 0
typedef uint to_type;
#else
typedef ushort to_type;
#endif

// The bits of a float that has the value of these bits of FROM.
static inline uint to_float_bits(const from_type bits)
{
#if FROM == 0
    return bits;
#elif FROM == 2
    return (uint)bits << 16;
#else
    const uint sign = ((uint)bits & 0x8000u) << 16;
    const uint magnitude = (uint)bits & 0x7fffu;
    if (magnitude >= 0x7c00u)
        return sign | 0x7f800000u | (magnitude & 0x3ffu) << 13;
    if (magnitude >= 0x0400u)
        return sign | ((magnitude << 13) + 0x38000000u);
    return sign | as_uint((float)magnitude * 0x1p-24f); // subnormal: an exact number of 2^-24
#endif
}

static inline to_type from_float_bits(const uint bits)
{
#if TO == 0
    return bits;
#elif TO == 2
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (to_type)(bits >> 16 | 0x40u); // NaN stays one
    return (to_type)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
#else
    const uint sign = bits >> 16 & 0x8000u;
    const uint magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (to_type)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x47800000u) // 65536 and more
        return (to_type)(sign | 0x7c00u);
    if (magnitude >= 0x38800000u) // 2^-14 and more: round at bit 13; a carry into the exponent is right, up to infinity
        return (to_type)(sign | ((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13));
    // Subnormal: adding 0.5 makes the sum's last place 2^-24, so the hardware's addition rounds to nearest even.
    return (to_type)(sign | (as_uint(as_float(magnitude) + 0.5f) - 0x3f000000u));
#endif
}

static inline to_type convert_stored(const from_type bits)
{
    return FROM == TO ? (to_type)bits : from_float_bits(to_float_bits(bits));
}

__kernel void pack_columns(__global to_type *restrict to, const uint all_columns, const __global from_type *restrict from,
                           const ulong from_offset, const uint stride, const uint rows, const uint columns, const uint first_row,
                           const uint first_column, const uint panel_step, const int panel_shift)
{
    const uint begin = (uint)get_global_id(0) * BLOCK;
    const uint end = min(begin + BLOCK, columns);
    const uint panel = first_row / PANEL + (uint)get_global_id(1);
    // The slab's rows that lie in this panel, and where the first of them stands in it.
    const uint skip = get_global_id(1) == 0 ? first_row % PANEL : 0;
    const uint row = panel * PANEL + skip - first_row;
    if (row >= rows)
        return;
    const uint count = min(rows - row, PANEL - skip);
    from += from_offset;
    to += (size_t)((int)(panel * panel_step) + panel_shift) * all_columns * PANEL + (size_t)first_column * PANEL + skip;
#if TRANSPOSED
    from += row;
    for (uint k = begin; k < end; k++)
        for (uint r = 0; r < count; r++)
            to[(size_t)k * PANEL + r] = convert_stored(from[(size_t)k * stride + r]);
#else
    from += (size_t)row * stride;
    if (count == PANEL) {
        for (uint k = begin; k < end; k++)
            for (uint r = 0; r < PANEL; r++)
                to[(size_t)k * PANEL + r] = convert_stored(from[(size_t)r * stride + k]);
    } else {
        for (uint k = begin; k < end; k++)
            for (uint r = 0; r < count; r++)
                to[(size_t)k * PANEL + r] = convert_stored(from[(size_t)r * stride + k]);
    }
#endif
}
