/* cache.c: pages are handed out from a stack; a page that several sequences hold is never written: whoever is about to write
 * gets a copy first. Copies are noted here and made on the device just before the next pass, by model_cache_sync(). */
#include "model/cache.h"

#include <string.h>

#include "model/binding.h"

#define PAGES_OF(positions) ((positions) / MODEL_PAGE + ((positions) % MODEL_PAGE != 0))

/* Bytes of one page in a layer's keys, and in its values; 0: it has none of its own. */
static size_t page_bytes(const model_architecture *a, uint32_t layer)
{
    return model_keeps_keys(a, layer) ? (size_t)MODEL_PAGE * model_kv_heads(a, layer) * model_head_dim(a, layer) * sizeof(float) : 0;
}

static size_t largest_page(const model_architecture *a)
{
    size_t most = 0;
    for (uint32_t i = 0; i < a->layers; i++)
        most = page_bytes(a, i) > most ? page_bytes(a, i) : most;
    return most;
}

static int32_t *row_of(const model_cache *cache, uint32_t sequence)
{
    return cache->host_table + (size_t)sequence * cache->pages_per_sequence;
}

uint64_t model_cache_bytes(const model_architecture *a, uint32_t sequences, uint32_t positions)
{
    const uint64_t pages = (uint64_t)sequences * PAGES_OF(positions); /* each factor below 2^24 */
    return pages * sizeof(int32_t) + model_kv_bytes_per_token(a) * MODEL_PAGE * pages + model_recurrent_bytes(a, sequences);
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

static oclm_status make_buffers(dev_device *device, const model_architecture *a, model_cache *cache)
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
        const size_t bytes = page_bytes(a, i) * cache->pages; /* model_cache_new() checked */
        cache->page_bytes[i] = page_bytes(a, i);
        if (bytes > 0 && (status = dev_buffer_new(device, bytes, "the key cache of a layer", &cache->keys[i])) == OCLM_OK)
            status = dev_buffer_new(device, bytes, "the value cache of a layer", &cache->values[i]);
    }
    return status;
}

oclm_status model_cache_new(dev_device *device, const model_architecture *a, uint32_t sequences, uint32_t positions, model_cache *cache)
{
    const uint64_t pages = (uint64_t)sequences * PAGES_OF(positions);
    char           need[32], most[32];
    oclm_status    status;
    memset(cache, 0, sizeof *cache);
    if (pages > INT32_MAX || pages * largest_page(a) > dev_get_traits(device)->info.max_alloc_bytes)
        return core_fail(OCLM_ERR_DEVICE_MEMORY,
                         "%u sequences of %u positions need %s of keys in each layer, device \"%s\" takes no buffer larger than %s; "
                         "choose fewer positions or fewer sequences", sequences, positions,
                         core_format_bytes(pages * largest_page(a), need), dev_get_traits(device)->info.name,
                         core_format_bytes(dev_get_traits(device)->info.max_alloc_bytes, most));
    cache->pages = (uint32_t)pages;
    cache->sequences = sequences;
    cache->pages_per_sequence = PAGES_OF(positions);
    cache->dirty = true;
    if ((status = make_host_tables(cache)) != OCLM_OK || (status = make_buffers(device, a, cache)) != OCLM_OK ||
        (status = model_recurrent_new(device, a, sequences, &cache->recurrent)) != OCLM_OK)
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
    model_recurrent_free(device, &cache->recurrent);
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

static oclm_status copy_page(model_cache *cache, cl_command_queue queue, model_page_copy copy)
{
    for (uint32_t i = 0; i < cache->layer_count; i++) {
        const size_t bytes = cache->page_bytes[i], from = (size_t)copy.from * bytes, to = (size_t)copy.to * bytes;
        if (bytes == 0)
            continue;
        cl_int error = clEnqueueCopyBuffer(queue, cache->keys[i].memory, cache->keys[i].memory, from, to, bytes, 0, NULL, NULL);
        if (error == CL_SUCCESS)
            error = clEnqueueCopyBuffer(queue, cache->values[i].memory, cache->values[i].memory, from, to, bytes, 0, NULL, NULL);
        if (error != CL_SUCCESS)
            return dev_cl_fail(error, "copying a page of the cache");
    }
    return OCLM_OK;
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
    if ((status = model_recurrent_fork(&cache->recurrent, queue, from, to)) != OCLM_OK)
        model_cache_truncate(cache, to, 0);
    return status;
}

oclm_status model_cache_sync(model_cache *cache, cl_command_queue queue)
{
    oclm_status status = make_copies(cache, queue);
    if (status != OCLM_OK || !cache->dirty)
        return status;
    status = dev_buffer_write(queue, &cache->table, 0, cache->host_table,
                              (size_t)cache->sequences * cache->pages_per_sequence * sizeof *cache->host_table);
    cache->dirty = status != OCLM_OK;
    return status;
}
