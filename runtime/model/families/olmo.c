/* olmo.c: OLMo 1 (llama whose norms have no weights, with clipped queries, keys and values), OLMo 2 (norms of what each branch adds
 * instead, and of all queries and keys) and OLMo 3 (with windows). */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };
static const model_tensor_name post_names[] = { NAMES_POST_NORM };

static const model_rope_defaults rope = { .theta = 10000.0 };
/* Scaling reaches layers without a window only; those with one keep this theta, whatever rope_theta says. */
static const model_rope_defaults two_ropes = { .theta = 500000.0, .sliding_theta = 500000.0 };

#define SIZES { .vocab_size = 50304, .hidden_size = 4096, .intermediate_size = 11008, .layers = 32, .heads = 32, \
                .max_position_embeddings = 2048 }

static const family_standard olmo = {
    .sizes = SIZES, .norm = DEV_NORM_LAYER,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 50279 },
    .rope = &rope,
};

static const family_standard later = {
    .sizes = SIZES, .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 50279 },
};

static oclm_status read_olmo(const cJSON *config, const char *origin, model_architecture *a)
{
    oclm_status status;
    if ((status = family_read_standard(config, origin, &olmo, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK)
        return status;
    a->norm.no_weight = true;
    return model_read_cap(config, "clip_qkv", origin, &a->qkv_clip);
}

static oclm_status read_later(const cJSON *config, const char *origin, const model_rope_defaults *positions, model_architecture *a)
{
    oclm_status status;
    if ((status = family_read_standard(config, origin, &later, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK)
        return status;
    a->residual = MODEL_RESIDUAL_POST;
    a->qk_norm = MODEL_QK_NORM_ALL;
    a->qk_norm_shape = a->norm;
    a->position = MODEL_POSITION_ROPE;
    return model_read_rope(config, origin, positions, a);
}

static oclm_status read_olmo2(const cJSON *config, const char *origin, model_architecture *a)
{
    return read_later(config, origin, &rope, a);
}

static oclm_status read_olmo3(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    window = 4096;
    oclm_status status;
    if ((status = model_read_sizes(config, origin, &later.sizes, a)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK ||
        (status = model_read_windows(config, origin, window, 4, a)) != OCLM_OK)
        return status;
    return read_later(config, origin, &two_ropes, a);
}

#define POST_TABLES .names = post_names, .name_count = COUNT(post_names)

const model_family model_families_olmo[] = {
    { .model_type = "olmo", .class_name = "OlmoForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_olmo },
    { .model_type = "olmo2", .class_name = "Olmo2ForCausalLM", .base_prefix = "model.", POST_TABLES, .read_config = read_olmo2 },
    { .model_type = "olmo3", .class_name = "Olmo3ForCausalLM", .base_prefix = "model.", POST_TABLES, .read_config = read_olmo3 },
    { 0 },
};
