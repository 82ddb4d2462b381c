// row_parts.h: how kernels go through rows of scores, on devices whose work-items are cores and on those whose are lanes, by one source
//
// A row is cut into parts of `part` scores (a multiple of 16). On cores a work-item takes a part alone, one score after the other; on lanes a
// work-group does, neighbouring lanes neighbouring scores:
//   for (uint i = begin + LANE; i < end; i += LANES)
// What is known of a whole row stands in its workspace (sample.h), part for part: few numbers, which every lane adds up by itself. Barriers stand
// under no condition: PoCL makes a copy of all that follows for each that does.
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
#else
#define GROUP
#define LANE  0u
#define PART  ((uint)get_global_id(0))
#define PARTS ((uint)get_global_size(0))
#define ROW   (get_global_id(1))
#define LANES 1u
#endif

// Of the numbers that stand from `at` on, one for each part.
static inline ulong sum_of_row(const __global ulong *const space, const size_t at, const uint parts)
{
    ulong sum = 0;
    for (uint p = 0; p < parts; p++)
        sum += space[at + p];
    return sum;
}

#define UNIT_OF_MASS 9.09494702e-13f // 2^-40

// log(sum of e^(x - largest)).
static inline float log_of_mass(const ulong total)
{
    return log_f1((float)total * UNIT_OF_MASS);
}

#endif
