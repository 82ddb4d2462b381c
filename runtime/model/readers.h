/* readers.h: what families read config.json with. A missing key leaves the value as the family set it before, which is the class
 * default of transformers; null does too, unless a reader says otherwise. All errors are OCLM_ERR_FORMAT, or
 * OCLM_ERR_UNSUPPORTED for what has a meaning that oclm has not learnt, and name file, key and value. */
#ifndef OCLM_MODEL_READERS_H
#define OCLM_MODEL_READERS_H

#include "model/architecture.h"

/* A family's class defaults. */
typedef struct model_sizes {
    uint32_t vocab_size, hidden_size;
    uint32_t intermediate_size; /* 0: 4 * hidden_size */
    uint32_t layers, heads;
    uint32_t kv_heads;          /* where the key is missing; 0: as many as heads, which is also what null means */
    uint32_t head_dim;          /* where the key is missing; 0: hidden_size / heads, which is also what null means */
    uint32_t max_position_embeddings;
} model_sizes;

/* Fills the sizes of `a`. Each is found under any of the names that families give it (hidden_size, n_embd, n_embed, d_model ...):
 * old files and transformers' attribute maps mix them. A family with stranger names reads those itself, before or after. */
oclm_status model_read_sizes(const cJSON *config, const char *origin, const model_sizes *defaults, model_architecture *a);

/* A size under its name or, where that is missing, under its old name (NULL: none): a whole number from 1 to `max`. */
oclm_status model_read_size(const cJSON *config, const char *key, const char *old_key, const char *origin, uint32_t max,
                            uint32_t *value);
/* As model_read_size(), where null means 0: "sliding_window": null is no window. */
oclm_status model_read_size_or_null(const cJSON *config, const char *key, const char *origin, uint32_t max, uint32_t *value);

/* `norm.eps` of all norms: positive and finite. */
oclm_status model_read_eps(const cJSON *config, const char *key, const char *origin, float *eps);
/* Any finite number below 1e30; one greater than 0; and one that null sets to 0 ("final_logit_softcapping": null is no cap). */
oclm_status model_read_number(const cJSON *config, const char *key, const char *origin, float *value);
oclm_status model_read_positive(const cJSON *config, const char *key, const char *origin, double *value);
oclm_status model_read_cap(const cJSON *config, const char *key, const char *origin, float *value);

oclm_status model_read_activation(const cJSON *config, const char *key, const char *origin, dev_activation fallback,
                                  dev_activation *activation);
oclm_status model_read_eos(const cJSON *config, const char *origin, model_architecture *architecture);

/* Windows of the first a->layers layers: "layer_types" where config.json has it, else all but every `full_every`-th layer look
 * through `window`: 2: layers 0, 2, 4, ... do, 6: five of six, 0: all of them, 1: none. A `window` of 0 is none for any layer. */
oclm_status model_read_windows(const cJSON *config, const char *origin, uint32_t window, uint32_t full_every, model_architecture *a);

/* How a family's files describe rotary positions, beyond the keys that all have. All zero, but for theta, is what most need. */
typedef struct model_rope_defaults {
    double      theta;             /* 0: 10000 */
    const char *theta_key;         /* another name of "rope_theta" at the top level */
    double      partial;           /* partial_rotary_factor; 0: 1 */
    const char *partial_key;       /* another name of "partial_rotary_factor" at the top level */
    uint32_t    dims;              /* rotary dimensions, where no factor gives them; 0: by the factor */
    bool        interleaved;
    double      sliding_theta;     /* layers with a window have a set of their own, with this theta, which rope_scaling does not reach */
    const char *sliding_theta_key; /* where files of old have that theta */
    uint32_t    original;          /* the class has original_max_position_embeddings, so that what the set says of it does not count */
    bool        yarn_is_longrope;
    bool        static_alpha;      /* "dynamic" with "alpha": theta * alpha ^ (dims / (dims - 2)), whatever the length */
    const char *parameters;        /* JSON: rope_parameters of a config.json that has none */
} model_rope_defaults;

/* a->ropes, and a->layer[].rope where layers with and without a window differ: call it after model_read_windows(). From
 * rope_scaling or rope_parameters, with the keys of either generation. Layers that shall not turn at all are the family's. */
oclm_status model_read_rope(const cJSON *config, const char *origin, const model_rope_defaults *defaults, model_architecture *a);

/* A family's defaults of what its experts have. */
typedef struct model_expert_defaults {
    uint32_t    count, chosen;
    const char *count_key, *chosen_key; /* where they have names that no other family has; NULL: those that many have */
    const char *width_key;      /* NULL: each is as wide as intermediate_size */
    uint32_t    width;
    const char *normalised_key; /* NULL: no such key */
    bool        normalised;
} model_expert_defaults;

/* Numbers and width of experts, under any of their names, and whether what they count is divided by its sum; after the sizes. All layers
 * have experts then: the family takes back those that have not. */
oclm_status model_read_experts(const cJSON *config, const char *origin, const model_expert_defaults *defaults, model_architecture *a);

/* Layers named in mlp_only_layers have an MLP in place of experts, and so have all but every decoder_sparse_step-th. */
oclm_status model_read_dense_layers(const cJSON *config, const char *origin, model_architecture *a);

/* model_read_experts(), and what DeepSeek and those who learnt from it have beside it: groups of experts, a scale of what the chosen
 * count, an MLP as wide as `shared` experts that every row has, and none but an MLP in the first `dense` layers. The family sets
 * the rest of `routing` first. */
oclm_status model_read_grouped_experts(const cJSON *config, const char *origin, const model_expert_defaults *defaults, uint32_t shared,
                                       uint32_t dense, model_architecture *a);

#endif
