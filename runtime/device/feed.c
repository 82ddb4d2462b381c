/* feed.c: units in slots. What is copied when is decided while lists are enqueued: under a lock, for a slot holds what the last list asked for. */
#include "device/feed.h"

#include <stdlib.h>
#include <string.h>

#include "device/feed_internal.h"
#include "device/health.h"

#define NONE UINT32_MAX

typedef dev_kept_unit unit;
typedef dev_feed_slot slot;

/* ---- Taking */

oclm_status dev_feed_new(dev_device *device, const dev_feed_options *options, dev_feed **out)
{
    const oclm_device_info *info = &dev_get_traits(device)->info;
    dev_feed               *feed = core_alloc_zero(1, sizeof *feed, "a feed of weights");
    oclm_status             status = feed != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    *out = NULL;
    if (status != OCLM_OK)
        return status;
    feed->device = device;
    feed->slot_bytes = options->slot_bytes;
    feed->in_place = info->host_unified && !info->software && !options->copies;
    if ((status = core_mutex_new(&feed->lock)) == OCLM_OK &&
        (status = dev_store_new(device, options->budget, options->folder, !info->host_unified, &feed->store)) == OCLM_OK)
        status = dev_queue_new(device, &feed->queue);
    if (status != OCLM_OK) {
        dev_feed_free(feed);
        return status;
    }
    *out = feed;
    return OCLM_OK;
}

static void untake(dev_feed *feed, unit *u)
{
    for (uint32_t i = 0; i < u->count; i++)
        dev_store_untake(feed->store, &u->regions[i]);
}

static oclm_status take_regions(dev_feed *feed, const dev_feed_unit *from, unit *u)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < from->count && status == OCLM_OK; i++) {
        u->views[i] = from->buffers[i];
        if ((status = dev_store_take(feed->store, dev_queue(feed->device), from->place, from->buffers[i], from->what, &u->regions[i])) == OCLM_OK)
            u->count++;
    }
    if (status != OCLM_OK)
        untake(feed, u);
    return status;
}

/* Of panels of which rows are read, so many visit at once. */
static void want_rows(dev_feed *feed, const dev_feed_unit *from)
{
    size_t most = 0;
    for (size_t i = 0; i < from->count; i++)
        most = from->buffers[i]->bytes > most ? from->buffers[i]->bytes : most;
    const size_t bytes = from->panel_bytes < most / DEV_FEED_ROW_PANELS ? from->panel_bytes * DEV_FEED_ROW_PANELS : most;
    feed->rows_bytes = from->panel_bytes > 0 && bytes > feed->rows_bytes ? bytes : feed->rows_bytes;
}

oclm_status dev_feed_take(dev_feed *feed, const dev_feed_unit *from)
{
    oclm_status status;
    if (from->count == 0 || from->count > DEV_FEED_REGIONS || feed->slot_count > 0)
        return core_fail(OCLM_ERR_INTERNAL, "%s: a unit of %zu buffers, at most %u, for a feed of %u slots", from->what, from->count,
                         DEV_FEED_REGIONS, feed->slot_count);
    unit **grown = core_realloc_array(feed->units, (size_t)feed->unit_count + 1, sizeof *grown, "the units of a feed");
    if (grown == NULL)
        return OCLM_ERR_MEMORY;
    feed->units = grown;
    unit *u = core_alloc_zero(1, sizeof *u, "a unit of a feed");
    if (u == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = take_regions(feed, from, u)) != OCLM_OK) {
        core_free(u);
        return status;
    }
    u->ends = from->ends;
    u->use = from->use;
    want_rows(feed, from);
    feed->units[feed->unit_count++] = u;
    for (size_t i = 0; i < from->count; i++) {
        *(from->place == DEV_FEED_HOST ? &feed->host_bytes : &feed->file_bytes) += from->buffers[i]->bytes;
        dev_buffer_free(feed->device, from->buffers[i]);
    }
    return OCLM_OK;
}

/* ---- Slots */

/* Gives the units of one use a slot each that the unit before it has not, nor the first one where a pass may end, as far as there are enough. */
static void assign_slots(dev_feed *feed, dev_feed_use use, uint32_t slots, uint32_t *first, uint32_t *before)
{
    for (uint32_t i = 0; i < feed->unit_count; i++) {
        unit    *u = feed->units[i];
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

static int larger_first(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Buffers of a slot hold regions by their size: the largest of each unit in the first, and so on. Adds up what the slots need. */
static uint64_t plan_buffers(dev_feed *feed, uint32_t slots, size_t sizes[DEV_FEED_SLOTS][DEV_FEED_REGIONS])
{
    uint64_t sum = 0;
    uint32_t first = NONE, before = NONE;
    memset(sizes, 0, DEV_FEED_SLOTS * sizeof *sizes);
    assign_slots(feed, DEV_FEED_IN_TURN, slots, &first, &before);
    assign_slots(feed, DEV_FEED_LAST, slots, &first, &before);
    for (uint32_t i = 0; i < feed->unit_count; i++) {
        unit    *u = feed->units[i];
        if (u->use == DEV_FEED_ROWS)
            continue;
        uint64_t order[DEV_FEED_REGIONS]; /* the size, and in the low bits which */
        for (uint32_t r = 0; r < u->count; r++)
            order[r] = (uint64_t)u->regions[r].bytes * DEV_FEED_REGIONS + r;
        qsort(order, u->count, sizeof *order, larger_first);
        for (uint32_t r = 0; r < u->count; r++) {
            const uint32_t region = (uint32_t)(order[r] % DEV_FEED_REGIONS);
            size_t        *size = &sizes[u->slot][r];
            u->buffers[region] = r;
            *size = u->regions[region].bytes > *size ? u->regions[region].bytes : *size;
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

/* The caller's buffers become those of the slot. A table of rows has none. */
static void fill_in_views(dev_feed *feed)
{
    for (uint32_t i = 0; i < feed->unit_count; i++) {
        unit *u = feed->units[i];
        for (uint32_t r = 0; r < u->count && u->use != DEV_FEED_ROWS; r++)
            *u->views[r] = (dev_buffer){ feed->slots[u->slot].buffers[u->buffers[r]].memory, u->regions[r].bytes };
    }
}

static oclm_status make_slots(dev_feed *feed)
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
    if (status == OCLM_OK)
        fill_in_views(feed);
    return status;
}

static oclm_status use_in_place(dev_feed *feed)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < feed->unit_count; i++) {
        unit *u = feed->units[i];
        for (uint32_t r = 0; r < u->count && status == OCLM_OK; r++) {
            if ((status = dev_store_in_place(feed->store, &u->regions[r], "offloaded weights", &u->in_place[r])) == OCLM_OK)
                *u->views[r] = (dev_buffer){ u->in_place[r], u->regions[r].bytes };
        }
    }
    return status;
}

oclm_status dev_feed_open(dev_feed *feed)
{
    const oclm_status status = dev_store_map(feed->store);
    if (status != OCLM_OK || feed->unit_count == 0)
        return status;
    return feed->in_place ? use_in_place(feed) : make_slots(feed);
}

static void forget_readers(slot *s)
{
    for (uint32_t i = 0; i < s->reader_count; i++)
        clReleaseEvent(s->readers[i].done);
    s->reader_count = 0;
}

static void free_slot(dev_feed *feed, slot *s)
{
    forget_readers(s);
    if (s->copied != NULL)
        clReleaseEvent(s->copied);
    for (uint32_t r = 0; r < DEV_FEED_REGIONS; r++)
        dev_buffer_free(feed->device, &s->buffers[r]);
}

static void free_unit(dev_feed *feed, unit *u)
{
    for (uint32_t r = 0; r < u->count; r++) {
        *u->views[r] = (dev_buffer){ NULL, 0 };
        if (u->in_place[r] != NULL)
            clReleaseMemObject(u->in_place[r]);
    }
    untake(feed, u);
    core_free(u);
}

void dev_feed_free(dev_feed *feed)
{
    if (feed == NULL)
        return;
    if (feed->queue != NULL) {
        (void)dev_finish(feed->queue);
        clReleaseCommandQueue(feed->queue);
    }
    for (uint32_t s = 0; s < DEV_FEED_SLOTS; s++)
        free_slot(feed, &feed->slots[s]);
    free_slot(feed, &feed->rows);
    for (uint32_t i = 0; i < feed->unit_count; i++)
        free_unit(feed, feed->units[i]);
    core_free(feed->units);
    dev_store_drop(feed->store);
    core_mutex_free(feed->lock);
    core_free(feed);
}

/* ---- Visits */

/* Copies a unit to its slot, behind all that reads what is there. */
static cl_int copy(dev_feed *feed, const unit *u, slot *s)
{
    cl_event waits[DEV_FEED_READERS];
    cl_int   error = CL_SUCCESS;
    for (uint32_t i = 0; i < s->reader_count; i++)
        waits[i] = s->readers[i].done;
    for (uint32_t r = 0; r < u->count && error == CL_SUCCESS; r++) {
        const bool first = r == 0 && s->reader_count > 0;
        error = clEnqueueWriteBuffer(feed->queue, s->buffers[u->buffers[r]].memory, CL_FALSE, 0, u->regions[r].bytes,
                                     dev_store_memory(feed->store, &u->regions[r]), first ? s->reader_count : 0, first ? waits : NULL,
                                     r + 1 == u->count ? &s->copied : NULL);
        feed->copied += u->regions[r].bytes;
    }
    return error == CL_SUCCESS ? clFlush(feed->queue) : error;
}

/* Sees to it that a unit is in its slot, or on its way there. */
static oclm_status fetch(dev_feed *feed, uint32_t index)
{
    const unit *u = feed->units[index];
    slot       *s = &feed->slots[u->slot];
    if (s->unit == index)
        return OCLM_OK;
    if (s->copied != NULL)
        clReleaseEvent(s->copied);
    s->copied = NULL;
    s->unit = DEV_NO_UNIT;
    const cl_int error = copy(feed, u, s);
    if (error != CL_SUCCESS) {
        (void)dev_finish(feed->queue); /* what was enqueued reads the store */
        return dev_cl_fail(error, "copying offloaded weights to device \"%s\"", dev_get_traits(feed->device)->info.name);
    }
    forget_readers(s);
    s->unit = index;
    return OCLM_OK;
}

oclm_status dev_feed_note_reader(slot *s, cl_command_queue queue, cl_event done)
{
    uint32_t    i = 0;
    oclm_status status = OCLM_OK;
    while (i < s->reader_count && s->readers[i].queue != queue)
        i++;
    if (i == DEV_FEED_READERS) { /* the one that was first is likely done */
        (void)clFlush(s->readers[0].queue);
        status = dev_wait(s->readers[0].done, "who reads offloaded weights");
        i = 0;
    }
    if (i < s->reader_count)
        clReleaseEvent(s->readers[i].done);
    else
        s->reader_count++;
    s->readers[i] = (dev_feed_reader){ queue, done };
    return status;
}

/* Launches that read a unit. */
typedef struct visit {
    dev_feed *feed;
    uint32_t  unit, next;
    dev_work *work;
} visit;

static void free_visit(void *payload)
{
    visit *v = payload;
    dev_work_free(v->work);
    core_free(v);
}

static oclm_status compute(const visit *v, cl_command_queue queue, slot *s)
{
    cl_event     done = NULL;
    const cl_int error = clEnqueueBarrierWithWaitList(queue, 1, &s->copied, NULL);
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "waiting for offloaded weights");
    const oclm_status status = dev_work_enqueue(v->work, queue, &done);
    if (status == OCLM_OK)
        return dev_feed_note_reader(s, queue, done);
    (void)dev_finish(queue); /* some of it may read the slot */
    return status;
}

static oclm_status play(cl_command_queue queue, void *payload)
{
    const visit *v = payload;
    core_mutex_lock(v->feed->lock);
    oclm_status status = fetch(v->feed, v->unit);
    if (status == OCLM_OK)
        status = compute(v, queue, &v->feed->slots[v->feed->units[v->unit]->slot]);
    if (status == OCLM_OK)
        status = fetch(v->feed, v->next);
    core_mutex_unlock(v->feed->lock);
    return status;
}

/* Before a unit that is read in place: the next one's pages may be on the disk. */
static oclm_status look_ahead(cl_command_queue queue, void *payload)
{
    const visit *v = payload;
    const unit  *next = v->feed->units[v->next];
    (void)queue;
    for (uint32_t r = 0; r < next->count; r++)
        dev_store_will_need(v->feed->store, &next->regions[r]);
    return OCLM_OK;
}

oclm_status dev_feed_add(dev_work *work, dev_feed *feed, uint32_t index, uint32_t next, dev_work **inner)
{
    oclm_status status = OCLM_OK;
    *inner = work;
    if (feed->in_place && !feed->units[next]->regions[0].in_file)
        return OCLM_OK;
    visit *v = core_alloc_zero(1, sizeof *v, "a visit of offloaded weights");
    if (v == NULL)
        return OCLM_ERR_MEMORY;
    *v = (visit){ feed, index, next, NULL };
    if (!feed->in_place && (status = dev_work_new(feed->device, &v->work)) != OCLM_OK) {
        core_free(v);
        return status;
    }
    dev_work *const made = v->work;
    if ((status = dev_work_add_call(work, feed->in_place ? look_ahead : play, v, free_visit)) == OCLM_OK && made != NULL)
        *inner = made;
    return status;
}

const void *dev_feed_memory(const dev_feed *feed, const dev_buffer *buffer, size_t *bytes)
{
    for (uint32_t i = 0; i < feed->unit_count; i++) {
        const unit *u = feed->units[i];
        for (uint32_t r = 0; r < u->count; r++) {
            if (u->views[r] == buffer) {
                *bytes = u->regions[r].bytes;
                return dev_store_memory(feed->store, &u->regions[r]);
            }
        }
    }
    return NULL;
}

uint32_t dev_feed_units(const dev_feed *feed) { return feed->unit_count; }
uint32_t dev_feed_slots(const dev_feed *feed) { return feed->slot_count; }
uint64_t dev_feed_host_bytes(const dev_feed *feed) { return feed->host_bytes; }
uint64_t dev_feed_file_bytes(const dev_feed *feed) { return feed->file_bytes; }

uint64_t dev_feed_copied(const dev_feed *feed)
{
    core_mutex_lock(feed->lock);
    const uint64_t copied = feed->copied;
    core_mutex_unlock(feed->lock);
    return copied;
}
