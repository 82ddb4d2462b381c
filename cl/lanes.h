// lanes.h: what the WG lanes of a work-group have found, joined: all of it integers, so that the order does not matter
//
// `values`: WG of them in local memory, free again afterwards. Every lane must call.
// Build     -DWG=<power of two>
#ifndef OCLM_LANES_H
#define OCLM_LANES_H

#define LID ((uint)get_local_id(0))

static inline ulong largest_of_group(__local ulong *const values, const ulong own)
{
    values[LID] = own;
    for (uint width = WG / 2; width > 0; width >>= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (LID < width)
            values[LID] = max(values[LID], values[LID + width]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const ulong largest = values[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return largest;
}

static inline ulong sum_of_group(__local ulong *const values, const ulong own)
{
    values[LID] = own;
    for (uint width = WG / 2; width > 0; width >>= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (LID < width)
            values[LID] += values[LID + width];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const ulong sum = values[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}

// The sum of this lane's and all lower ones'; `total`: of all.
static inline ulong sum_up_to(__local ulong *const values, const ulong own, ulong *const total)
{
    values[LID] = own;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint width = 1; width < WG; width <<= 1) {
        const ulong before = LID >= width ? values[LID - width] : 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        values[LID] += before;
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const ulong sum = values[LID];
    *total = values[WG - 1];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}

#endif
