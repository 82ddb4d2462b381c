/* glm.c: GLM 4 in both forms: llama with neighbouring pairs of half a head turned and gate and up fused; "glm4" also normalises what
 * each branch adds. */
#include "model/standard.h"

#define COMMON_NAMES                                                                                                      \
    NAMES_TOP, NAMES_ATTENTION, NAMES_INPUT_NORM, NAMES_LINEAR(MODEL_GATE_UP, NAMES_LAYER "mlp.gate_up_proj"),            \
    NAMES_LINEAR(MODEL_DOWN, NAMES_LAYER "mlp.down_proj"),                                                                \
    { MODEL_MLP_NORM, NAMES_LAYER "post_attention_layernorm.weight", false }

static const model_tensor_name names[] = { COMMON_NAMES };
static const model_tensor_name glm4_names[] = {
    COMMON_NAMES,
    { MODEL_POST_ATTENTION_NORM, NAMES_LAYER "post_self_attn_layernorm.weight", false },
    { MODEL_POST_MLP_NORM, NAMES_LAYER "post_mlp_layernorm.weight", false },
};

static const model_rope_defaults half = { .theta = 10000.0, .partial = 0.5, .interleaved = true };

static const family_standard standard = {
    .sizes = { .vocab_size = 151552, .hidden_size = 4096, .intermediate_size = 13696, .layers = 40, .heads = 32, .kv_heads = 2,
               .head_dim = 128, .max_position_embeddings = 131072 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1.5625e-7f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 151329, 151336, 151338 },
    .rope = &half,
};

static oclm_status read_glm(const cJSON *config, const char *origin, model_architecture *a)
{
    a->qkv_bias = true;
    const oclm_status status = family_read_standard(config, origin, &standard, a);
    return status == OCLM_OK ? core_json_get_bool(config, "attention_bias", origin, &a->qkv_bias) : status;
}

static oclm_status read_glm4(const cJSON *config, const char *origin, model_architecture *a)
{
    a->residual = MODEL_RESIDUAL_SANDWICH;
    return read_glm(config, origin, a);
}

const model_family model_families_glm[] = {
    { .model_type = "glm", .class_name = "GlmForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_glm },
    { .model_type = "glm4", .class_name = "Glm4ForCausalLM", .base_prefix = "model.", .names = glm4_names, .name_count = COUNT(glm4_names),
      .read_config = read_glm4 },
    { 0 },
};
