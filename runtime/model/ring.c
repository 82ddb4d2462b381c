/* ring.c: the rings of layers with a window: how large they are, their page table, and what they still hold. */
#include "model/ring.h"

#include <string.h>

/* ---- Sizes */

static uint32_t pages_of(uint32_t positions) { return positions / MODEL_PAGE + (positions % MODEL_PAGE != 0); }

/* The most pages that `window` - 1 positions and those of a pass or the spare ones behind them lie in, wherever they begin. */
static uint64_t pages_for(uint32_t window, uint32_t rows)
{
    const uint64_t positions = (uint64_t)window - 1 + (rows > MODEL_RING_SPARE ? rows : MODEL_RING_SPARE);
    return (positions + 2 * MODEL_PAGE - 2) / MODEL_PAGE;
}

static bool gains(const model_architecture *a, const model_cache_shape *shape, uint32_t layer)
{
    const model_layer_shape *l = &a->layer[layer];
    return l->mixer == MODEL_MIXER_ATTENTION && l->window > 0 && !shape->whole_windows &&
           pages_for(l->window, shape->rows) < pages_of(shape->positions);
}

uint32_t model_ring_pages(const model_architecture *a, const model_cache_shape *shape)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < a->layers; i++) {
        if (gains(a, shape, i) && pages_for(a->layer[i].window, shape->rows) > most)
            most = (uint32_t)pages_for(a->layer[i].window, shape->rows); /* less than the pages of all positions */
    }
    return most;
}

bool model_ring_has(const model_architecture *a, const model_cache_shape *shape, uint32_t pages, uint32_t layer)
{
    return pages > 0 && gains(a, shape, layer);
}

/* ---- Making and freeing */

oclm_status model_ring_new(dev_device *device, const model_architecture *a, const model_cache_shape *shape, model_ring *ring)
{
    oclm_status status = OCLM_ERR_MEMORY;
    memset(ring, 0, sizeof *ring);
    if ((ring->pages = model_ring_pages(a, shape)) == 0)
        return OCLM_OK;
    ring->layers = core_alloc_zero(a->layers, sizeof *ring->layers, "the list of layers with rings");
    ring->ends = core_alloc_zero(shape->sequences, sizeof *ring->ends, "the ends of rings");
    ring->moving = core_alloc_zero(shape->sequences, sizeof *ring->moving, "the rings that move");
    if (ring->layers && ring->ends && ring->moving)
        status = dev_buffer_new(device, (size_t)shape->sequences * pages_of(shape->positions) * sizeof(int32_t), "the page table of rings",
                                &ring->table);
    for (uint32_t i = 0; i < a->layers && status == OCLM_OK; i++) {
        ring->layers[i] = model_ring_has(a, shape, ring->pages, i);
        if (ring->layers[i] && a->layer[i].window > ring->window)
            ring->window = a->layer[i].window;
    }
    if (status != OCLM_OK)
        model_ring_free(device, ring);
    return status;
}

oclm_status model_ring_send(model_ring *ring, cl_command_queue queue, uint32_t sequences)
{
    if (ring->pages == 0 || ring->sent)
        return OCLM_OK;
    const size_t entries = ring->table.bytes / sizeof(int32_t), row = entries / sequences;
    int32_t     *table = core_alloc_array(entries, sizeof *table, "the page table of rings");
    if (table == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < entries; i++)
        table[i] = (int32_t)(i / row * ring->pages + i % row % ring->pages);
    const oclm_status status = dev_buffer_write(queue, &ring->table, 0, table, entries * sizeof *table);
    ring->sent = status == OCLM_OK;
    core_free(table);
    return status;
}

void model_ring_free(dev_device *device, model_ring *ring)
{
    dev_buffer_free(device, &ring->table);
    core_free(ring->layers);
    core_free(ring->ends);
    core_free(ring->moving);
    memset(ring, 0, sizeof *ring);
}

/* ---- What they hold */

bool model_ring_holds(const model_ring *ring, uint32_t sequence, uint32_t length)
{
    if (ring->pages == 0 || length < 1)
        return true;
    if (ring->moving[sequence] || ring->ends[sequence] == MODEL_RING_UNKNOWN)
        return false;
    const uint32_t end = ring->ends[sequence] > length ? ring->ends[sequence] : length; /* below 2^31, like the window */
    const uint32_t first = length + 1 > ring->window ? length + 1 - ring->window : 0;   /* what the next row sees */
    return first / MODEL_PAGE + ring->pages > (end - 1) / MODEL_PAGE;
}

void model_ring_note(model_ring *ring, uint32_t sequence, uint32_t first, uint32_t end)
{
    if (ring->pages == 0)
        return;
    ring->moving[sequence] = false;
    if (first == 0 || end > ring->ends[sequence])
        ring->ends[sequence] = end;
}

void model_ring_move(model_ring *ring, uint32_t sequence, uint32_t length)
{
    model_ring_note(ring, sequence, length, length);
    if (ring->pages > 0)
        ring->moving[sequence] = true;
}

void model_ring_settle(model_ring *ring, uint32_t sequence, uint32_t end) { model_ring_note(ring, sequence, 1, end); }

void model_ring_fork(model_ring *ring, uint32_t from, uint32_t to)
{
    if (ring->pages == 0)
        return;
    ring->ends[to] = ring->ends[from];
    ring->moving[to] = ring->moving[from];
}
