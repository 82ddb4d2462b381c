/* feed_store.c: host memory in blocks of large pages, or pinned where a device copies from that fastest; and one file for all that lies on disk.
 *
 * The file has no name: that is taken away as soon as the file is made, so that its space comes back whatever ends the process, and nobody
 * ever sees half of it. */
#include "device/feed_store.h"

#include <inttypes.h>

#include "core/dir.h"
#include "core/log.h"
#include "device/device_internal.h"
#include "device/pinned.h"

#define BLOCK_BYTES  ((size_t)64 << 20) /* untouched pages of a block take no memory */
#define BOUNCE_BYTES ((size_t)4 << 20)  /* from the device to the file */

typedef struct block {
    unsigned char *memory;
    size_t         bytes, used;
    dev_pinned     pinned; /* that is the memory; empty: pages */
} block;

struct dev_store {
    _Atomic uint32_t users; /* the feed, and buffers that use its memory */
    dev_device      *device;
    dev_host_budget *budget;
    char            *folder;
    size_t           alignment;
    bool             pinned;
    block           *blocks;
    size_t           block_count;
    core_file       *file;
    size_t           file_bytes;
    unsigned char   *bounce;
    core_map         map;
};

static size_t aligned(const dev_store *store, size_t bytes) { return (bytes + store->alignment - 1) / store->alignment * store->alignment; }

size_t dev_store_bytes(const dev_store *store, const dev_buffer *const *buffers, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum = aligned(store, sum) + buffers[i]->bytes;
    return sum;
}

/* Without room between them. */
static size_t contents(const dev_buffer *const *buffers, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += buffers[i]->bytes;
    return sum;
}

/* ---- The host's budget */

static oclm_status reserve(dev_host_budget *budget, size_t bytes, const char *what)
{
    uint64_t used;
    char     need[32], left[32], in_use[32], most[32];
    if (dev_counter_take(&budget->counter, budget->most, bytes, &used))
        return OCLM_OK;
    return core_fail(OCLM_ERR_MEMORY,
                     "the host has too little memory for %s: needed %s, available %s (%s of %s in use by this model); give \"cpu\" "
                     "more in max_memory, or put layers on \"disk\"",
                     what, core_format_bytes(bytes, need), core_format_bytes(used < budget->most ? budget->most - used : 0, left),
                     core_format_bytes(used, in_use), core_format_bytes(budget->most, most));
}

/* ---- Blocks of memory */

static void free_block(const dev_store *store, block *b)
{
    if (b->pinned.buffer == NULL)
        core_pages_free(b->memory, b->bytes);
    dev_pinned_free(store->device, &b->pinned);
}

static oclm_status add_block(dev_store *store, size_t bytes, const char *what)
{
    block *grown = core_realloc_array(store->blocks, store->block_count + 1, sizeof *grown, "blocks of memory");
    if (grown == NULL)
        return OCLM_ERR_MEMORY;
    store->blocks = grown;
    block *b = &grown[store->block_count];
    *b = (block){ .bytes = bytes };
    if (store->pinned && dev_pinned_new(store->device, bytes, &b->pinned) == CL_SUCCESS) {
        b->memory = b->pinned.memory;
    } else {
        b->bytes = bytes < BLOCK_BYTES ? BLOCK_BYTES : bytes;
        if ((b->memory = core_pages_new(b->bytes, what)) == NULL)
            return OCLM_ERR_MEMORY;
    }
    store->block_count++;
    return OCLM_OK;
}

/* `bytes` in a row. They are not counted. */
static oclm_status find_room(dev_store *store, size_t bytes, const char *what, unsigned char **memory)
{
    const size_t size = aligned(store, bytes);
    const block *last = store->block_count > 0 ? &store->blocks[store->block_count - 1] : NULL;
    oclm_status  status = OCLM_OK;
    if ((last == NULL || last->bytes - last->used < size) && (status = add_block(store, size, what)) != OCLM_OK)
        return status;
    block *b = &store->blocks[store->block_count - 1];
    *memory = b->memory + b->used;
    b->used += size;
    return OCLM_OK;
}

static oclm_status take_to_memory(dev_store *store, cl_command_queue queue, const dev_buffer *const *buffers, size_t count, const char *what,
                                  dev_region *regions)
{
    const size_t   bytes = contents(buffers, count), all = dev_store_bytes(store, buffers, count);
    unsigned char *memory = NULL;
    oclm_status    status = reserve(store->budget, bytes, what);
    if (status != OCLM_OK)
        return status;
    if ((status = find_room(store, all, what, &memory)) == OCLM_OK) {
        unsigned char *at = memory;
        for (size_t i = 0; i < count && status == OCLM_OK; i++) {
            regions[i].memory = at;
            status = dev_buffer_read(queue, buffers[i], 0, at, buffers[i]->bytes);
            at += aligned(store, buffers[i]->bytes);
        }
        if (status != OCLM_OK)
            store->blocks[store->block_count - 1].used -= aligned(store, all);
    }
    if (status != OCLM_OK)
        dev_counter_give(&store->budget->counter, bytes);
    return status;
}

/* ---- The file */

static oclm_status open_file(dev_store *store)
{
    core_dir   *folder = NULL;
    core_text   name = CORE_TEXT_INIT;
    uint64_t    number;
    core_random(&number, sizeof number);
    oclm_status status = core_dir_open(store->folder, false, &folder);
    if (status == OCLM_OK && (status = core_text_printf(&name, ".oclm-offload-%016" PRIx64, number)) == OCLM_OK &&
        (status = core_file_create(folder, name.data, &store->file)) == OCLM_OK &&
        (status = core_dir_remove(folder, name.data)) != OCLM_OK) {
        (void)core_file_close(store->file);
        store->file = NULL;
    }
    if (status == OCLM_OK && (store->bounce = core_alloc(BOUNCE_BYTES, "memory for writing offloaded weights")) == NULL)
        status = OCLM_ERR_MEMORY;
    core_text_free(&name);
    core_dir_close(folder);
    return status;
}

static oclm_status check_space(const dev_store *store, size_t bytes, const char *what)
{
    const uint64_t left = core_disk_free(store->folder);
    char           need[32], free_bytes[32];
    return left == 0 || bytes <= left
               ? OCLM_OK
               : core_fail(OCLM_ERR_IO, "%s: the disk of this folder has too little space for %s: needed %s, free %s; make room, or name an "
                           "offload_folder on another disk",
                           store->folder, what, core_format_bytes(bytes, need), core_format_bytes(left, free_bytes));
}

static oclm_status write_pieces(const dev_store *store, cl_command_queue queue, const dev_buffer *buffer)
{
    oclm_status status = OCLM_OK;
    for (size_t at = 0; at < buffer->bytes && status == OCLM_OK; at += BOUNCE_BYTES) {
        const size_t bytes = buffer->bytes - at < BOUNCE_BYTES ? buffer->bytes - at : BOUNCE_BYTES;
        if ((status = dev_buffer_read(queue, buffer, at, store->bounce, bytes)) == OCLM_OK)
            status = core_file_write(store->file, store->bounce, bytes);
    }
    return status;
}

static oclm_status write_zeros(const dev_store *store, size_t bytes)
{
    static const unsigned char zeros[4096];
    oclm_status status = OCLM_OK;
    for (size_t piece; bytes > 0 && status == OCLM_OK; bytes -= piece) {
        piece = bytes < sizeof zeros ? bytes : sizeof zeros;
        status = core_file_write(store->file, zeros, piece);
    }
    return status;
}

static oclm_status take_to_file(dev_store *store, cl_command_queue queue, const dev_buffer *const *buffers, size_t count, const char *what,
                                dev_region *regions)
{
    oclm_status status = store->file == NULL ? open_file(store) : OCLM_OK;
    if (status != OCLM_OK || (status = check_space(store, dev_store_bytes(store, buffers, count), what)) != OCLM_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        const size_t size = aligned(store, buffers[i]->bytes);
        if ((status = write_pieces(store, queue, buffers[i])) != OCLM_OK ||
            (status = write_zeros(store, size - buffers[i]->bytes)) != OCLM_OK)
            return core_fail_in(status, "%s, offloaded to disk", what);
        regions[i].offset = store->file_bytes;
        store->file_bytes += size;
    }
    core_file_flush_early(store->file);
    return OCLM_OK;
}

/* ---- All of it */

oclm_status dev_store_new(dev_device *device, const dev_store_options *options, dev_store **out)
{
    dev_store *store = core_alloc_zero(1, sizeof *store, "a store of weights");
    *out = NULL;
    if (store == NULL)
        return OCLM_ERR_MEMORY;
    if (options->folder != NULL && (store->folder = core_copy_string(options->folder, "the name of a folder")) == NULL) {
        core_free(store);
        return OCLM_ERR_MEMORY;
    }
    store->device = device;
    store->budget = options->budget;
    store->alignment = options->alignment;
    store->pinned = options->pinned;
    atomic_store(&store->users, 1);
    *out = store;
    return OCLM_OK;
}

void dev_store_drop(dev_store *store)
{
    if (store == NULL || atomic_fetch_sub(&store->users, 1) > 1)
        return;
    for (size_t i = 0; i < store->block_count; i++)
        free_block(store, &store->blocks[i]);
    core_map_close(&store->map);
    (void)core_file_close(store->file);
    core_free(store->bounce);
    core_free(store->blocks);
    core_free(store->folder);
    core_free(store);
}

oclm_status dev_store_take(dev_store *store, cl_command_queue queue, dev_feed_place place, const dev_buffer *const *buffers, size_t count,
                           const char *what, dev_region *regions)
{
    for (size_t i = 0; i < count; i++)
        regions[i] = (dev_region){ .bytes = buffers[i]->bytes, .in_file = place == DEV_FEED_FILE };
    if (place == DEV_FEED_HOST)
        return take_to_memory(store, queue, buffers, count, what, regions);
    if (store->folder == NULL)
        return core_fail(OCLM_ERR_ARGUMENT, "%s is to be offloaded to disk, and no folder is known for it: name an offload_folder", what);
    return take_to_file(store, queue, buffers, count, what, regions);
}

void dev_store_untake(dev_store *store, const dev_region *region)
{
    if (!region->in_file)
        dev_counter_give(&store->budget->counter, region->bytes);
}

oclm_status dev_store_map(dev_store *store)
{
    oclm_status status = OCLM_OK;
    core_free(store->bounce);
    store->bounce = NULL;
    if (store->file == NULL)
        return OCLM_OK;
    if ((status = core_file_map(store->file, &store->map)) == OCLM_OK)
        status = core_file_close(store->file);
    store->file = NULL;
    return status;
}

const void *dev_store_memory(const dev_store *store, const dev_region *region)
{
    return region->in_file ? store->map.data + region->offset : region->memory;
}

void dev_store_will_need(const dev_store *store, const dev_region *region)
{
    if (region->in_file)
        core_map_will_need_again(&store->map, region->offset, region->bytes);
}

static void CL_CALLBACK on_released(cl_mem buffer, void *store)
{
    (void)buffer;
    dev_store_drop(store);
}

oclm_status dev_store_in_place(dev_store *store, const dev_region *region, const char *what, cl_mem *buffer)
{
    cl_int             error;
    const cl_mem_flags flags = (region->in_file ? CL_MEM_READ_ONLY : CL_MEM_READ_WRITE) | CL_MEM_USE_HOST_PTR;
    *buffer = clCreateBuffer(dev_context(store->device), flags, region->bytes, (void *)(uintptr_t)dev_store_memory(store, region), &error);
    if (error == CL_SUCCESS) {
        atomic_fetch_add(&store->users, 1);
        if ((error = clSetMemObjectDestructorCallback(*buffer, on_released, store)) == CL_SUCCESS)
            return OCLM_OK;
        atomic_fetch_sub(&store->users, 1);
        clReleaseMemObject(*buffer);
    }
    *buffer = NULL;
    return dev_cl_fail(error, "a buffer of %zu bytes in host memory for %s", region->bytes, what);
}
