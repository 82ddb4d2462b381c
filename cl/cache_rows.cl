// cache_rows: keys and values of a pass's rows out of a layer's pages, one row after another, and back into the pages of another device's
// copy of that layer: a layer of another device reads them
//
//   keys, values   as in kept.h, bytes
//   table          int32 [sequences][pages_per_sequence]; positions, sequences   int32 [rows]
//   packed         bytes [rows][2][KV_HEADS][HEAD_DIM]: fp32, keys, then values; with QUANTIZED int8, and behind each
//                  head the 4 bytes of its scale
// Launch    {HEAD_DIM, 2 * KV_HEADS, rows}; any local size
// Build     -DHEAD_DIM=1.. -DKV_HEADS=1.. -DQUANTIZED=0|1
// Test      tests/cl/test_cache_rows.c

#ifndef HEAD_DIM
#define HEAD_DIM 4
#endif
#ifndef KV_HEADS
#define KV_HEADS 1
#endif
#ifndef QUANTIZED
#define QUANTIZED 0
#endif
#define PAGE 32

#if QUANTIZED
typedef char kept;
#define SCALES 1
#else
typedef float kept;
#define SCALES 0
#endif
#define PAGE_BYTES (PAGE * (HEAD_DIM * sizeof(kept) + SCALES * 4)) // of a head
#define ROW_BYTES  (HEAD_DIM * sizeof(kept) + SCALES * 4)         // likewise

// Where a head's page is, of keys or values.
static inline size_t page_at(const __global int *const table, const uint pages_per_sequence, const int sequence, const uint position, const uint head)
{
    return ((size_t)table[(size_t)sequence * pages_per_sequence + position / PAGE] * KV_HEADS + head) * PAGE_BYTES;
}

// Keys lie [HEAD_DIM][PAGE], values [PAGE][HEAD_DIM].
static inline uint element_at(const bool value, const uint place, const uint d) { return value ? place * HEAD_DIM + d : d * PAGE + place; }

__kernel void cache_rows_take(const __global char *restrict keys, const __global char *restrict values, const __global int *restrict table,
                              const uint pages_per_sequence, const __global int *restrict positions, const __global int *restrict sequences,
                              __global char *restrict packed)
{
    const uint d = (uint)get_global_id(0), which = (uint)get_global_id(1);
    const size_t row = get_global_id(2);
    const uint position = (uint)positions[row], place = position % PAGE;
    const bool value = which >= KV_HEADS;
    const __global char *const page = (value ? values : keys) +
        page_at(table, pages_per_sequence, sequences[row], position, value ? which - KV_HEADS : which);
    __global char *const to = packed + (row * 2 * KV_HEADS + which) * ROW_BYTES;
    ((__global kept *)to)[d] = ((const __global kept *)page)[element_at(value, place, d)];
#if QUANTIZED
    for (uint i = d; i < 4; i += HEAD_DIM) // bytes of the scale
        to[HEAD_DIM + i] = page[PAGE * HEAD_DIM + place * 4 + i];
#endif
}

__kernel void cache_rows_put(__global char *restrict keys, __global char *restrict values, const __global int *restrict table,
                             const uint pages_per_sequence, const __global int *restrict positions, const __global int *restrict sequences,
                             const __global char *restrict packed)
{
    const uint d = (uint)get_global_id(0), which = (uint)get_global_id(1);
    const size_t row = get_global_id(2);
    const uint position = (uint)positions[row], place = position % PAGE;
    const bool value = which >= KV_HEADS;
    __global char *const page = (value ? values : keys) +
        page_at(table, pages_per_sequence, sequences[row], position, value ? which - KV_HEADS : which);
    const __global char *const from = packed + (row * 2 * KV_HEADS + which) * ROW_BYTES;
    ((__global kept *)page)[element_at(value, place, d)] = ((const __global kept *)from)[d];
#if QUANTIZED
    for (uint i = d; i < 4; i += HEAD_DIM)
        page[PAGE * HEAD_DIM + place * 4 + i] = from[HEAD_DIM + i];
#endif
}
