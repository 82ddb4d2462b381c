/* gemma.c: Gemma 1 to 3 (text): llama whose norms are stored less 1, whose embeddings are scaled by the root of their width, and
 * from the second on with norms of what each branch adds, and windows. */
#include <math.h>

#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };
static const model_tensor_name post_names[] = { NAMES_POST_NORM };

static const model_rope_defaults rope = { .theta = 10000.0 };
/* Layers with a window turn by a theta of their own, which no scaling reaches. */
static const model_rope_defaults two_ropes = { .theta = 1000000.0, .sliding_theta = 10000.0, .sliding_theta_key = "rope_local_base_freq" };

static const family_standard gemma = {
    .sizes = { .vocab_size = 256000, .hidden_size = 3072, .intermediate_size = 24576, .layers = 28, .heads = 16, .kv_heads = 16,
               .head_dim = 256, .max_position_embeddings = 8192 },
    .norm = DEV_NORM_RMS1P, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_GELU_TANH, .mlp_gated = true,
    .tied_head = true, .eos_token_ids = { 1 },
    .rope = &rope,
};

/* Gemma 2 and 3, but for rotary positions, which follow the windows. */
static const family_standard later = {
    .sizes = { .vocab_size = 256000, .hidden_size = 2304, .intermediate_size = 9216, .layers = 26, .heads = 8, .kv_heads = 4,
               .head_dim = 256, .max_position_embeddings = 8192 },
    .norm = DEV_NORM_RMS1P, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_activation", .activation = DEV_ACT_GELU_TANH, .mlp_gated = true,
    .tied_head = true, .eos_token_ids = { 1 },
};

static oclm_status read_common(const cJSON *config, const char *origin, const family_standard *standard, model_architecture *a)
{
    oclm_status status;
    if ((status = family_read_standard(config, origin, standard, a)) != OCLM_OK ||
        (status = family_refuse(config, "use_bidirectional_attention", origin, "tokens that see later ones are not supported")) != OCLM_OK)
        return status;
    a->embedding_scale = sqrtf((float)a->hidden_size);
    a->embedding_scale_rounded = true;
    return family_read_attention_bias(config, "attention_bias", origin, a);
}

/* Files of the first release say "gelu" and mean its approximation by tanh. */
static oclm_status read_gemma(const cJSON *config, const char *origin, model_architecture *a)
{
    const oclm_status status = read_common(config, origin, &gemma, a);
    a->activation = a->activation == DEV_ACT_GELU ? DEV_ACT_GELU_TANH : a->activation;
    return status;
}

static oclm_status read_later(const cJSON *config, const char *origin, const family_standard *standard, uint32_t full_every,
                              model_architecture *a)
{
    double      query_scalar = 256.0;
    uint32_t    window = 4096;
    oclm_status status;
    if ((status = read_common(config, origin, standard, a)) != OCLM_OK ||
        (status = model_read_positive(config, "query_pre_attn_scalar", origin, &query_scalar)) != OCLM_OK ||
        (status = model_read_cap(config, "final_logit_softcapping", origin, &a->logits_softcap)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK ||
        (status = model_read_windows(config, origin, window, full_every, a)) != OCLM_OK)
        return status;
    a->residual = MODEL_RESIDUAL_SANDWICH;
    a->attention_scale = (float)(1.0 / sqrt(query_scalar));
    a->position = MODEL_POSITION_ROPE;
    return OCLM_OK;
}

static oclm_status read_gemma2(const cJSON *config, const char *origin, model_architecture *a)
{
    oclm_status status;
    a->logits_softcap = 30.0f;
    a->attention_softcap = 50.0f;
    if ((status = read_later(config, origin, &later, 2, a)) != OCLM_OK ||
        (status = model_read_cap(config, "attn_logit_softcapping", origin, &a->attention_softcap)) != OCLM_OK)
        return status;
    return model_read_rope(config, origin, &rope, a);
}

static oclm_status read_gemma3(const cJSON *config, const char *origin, model_architecture *a)
{
    family_standard gemma3 = later;
    uint32_t        full_every = 6;
    oclm_status     status;
    gemma3.sizes.vocab_size = 262208;
    gemma3.sizes.max_position_embeddings = 131072;
    if ((status = core_json_get_u32(config, "sliding_window_pattern", origin, 1, MODEL_MAX_WIDTH, &full_every)) != OCLM_OK ||
        (status = read_later(config, origin, &gemma3, full_every, a)) != OCLM_OK)
        return status;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    return model_read_rope(config, origin, &two_ropes, a);
}

#define POST_TABLES .names = post_names, .name_count = COUNT(post_names)

const model_family model_families_gemma[] = {
    { .model_type = "gemma", .class_name = "GemmaForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_gemma },
    { .model_type = "gemma2", .class_name = "Gemma2ForCausalLM", .base_prefix = "model.", POST_TABLES, .read_config = read_gemma2 },
    { .model_type = "gemma3_text", .class_name = "Gemma3ForCausalLM", .base_prefix = "model.", POST_TABLES, .read_config = read_gemma3 },
    { 0 },
};
