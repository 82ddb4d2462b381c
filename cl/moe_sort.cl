// moe_sort: sorts what rows chose by expert, so that an expert's rows are neighbours and its weights are read once for all of them
//
// A slot is one choice of one row. In `ids` slots lie by row (slot s is of row s / chosen); sorted, by expert, and of one expert by row: an order that
// depends on nothing but ids.
//
//   ids       uint [slots], each < count
//   row_of    uint [slots]: the row of a sorted slot
//   place_of  uint [slots]: where a slot of `ids` comes to be
//   tiles     uint4 [tile_count]: expert, first sorted slot, number of slots (1 .. tile_rows), 0. One expert's tiles are neighbours; those that
//             are not needed have number 0
// Launch    global {WG}, local {WG}: a single work-group; 3 * count uints of local memory. A lane has every WG-th expert and reads all ids
// Build     -DWG=<power of two>
// Test      tests/cl/test_moe.c

#ifndef WG
#define WG 1
#endif

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void moe_sort(const __global uint *restrict ids, __global uint *restrict row_of, __global uint *restrict place_of,
              __global uint4 *restrict tiles, const uint slots, const uint chosen, const uint count, const uint tile_rows,
              const uint tile_count, __local uint *number, __local uint *first, __local uint *first_tile)
{
    const uint lid = (uint)get_local_id(0);
    for (uint e = lid; e < count; e += WG)
        number[e] = 0;
    for (uint s = 0; s < slots; s++)
        if (ids[s] % WG == lid)
            number[ids[s]]++;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid == 0) {
        uint slot = 0, tile = 0;
        for (uint e = 0; e < count; e++) {
            first[e] = slot;
            first_tile[e] = tile;
            slot += number[e];
            tile += (number[e] + tile_rows - 1) / tile_rows;
        }
        for (; tile < tile_count; tile++)
            tiles[tile] = 0;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint e = lid; e < count; e += WG)
        for (uint done = 0, tile = first_tile[e]; done < number[e]; done += tile_rows, tile++)
            tiles[tile] = (uint4)(e, first[e] + done, min(number[e] - done, tile_rows), 0);
    for (uint s = 0; s < slots; s++)
        if (ids[s] % WG == lid) {
            const uint place = first[ids[s]]++;
            row_of[place] = s / chosen;
            place_of[s] = place;
        }
}
