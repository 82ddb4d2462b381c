/* lookup.c: a hash table for each size of group, open addressing; only places are stored, the ids themselves are compared in the text. */
#include "generation/lookup.h"

#include <assert.h>
#include <string.h>

#define FEWEST_IDS 1024u

static uint32_t table_count(const gen_lookup *lookup)
{
    return lookup->largest < GEN_LOOKUP_TABLES ? lookup->largest : GEN_LOOKUP_TABLES;
}

/* One more id, in front of a group. */
static uint64_t hash_on(uint64_t hash, int32_t id)
{
    hash = (hash ^ (uint32_t)id) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

/* The slot of a group of `size` ids that begins at `begin`: its own, or the empty one where it belongs. */
static uint32_t *slot_of(const gen_lookup *lookup, uint32_t size, uint32_t begin, uint64_t hash)
{
    const int32_t *group = lookup->ids + begin;
    uint32_t      *table = lookup->tables[size - 1];
    for (uint32_t i = (uint32_t)(hash >> 32);; i++) {
        uint32_t *slot = &table[i & (lookup->slots - 1)];
        if (*slot == GEN_LOOKUP_EMPTY || memcmp(lookup->ids + *slot, group, size * sizeof *group) == 0)
            return slot;
    }
}

/* Enters the groups that end with the id at `last`, where none like them stands before. */
static void enter(gen_lookup *lookup, uint32_t last)
{
    uint64_t hash = 0;
    for (uint32_t size = 1; size <= table_count(lookup) && size <= last + 1; size++) {
        const uint32_t begin = last + 1 - size;
        hash = hash_on(hash, lookup->ids[begin]);
        uint32_t *slot = slot_of(lookup, size, begin, hash);
        if (*slot == GEN_LOOKUP_EMPTY)
            *slot = begin;
    }
}

/* Makes room for `room` ids: larger tables are filled anew. */
static oclm_status grow(gen_lookup *lookup, uint32_t room)
{
    uint32_t slots = 2 * FEWEST_IDS;
    int32_t *ids = core_realloc_array(lookup->ids, room, sizeof *ids, "the text of a prompt lookup");
    if (ids == NULL)
        return OCLM_ERR_MEMORY;
    lookup->ids = ids;
    while (slots / 2 < room && slots < UINT32_MAX / 2 + 1)
        slots *= 2;
    for (uint32_t t = 0; t < table_count(lookup); t++) {
        core_free(lookup->tables[t]);
        lookup->tables[t] = core_alloc_array(slots, sizeof *lookup->tables[t], "a table of a prompt lookup");
        if (lookup->tables[t] == NULL)
            return OCLM_ERR_MEMORY;
        memset(lookup->tables[t], 0xFF, slots * sizeof *lookup->tables[t]);
    }
    lookup->slots = slots;
    lookup->room = room;
    for (uint32_t i = 0; i < lookup->count; i++)
        enter(lookup, i);
    return OCLM_OK;
}

oclm_status gen_lookup_init(gen_lookup *lookup, uint32_t largest, uint32_t expected)
{
    assert(largest > 0);
    *lookup = (gen_lookup){ .largest = largest };
    const oclm_status status = grow(lookup, expected > FEWEST_IDS ? expected : FEWEST_IDS);
    if (status != OCLM_OK)
        gen_lookup_deinit(lookup);
    return status;
}

void gen_lookup_deinit(gen_lookup *lookup)
{
    for (uint32_t t = 0; t < GEN_LOOKUP_TABLES; t++)
        core_free(lookup->tables[t]);
    core_free(lookup->ids);
    *lookup = (gen_lookup){ .largest = 0 };
}

oclm_status gen_lookup_add(gen_lookup *lookup, const int32_t *ids, uint32_t count)
{
    if (count > lookup->room - lookup->count) {
        const uint32_t    twice = lookup->room < UINT32_MAX / 2 ? 2 * lookup->room : UINT32_MAX;
        const oclm_status status = grow(lookup, twice - lookup->count >= count ? twice : lookup->count + count);
        if (status != OCLM_OK)
            return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        lookup->ids[lookup->count] = ids[i];
        enter(lookup, lookup->count++);
    }
    return OCLM_OK;
}

/* Where the largest group that has a table stood before; sets its size. GEN_LOOKUP_EMPTY: not even the last id did. */
static uint32_t find_in_tables(const gen_lookup *lookup, uint32_t *size)
{
    uint64_t hash = 0;
    uint32_t found = GEN_LOOKUP_EMPTY;
    for (uint32_t s = 1; s <= table_count(lookup) && s < lookup->count; s++) {
        const uint32_t begin = lookup->count - s;
        hash = hash_on(hash, lookup->ids[begin]);
        const uint32_t earliest = *slot_of(lookup, s, begin, hash);
        if (earliest == begin)
            break; /* larger ones are new as well */
        found = earliest;
        *size = s;
    }
    return found;
}

/* How many ids before `end` are those before the text's end, at most `largest` and not the whole text. */
static uint32_t match_before(const gen_lookup *lookup, uint32_t end)
{
    uint32_t size = 0;
    while (size < lookup->largest && size < end && size + 1 < lookup->count && lookup->ids[end - 1 - size] == lookup->ids[lookup->count - 1 - size])
        size++;
    return size;
}

uint32_t gen_lookup_guess(const gen_lookup *lookup, uint32_t most, const int32_t **guess)
{
    uint32_t       size = 0;
    const uint32_t begin = find_in_tables(lookup, &size);
    *guess = NULL;
    if (begin == GEN_LOOKUP_EMPTY || most == 0)
        return 0;
    uint32_t end = begin + size;
    if (size == GEN_LOOKUP_TABLES && size < lookup->largest) {
        for (uint32_t e = end; e < lookup->count; e++) {
            const uint32_t match = match_before(lookup, e);
            if (match > size) {
                size = match;
                end = e;
            }
        }
    }
    *guess = lookup->ids + end;
    return lookup->count - end < most ? lookup->count - end : most;
}
