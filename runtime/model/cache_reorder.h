/* cache_reorder.h: what beams do to the cache between two steps: each sequence goes on from what another of its group holds.
 *
 * On the device, in place, and without copying what need not be: whole pages change places in the page table alone (they are never written
 * again), the page that is being filled is copied where a sequence's origin is another one, as are states of layers without attention.
 * The host's picture of the cache stays as it was, and with it who has to give back which page: but only the device knows what each sequence
 * holds then, so a sequence is afterwards good for nothing but to be emptied. */
#ifndef OCLM_MODEL_CACHE_REORDER_H
#define OCLM_MODEL_CACHE_REORDER_H

#include "model/cache.h"

typedef struct model_reorder {
    uint32_t   groups, group; /* sequences [0, groups * group); a group are neighbours, and hold equally many positions */
    dev_buffer origins;       /* int32 [sequences]: which one each goes on from, of its own group */
    dev_buffer positions;     /* int32 [sequences]: how many each holds: positions of the next pass */
} model_reorder;

/* Records it. The cache must have kept whole windows (model_state_options.whole_windows). */
oclm_status model_reorder_add(const model_cache *cache, dev_work *work, const model_reorder *reorder);
/* To be called when what was recorded has run: says that the device's page table is another than the host's. */
void        model_reorder_end(model_cache *cache);

#endif
