/* cache.h: the paged key and value cache. Pages of MODEL_PAGE positions; a page table per sequence; pages counted by reference,
 * so that sequences share what they have in common. One page index means the same page in every layer that keeps all positions.
 *
 * On the device, for each layer that makes keys and values, two float32 buffers, kv_heads and head_dim being the layer's:
 *   keys    [pages][kv_heads][head_dim][MODEL_PAGE]   (a work-item that takes a page broadcasts q[d]: no horizontal sum)
 *   values  [pages][kv_heads][MODEL_PAGE][head_dim]
 * or of 8-bit integers, with scales behind each head of a page (cl/kept.h).
 * Layers with a window keep as many pages as that needs, in rings with a page table of their own (ring.h): model_cache_table() is the one
 * to read a layer by. Layers without attention have none of these, but states of one size (recurrent.h). Keys are stored after RoPE.
 * The page table is int32 [sequences][pages_per_sequence]. */
#ifndef OCLM_MODEL_CACHE_H
#define OCLM_MODEL_CACHE_H

#include "model/post.h"
#include "model/recurrent.h"
#include "model/ring.h"

typedef struct model_page_copy {
    int32_t from, to;
} model_page_copy;

typedef struct model_cache {
    uint32_t    pages;              /* in the pool */
    bool        quantized;          /* keys and values are 8-bit integers */
    uint32_t    sequences;
    uint32_t    pages_per_sequence; /* room in a table row */
    uint32_t    layer_count;
    dev_buffer *keys, *values;      /* [layer_count]; empty where a layer is not attention */
    model_recurrent recurrent;      /* of those that are not */
    model_ring  ring;               /* of those that have a window */
    dev_buffer  table;              /* on the device */
    int32_t    *host_table;         /* the same, [sequences][pages_per_sequence]; -1: no page */
    uint32_t   *lengths;            /* positions in use, [sequences] */
    uint32_t   *references;         /* [pages] */
    uint32_t   *free_pages;         /* stack of page indexes */
    uint32_t    free_count;
    bool        dirty;              /* host_table is ahead of the device's */
    uint32_t   *held;               /* pages in each table row, [sequences] */
    size_t     *page_bytes;         /* [layer_count]: of one page in a layer's keys, and in its values; 0: it has none of its own */
    model_page_copy *copies;        /* to be made before the next pass, in order; at most one for each sequence */
    uint32_t    copy_count;
    model_post  post;               /* the page table under way */
} model_cache;

/* Bytes on the device, and those of them that rings take: they do not grow with positions. */
uint64_t    model_cache_bytes(const model_architecture *architecture, const model_cache_shape *shape);
uint64_t    model_cache_ring_bytes(const model_architecture *architecture, const model_cache_shape *shape);
/* Would each of its buffers be one that the device takes? OCLM_ERR_DEVICE_MEMORY: needed, available, how many positions would be. Nothing is allocated. */
oclm_status model_cache_check(dev_device *device, const model_architecture *architecture, const model_cache_shape *shape);
/* Of a shape that was checked. */
oclm_status model_cache_new(dev_device *device, const model_architecture *architecture, const model_cache_shape *shape, model_cache *cache);
void        model_cache_free(dev_device *device, model_cache *cache);
/* What the keys of a layer take for one position, and its values. */
size_t      model_keys_bytes(const model_architecture *architecture, uint32_t layer, bool quantized);
/* The page table that a layer's keys and values are found by. */
const dev_buffer *model_cache_table(const model_cache *cache, uint32_t layer);
/* Can a sequence go on from `length` positions of those it holds? Not where layers without attention stand elsewhere, or rings have
 * forgotten what the next row sees: but always from 0. */
bool        model_cache_can_go_on(const model_cache *cache, uint32_t sequence, uint32_t length);
/* Makes room for `length` positions of a sequence: takes pages; `lengths` stays. A partial page that is shared is exchanged for
 * a copy. On failure nothing has changed. OCLM_ERR_CAPACITY: how many positions there are. */
oclm_status model_cache_reserve(model_cache *cache, uint32_t sequence, uint32_t length);
/* Cuts a sequence back to `length` positions, if it has more, and gives back the pages beyond. States of layers without attention and
 * rings stay as they are: model_cache_can_go_on() says whether it can go on from there. */
void        model_cache_truncate(model_cache *cache, uint32_t sequence, uint32_t length);
/* Makes `to` (empty) share all whole pages of `from`; the last, partial page, rings and all states are copied on the device. */
oclm_status model_cache_fork(model_cache *cache, cl_command_queue queue, uint32_t from, uint32_t to);
/* Makes the copies that are due and sends the page table if it changed. */
oclm_status model_cache_sync(model_cache *cache, cl_command_queue queue);

#endif
