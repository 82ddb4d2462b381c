/* state_sizes.h: the memory of a state is planned as a whole, and compared with the device's budget before any of it is allocated. Inside the model
 * room; model_state_bytes() of forward.h is the sum. */
#ifndef OCLM_MODEL_STATE_SIZES_H
#define OCLM_MODEL_STATE_SIZES_H

#include "model/forward.h"

/* Of one device; a size is 0 where there is no such buffer. */
typedef struct model_state_sizes {
    uint64_t rows_bytes, tiles_bytes, logit_rows_bytes, logits_bytes, rope_bytes[MODEL_ROPE_SETS], slopes_bytes, growth_bytes; /* 0: none */
    uint64_t hidden_bytes, qkv_bytes, attention_bytes, mlp_bytes, scratch_floats, partial_bytes, selected_bytes;
    uint64_t branch_bytes, table_bytes, mixed_bytes; /* 0: none */
    uint64_t lent_bytes, origins_bytes; /* 0: none */
    uint64_t cache_bytes, ring_bytes, expert_bytes; /* rings: of the cache; experts, latent attention and layers' inputs */
    uint32_t hidden_stride, qkv_stride, attention_stride, mlp_stride, logits_stride, table_stride, mixed_stride;
} model_state_sizes;

/* Checks what is asked for and fills in what is left to the state. OCLM_ERR_ARGUMENT: value and range. */
oclm_status model_state_resolve(const model_architecture *a, const model_state_options *options, model_state_options *o);
/* Of resolved options. */
model_state_sizes model_state_measure(const model_model *model, uint32_t device, const model_state_options *o);
model_cache_shape model_state_cache_shape(const model_model *model, uint32_t device, const model_state_options *o);
/* OCLM_ERR_DEVICE_MEMORY: needed, available, and how many positions would fit. */
oclm_status model_state_check_budget(dev_device *device, const model_state_options *o, const model_state_sizes *p);

/* What is computed on a device. */
bool model_has_layers(const model_model *model, uint32_t device);
bool model_has_experts_on(const model_model *model, uint32_t device);
bool model_uses_rope(const model_model *model, uint32_t device, int set);

#endif
