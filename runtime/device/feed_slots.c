/* feed_slots.c: the slots of a feed: which unit visits which, and how the buffers of units are parts of a slot's. */
#include <string.h>

#include "device/feed_internal.h"

#define NONE UINT32_MAX

/* Gives the units of one use a slot each that the unit before it has not, nor the first one where a pass may end, as far as there are enough. */
static void assign_slots(dev_feed *feed, dev_feed_use use, uint32_t slots, uint32_t *first, uint32_t *before)
{
    for (uint32_t i = 0; i < feed->unit_count; i++) {
        dev_kept_unit *u = feed->units[i];
        uint32_t chosen = 0;
        if (u->use != use)
            continue;
        while (chosen < slots && (chosen == *before || (u->ends && chosen == *first)))
            chosen++;
        if (chosen == slots)
            chosen = *before == NONE ? 0 : (*before + 1) % slots;
        u->slot = *before = chosen;
        *first = *first == NONE ? chosen : *first;
    }
}

/* Buffers of a slot hold runs: the first of each unit in the first, and so on. Adds up what the slots need. */
static uint64_t plan_buffers(dev_feed *feed, uint32_t slots, size_t sizes[DEV_FEED_SLOTS][DEV_FEED_REGIONS])
{
    uint64_t sum = 0;
    uint32_t first = NONE, before = NONE;
    memset(sizes, 0, DEV_FEED_SLOTS * sizeof *sizes);
    assign_slots(feed, DEV_FEED_IN_TURN, slots, &first, &before);
    assign_slots(feed, DEV_FEED_LAST, slots, &first, &before);
    for (uint32_t i = 0; i < feed->unit_count; i++) {
        const dev_kept_unit *u = feed->units[i];
        for (uint32_t r = 0; r < u->run_count && u->use != DEV_FEED_ROWS; r++) {
            size_t *size = &sizes[u->slot][r];
            *size = u->runs[r].bytes > *size ? u->runs[r].bytes : *size;
        }
    }
    for (uint32_t s = 0; s < DEV_FEED_SLOTS; s++) {
        for (uint32_t r = 0; r < DEV_FEED_REGIONS; r++)
            sum += sizes[s][r];
    }
    return sum;
}

static uint32_t units_in_slots(const dev_feed *feed)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < feed->unit_count; i++)
        count += feed->units[i]->use != DEV_FEED_ROWS;
    return count;
}

/* Where a region begins in its run: as in the store. */
static size_t offset_in(const dev_feed *feed, const dev_kept_unit *u, const dev_feed_run *run, uint32_t region)
{
    return (size_t)((const unsigned char *)dev_store_memory(feed->store, &u->regions[region]) -
                    (const unsigned char *)dev_store_memory(feed->store, &u->regions[run->first]));
}

/* The caller's buffers become parts of the slot's: a run's in one of them. */
static oclm_status divide(dev_feed *feed, dev_kept_unit *u, const dev_feed_run *run, cl_mem buffer)
{
    for (uint32_t r = run->first; r < run->first + run->count; r++) {
        const cl_buffer_region part = { offset_in(feed, u, run, r), u->regions[r].bytes };
        cl_int                 error;
        u->memory[r] = clCreateSubBuffer(buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &part, &error);
        if (error != CL_SUCCESS) {
            u->memory[r] = NULL;
            return dev_cl_fail(error, "device \"%s\": a part of a slot for offloaded weights", dev_get_traits(feed->device)->info.name);
        }
        *u->views[r] = (dev_buffer){ u->memory[r], part.size };
    }
    return OCLM_OK;
}

/* A table of rows has no slot. */
static oclm_status fill_in_views(dev_feed *feed)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < feed->unit_count; i++) {
        dev_kept_unit *u = feed->units[i];
        for (uint32_t r = 0; r < u->run_count && u->use != DEV_FEED_ROWS && status == OCLM_OK; r++)
            status = divide(feed, u, &u->runs[r], feed->slots[u->slot].buffers[r].memory);
    }
    return status;
}

oclm_status dev_feed_make_slots(dev_feed *feed)
{
    size_t         sizes[DEV_FEED_SLOTS][DEV_FEED_REGIONS];
    const uint64_t left = dev_memory_left(feed->device), all = feed->slot_bytes > 0 ? feed->slot_bytes : left / 2;
    const uint64_t most = all > feed->rows_bytes ? all - feed->rows_bytes : 0; /* one slot is made whatever this says */
    const uint32_t units = units_in_slots(feed);
    uint32_t       slots = DEV_FEED_SLOTS < units ? DEV_FEED_SLOTS : units;
    oclm_status    status = OCLM_OK;
    if (feed->rows_bytes > 0)
        status = dev_buffer_new(feed->device, feed->rows_bytes, "rows of an offloaded table", &feed->rows.buffers[0]);
    while (slots > 1 && plan_buffers(feed, slots, sizes) > most)
        slots--;
    if (slots <= 1)
        (void)plan_buffers(feed, 1, sizes);
    for (uint32_t s = 0; s < slots; s++) {
        feed->slots[s].unit = DEV_NO_UNIT;
        for (uint32_t r = 0; r < DEV_FEED_REGIONS && sizes[s][r] > 0 && status == OCLM_OK; r++)
            status = dev_buffer_new(feed->device, sizes[s][r], "a slot for offloaded weights", &feed->slots[s].buffers[r]);
        feed->slot_count = sizes[s][0] > 0 ? s + 1 : feed->slot_count;
    }
    return status == OCLM_OK ? fill_in_views(feed) : status;
}
