/* weights.h: a model's weights on the device, bound from the checkpoint by role. */
#ifndef OCLM_MODEL_WEIGHTS_H
#define OCLM_MODEL_WEIGHTS_H

#include "model/placement.h"
#include "model/storing.h"

/* Of a layer with experts; each begins with a panel of its own. */
typedef struct model_expert_weights {
    dev_matrix router;      /* [experts][hidden] */
    dev_buffer router_bias, correction; /* [experts] */
    dev_matrix up;          /* [experts][gate and up panels side by side: 2 * padded width][hidden] */
    dev_buffer up_bias;     /* [experts][2 * padded width], likewise */
    dev_matrix down;        /* [experts][padded hidden][width] */
    dev_buffer down_bias;   /* [experts][padded hidden] */
    dev_matrix shared_gate; /* [1][hidden] */
    dev_norm   router_norm; /* its factors times hidden^-1/2 */
    dev_buffer counts;      /* [experts] */
    dev_norm   norm, post_dense_norm, post_norm; /* of experts beside an MLP, and of what that makes */
} model_expert_weights;

/* Of a layer without attention, beside its two products, which stand where attention's do. */
typedef struct model_mixer_weights {
    dev_buffer conv, conv_bias; /* [taps][channels], [channels] */
    dev_buffer rate, dt, norm;  /* of a delta net: -exp(A_log), dt [value heads]; [value_dim] */
} model_mixer_weights;

/* What an architecture does not have is empty: no buffer, no parts, a norm of kind DEV_NORM_NONE. */
typedef struct model_layer {
    dev_norm   attention_norm, mlp_norm;           /* buffers owned here; empty where factors are 1 */
    dev_norm   post_attention_norm, post_mlp_norm; /* of what is added to the residual */
    dev_matrix qkv;        /* [(heads + 2 kv_heads) * head_dim][hidden], and then gates [heads * head_dim]; W_in of a layer without attention */
    dev_buffer qkv_bias;
    dev_matrix latent;     /* [q_rank + kv_rank + rope][hidden], where keys and values are latent; then qkv is [heads * (rope, nope)][q_rank or
                              hidden]: what turns comes first in each head */
    dev_buffer latent_bias;
    dev_norm   latent_q_norm, latent_kv_norm;
    dev_matrix latent_kv;  /* [heads * (nope, value)][kv_rank] */
    dev_norm   q_norm, k_norm; /* [head_dim], [heads][head_dim] or [heads * head_dim], by qk_norm */
    dev_buffer sinks;      /* [heads] */
    dev_matrix output;     /* [hidden][heads * head_dim]; W_out of a layer without attention */
    dev_buffer output_bias;
    model_mixer_weights  mixer;
    model_expert_weights experts; /* then up and down are those of the shared one */
    dev_matrix up;         /* [intermediate][hidden], or gate and up panels side by side: [2 * padded intermediate][hidden] */
    dev_buffer up_bias;
    dev_buffer xielu;      /* [4]: the factors of x^2 above 0 and of the exponential below, beta, eps */
    dev_matrix down;       /* [hidden][intermediate] */
    dev_buffer down_bias;
    dev_matrix input_gate, input_out; /* [layer_input.size][hidden], [hidden][layer_input.size] */
    dev_norm   post_input_norm;
    float      scalar;     /* 1 where there is none */
} model_layer;

/* Units of placement: layers follow one after another. */
enum { MODEL_UNIT_EMBEDDING, MODEL_UNIT_HEAD, MODEL_UNIT_LAYERS };

/* On which devices weights lie. */
typedef struct model_sites {
    dev_device *const     *devices;
    uint32_t               device_count;
    const model_placement *placement; /* NULL: all on the first */
    const struct model_offload_options *offload; /* for loading what is not on a device (offload.h); NULL: as usual */
} model_sites;

static inline model_place model_place_of(const model_placement *placement, uint32_t unit)
{
    return unit == MODEL_UNIT_EMBEDDING ? placement->embedding
           : unit == MODEL_UNIT_HEAD    ? placement->head : placement->layers[unit - MODEL_UNIT_LAYERS];
}

static inline dev_device *model_site(const model_sites *sites, uint32_t unit)
{
    return sites->devices[sites->placement != NULL ? model_place_of(sites->placement, unit).device : 0];
}

#define MODEL_STORAGES 16u

/* What weights take, and how they are stored. */
typedef struct model_weight_sizes {
    uint64_t bytes;  /* on the device, matrices' padding and float32 vectors included */
    uint64_t unread; /* of them, those that a decoded token does not read: tables of rows, experts that it does not choose */
    struct { core_storage storage; uint64_t weights; } kinds[MODEL_STORAGES]; /* of matrices, with how many weights */
    size_t   kind_count;
} model_weight_sizes;

typedef struct model_weights {
    core_dtype   dtype;   /* of what is not in codes */
    core_storage storage; /* of most weights of matrices, but for the embedding's */
    model_weight_sizes sizes;
    dev_matrix   embedding; /* [vocab][hidden], or [vocab][embedding_size] between projections */
    dev_matrix   positions; /* [positions][hidden] of a learned table */
    dev_matrix   project_in, project_out; /* [hidden][embedding_size], [embedding_size][hidden] */
    dev_matrix   input_embedding; /* [vocab][layers * layer_input.size] */
    dev_matrix   input_in;  /* [layers][layer_input.size, padded][hidden] */
    dev_norm     input_in_norm; /* its factors times 2^-1/2 */
    dev_norm     embedding_norm;
    dev_norm     final_norm;
    dev_matrix   head;      /* as embedding, which serves where tied */
    dev_buffer   head_bias;
    model_layer *layers;
    uint32_t     layer_count;
    uint64_t     parameters;
    struct model_offload *offload; /* matrices that only visit their device; NULL: all stay there */
} model_weights;

/* What the weights of a binding would take, to the byte, without reading or making any. OCLM_ERR_MEMORY. */
oclm_status model_weights_measure(const model_binding *binding, const model_storing *storing, model_weight_sizes *sizes);
/* What a unit of placement takes; the vectors among it, such as norms and biases, stay on the device where its matrices only visit. */
typedef struct model_unit_size {
    uint64_t bytes, vectors;
    uint32_t matrices; /* how many there are */
} model_unit_size;
/* The same, and of each unit: `units` [MODEL_UNIT_LAYERS + layers]. */
oclm_status model_weights_measure_units(const model_binding *binding, const model_storing *storing, model_unit_size *units, model_weight_sizes *sizes);
/* How most of them are stored. */
core_storage model_main_storage(const model_weight_sizes *sizes);
/* Loads all that model_bind() found: one tensor at a time, each released from resident memory once it is on its device.
 * Before the first allocation what each device gets is compared with its budget: OCLM_ERR_DEVICE_MEMORY says needed,
 * available, and which way of storing them would fit. Errors of model_storing_check(). */
oclm_status model_weights_load(const model_sites *sites, const model_binding *binding, const model_storing *storing, oclm_progress_callback progress,
                               void *user, model_weights *weights);
void        model_weights_free(const model_sites *sites, model_weights *weights);

#endif
