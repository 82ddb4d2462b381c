/* cache_reorder.c: records the kernels of cl/cache_reorder.cl: one launch for the page table, one for the pages of 32 layers, one for each
 * kind of state that a layer without attention has. */
#include "model/cache_reorder.h"

#include <stdio.h>

#define BUFFERS 64u /* of a launch of reorder_pages */
#define ON_LANES 4u  /* floats of a page that are moved at once, by an item each */
#define ON_CORES 16u /* by few items, one after another */
#define ITEMS_OF_PAGE 4u

typedef struct recording {
    const model_cache   *cache;
    const model_reorder *reorder;
    dev_work            *work;
    const dev_buffer    *buffers[BUFFERS]; /* that wait to be launched together: */
    uint32_t             count, width;
    size_t               page_bytes;       /* pages of one size */
} recording;

static oclm_status add(const recording *r, const char *kernel, uint32_t width, size_t columns, size_t layers, const dev_arg *args, size_t count)
{
    char options[48];
    snprintf(options, sizeof options, "-DGROUP=%u -DWIDTH=%u", r->reorder->group, width);
    dev_launch launch = { .source = "cache_reorder", .kernel = kernel, .options = options, .dims = 3,
                          .global = { columns, r->reorder->groups, layers }, .args = args, .arg_count = (cl_uint)count };
    if (width == ON_CORES) /* few items, each with much to do, for all cores */
        launch.local[0] = launch.local[1] = launch.local[2] = 1;
    return dev_work_add(r->work, &launch);
}

static oclm_status add_table(const recording *r)
{
    const model_cache *c = r->cache;
    const dev_arg args[] = { dev_arg_buffer(&c->table), dev_arg_u32(c->pages_per_sequence), dev_arg_buffer(&r->reorder->origins),
                             dev_arg_buffer(&r->reorder->positions) };
    return add(r, "reorder_table", r->width, c->pages_per_sequence, 1, args, COUNT(args));
}

/* Launches what waits. */
static oclm_status add_pages(recording *r)
{
    const model_cache *c = r->cache;
    const uint32_t     floats = (uint32_t)(r->page_bytes / sizeof(float));
    dev_arg            args[BUFFERS + 5];
    if (r->count == 0)
        return OCLM_OK;
    for (uint32_t i = 0; i < BUFFERS; i++)
        args[i] = dev_arg_buffer(i < r->count ? r->buffers[i] : NULL);
    args[BUFFERS] = dev_arg_u32(floats);
    args[BUFFERS + 1] = dev_arg_buffer(&c->table);
    args[BUFFERS + 2] = dev_arg_u32(c->pages_per_sequence);
    args[BUFFERS + 3] = dev_arg_buffer(&r->reorder->origins);
    args[BUFFERS + 4] = dev_arg_buffer(&r->reorder->positions);
    const uint32_t buffers = r->count;
    r->count = 0;
    return add(r, "reorder_pages", r->width, r->width == ON_LANES ? floats / ON_LANES : ITEMS_OF_PAGE, buffers, args, COUNT(args));
}

/* A buffer of pages joins those that wait. Pages are a multiple of 32 floats (cache.h). */
static oclm_status collect(recording *r, uint32_t layer, const dev_buffer *buffer)
{
    const size_t bytes = r->cache->page_bytes[layer];
    oclm_status  status = OCLM_OK;
    if (buffer->memory == NULL)
        return OCLM_OK;
    if (r->count == BUFFERS || bytes != r->page_bytes)
        status = add_pages(r);
    r->page_bytes = bytes;
    r->buffers[r->count++] = buffer;
    return status;
}

static oclm_status add_states(const recording *r, const dev_buffer *buffer, size_t bytes)
{
    const uint32_t floats = (uint32_t)(bytes / sizeof(float)), width = floats % 4 == 0 ? 4 : 1;
    const dev_arg  args[] = { dev_arg_buffer(buffer), dev_arg_u32(floats), dev_arg_buffer(&r->reorder->origins) };
    return bytes == 0 ? OCLM_OK : add(r, "reorder_states", width, floats / width, 1, args, COUNT(args));
}

oclm_status model_reorder_add(const model_cache *cache, dev_work *work, const model_reorder *reorder)
{
    const model_recurrent *states = &cache->recurrent;
    recording              r = { .cache = cache, .reorder = reorder, .work = work,
                                 .width = dev_get_traits(dev_work_device(work))->lanes_in_items ? ON_LANES : ON_CORES };
    oclm_status            status = reorder->group > 1 ? OCLM_OK : core_fail(OCLM_ERR_INTERNAL, "a group of one sequence has no order");
    for (uint32_t i = 0; i < cache->layer_count && status == OCLM_OK; i++) {
        if ((status = collect(&r, i, &cache->keys[i])) == OCLM_OK)
            status = collect(&r, i, &cache->values[i]);
    }
    if (status == OCLM_OK)
        status = add_pages(&r);
    for (uint32_t i = 0; i < states->layer_count && status == OCLM_OK; i++) {
        if ((status = add_states(&r, &states->tails[i], states->tail_bytes[i])) == OCLM_OK)
            status = add_states(&r, &states->memories[i], states->memory_bytes[i]);
    }
    return status == OCLM_OK ? add_table(&r) : status; /* pages are found by the table, so it comes last: it leaves the page being filled alone */
}

void model_reorder_end(model_cache *cache) { cache->dirty = true; }
