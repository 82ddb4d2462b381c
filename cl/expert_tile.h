// expert_tile.h: what a tile of sorted slots (moe_sort.cl) has to do with one part of a matrix of experts, for products with -DEXPERTS=1
//
// There a tile takes the place of rows, and its expert's panels, as far as they are in the part, that of the part's panels.
#ifndef OCLM_EXPERT_TILE_H
#define OCLM_EXPERT_TILE_H

#ifndef EXPERTS
#define EXPERTS 0
#endif

typedef struct expert_tile {
    uint slot, slots;  // the first, and how many; 0: nothing to do
    uint begin;        // the expert's first panel in the matrix
    uint first, count; // its panels in this part, from begin on
    uint skipped;      // panels of the part before them
} expert_tile;

// `each`: panels of an expert; `first_panel`, `part_panels`: the part's.
static inline expert_tile expert_tile_of(const uint4 tile, const uint each, const uint first_panel, const uint part_panels)
{
    expert_tile t;
    t.begin = tile.x * each;
    const uint low = max(t.begin, first_panel), high = min(t.begin + each, first_panel + part_panels);
    t.slot = tile.y;
    t.slots = low < high ? tile.z : 0;
    t.first = low - t.begin;
    t.count = high - low;
    t.skipped = low - first_panel;
    return t;
}

// Which row of x is the slot number i of the tile; past the end again the last one.
static inline uint row_of_slot(const expert_tile t, const uint i, const __global uint *row_of)
{
    const uint slot = t.slot + min(i, t.slots - 1);
    return row_of ? row_of[slot] : slot;
}

#endif
