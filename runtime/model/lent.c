/* lent.c: rows of keys and values out of one device's pages and into another's (cl/cache_rows.cl). */
#include "model/lent.h"

#include <stdio.h>

#include "model/binding.h"
#include "model/snapshot.h"

/* Does a layer of `device` read what another device's `layer` keeps? */
static bool borrows(const model_model *model, uint32_t device, uint32_t layer)
{
    return model->holds != NULL && model_holds(model, device)[layer] && model->placement.layers[layer].device != device;
}

/* Of a row of a layer: keys and values. */
static size_t row_bytes(const model_architecture *a, uint32_t layer, bool quantized) { return 2 * model_keys_bytes(a, layer, quantized); }

size_t model_lent_row_bytes(const model_model *model, uint32_t device, bool quantized)
{
    size_t most = 0;
    for (uint32_t d = 0; d < model->device_count; d++) {
        for (uint32_t i = 0; i < model->architecture.layers; i++) {
            if (borrows(model, d, i) && (d == device || model->placement.layers[i].device == device) &&
                row_bytes(&model->architecture, i, quantized) > most)
                most = row_bytes(&model->architecture, i, quantized);
        }
    }
    return most;
}

static oclm_status add(const model_state *part, dev_work *work, const char *kernel, uint32_t rows, uint32_t layer)
{
    const model_architecture *a = &part->model->architecture;
    const model_cache        *cache = &part->cache;
    const dev_arg             args[] = {
        dev_arg_buffer(&cache->keys[layer]), dev_arg_buffer(&cache->values[layer]), dev_arg_buffer(model_cache_table(cache, layer)),
        dev_arg_u32(cache->pages_per_sequence), dev_arg_buffer(&part->positions), dev_arg_buffer(&part->sequences), dev_arg_buffer(&part->lent),
    };
    char options[80];
    snprintf(options, sizeof options, "-DHEAD_DIM=%u -DKV_HEADS=%u -DQUANTIZED=%d", model_head_dim(a, layer), model_kv_heads(a, layer),
             cache->quantized);
    const dev_launch launch = { .source = "cache_rows", .kernel = kernel, .options = options, .dims = 3,
                                .global = { model_head_dim(a, layer), 2 * (size_t)model_kv_heads(a, layer), rows }, .args = args,
                                .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

oclm_status model_lent_add(model_relay_writer *w, const model_state *from, uint32_t rows, uint32_t layer)
{
    const size_t bytes = rows * row_bytes(&from->model->architecture, layer, from->cache.quantized);
    bool         taken = false;
    oclm_status  status = OCLM_OK;
    for (uint32_t d = 0; d < from->model->device_count && status == OCLM_OK; d++) {
        dev_work *work;
        if (!borrows(from->model, d, layer))
            continue;
        const model_state *to = model_part_on(w->state, d);
        if (!taken && (status = model_relay_work(w, from, &work)) == OCLM_OK)
            status = add(from, work, "cache_rows_take", rows, layer);
        taken = true;
        if (status == OCLM_OK && (status = model_relay_send(w, from, &from->lent, to, &to->lent, bytes)) == OCLM_OK &&
            (status = model_relay_work(w, to, &work)) == OCLM_OK)
            status = add(to, work, "cache_rows_put", rows, layer);
    }
    return status;
}

/* ---- Pages */

typedef struct renewal {
    model_state       *state, *to;
    const model_state *from;
    uint32_t           layer;
} renewal;

static oclm_status send_page(void *user, const model_state *from, const dev_buffer *buffer, size_t offset, size_t bytes)
{
    const renewal    *r = user;
    const dev_buffer *target = buffer == &from->cache.keys[r->layer] ? &r->to->cache.keys[r->layer] : &r->to->cache.values[r->layer];
    dev_link         *link;
    const oclm_status status = model_link(r->state, from, r->to, &link);
    return status == OCLM_OK ? dev_link_send(link, from->queue, buffer, offset, r->to->queue, target, offset, bytes) : status;
}

oclm_status model_lent_renew(model_state *state)
{
    const model_model *model = state->model;
    oclm_status        status = OCLM_OK;
    for (uint32_t d = 0; d < model->device_count; d++) {
        for (uint32_t i = 0; i < model->architecture.layers && status == OCLM_OK; i++) {
            renewal r = { .state = state, .layer = i };
            if (!borrows(model, d, i))
                continue;
            r.to = model_part_on(state, d);
            status = model_snapshot_each_page(state, i, send_page, &r);
        }
    }
    return status;
}
