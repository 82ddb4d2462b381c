/* standard.h: what nearly every family's config.json has, read by one call from a table of the family's defaults. */
#ifndef OCLM_MODEL_STANDARD_H
#define OCLM_MODEL_STANDARD_H

#include "model/families/names.h"
#include "model/readers.h"

/* The defaults of a configuration class of transformers. */
typedef struct family_standard {
    model_sizes    sizes;
    dev_norm_kind  norm;
    bool           norm_bias;
    const char    *eps_key;          /* NULL: no such key */
    float          eps;              /* 0: 1e-5 */
    const char    *activation_key;   /* NULL: no such key */
    dev_activation activation;
    bool           mlp_gated;
    bool           tied_head;
    int32_t        eos_token_ids[4]; /* 0 ends them: it is no family's default but StableLM's, whose files give it */
    const model_rope_defaults *rope; /* NULL: no rotary positions, or the family reads them after it set the windows */
} family_standard;

/* Sizes, norms, activation, tying, end-of-sequence ids and rotary positions; attention_scale becomes head_dim^-1/2, which is what
 * most have. Errors: those of readers.h. */
oclm_status family_read_standard(const cJSON *config, const char *origin, const family_standard *standard, model_architecture *a);

/* Flags that turn several biases on at once. A missing key leaves all as they are. */
oclm_status family_read_attention_bias(const cJSON *config, const char *key, const char *origin, model_architecture *a);

/* The standard, "attention_bias" and "mlp_bias": a llama's config.json whole. */
oclm_status family_read_llama(const cJSON *config, const char *origin, const family_standard *standard, model_architecture *a);

/* OCLM_ERR_UNSUPPORTED naming the key if it is true; `why` ends the message. */
oclm_status family_refuse(const cJSON *config, const char *key, const char *origin, const char *why);

#endif
