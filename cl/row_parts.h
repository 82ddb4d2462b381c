// row_parts.h: how kernels go through rows of scores, on devices whose work-items are cores and on those whose are lanes, by one source
//
// A row is cut into parts of `part` scores (a multiple of 16). On cores a work-item takes a part alone, one score after the other; on lanes a
// work-group does, neighbouring lanes neighbouring scores:
//   for (uint i = begin + LANE; i < end; i += LANES)
// What is known of a whole row stands in its workspace (sample.h), part for part. JOINT: declared in a kernel that asks for it.
// Launch    {parts * WG, rows}, local {WG, 1}; WG = 1: any local size
// Build     -DWG=<power of two>: lanes that share a part; 1: none do
#ifndef OCLM_ROW_PARTS_H
#define OCLM_ROW_PARTS_H

#ifndef WG
#define WG 1
#endif

#include "sample.h"
#if WG > 1
#include "lanes.h"
#define GROUP __attribute__((reqd_work_group_size(WG, 1, 1)))
#define LANE  LID
#define PART  ((uint)get_group_id(0))
#define PARTS ((uint)get_num_groups(0))
#define ROW   (get_group_id(1))
#define LANES WG
#define JOINT __local ulong values[WG]
#else
#define GROUP
#define LANE  0u
#define PART  ((uint)get_global_id(0))
#define PARTS ((uint)get_global_size(0))
#define ROW   (get_global_id(1))
#define LANES 1u
#define JOINT __local ulong *const values = 0
#endif

// The largest, or the sum, of what the lanes of a part hold.
static inline ulong largest_of_part(__local ulong *const values, const ulong own)
{
#if WG > 1
    return largest_of_group(values, own);
#else
    (void)values;
    return own;
#endif
}

static inline ulong sum_of_part(__local ulong *const values, const ulong own)
{
#if WG > 1
    return sum_of_group(values, own);
#else
    (void)values;
    return own;
#endif
}

static inline float largest_score(const __global ulong *const space, const uint parts, __local ulong *const values)
{
    ulong largest = 0;
    for (uint p = LANE; p < parts; p += LANES)
        largest = max(largest, space[LARGEST(parts) + p]);
    return float_of((uint)largest_of_part(values, largest));
}

// Of the numbers that stand from `at` on, one for each part.
static inline ulong sum_of_row(const __global ulong *const space, const size_t at, const uint parts, __local ulong *const values)
{
    ulong sum = 0;
    for (uint p = LANE; p < parts; p += LANES)
        sum += space[at + p];
    return sum_of_part(values, sum);
}

// log(sum of e^(x - largest)).
static inline float log_of_mass(const ulong total)
{
    return log_f1((float)total * 9.09494702e-13f); // 2^-40
}

#endif
