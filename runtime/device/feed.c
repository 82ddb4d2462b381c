/* feed.c: units in slots. What is copied when is decided while lists are enqueued: under a lock, for a slot holds what the last list asked for. */
#include "device/feed.h"

#include <string.h>

#include "device/feed_internal.h"
#include "device/health.h"

#define PAGE_BYTES ((size_t)4096) /* what drivers want of memory that they use in place */

typedef dev_kept_unit unit;
typedef dev_feed_slot slot;

/* ---- Taking */

bool dev_feed_is_in_place(const dev_device *device, bool copies)
{
    const oclm_device_info *info = &dev_get_traits(device)->info;
    return info->host_unified && !info->software && !copies;
}

size_t dev_feed_alignment(const dev_device *device, bool copies)
{
    return dev_feed_is_in_place(device, copies) ? PAGE_BYTES : dev_get_traits(device)->base_align_bytes;
}

oclm_status dev_feed_new(dev_device *device, const dev_feed_options *options, dev_feed **out)
{
    const dev_store_options kept = { .budget = options->budget, .folder = options->folder, .alignment = dev_feed_alignment(device, options->copies),
                                     .pinned = !dev_get_traits(device)->info.host_unified };
    dev_feed   *feed = core_alloc_zero(1, sizeof *feed, "a feed of weights");
    oclm_status status = feed != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    *out = NULL;
    if (status != OCLM_OK)
        return status;
    feed->device = device;
    feed->slot_bytes = options->slot_bytes;
    feed->in_place = dev_feed_is_in_place(device, options->copies);
    if ((status = core_mutex_new(&feed->lock)) == OCLM_OK && (status = dev_store_new(device, &kept, &feed->store)) == OCLM_OK)
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

/* How many buffers make one run: as many as the device takes in one buffer. */
static size_t length_of_run(const dev_feed *feed, const dev_buffer *const *buffers, size_t count)
{
    size_t length = 1;
    while (length < count && dev_store_bytes(feed->store, buffers, length + 1) <= dev_get_traits(feed->device)->info.max_alloc_bytes)
        length++;
    return length;
}

static oclm_status take_runs(dev_feed *feed, const dev_feed_unit *from, unit *u)
{
    const dev_buffer *const *buffers = (const dev_buffer *const *)from->buffers;
    oclm_status              status = OCLM_OK;
    while (u->count < from->count && status == OCLM_OK) {
        const size_t left = from->count - u->count, length = length_of_run(feed, buffers + u->count, left);
        const dev_feed_run run = { u->count, (uint32_t)length, dev_store_bytes(feed->store, buffers + u->count, length) };
        if ((status = dev_store_take(feed->store, dev_queue(feed->device), from->place, buffers + u->count, length, from->what,
                                     &u->regions[u->count])) == OCLM_OK) {
            u->runs[u->run_count++] = run;
            u->count += run.count;
        }
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
    if ((status = take_runs(feed, from, u)) != OCLM_OK) {
        core_free(u);
        return status;
    }
    u->ends = from->ends;
    u->use = from->use;
    memcpy(u->views, from->buffers, from->count * sizeof *u->views);
    want_rows(feed, from);
    feed->units[feed->unit_count++] = u;
    for (size_t i = 0; i < from->count; i++) {
        *(from->place == DEV_FEED_HOST ? &feed->host_bytes : &feed->file_bytes) += from->buffers[i]->bytes;
        dev_buffer_free(feed->device, from->buffers[i]);
    }
    return OCLM_OK;
}

/* ---- Opening */

static oclm_status use_in_place(dev_feed *feed)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < feed->unit_count; i++) {
        unit *u = feed->units[i];
        for (uint32_t r = 0; r < u->count && status == OCLM_OK; r++) {
            if ((status = dev_store_in_place(feed->store, &u->regions[r], "offloaded weights", &u->memory[r])) == OCLM_OK)
                *u->views[r] = (dev_buffer){ u->memory[r], u->regions[r].bytes };
        }
    }
    return status;
}

oclm_status dev_feed_open(dev_feed *feed)
{
    const oclm_status status = dev_store_map(feed->store);
    if (status != OCLM_OK || feed->unit_count == 0)
        return status;
    return feed->in_place ? use_in_place(feed) : dev_feed_make_slots(feed);
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
        if (u->memory[r] != NULL)
            clReleaseMemObject(u->memory[r]);
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
    for (uint32_t i = 0; i < feed->unit_count; i++) /* parts of slots, then those */
        free_unit(feed, feed->units[i]);
    for (uint32_t s = 0; s < DEV_FEED_SLOTS; s++)
        free_slot(feed, &feed->slots[s]);
    free_slot(feed, &feed->rows);
    core_free(feed->units);
    dev_store_drop(feed->store);
    core_mutex_free(feed->lock);
    core_free(feed);
}

/* ---- Visits */

/* Its pages may be on the disk. */
static void will_need(const dev_feed *feed, const unit *u)
{
    for (uint32_t r = 0; r < u->count; r++)
        dev_store_will_need(feed->store, &u->regions[r]);
}

/* Copies a unit to its slot, behind all that reads what is there. */
static cl_int copy(dev_feed *feed, const unit *u, slot *s)
{
    cl_event waits[DEV_FEED_READERS];
    cl_int   error = CL_SUCCESS;
    for (uint32_t i = 0; i < s->reader_count; i++)
        waits[i] = s->readers[i].done;
    will_need(feed, u);
    for (uint32_t r = 0; r < u->run_count && error == CL_SUCCESS; r++) {
        const dev_feed_run *run = &u->runs[r];
        const bool          first = r == 0 && s->reader_count > 0;
        error = clEnqueueWriteBuffer(feed->queue, s->buffers[r].memory, CL_FALSE, 0, run->bytes, dev_store_memory(feed->store, &u->regions[run->first]),
                                     first ? s->reader_count : 0, first ? waits : NULL, r + 1 == u->run_count ? &s->copied : NULL);
        feed->copied += run->bytes;
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

/* Before a unit that is read in place. */
static oclm_status look_ahead(cl_command_queue queue, void *payload)
{
    const visit *v = payload;
    (void)queue;
    will_need(v->feed, v->feed->units[v->next]);
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
