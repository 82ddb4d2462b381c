/* storing.h: how a model's weights shall lie on the device, and how each of its matrices then does. */
#ifndef OCLM_MODEL_STORING_H
#define OCLM_MODEL_STORING_H

#include "checkpoint/quantize.h"
#include "model/binding.h"

typedef struct model_storing {
    core_dtype         dtype;      /* of what is not in codes */
    ckpt_quantize_kind quantize;   /* while loading */
    bool               nested;     /* ..with absmax quantised too */
    bool               all_floats; /* for sizes only: as if nothing were quantised in the checkpoint */
    const char *const *skip;       /* modules that stay floats when quantising; NULL: the default, head and tied weights */
    size_t             skip_count;
} model_storing;

/* Is this tensor quantised while loading? As transformers chooses for bitsandbytes: nn.Linear (and Conv1D) that are not skipped. */
bool         model_is_to_quantize(const model_storing *storing, const model_binding *binding, model_role role, const ckpt_tensor *tensor);
/* What a matrix's tensor becomes: codes, or floats of storing->dtype. */
core_storage model_storage_of(const model_storing *storing, const model_binding *binding, model_role role, const model_bound *bound);
/* A tensor of the checkpoint that is quantised already and has a role; NULL: none is. */
const ckpt_tensor *model_quantized_tensor(const model_binding *binding);
/* OCLM_ERR_ARGUMENT, OCLM_ERR_UNSUPPORTED: what cannot be quantised, and why. */
oclm_status  model_storing_check(const model_storing *storing, const model_binding *binding);

#endif
