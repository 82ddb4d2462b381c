// cache_reorder: sequences go on from others of their group, as beams do: what each holds becomes what its origin held (model/cache_reorder.c).
//
// Nothing is copied that need not be. Whole pages are never written again: the table says where each sequence finds them, and is permuted. The
// page that is being filled belongs to its sequence alone, so its contents change places, as do states of layers without attention; a
// sequence that stays its own origin is left alone. In place: whoever stands at an element reads it of the whole group before it writes.
//
//   origins    int32 [sequences]: the sequence that each goes on from, of its own group
//   positions  int32 [sequences]: how many each holds; alike within a group
// Groups are GROUP neighbouring sequences.
// Build     -DGROUP=1.. -DWIDTH=1|4|16: floats that are moved at once; pages are a multiple of 32
// Test      tests/model/test_cache_reorder.c

#include "common.h"

#ifndef GROUP
#define GROUP 4
#endif
#ifndef WIDTH
#define WIDTH 4
#endif
#define PAGE  32u
#define FLOAT VECTOR(float, WIDTH)

// Whole pages. Launch {entries of a table row, groups}
__kernel void reorder_table(__global int *restrict table, const uint stride, const __global int *restrict origins,
                            const __global int *restrict positions)
{
    const uint column = (uint)get_global_id(0), first = (uint)get_global_id(1) * GROUP;
    int pages[GROUP];
    if ((column + 1) * PAGE > (uint)positions[first])
        return;
    for (uint k = 0; k < GROUP; k++)
        pages[k] = table[(size_t)origins[first + k] * stride + column];
    for (uint k = 0; k < GROUP; k++)
        table[(size_t)(first + k) * stride + column] = pages[k];
}

static inline bool moves(const __global int *const origins, const uint first)
{
    bool any_moves = false;
    for (uint k = 0; k < GROUP; k++)
        any_moves = any_moves || origins[first + k] != (int)(first + k);
    return any_moves;
}

// WIDTH floats of all sequences of a group, each of which begins at its place in `starts`, a multiple of WIDTH.
static inline void exchange(__global float *const base, const size_t *const starts, const __global int *const origins, const uint first,
                            const uint element)
{
    FLOAT held[GROUP];
    for (uint k = 0; k < GROUP; k++)
        if (origins[first + k] != (int)(first + k))
            held[k] = ((const __global FLOAT *)(base + starts[(uint)origins[first + k] - first]))[element];
    for (uint k = 0; k < GROUP; k++)
        if (origins[first + k] != (int)(first + k))
            ((__global FLOAT *)(base + starts[k]))[element] = held[k];
}

// The pages that are being filled, of up to 64 buffers (keys and values of layers; those past the last are NULL): one launch where each would
// wake the cores anew. Launch {items, groups, buffers}: an item moves a piece of a page
#define EIGHT_POINTERS(i)                                                                                                        \
    __global float *b##i##0, __global float *b##i##1, __global float *b##i##2, __global float *b##i##3, __global float *b##i##4, \
        __global float *b##i##5, __global float *b##i##6, __global float *b##i##7
#define ONE_OF_EIGHT(i, n)                                                                                                       \
    ((n) < 4 ? ((n) < 2 ? ((n) == 0 ? b##i##0 : b##i##1) : ((n) == 2 ? b##i##2 : b##i##3))                                       \
             : ((n) < 6 ? ((n) == 4 ? b##i##4 : b##i##5) : ((n) == 6 ? b##i##6 : b##i##7)))

__kernel void reorder_pages(EIGHT_POINTERS(0), EIGHT_POINTERS(1), EIGHT_POINTERS(2), EIGHT_POINTERS(3), EIGHT_POINTERS(4),
                            EIGHT_POINTERS(5), EIGHT_POINTERS(6), EIGHT_POINTERS(7), const uint page_floats,
                            const __global int *restrict table, const uint stride, const __global int *restrict origins,
                            const __global int *restrict positions)
{
    const uint first = (uint)get_global_id(1) * GROUP, which = (uint)get_global_id(2), length = (uint)positions[first];
    const uint eight = which / 8, n = which % 8;
    __global float *const low = eight < 2 ? eight == 0 ? ONE_OF_EIGHT(0, n) : ONE_OF_EIGHT(1, n)
                                          : eight == 2 ? ONE_OF_EIGHT(2, n) : ONE_OF_EIGHT(3, n);
    __global float *const high = eight < 6 ? eight == 4 ? ONE_OF_EIGHT(4, n) : ONE_OF_EIGHT(5, n)
                                           : eight == 6 ? ONE_OF_EIGHT(6, n) : ONE_OF_EIGHT(7, n);
    __global float *const buffer = eight < 4 ? low : high;
    const uint elements = page_floats / WIDTH, piece = (elements + (uint)get_global_size(0) - 1) / (uint)get_global_size(0);
    const uint begin = (uint)get_global_id(0) * piece, end = min(begin + piece, elements);
    size_t starts[GROUP];
    if (length % PAGE == 0 || !moves(origins, first))
        return;
    for (uint k = 0; k < GROUP; k++)
        starts[k] = (size_t)table[(size_t)(first + k) * stride + length / PAGE] * page_floats;
    for (uint i = begin; i < end; i++)
        exchange(buffer, starts, origins, first, i);
}

// States of `floats` (a multiple of WIDTH) of each sequence. Launch {floats / WIDTH, groups}
__kernel void reorder_states(__global float *restrict states, const uint floats, const __global int *restrict origins)
{
    const uint first = (uint)get_global_id(1) * GROUP;
    size_t starts[GROUP];
    if (!moves(origins, first))
        return;
    for (uint k = 0; k < GROUP; k++)
        starts[k] = (size_t)(first + k) * floats;
    exchange(states, starts, origins, first, (uint)get_global_id(0));
}
