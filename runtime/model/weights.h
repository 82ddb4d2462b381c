/* weights.h: a model's weights on the device, bound from the checkpoint by role. */
#ifndef OCLM_MODEL_WEIGHTS_H
#define OCLM_MODEL_WEIGHTS_H

#include "model/binding.h"

typedef struct model_layer {
    dev_norm   attention_norm, mlp_norm; /* buffers owned here */
    dev_matrix qkv;        /* [(heads + 2 kv_heads) * head_dim][hidden] */
    dev_buffer qkv_bias;   /* empty: none */
    dev_matrix output;     /* [hidden][heads * head_dim] */
    dev_buffer output_bias;
    dev_matrix up;         /* [intermediate][hidden], or gate and up panels side by side: [2 * padded intermediate][hidden] */
    dev_buffer up_bias;
    dev_matrix down;       /* [hidden][intermediate] */
    dev_buffer down_bias;
} model_layer;

typedef struct model_weights {
    core_dtype   dtype;
    dev_matrix   embedding; /* [vocab][hidden] */
    dev_matrix   positions; /* [positions][hidden]; empty without a learned table */
    dev_norm     final_norm;
    dev_matrix   head;      /* empty where tied: embedding serves */
    dev_buffer   head_bias;
    model_layer *layers;
    uint32_t     layer_count;
    uint64_t     parameters;
} model_weights;

/* Bytes on the device in a storage type, matrices' padding and float32 vectors included. */
uint64_t    model_weights_bytes(const model_architecture *architecture, bool tied, core_dtype dtype);
/* Loads all that model_bind() found: one tensor at a time, each released from resident memory once it is on the device.
 * Before the first allocation the whole is compared with the device's budget: OCLM_ERR_DEVICE_MEMORY says needed,
 * available, and which dtype would fit. */
oclm_status model_weights_load(dev_device *device, const model_binding *binding, core_dtype dtype, oclm_progress_callback progress,
                               void *user, model_weights *weights);
void        model_weights_free(dev_device *device, model_weights *weights);
/* Bytes that one decoded token reads of the weights: everything but the embedding and position tables, plus the head. */
uint64_t    model_weights_read_per_token(const model_architecture *architecture, core_dtype dtype);

#endif
