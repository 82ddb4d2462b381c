/* olmoe.c: OLMoE: experts as wide as intermediate_size, queries and keys normalised as a whole and then clipped. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA, NAMES_QWEN_EXPERTS };

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 50304, .hidden_size = 2048, .intermediate_size = 2048, .layers = 16, .heads = 16, .max_position_embeddings = 4096 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-5f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 50279 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 64, .chosen = 8, .normalised_key = "norm_topk_prob" };
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = model_read_cap(config, "clip_qkv", origin, &a->qkv_clip)) != OCLM_OK)
        return status;
    a->qkv_clip_after_norm = true;
    a->qk_norm = MODEL_QK_NORM_ALL;
    a->qk_norm_shape = a->norm;
    return model_read_experts(config, origin, &experts, a);
}

const model_family model_families_olmoe[] = {
    { .model_type = "olmoe", .class_name = "OlmoeForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
