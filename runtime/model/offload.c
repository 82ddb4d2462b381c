/* offload.c: which matrices make a unit of a feed, and which unit a pass reads after which. */
#include "model/offload.h"

#include <stdio.h>

#include "core/platform.h"

#define MOST_MATRICES 16u /* of a unit */
#define MOST_BUFFERS  64u

static bool is_offloaded(const model_sites *sites, uint32_t unit)
{
    return sites->placement != NULL && model_place_of(sites->placement, unit).kind != MODEL_ON_DEVICE;
}

static uint32_t device_of(const model_offload *o, uint32_t unit) { return model_place_of(o->sites.placement, unit).device; }

/* The unit of placement that something kept belongs to. */
static uint32_t unit_of(uint32_t kept)
{
    return kept >= MODEL_KEPT_LAYERS ? kept - MODEL_KEPT_LAYERS + MODEL_UNIT_LAYERS : kept == MODEL_UNIT_HEAD ? kept : MODEL_UNIT_EMBEDDING;
}

static dev_feed *feed_of(const model_offload *o, uint32_t kept) { return o->feeds[device_of(o, unit_of(kept))]; }

/* ---- Making */

/* The folder for the file: the caller's, or one of our own. `folder` is filled. */
static oclm_status find_folder(const char *wish, core_text *folder)
{
    oclm_status status = wish != NULL ? core_text_add_string(folder, wish) : core_cache_folder(folder);
    if (status == OCLM_OK && wish == NULL)
        status = core_text_add_string(folder, "/offload");
    if (status == OCLM_OK)
        status = core_make_folders(folder->data);
    return status == OCLM_OK || wish != NULL ? status
                                             : core_fail_in(status, "no folder for weights on disk (name one: offload_folder, --offload-folder)");
}

static bool has_any(const model_sites *sites, uint32_t layers, model_place_kind kind)
{
    for (uint32_t unit = 0; sites->placement != NULL && unit < MODEL_UNIT_LAYERS + layers; unit++) {
        if (model_place_of(sites->placement, unit).kind == kind)
            return true;
    }
    return false;
}

static uint64_t host_limit(const model_offload_options *options)
{
    if (options != NULL && options->host_bytes > 0)
        return options->host_bytes;
    if (options != NULL && options->planned != NULL && options->planned->host.budget > 0)
        return options->planned->host.budget;
    return core_host_memory_available() / 10 * 9;
}

/* `options` may be NULL. */
static oclm_status make_feeds(model_offload *o, const model_offload_options *options, const char *folder)
{
    const model_share *planned = options != NULL && options->planned != NULL ? options->planned->devices : NULL;
    oclm_status status = OCLM_OK;
    for (uint32_t unit = 0; unit < MODEL_UNIT_LAYERS + o->layers && status == OCLM_OK; unit++) {
        const uint32_t         device = device_of(o, unit);
        const dev_feed_options feed = { .budget = &o->budget, .folder = folder,
                                        .slot_bytes = planned != NULL ? planned[device].visiting : 0,
                                        .copies = options != NULL && options->copies };
        if (is_offloaded(&o->sites, unit) && o->feeds[device] == NULL)
            status = dev_feed_new(o->sites.devices[device], &feed, &o->feeds[device]);
    }
    return status;
}

oclm_status model_offload_new(const model_sites *sites, uint32_t layers, bool tied, const model_offload_options *options, model_offload **out)
{
    core_text      folder = CORE_TEXT_INIT;
    oclm_status    status = OCLM_OK;
    model_offload *o = NULL;
    *out = NULL;
    if (!has_any(sites, layers, MODEL_ON_CPU) && !has_any(sites, layers, MODEL_ON_DISK))
        return OCLM_OK;
    if ((o = core_alloc_zero(1, sizeof *o, "offloaded weights")) == NULL ||
        (o->feeds = core_alloc_zero(sites->device_count, sizeof *o->feeds, "the feeds of devices")) == NULL ||
        (o->units = core_alloc_array((size_t)MODEL_KEPT_LAYERS + layers, sizeof *o->units, "the units of feeds")) == NULL)
        status = OCLM_ERR_MEMORY;
    if (status == OCLM_OK) {
        o->sites = (model_sites){ sites->devices, sites->device_count, sites->placement, NULL };
        o->layers = layers;
        o->tied = tied;
        o->budget.most = host_limit(options);
        for (uint32_t i = 0; i < MODEL_KEPT_LAYERS + layers; i++)
            o->units[i] = MODEL_STAYS;
        if (has_any(sites, layers, MODEL_ON_DISK))
            status = find_folder(options != NULL ? options->folder : NULL, &folder);
    }
    if (status == OCLM_OK)
        status = make_feeds(o, options, folder.data);
    core_text_free(&folder);
    if (status != OCLM_OK) {
        model_offload_free(o);
        return status;
    }
    *out = o;
    return OCLM_OK;
}

void model_offload_free(model_offload *o)
{
    if (o == NULL)
        return;
    for (uint32_t i = 0; o->feeds != NULL && i < o->sites.device_count; i++)
        dev_feed_free(o->feeds[i]);
    core_free(o->feeds);
    core_free(o->units);
    core_free(o);
}

/* ---- Taking */

/* Takes the buffers of matrices, those that there are, as a unit of the device's feed. */
static oclm_status take(model_offload *o, uint32_t kept, dev_feed_use use, dev_matrix *const *matrices, size_t count, bool ends, const char *what)
{
    dev_buffer   *buffers[MOST_BUFFERS];
    const bool    rows = kept == MODEL_UNIT_EMBEDDING || kept == MODEL_KEPT_TABLES;
    dev_feed     *feed = feed_of(o, kept);
    dev_feed_unit unit = { .place = model_place_of(o->sites.placement, unit_of(kept)).kind == MODEL_ON_DISK ? DEV_FEED_FILE : DEV_FEED_HOST,
                           .use = use, .buffers = buffers, .ends = ends, .what = what };
    for (size_t i = 0; i < count; i++) {
        for (uint32_t p = 0; p < matrices[i]->part_count; p++) {
            const size_t panel = (size_t)dev_panel_of(&matrices[i]->parts[p].storage, matrices[i]->columns).bytes;
            if (unit.count == MOST_BUFFERS)
                return core_fail(OCLM_ERR_UNSUPPORTED, "%s lies in more than %u buffers and cannot be offloaded: keep it on the device", what,
                                 MOST_BUFFERS);
            buffers[unit.count++] = &matrices[i]->parts[p].buffer;
            unit.panel_bytes = rows && panel > unit.panel_bytes ? panel : unit.panel_bytes;
        }
    }
    if (unit.count == 0)
        return OCLM_OK;
    const uint32_t    number = dev_feed_units(feed);
    const oclm_status status = dev_feed_take(feed, &unit);
    if (status == OCLM_OK)
        o->units[kept] = number;
    return status;
}

static oclm_status take_embedding(model_offload *o, model_weights *w)
{
    dev_matrix *const table[] = { &w->embedding }, *const tables[] = { &w->positions, &w->input_embedding };
    dev_matrix *const products[] = { &w->project_in, &w->input_in };
    oclm_status       status = take(o, MODEL_UNIT_EMBEDDING, o->tied ? DEV_FEED_LAST : DEV_FEED_ROWS, table, COUNT(table), true, "the embedding");
    if (status == OCLM_OK)
        status = take(o, MODEL_KEPT_TABLES, DEV_FEED_ROWS, tables, COUNT(tables), false, "the embedding's other tables");
    return status == OCLM_OK ? take(o, MODEL_KEPT_PRODUCTS, DEV_FEED_IN_TURN, products, COUNT(products), false, "the embedding's projection")
                             : status;
}

/* The last layer that visits its device is followed by the first again, where a pass makes no logits. */
static bool is_last_layer(const model_offload *o, uint32_t layer)
{
    const uint32_t device = device_of(o, MODEL_UNIT_LAYERS + layer);
    for (uint32_t i = layer + 1; i < o->layers; i++) {
        if (is_offloaded(&o->sites, MODEL_UNIT_LAYERS + i) && device_of(o, MODEL_UNIT_LAYERS + i) == device)
            return false;
    }
    return true;
}

static oclm_status take_layer(model_offload *o, model_weights *w, uint32_t index)
{
    model_layer      *l = &w->layers[index];
    dev_matrix *const matrices[] = { &l->qkv, &l->latent, &l->latent_kv, &l->output, &l->up, &l->down, &l->input_gate, &l->input_out,
                                     &l->experts.router, &l->experts.up, &l->experts.down, &l->experts.shared_gate };
    char              what[32];
    (void)snprintf(what, sizeof what, "layer %u", index);
    return take(o, MODEL_KEPT_LAYERS + index, DEV_FEED_IN_TURN, matrices, COUNT(matrices), is_last_layer(o, index), what);
}

oclm_status model_offload_take(model_offload *o, model_weights *w, uint32_t unit)
{
    dev_matrix *const head[] = { &w->head, &w->project_out };
    if (o == NULL || !is_offloaded(&o->sites, unit))
        return OCLM_OK;
    if (unit == MODEL_UNIT_EMBEDDING)
        return take_embedding(o, w);
    if (unit == MODEL_UNIT_HEAD) /* a tied one's projection stays: the table is a unit by itself */
        return o->tied ? OCLM_OK : take(o, unit, DEV_FEED_IN_TURN, head, COUNT(head), true, "the head");
    return take_layer(o, w, unit - MODEL_UNIT_LAYERS);
}

oclm_status model_offload_open(model_offload *o)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; o != NULL && i < o->sites.device_count && status == OCLM_OK; i++) {
        if (o->feeds[i] != NULL)
            status = dev_feed_open(o->feeds[i]);
    }
    return status;
}

/* ---- Recording */

/* What is read as head. */
static uint32_t source_of(const model_offload *o, uint32_t kept)
{
    return kept == MODEL_UNIT_HEAD && o->tied ? (uint32_t)MODEL_UNIT_EMBEDDING : kept;
}

/* The next of what is kept, in the order of a pass: products of the embedding, layers, the head, and from the start again. */
static uint32_t step(const model_offload *o, uint32_t kept, bool logits)
{
    const uint32_t end = MODEL_KEPT_LAYERS + o->layers;
    if (kept == MODEL_UNIT_HEAD)
        return MODEL_KEPT_PRODUCTS;
    if (kept + 1 < end)
        return kept + 1;
    return logits ? (uint32_t)MODEL_UNIT_HEAD : (uint32_t)MODEL_KEPT_PRODUCTS;
}

/* Is it a unit of a feed? */
static bool is_kept(const model_offload *o, uint32_t kept) { return o != NULL && o->units[source_of(o, kept)] != MODEL_STAYS; }

bool model_offload_visits(const model_offload *o, uint32_t kept) { return is_kept(o, kept) && dev_feed_slots(feed_of(o, kept)) > 0; }

oclm_status model_offload_begin(const model_offload *o, dev_work *work, uint32_t kept, bool logits, dev_work **inner)
{
    *inner = work;
    if (!is_kept(o, kept))
        return OCLM_OK;
    dev_feed *const feed = feed_of(o, kept);
    uint32_t        next = step(o, kept, logits);
    while (next != kept && !(is_kept(o, next) && feed_of(o, next) == feed))
        next = step(o, next, logits);
    return dev_feed_add(work, feed, o->units[source_of(o, kept)], o->units[source_of(o, next)], inner);
}

bool model_offload_has(const model_offload *o, uint32_t kept) { return o != NULL && o->units[kept] != MODEL_STAYS; }

oclm_status model_offload_rows(const model_offload *o, dev_work *work, uint32_t kept, const dev_matrix *table, const dev_buffer *ids,
                               uint32_t count, float scale, bool add, const dev_buffer *y, uint32_t y_stride)
{
    if (!model_offload_has(o, kept))
        return dev_rows_add(work, table, ids, 0, count, scale, add, y, y_stride);
    return dev_feed_rows_add(work, feed_of(o, kept), o->units[kept], table, ids, count, scale, add, y, y_stride);
}

/* ---- What it holds */

const void *model_offload_memory(const model_offload *o, uint32_t unit, const dev_buffer *buffer, size_t *bytes)
{
    return o != NULL && is_offloaded(&o->sites, unit) ? dev_feed_memory(o->feeds[device_of(o, unit)], buffer, bytes) : NULL;
}

static uint64_t sum_of(const model_offload *o, uint64_t (*count)(const dev_feed *feed))
{
    uint64_t sum = 0;
    for (uint32_t i = 0; o != NULL && i < o->sites.device_count; i++)
        sum += o->feeds[i] != NULL ? count(o->feeds[i]) : 0;
    return sum;
}

uint64_t model_offload_host_bytes(const model_offload *o) { return sum_of(o, dev_feed_host_bytes); }
uint64_t model_offload_file_bytes(const model_offload *o) { return sum_of(o, dev_feed_file_bytes); }
