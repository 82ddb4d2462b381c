/* loader.h: what the files that bring weights to the device share. Inside weights.c and expert_weights.c. */
#ifndef OCLM_MODEL_LOADER_H
#define OCLM_MODEL_LOADER_H

#include "model/weights.h"

typedef struct model_loader {
    dev_device             *device;
    const model_binding    *binding;
    core_dtype              dtype;
    oclm_progress_callback  progress;
    void                   *user;
    uint64_t                done, total; /* bytes of the checkpoint */
} model_loader;

/* One tensor is on the device: its pages may leave, and whoever waits is told. */
oclm_status model_loaded(model_loader *loader, const ckpt_tensor *tensor);
/* A role's matrix of one tensor, or vector in float32; nothing where the layer has none. */
oclm_status model_load_matrix(model_loader *loader, model_role role, uint32_t layer, dev_matrix *matrix);
oclm_status model_load_vector(model_loader *loader, model_role role, uint32_t layer, dev_buffer *buffer);

/* Everything of a layer's experts but the shared one (expert_weights.c). */
oclm_status model_load_experts(model_loader *loader, uint32_t layer, model_expert_weights *experts);
/* What one expert takes of a role that all have: MODEL_EXPERTS_*. Gate and up lie in MODEL_EXPERTS_GATE_UP, whatever the checkpoint does. */
uint64_t    model_expert_bytes(const model_architecture *architecture, model_role role, core_dtype dtype);
void        model_experts_free(dev_device *device, model_expert_weights *experts);

#endif
