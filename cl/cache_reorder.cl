// cache_reorder: sequences go on from others of their group, as beams do: what each holds becomes what its origin held (model/cache_reorder.c).
//
// Nothing is copied that need not be. Whole pages are never written again: the table says where each sequence finds them, and is permuted. The
// page that is being filled belongs to its sequence alone, so its contents change places, as do states of layers without attention; a
// sequence that stays its own origin is left alone. In place: whoever stands at an element reads it of the whole group before it writes.
//
//   origins    int32 [sequences]: the sequence that each goes on from, of its own group
//   positions  int32 [sequences]: how many each holds; alike within a group
// Groups are GROUP neighbouring sequences.
// Build     -DGROUP=1.. -DWIDTH=1|4: floats that a work-item moves of each sequence; pages take 4
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

// The pages that are being filled, of up to eight buffers (keys and values of four layers; the last may be NULL). Launch {page_floats / 4, groups, 8}
__kernel void reorder_pages(__global float *b0, __global float *b1, __global float *b2, __global float *b3, __global float *b4,
                            __global float *b5, __global float *b6, __global float *b7, const uint page_floats,
                            const __global int *restrict table, const uint stride, const __global int *restrict origins,
                            const __global int *restrict positions)
{
    const uint first = (uint)get_global_id(1) * GROUP, which = (uint)get_global_id(2), length = (uint)positions[first];
    __global float *const low = which == 0 ? b0 : which == 1 ? b1 : which == 2 ? b2 : b3;
    __global float *const high = which == 4 ? b4 : which == 5 ? b5 : which == 6 ? b6 : b7;
    __global float *const buffer = which < 4 ? low : high;
    size_t starts[GROUP];
    if (buffer == 0 || length % PAGE == 0 || !moves(origins, first))
        return;
    for (uint k = 0; k < GROUP; k++)
        starts[k] = (size_t)table[(size_t)(first + k) * stride + length / PAGE] * page_floats;
    exchange(buffer, starts, origins, first, (uint)get_global_id(0));
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
