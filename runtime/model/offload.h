/* offload.h: weights whose place is the host's memory ("cpu") or a file ("disk"): loaded and packed on the device that computes with them, then
 * taken from it into the store of the device's feed (device/feed.h), one unit of placement at a time, so that there is never more on a
 * device than what stays and one unit. In passes they visit.
 *
 * On disk a file of panels is written, always: no checkpoint has its bytes in the order in which kernels read them. It has no name and is
 * gone with the model. Vectors (norms, biases) stay on the device. */
#ifndef OCLM_MODEL_OFFLOAD_H
#define OCLM_MODEL_OFFLOAD_H

#include "device/feed.h"
#include "model/weights.h"

/* Kept apart from the unit of the embedding, whose table may serve as head: other tables of rows, and its products. */
enum { MODEL_KEPT_TABLES = MODEL_UNIT_LAYERS, MODEL_KEPT_PRODUCTS, MODEL_KEPT_LAYERS };

#define MODEL_STAYS UINT32_MAX

typedef struct model_offload {
    model_sites     sites;
    dev_host_budget budget;
    dev_feed      **feeds; /* [device_count]; NULL: nothing is offloaded from that device */
    uint32_t       *units; /* [MODEL_KEPT_LAYERS + layers]: the unit of its device's feed, or MODEL_STAYS */
    uint32_t        layers;
    bool            tied;
} model_offload;

typedef struct model_offload_options {
    uint64_t    host_bytes; /* the most of the host's memory; 0: as planned, or 90 % of what is free */
    const char *folder;     /* for the file, made where it is missing; NULL: "offload" in the user's cache folder */
    const model_placement *planned; /* its shares say what slots may take, and the host, where host_bytes does not; NULL: as usual */
    bool        copies;     /* for tests: as dev_feed_options */
} model_offload_options;

/* `*offload` is NULL where the placement has all on devices. `tied`: the embedding serves as head. */
/* `options` NULL: all as usual. */
oclm_status model_offload_new(const model_sites *sites, uint32_t layers, bool tied, const model_offload_options *options,
                              model_offload **offload);
/* Before the weights are freed, for their matrices' buffers are emptied. Accepts NULL. */
void        model_offload_free(model_offload *offload);
/* A unit of placement is loaded: its matrices leave, if that is their place. Accepts NULL, as does the next. */
oclm_status model_offload_take(model_offload *offload, model_weights *weights, uint32_t unit);
/* All are loaded. */
oclm_status model_offload_open(model_offload *offload);

/* ---- Recording. `offload` may be NULL: then all is where it was. */

/* The list for launches that read the matrices of one of MODEL_UNIT_HEAD, MODEL_KEPT_PRODUCTS, or MODEL_KEPT_LAYERS + layer: `work`, or one
 * that is played in its place. `logits`: this pass goes on as far as the head. */
oclm_status model_offload_begin(const model_offload *offload, dev_work *work, uint32_t kept, bool logits, dev_work **inner);
/* Is what this list reads elsewhere between passes, so that other launches cannot read it? */
bool        model_offload_visits(const model_offload *offload, uint32_t kept);
/* Is it no longer on its device? */
bool        model_offload_has(const model_offload *offload, uint32_t kept);
/* dev_rows_add() of a table of the embedding. */
oclm_status model_offload_rows(const model_offload *offload, dev_work *work, uint32_t kept, const dev_matrix *table, const dev_buffer *ids,
                               uint32_t count, float scale, bool add, const dev_buffer *y, uint32_t y_stride);

/* Where the bytes of a matrix's buffer lie on the host, and how many; NULL: they are in the buffer. */
const void *model_offload_memory(const model_offload *offload, uint32_t unit, const dev_buffer *buffer, size_t *bytes);
/* Bytes in host memory and in files, all devices'. */
uint64_t    model_offload_host_bytes(const model_offload *offload);
uint64_t    model_offload_file_bytes(const model_offload *offload);

#endif
