/* model.h: a loaded model, on one device or spread over several: immutable, shared between threads. */
#ifndef OCLM_MODEL_MODEL_H
#define OCLM_MODEL_MODEL_H

#include "model/weights.h"

typedef struct model_model {
    dev_device         *device;  /* the main one: it has the head, and ids are chosen there */
    dev_device        **devices; /* [device_count], the main one among them */
    uint32_t            device_count, main_index;
    model_placement     placement; /* embedding, head and layers alone */
    bool               *holds;     /* NULL, with one device, or [device_count][layers]: does a device keep a layer's keys, values and states? Its own layers', and those
                                      that its own read (model_layer_shape.cache_of) */
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
    const model_placement *placement; /* which device has what; NULL: the first has all */
    const char *offload_folder;       /* for what is MODEL_ON_DISK; NULL: one in the user's cache folder */
    uint64_t    host_bytes;           /* the most that what is MODEL_ON_CPU may take; 0: 90 % of what the host has free */
    bool        offload_copies;       /* for tests: weights are copied to slots also where a device could read them in place */
    oclm_progress_callback progress; /* NULL */
    void       *progress_user;
} model_load_options;

/* Takes `count` devices over: they are closed with the model. Where this fails they stay the caller's, and what was loaded is freed: a driver that
 * gave less than its budget is one of which dev_memory_refused_at() tells. */
oclm_status model_load(const char *folder, dev_device *const *devices, uint32_t count, const model_load_options *options, model_model **model);
void        model_free(model_model *model);
model_sites model_sites_of(const model_model *model);
static inline dev_device *model_layer_device(const model_model *model, uint32_t layer) { return model->devices[model->placement.layers[layer].device]; }
/* [layers]: a row of the table above; NULL: all. */
static inline const bool *model_holds(const model_model *model, uint32_t device)
{
    return model->holds != NULL ? model->holds + (size_t)device * model->architecture.layers : NULL;
}
/* Is anything computed there? */
bool        model_uses_device(const model_model *model, uint32_t device);
/* Without loading: architecture, types and sizes, from config.json and the checkpoint's headers. `info` is filled but for the
 * device's members; strings are static. */
oclm_status model_inspect(const char *folder, const model_load_options *options, oclm_model_info *info);
void        model_get_info(const model_model *model, oclm_model_info *info);

#endif
