/* model.h: a loaded model: immutable, shared between threads. */
#ifndef OCLM_MODEL_MODEL_H
#define OCLM_MODEL_MODEL_H

#include "model/weights.h"

typedef struct model_model {
    dev_device         *device;
    model_architecture  architecture;
    model_weights       weights;
    core_dtype          checkpoint_dtype;
    oclm_model_info     sizes; /* its weight_* members: what the weights take stored in one way or another */
    char               *folder;
} model_model;

typedef struct model_load_options {
    /* Quantising while loading: model_storing's members. */
    ckpt_quantize_kind quantize;
    bool               nested;
    const char *const *skip;
    size_t             skip_count;

    const char *variant; /* of the weight files; NULL: none */
    oclm_dtype  dtype;
    oclm_progress_callback progress; /* NULL */
    void       *progress_user;
} model_load_options;

/* Takes the device over: it is closed with the model, also where this fails. */
oclm_status model_load(const char *folder, dev_device *device, const model_load_options *options, model_model **model);
void        model_free(model_model *model);
/* Without loading: architecture, types and sizes, from config.json and the checkpoint's headers. `info` is filled but for the
 * device's members; strings are static. */
oclm_status model_inspect(const char *folder, const model_load_options *options, oclm_model_info *info);
void        model_get_info(const model_model *model, oclm_model_info *info);

#endif
