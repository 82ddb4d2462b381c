/* hunyuan.c: Hunyuan's dense models: llama with a norm of each query and key head, after they have turned. */
#include "model/standard.h"

static const model_tensor_name names[] = {
    NAMES_TOP, NAMES_ATTENTION, NAMES_MLP, NAMES_INPUT_NORM,
    NAMES_LINEAR(MODEL_MLP_NORM, NAMES_LAYER "post_attention_layernorm"),
    { MODEL_Q_NORM, NAMES_LAYER "self_attn.query_layernorm.weight", false },
    { MODEL_K_NORM, NAMES_LAYER "self_attn.key_layernorm.weight", false },
};

static const model_rope_defaults rope = { .theta = 10000.0, .static_alpha = true };

static const family_standard standard = {
    .sizes = { .vocab_size = 290943, .hidden_size = 4096, .intermediate_size = 11008, .layers = 32, .heads = 32,
               .max_position_embeddings = 2048 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 2 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    const oclm_status status = family_read_standard(config, origin, &standard, a);
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    a->qk_norm_after_rope = true;
    return status == OCLM_OK ? family_read_attention_bias(config, "attention_bias", origin, a) : status;
}

const model_family model_families_hunyuan[] = {
    { .model_type = "hunyuan_v1_dense", .class_name = "HunYuanDenseV1ForCausalLM", .base_prefix = "model.", NAMES_ONLY,
      .read_config = read_config },
    { 0 },
};
