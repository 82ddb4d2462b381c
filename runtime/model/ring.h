/* ring.h: what layers with a window keep of a sequence: its last pages alone, in a ring that is the sequence's own. Page p of a sequence is
 * page p % pages of its ring, so that a pass that writes what comes forgets what no row will see any more. Kernels find pages by a page
 * table as everywhere; that of the rings is written once. Part of the cache (cache.h).
 *
 * A ring holds what the first row of a pass sees, all rows of a pass, and MODEL_RING_SPARE rows at least: as far a sequence can go back and go
 * on from there, which is what ids that were decoded ahead and thrown away ask for. Whoever goes back further reads the sequence anew. */
#ifndef OCLM_MODEL_RING_H
#define OCLM_MODEL_RING_H

#include "device/launch.h"
#include "model/architecture.h"

#define MODEL_PAGE 32u        /* positions of a page */
#define MODEL_RING_SPARE 256u /* positions that a ring holds beyond a window, or more: those of a pass */

#define MODEL_RING_UNKNOWN UINT32_MAX /* an end that the device did not tell */

/* What a cache is to hold. */
typedef struct model_cache_shape {
    uint32_t sequences, positions; /* room for so many positions of each */
    uint32_t rows;                 /* of one pass, at most */
    bool     quantized;            /* keys and values as 8-bit integers (cl/kept.h) */
    bool     whole_windows;        /* no rings: layers with a window keep everything, in pages of the one table */
    const bool *holds;             /* [layers]: those whose keys, values and states it has; NULL: all. Pages and rings are counted alike
                                      whatever this says, so that caches of one model go in step */
} model_cache_shape;

typedef struct model_ring {
    uint32_t   pages;  /* of each sequence; 0: no layer has a ring, and what follows is empty */
    uint32_t   window; /* the widest of those layers */
    bool      *layers; /* Has a layer a ring? [architecture's layers] */
    dev_buffer table;  /* int32 [sequences][pages of a sequence's positions] */
    bool       sent;   /* it has been written */
    uint32_t  *ends;   /* [sequences]: one past the last position that was written since the sequence was empty */
    bool      *moving; /* [sequences]: a decoding loop may be running: only the device knows how far it came */
} model_ring;

/* Pages of a sequence's ring; 0: no layer has a window so small that a ring is smaller than all pages. */
uint32_t    model_ring_pages(const model_architecture *architecture, const model_cache_shape *shape);
/* Has a layer a ring, where rings have so many pages? */
bool        model_ring_has(const model_architecture *architecture, const model_cache_shape *shape, uint32_t pages, uint32_t layer);
oclm_status model_ring_new(dev_device *device, const model_architecture *architecture, const model_cache_shape *shape, model_ring *ring);
void        model_ring_free(dev_device *device, model_ring *ring);
/* Writes the page table, once. */
oclm_status model_ring_send(model_ring *ring, cl_command_queue queue, uint32_t sequences);
/* Do the rings hold what a row at position `length` sees of those before? */
bool        model_ring_holds(const model_ring *ring, uint32_t sequence, uint32_t length);
/* Notes that a pass wrote positions `first` to `end` - 1. */
void        model_ring_note(model_ring *ring, uint32_t sequence, uint32_t first, uint32_t end);
/* Notes that a decoding loop goes on from `length` positions; and that it came to `end`. */
void        model_ring_move(model_ring *ring, uint32_t sequence, uint32_t length);
void        model_ring_settle(model_ring *ring, uint32_t sequence, uint32_t end);
/* Notes that the ring of `to` was made a copy of that of `from`. */
void        model_ring_fork(model_ring *ring, uint32_t from, uint32_t to);

#endif
