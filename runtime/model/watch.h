/* watch.h: finds where numbers stop being numbers: the pass once more, layer by layer, with a look at the residual stream behind each. */
#ifndef OCLM_MODEL_WATCH_H
#define OCLM_MODEL_WATCH_H

#include "model/forward.h"

#define MODEL_WATCH_NOTHING   UINT32_MAX
#define MODEL_WATCH_EMBEDDING (UINT32_MAX - 1)
#define MODEL_WATCH_HEAD      (UINT32_MAX - 2) /* all layers are fine: the final norm, or the head */

/* Where the first NaN or infinity appears. */
typedef struct model_watch {
    uint32_t    where;  /* a layer, or one of the above */
    dev_device *device; /* where that is computed */
} model_watch;

/* Reads `count` > 0 ids in a state of its own. Errors: as model_state_new() and model_forward(). */
oclm_status model_watch_ids(const model_model *model, const int32_t *ids, uint32_t count, model_watch *found);
/* "layer 3, computed on device 1 \"...\"", for messages; "" where nothing was found. */
const char *model_watch_text(const model_watch *found, char text[320]);

/* Adds a look behind layer `where` of a pass to a part's list; `watch` is state->watch of the main device's part. */
oclm_status model_watch_add(model_watch *watch, const model_state *part, dev_work *work, uint32_t rows, uint32_t where);

#endif
