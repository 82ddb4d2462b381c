/* sketch.h: a model without its weights, of which states tell what they would take. Inside the model room. */
#ifndef OCLM_MODEL_SKETCH_H
#define OCLM_MODEL_SKETCH_H

#include "model/opened.h"

/* All of a model on one device: every matrix has its shape and parts, but no memory. `opened` is not needed any more.
 * Errors: OCLM_ERR_MEMORY. To be freed in any case. */
oclm_status model_sketch_new(const model_opened *opened, const model_storing *storing, dev_device *device, model_model **sketch);
void        model_sketch_free(model_model *sketch);

#endif
