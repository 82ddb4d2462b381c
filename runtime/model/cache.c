/* cache.c: pages are handed out from a stack; a page that several sequences hold is never written: whoever is about to write
 * gets a copy first. Copies are noted here and made on the device just before the next pass, by model_cache_sync(). */
#include "model/cache.h"

#include <inttypes.h>
#include <string.h>

#include "model/binding.h"

#define PAGES_OF(positions) ((positions) / MODEL_PAGE + ((positions) % MODEL_PAGE != 0))

size_t model_keys_bytes(const model_architecture *a, uint32_t layer, bool quantized)
{
    const size_t dims = model_head_dim(a, layer), head = quantized ? dims + sizeof(float) : dims * sizeof(float);
    return model_kv_heads(a, layer) * head;
}

/* Bytes of one page in a layer's keys, and in its values; 0: it has none of its own. */
static size_t page_bytes(const model_architecture *a, const model_cache_shape *shape, uint32_t layer)
{
    return model_keeps_keys(a, layer) && (shape->holds == NULL || shape->holds[layer]) ? MODEL_PAGE * model_keys_bytes(a, layer, shape->quantized) : 0;
}

static int32_t *row_of(const model_cache *cache, uint32_t sequence)
{
    return cache->host_table + (size_t)sequence * cache->pages_per_sequence;
}

/* Keys and values of layers with a ring, or of those without. */
static uint64_t bytes_of(const model_architecture *a, const model_cache_shape *shape, bool rings)
{
    const uint32_t ring = model_ring_pages(a, shape);
    const uint64_t pages = (uint64_t)shape->sequences * (rings ? ring : PAGES_OF(shape->positions)); /* each factor below 2^24 */
    uint64_t       bytes = 0;
    for (uint32_t i = 0; i < a->layers; i++) {
        if (model_ring_has(a, shape, ring, i) == rings)
            bytes += 2u * page_bytes(a, shape, i) * pages;
    }
    return bytes;
}

uint64_t model_cache_ring_bytes(const model_architecture *a, const model_cache_shape *shape) { return bytes_of(a, shape, true); }

uint64_t model_cache_bytes(const model_architecture *a, const model_cache_shape *shape)
{
    const uint64_t table = (uint64_t)shape->sequences * PAGES_OF(shape->positions) * sizeof(int32_t);
    return (model_ring_pages(a, shape) > 0 ? 2 : 1) * table + bytes_of(a, shape, false) + bytes_of(a, shape, true) +
           model_recurrent_bytes(a, shape->sequences, shape->holds);
}

/* ---- Making and freeing */

static oclm_status make_host_tables(model_cache *cache)
{
    const size_t entries = (size_t)cache->sequences * cache->pages_per_sequence;
    cache->host_table = core_alloc_array(entries, sizeof *cache->host_table, "the page table");
    cache->lengths = core_alloc_zero(cache->sequences, sizeof *cache->lengths, "the lengths of sequences");
    cache->held = core_alloc_zero(cache->sequences, sizeof *cache->held, "the page counts of sequences");
    cache->copies = core_alloc_array(cache->sequences, sizeof *cache->copies, "the pages to copy");
    cache->references = core_alloc_zero(cache->pages, sizeof *cache->references, "the page counters");
    cache->free_pages = core_alloc_array(cache->pages, sizeof *cache->free_pages, "the free pages");
    if (!cache->host_table || !cache->lengths || !cache->held || !cache->copies || !cache->references || !cache->free_pages)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < entries; i++)
        cache->host_table[i] = -1;
    for (uint32_t i = 0; i < cache->pages; i++)
        cache->free_pages[i] = cache->pages - 1 - i; /* the first page is taken first */
    cache->free_count = cache->pages;
    return OCLM_OK;
}

/* Pages in a layer's buffers; 0: it has none. */
static uint64_t pages_in(const model_architecture *a, const model_cache_shape *shape, uint32_t layer)
{
    const uint32_t ring = model_ring_pages(a, shape);
    if (page_bytes(a, shape, layer) == 0)
        return 0;
    return (uint64_t)shape->sequences * (model_ring_has(a, shape, ring, layer) ? ring : PAGES_OF(shape->positions));
}

static oclm_status make_buffers(dev_device *device, const model_architecture *a, const model_cache_shape *shape, model_cache *cache)
{
    oclm_status status = dev_buffer_new(device, (size_t)cache->sequences * cache->pages_per_sequence * sizeof *cache->host_table,
                                        "the page table", &cache->table);
    cache->keys = core_alloc_zero(a->layers, sizeof *cache->keys, "the table of key caches");
    cache->values = core_alloc_zero(a->layers, sizeof *cache->values, "the table of value caches");
    cache->page_bytes = core_alloc_zero(a->layers, sizeof *cache->page_bytes, "the sizes of pages");
    if (cache->keys == NULL || cache->values == NULL || cache->page_bytes == NULL)
        return OCLM_ERR_MEMORY;
    cache->layer_count = a->layers;
    for (uint32_t i = 0; i < a->layers && status == OCLM_OK; i++) {
        const size_t bytes = (size_t)pages_in(a, shape, i) * page_bytes(a, shape, i); /* model_cache_check() did */
        cache->page_bytes[i] = page_bytes(a, shape, i);
        if (bytes > 0 && (status = dev_buffer_new(device, bytes, "the key cache of a layer", &cache->keys[i])) == OCLM_OK)
            status = dev_buffer_new(device, bytes, "the value cache of a layer", &cache->values[i]);
    }
    return status;
}

oclm_status model_cache_check(dev_device *device, const model_architecture *a, const model_cache_shape *shape)
{
    const uint64_t most = dev_get_traits(device)->info.max_alloc_bytes;
    uint64_t       need = 0;
    uint64_t       fit = UINT64_MAX;
    char           need_text[32], most_text[32];
    for (uint32_t i = 0; i < a->layers; i++) {
        const uint64_t page = page_bytes(a, shape, i), bytes = pages_in(a, shape, i) * page;
        need = bytes > need ? bytes : need;
        if (bytes > most && most / page / shape->sequences * MODEL_PAGE < fit)
            fit = most / page / shape->sequences * MODEL_PAGE;
    }
    if (need <= most && (uint64_t)shape->sequences * PAGES_OF(shape->positions) <= INT32_MAX)
        return OCLM_OK;
    return core_fail(OCLM_ERR_DEVICE_MEMORY,
                     "%u sequences of %u positions need %s of keys in each layer, device \"%s\" takes no buffer larger than %s; "
                     "%" PRIu64 " positions would fit%s", shape->sequences, shape->positions,
                     core_format_bytes(need, need_text), dev_get_traits(device)->info.name, core_format_bytes(most, most_text),
                     fit < INT32_MAX ? fit : INT32_MAX / shape->sequences,
                     shape->sequences > 1 ? ", or more with fewer sequences" : "; choose no more, or another device");
}

oclm_status model_cache_new(dev_device *device, const model_architecture *a, const model_cache_shape *shape, model_cache *cache)
{
    oclm_status status;
    memset(cache, 0, sizeof *cache);
    cache->sequences = shape->sequences;
    cache->pages_per_sequence = PAGES_OF(shape->positions);
    cache->pages = cache->sequences * cache->pages_per_sequence;
    cache->dirty = true;
    cache->quantized = shape->quantized;
    const size_t table = (size_t)cache->sequences * cache->pages_per_sequence * sizeof *cache->host_table;
    if ((status = model_post_new(MODEL_POST_OF_TABLES, table, &cache->post)) != OCLM_OK ||
        (status = make_host_tables(cache)) != OCLM_OK || (status = make_buffers(device, a, shape, cache)) != OCLM_OK ||
        (status = model_ring_new(device, a, shape, &cache->ring)) != OCLM_OK ||
        (status = model_recurrent_new(device, a, shape->sequences, shape->holds, &cache->recurrent)) != OCLM_OK)
        model_cache_free(device, cache);
    return status;
}

void model_cache_free(dev_device *device, model_cache *cache)
{
    for (uint32_t i = 0; i < cache->layer_count; i++) {
        dev_buffer_free(device, &cache->keys[i]);
        dev_buffer_free(device, &cache->values[i]);
    }
    dev_buffer_free(device, &cache->table);
    model_ring_free(device, &cache->ring);
    model_recurrent_free(device, &cache->recurrent);
    model_post_free(&cache->post);
    core_free(cache->keys);
    core_free(cache->values);
    core_free(cache->page_bytes);
    core_free(cache->host_table);
    core_free(cache->lengths);
    core_free(cache->held);
    core_free(cache->copies);
    core_free(cache->references);
    core_free(cache->free_pages);
    memset(cache, 0, sizeof *cache);
}

/* ---- Pages */

static bool has_ring(const model_cache *cache, uint32_t layer) { return cache->ring.pages > 0 && cache->ring.layers[layer]; }

const dev_buffer *model_cache_table(const model_cache *cache, uint32_t layer)
{
    return has_ring(cache, layer) ? &cache->ring.table : &cache->table;
}

bool model_cache_can_go_on(const model_cache *cache, uint32_t sequence, uint32_t length)
{
    return model_recurrent_is_at(&cache->recurrent, sequence, length) && model_ring_holds(&cache->ring, sequence, length);
}

static int32_t take_page(model_cache *cache)
{
    const uint32_t page = cache->free_pages[--cache->free_count];
    cache->references[page] = 1;
    return (int32_t)page;
}

static void give_page(model_cache *cache, int32_t page)
{
    if (--cache->references[page] == 0)
        cache->free_pages[cache->free_count++] = (uint32_t)page;
}

/* Forgets a copy that was noted for a page nobody holds any more. */
static void forget_copy(model_cache *cache, int32_t to)
{
    for (uint32_t i = 0; i < cache->copy_count; i++) {
        if (cache->copies[i].to == to) {
            memmove(&cache->copies[i], &cache->copies[i + 1], (--cache->copy_count - i) * sizeof *cache->copies);
            return;
        }
    }
}

/* Whether the page that the next position falls into is begun and shared, so that writing it needs a copy. */
static bool needs_copy(const model_cache *cache, uint32_t sequence)
{
    const uint32_t length = cache->lengths[sequence];
    return length % MODEL_PAGE != 0 && cache->references[row_of(cache, sequence)[length / MODEL_PAGE]] > 1;
}

oclm_status model_cache_reserve(model_cache *cache, uint32_t sequence, uint32_t length)
{
    const uint32_t want = PAGES_OF(length), held = cache->held[sequence];
    const bool     copy = length > cache->lengths[sequence] && needs_copy(cache, sequence);
    const uint32_t more = (want > held ? want - held : 0) + (copy ? 1 : 0);
    if (want > cache->pages_per_sequence || more > cache->free_count)
        return core_fail(OCLM_ERR_CAPACITY, "the cache has no room for %u positions of a sequence: it holds %u for each, %u are free",
                         length, cache->pages_per_sequence * MODEL_PAGE, cache->free_count * MODEL_PAGE);
    if (copy) {
        int32_t *page = &row_of(cache, sequence)[cache->lengths[sequence] / MODEL_PAGE];
        const int32_t to = take_page(cache);
        cache->copies[cache->copy_count++] = (model_page_copy){ *page, to };
        give_page(cache, *page);
        *page = to;
    }
    for (uint32_t i = held; i < want; i++)
        row_of(cache, sequence)[i] = take_page(cache);
    if (want > held)
        cache->held[sequence] = want;
    cache->dirty = cache->dirty || more > 0;
    return OCLM_OK;
}

void model_cache_truncate(model_cache *cache, uint32_t sequence, uint32_t length)
{
    const uint32_t keep = PAGES_OF(length);
    int32_t       *row = row_of(cache, sequence);
    if (length < cache->lengths[sequence])
        cache->lengths[sequence] = length;
    while (cache->held[sequence] > keep) {
        int32_t *page = &row[--cache->held[sequence]];
        forget_copy(cache, *page);
        give_page(cache, *page);
        *page = -1;
        cache->dirty = true;
    }
}

/* ---- On the device */

/* Copies `count` pages of a layer from page `from` on to `to` on. */
static oclm_status copy_pages(const model_cache *cache, cl_command_queue queue, uint32_t layer, size_t from, size_t to, size_t count)
{
    const dev_buffer *const both[] = { &cache->keys[layer], &cache->values[layer] };
    const size_t            bytes = cache->page_bytes[layer];
    cl_int                  error = CL_SUCCESS;
    for (size_t i = 0; i < COUNT(both) && error == CL_SUCCESS && both[i]->memory != NULL; i++)
        error = clEnqueueCopyBuffer(queue, both[i]->memory, both[i]->memory, from * bytes, to * bytes, count * bytes, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "copying pages of the cache");
}

static oclm_status copy_page(const model_cache *cache, cl_command_queue queue, model_page_copy copy)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < cache->layer_count && status == OCLM_OK; i++) {
        if (!has_ring(cache, i))
            status = copy_pages(cache, queue, i, (size_t)copy.from, (size_t)copy.to, 1);
    }
    return status;
}

static oclm_status copy_rings(model_cache *cache, cl_command_queue queue, uint32_t from, uint32_t to)
{
    const size_t pages = cache->ring.pages;
    oclm_status  status = OCLM_OK;
    for (uint32_t i = 0; i < cache->layer_count && status == OCLM_OK; i++) {
        if (has_ring(cache, i))
            status = copy_pages(cache, queue, i, from * pages, to * pages, pages);
    }
    if (status == OCLM_OK)
        model_ring_fork(&cache->ring, from, to);
    return status;
}

static oclm_status make_copies(model_cache *cache, cl_command_queue queue)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < cache->copy_count && status == OCLM_OK; i++) /* in the order they were noted: pages may be reused */
        status = copy_page(cache, queue, cache->copies[i]);
    if (status == OCLM_OK)
        cache->copy_count = 0;
    return status;
}

oclm_status model_cache_fork(model_cache *cache, cl_command_queue queue, uint32_t from, uint32_t to)
{
    const uint32_t length = cache->lengths[from], whole = length / MODEL_PAGE;
    const bool     partial = length % MODEL_PAGE != 0;
    oclm_status    status;
    if (from == to || cache->lengths[to] != 0 || cache->held[to] != 0)
        return core_fail(OCLM_ERR_INTERNAL, "sequence %u cannot become a fork of %u: it holds %u positions", to, from, cache->lengths[to]);
    if (partial && cache->free_count == 0)
        return core_fail(OCLM_ERR_CAPACITY, "the cache has no free page for a fork of a sequence of %u positions", length);
    if ((status = make_copies(cache, queue)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < whole; i++) {
        const int32_t page = row_of(cache, from)[i];
        row_of(cache, to)[i] = page;
        cache->references[page]++;
    }
    cache->held[to] = whole;
    cache->lengths[to] = whole * MODEL_PAGE;
    cache->dirty = true;
    if (partial) {
        const int32_t page = take_page(cache);
        row_of(cache, to)[whole] = page;
        cache->held[to] = whole + 1;
        if ((status = copy_page(cache, queue, (model_page_copy){ row_of(cache, from)[whole], page })) != OCLM_OK) {
            model_cache_truncate(cache, to, 0);
            return status;
        }
    }
    cache->lengths[to] = length;
    if ((status = copy_rings(cache, queue, from, to)) != OCLM_OK ||
        (status = model_recurrent_fork(&cache->recurrent, queue, from, to)) != OCLM_OK)
        model_cache_truncate(cache, to, 0);
    return status;
}

oclm_status model_cache_sync(model_cache *cache, cl_command_queue queue)
{
    oclm_status status = model_ring_send(&cache->ring, queue, cache->sequences);
    if (status == OCLM_OK)
        status = make_copies(cache, queue);
    if (status != OCLM_OK || !cache->dirty)
        return status;
    status = model_post_send(&cache->post, queue, &cache->table, 0, cache->host_table,
                             (size_t)cache->sequences * cache->pages_per_sequence * sizeof *cache->host_table);
    cache->dirty = status != OCLM_OK;
    return status;
}
