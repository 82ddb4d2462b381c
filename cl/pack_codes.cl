// pack_codes: rows of codes, and of their scales, as core/storage.h lets them travel, into a region of panels of 32 rows (matrix.h)
//   to      one part of the matrix, panels of panel_bytes; the region begins `begin` bytes into each
//   from    from element from_offset on, [rows][count]: pack_plane: codes, a byte each, whose bits SHIFT .. SHIFT + BITS - 1 go to a plane;
//           pack_numbers: scales, minima, of SIZE bytes each
//   first_row     where row 0 goes, were the panels neighbours; panel p of those is panel p * panel_step + panel_shift of the part
// A work-item takes one panel by BLOCK columns, or groups. Rows of the panel that are not among those stay as they are.
// Launch    {ceil(count / BLOCK), panels that the rows touch}, local {1, 1} or any
// Build     -DBITS=1|2|4|8 -DSHIFT=0.. -DSIZE=1|2|4 -DBLOCK=1..
// Test      tests/device/test_matrix_codes.c

#include "common.h"

#ifndef BITS
#define BITS 4
#endif
#ifndef SHIFT
#define SHIFT 0
#endif
#ifndef SIZE
#define SIZE 2
#endif
#ifndef BLOCK
#define BLOCK 64
#endif
#define PANEL 32
#define PLANE (PANEL * BITS / 8) // bytes of a column

// Where row r's bits are: in which byte of a column, and from which bit on.
#if BITS == 1
#define BYTE_OF(r)  ((r) / 8)
#define PLACE_OF(r) ((r) % 8)
#define ROW_OF(i, q) (8 * (i) + (q)) // whose bits are the q-th of byte i
#else
#define BYTE_OF(r)  ((r) % PLANE)
#define PLACE_OF(r) ((r) / PLANE * BITS)
#define ROW_OF(i, q) ((i) + (q) * PLANE)
#endif
#define CODE_BITS(code) ((uint)(code) >> SHIFT & ((1u << BITS) - 1u))

#if SIZE == 1
typedef uchar number;
#elif SIZE == 2
typedef ushort number;
#else
typedef uint number;
#endif

// The rows of this work-item's panel.
typedef struct {
    uint  row, skip, count; // of `from`; where the first stands in the panel; how many: 0 where there are none
    ulong panel;            // of the part
} share;

static inline share share_of(const uint rows, const uint first_row, const uint panel_step, const int panel_shift)
{
    share      s;
    const uint panel = first_row / PANEL + (uint)get_global_id(1);
    s.skip = get_global_id(1) == 0 ? first_row % PANEL : 0;
    s.row = panel * PANEL + s.skip - first_row;
    s.count = s.row < rows ? min(rows - s.row, PANEL - s.skip) : 0;
    s.panel = (ulong)((int)(panel * panel_step) + panel_shift);
    return s;
}

#if BLOCK % 16 == 0
// BLOCK columns of a whole panel. A row is read once, and from end to end: rows may lie so far apart that few of them fit into a cache together.
static inline void pack_block(__global uchar *restrict to, const __global uchar *restrict from, const uint count)
{
    for (uint i = 0; i < PLANE; i++)
        for (uint k = 0; k < BLOCK; k += 16) {
            uchar16 bits = 0;
            uchar   one[16];
            for (uint q = 0; q < 8 / BITS; q++)
                bits |= (vload16(0, from + (ulong)ROW_OF(i, q) * count + k) >> (uchar)SHIFT & (uchar)((1u << BITS) - 1u)) << (uchar)(q * BITS);
            vstore16(bits, 0, one);
            for (uint j = 0; j < 16; j++)
                to[(k + j) * PLANE + i] = one[j];
        }
}
#endif

__kernel void pack_plane(__global uchar *restrict to, const ulong panel_bytes, const ulong begin, const __global uchar *restrict from,
                         const ulong from_offset, const uint count, const uint rows, const uint first_row, const uint panel_step,
                         const int panel_shift)
{
    const share s = share_of(rows, first_row, panel_step, panel_shift);
    const uint  first = (uint)get_global_id(0) * BLOCK, end = min(first + BLOCK, count);
    from += from_offset + (ulong)s.row * count;
    to += s.panel * panel_bytes + begin;
#if BLOCK % 16 == 0
    if (s.count == PANEL && end == first + BLOCK) {
        pack_block(to + (ulong)first * PLANE, from + first, count);
        return;
    }
#endif
    for (uint k = first; k < end && s.count == PANEL; k++)
        for (uint i = 0; i < PLANE; i++) {
            uint bits = 0;
            for (uint q = 0; q < 8 / BITS; q++) {
                bits |= CODE_BITS(from[(ulong)ROW_OF(i, q) * count + k]) << q * BITS;
            }
            to[(ulong)k * PLANE + i] = (uchar)bits;
        }
    for (uint k = first; k < end && s.count < PANEL; k++)
        for (uint r = 0; r < s.count; r++) {
            const uint           at = s.skip + r, place = PLACE_OF(at);
            __global uchar *const byte = to + (ulong)k * PLANE + BYTE_OF(at);
            *byte = (uchar)((*byte & ~(((1u << BITS) - 1u) << place)) | CODE_BITS(from[(ulong)r * count + k]) << place);
        }
}

__kernel void pack_numbers(__global uchar *restrict to, const ulong panel_bytes, const ulong begin, const __global number *restrict from,
                           const ulong from_offset, const uint count, const uint rows, const uint first_row, const uint panel_step,
                           const int panel_shift)
{
    const share            s = share_of(rows, first_row, panel_step, panel_shift);
    const uint             first = (uint)get_global_id(0) * BLOCK, end = min(first + BLOCK, count);
    __global number *const region = (__global number *)(to + s.panel * panel_bytes + begin) + s.skip;
    from += from_offset + (ulong)s.row * count;
    for (uint r = 0; r < s.count; r++)
        for (uint g = first; g < end; g++)
            region[(ulong)g * PANEL + r] = from[(ulong)r * count + g];
}
