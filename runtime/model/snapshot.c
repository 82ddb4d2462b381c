/* snapshot.c: which parts of which buffers are a sequence: pages of keys and values, rings, states of layers without attention. */
#include "model/snapshot.h"

#include <string.h>

#include "model/lent.h"
#include "model/pass.h"

static uint32_t pages_of(uint32_t positions) { return positions / MODEL_PAGE + (positions % MODEL_PAGE != 0); }

/* ---- Parts */

static bool has_ring(const model_cache *cache, uint32_t layer) { return cache->ring.pages > 0 && cache->ring.layers[layer]; }

/* Pages of a sequence's ring that were ever written. */
static uint32_t ring_pages(const model_cache *cache, uint32_t sequence)
{
    const uint32_t end = cache->ring.ends[sequence];
    if (end == MODEL_RING_UNKNOWN || cache->ring.moving[sequence])
        return 0;
    return pages_of(end) < cache->ring.pages ? pages_of(end) : cache->ring.pages;
}

/* What the states of layers without attention stand for; 0: nothing that could be gone on with. */
static uint32_t recurrent_length(const model_cache *cache, uint32_t sequence)
{
    const model_recurrent *r = &cache->recurrent;
    return r->layer_count == 0 || r->lengths[sequence] >= MODEL_LENGTH_MOVES ? 0 : r->lengths[sequence];
}

static oclm_status each_page(const model_state *part, uint32_t sequence, uint32_t layer, model_part_sink sink, void *user)
{
    const model_cache *cache = &part->cache;
    const bool         ring = has_ring(cache, layer);
    const uint32_t     count = ring ? ring_pages(cache, sequence) : pages_of(cache->lengths[sequence]);
    const size_t       bytes = cache->page_bytes[layer];
    oclm_status        status = OCLM_OK;
    if (bytes == 0 || cache->keys[layer].memory == NULL)
        return OCLM_OK;
    for (uint32_t p = 0; p < count && status == OCLM_OK; p++) {
        const size_t page = ring ? (size_t)sequence * cache->ring.pages + p
                                 : (size_t)cache->host_table[(size_t)sequence * cache->pages_per_sequence + p];
        if ((status = sink(user, part, &cache->keys[layer], page * bytes, bytes)) == OCLM_OK)
            status = sink(user, part, &cache->values[layer], page * bytes, bytes);
    }
    return status;
}

static oclm_status each_state(const model_state *part, uint32_t sequence, uint32_t layer, model_part_sink sink, void *user)
{
    const model_recurrent *r = &part->cache.recurrent;
    oclm_status            status = OCLM_OK;
    if (recurrent_length(&part->cache, sequence) == 0)
        return OCLM_OK;
    if (r->tail_bytes[layer] > 0)
        status = sink(user, part, &r->tails[layer], sequence * r->tail_bytes[layer], r->tail_bytes[layer]);
    if (status == OCLM_OK && r->memory_bytes[layer] > 0)
        status = sink(user, part, &r->memories[layer], sequence * r->memory_bytes[layer], r->memory_bytes[layer]);
    return status;
}

/* The part that computes a layer. */
static const model_state *part_of(model_state *state, uint32_t layer)
{
    return model_part_on(state, state->model->placement.layers[layer].device);
}

oclm_status model_snapshot_each_page(model_state *state, uint32_t layer, model_part_sink sink, void *user)
{
    oclm_status status = OCLM_OK;
    for (uint32_t s = 0; s < state->cache.sequences && status == OCLM_OK; s++)
        status = each_page(part_of(state, layer), s, layer, sink, user);
    return status;
}

oclm_status model_snapshot_each_part(model_state *state, model_part_sink sink, void *user)
{
    oclm_status status = OCLM_OK;
    for (uint32_t s = 0; s < state->cache.sequences; s++) {
        for (uint32_t i = 0; i < state->cache.layer_count && status == OCLM_OK; i++) {
            if ((status = each_page(part_of(state, i), s, i, sink, user)) == OCLM_OK)
                status = each_state(part_of(state, i), s, i, sink, user);
        }
    }
    return status;
}

oclm_status model_snapshot_fill(model_state *state, model_part_sink sink, void *user)
{
    const oclm_status status = model_snapshot_each_part(state, sink, user);
    return status == OCLM_OK ? model_lent_renew(state) : status;
}

static oclm_status count_part(void *user, const model_state *part, const dev_buffer *buffer, size_t offset, size_t bytes)
{
    (void)part;
    (void)buffer;
    (void)offset;
    *(uint64_t *)user += bytes;
    return OCLM_OK;
}

static uint64_t count_bytes(model_state *state)
{
    uint64_t bytes = 0;
    (void)model_snapshot_each_part(state, count_part, &bytes);
    return bytes;
}

/* ---- Snapshots */

/* Sends what a part's next pass would, and waits for it. */
static oclm_status settle_part(model_state *part)
{
    oclm_status status = model_cache_sync(&part->cache, part->queue);
    if (status == OCLM_OK)
        status = dev_finish(part->queue);
    for (uint32_t s = 0; s < part->cache.sequences && status == OCLM_OK; s++)
        model_recurrent_settle(&part->cache.recurrent, part->queue, s);
    return status;
}

/* What the states of all parts stand for. */
static uint32_t recurrent_of(const model_state *state, uint32_t sequence)
{
    uint32_t length = state->cache.recurrent.layer_count > 0 ? state->cache.recurrent.lengths[sequence] : 0;
    for (uint32_t i = 0; i < state->other_count; i++) {
        if (state->others[i]->cache.recurrent.layer_count > 0)
            length = state->others[i]->cache.recurrent.lengths[sequence];
    }
    return length;
}

oclm_status model_snapshot_take(model_state *state, model_snapshot *snapshot)
{
    model_cache *cache = &state->cache;
    oclm_status  status;
    memset(snapshot, 0, sizeof *snapshot);
    status = settle_part(state);
    for (uint32_t i = 0; i < state->other_count && status == OCLM_OK; i++)
        status = settle_part(state->others[i]);
    if (status != OCLM_OK)
        return status;
    if ((snapshot->held = core_alloc_zero(cache->sequences, sizeof *snapshot->held, "a snapshot")) == NULL)
        return OCLM_ERR_MEMORY;
    snapshot->sequences = cache->sequences;
    snapshot->ring_pages = cache->ring.pages;
    snapshot->rope_prompt = state->rope_prompt;
    for (uint32_t s = 0; s < cache->sequences; s++) {
        model_held *held = &snapshot->held[s];
        held->length = cache->lengths[s];
        if (cache->ring.pages > 0)
            held->ring_end = cache->ring.moving[s] ? MODEL_RING_UNKNOWN : cache->ring.ends[s];
        held->recurrent = recurrent_of(state, s);
    }
    snapshot->bytes = count_bytes(state);
    return OCLM_OK;
}

void model_snapshot_free(model_snapshot *snapshot)
{
    core_free(snapshot->held);
    memset(snapshot, 0, sizeof *snapshot);
}

static void set_numbers(model_cache *cache, uint32_t sequence, const model_held *held)
{
    cache->lengths[sequence] = held->length;
    if (cache->ring.pages > 0) {
        cache->ring.ends[sequence] = held->ring_end;
        cache->ring.moving[sequence] = false;
    }
    model_recurrent_note(&cache->recurrent, sequence, held->recurrent);
}

static oclm_status place_part(model_state *part, const model_snapshot *snapshot)
{
    oclm_status status = OCLM_OK;
    for (uint32_t s = 0; s < snapshot->sequences && status == OCLM_OK; s++) {
        if ((status = model_cache_reserve(&part->cache, s, snapshot->held[s].length)) == OCLM_OK)
            set_numbers(&part->cache, s, &snapshot->held[s]);
    }
    return status;
}

oclm_status model_snapshot_place(model_state *state, const model_snapshot *snapshot, bool *fits)
{
    model_cache *cache = &state->cache;
    oclm_status  status = OCLM_OK;
    *fits = cache->sequences == snapshot->sequences && cache->ring.pages == snapshot->ring_pages;
    if (*fits)
        status = place_part(state, snapshot);
    for (uint32_t i = 0; i < state->other_count && *fits && status == OCLM_OK; i++)
        status = place_part(state->others[i], snapshot);
    if (status == OCLM_OK && *fits && count_bytes(state) != snapshot->bytes) {
        *fits = false;
        for (uint32_t s = 0; s < snapshot->sequences; s++)
            model_truncate(state, s, 0);
    }
    if (status == OCLM_OK && *fits && state->model->architecture.position == MODEL_POSITION_ROPE && snapshot->rope_prompt != state->rope_prompt)
        status = model_state_turn(state, snapshot->rope_prompt);
    return status;
}

/* ---- Copying */

typedef struct part {
    cl_command_queue queue;
    cl_mem           memory;
    size_t           offset, bytes;
} part;

typedef struct part_list {
    part  *parts;
    size_t count, capacity;
} part_list;

static oclm_status note_part(void *user, const model_state *owner, const dev_buffer *buffer, size_t offset, size_t bytes)
{
    part_list *list = user;
    part *grown = core_grow_array(list->parts, list->count, &list->capacity, 256, sizeof *grown, "parts of a snapshot");
    if (grown == NULL)
        return OCLM_ERR_MEMORY;
    list->parts = grown;
    list->parts[list->count++] = (part){ owner->queue, buffer->memory, offset, bytes };
    return OCLM_OK;
}

oclm_status model_snapshot_copy(model_state *from, model_state *to)
{
    part_list   source = { NULL, 0, 0 }, target = { NULL, 0, 0 };
    cl_int      error = CL_SUCCESS;
    oclm_status status;
    if ((status = model_snapshot_each_part(from, note_part, &source)) == OCLM_OK &&
        (status = model_snapshot_each_part(to, note_part, &target)) == OCLM_OK && source.count != target.count)
        status = core_fail(OCLM_ERR_INTERNAL, "a copy of a session has %zu parts of %zu", target.count, source.count);
    for (size_t i = 0; i < source.count && status == OCLM_OK && error == CL_SUCCESS; i++)
        error = clEnqueueCopyBuffer(target.parts[i].queue, source.parts[i].memory, target.parts[i].memory, source.parts[i].offset, target.parts[i].offset,
                                    source.parts[i].bytes, 0, NULL, NULL);
    if (error != CL_SUCCESS)
        status = dev_cl_fail(error, "copying a session");
    if (status == OCLM_OK)
        status = model_lent_renew(to);
    const oclm_status finished = model_finish(to); /* also where copying failed: what runs has its buffers */
    core_free(source.parts);
    core_free(target.parts);
    return status == OCLM_OK ? finished : status;
}
