/* glm_moe.c: GLM 4.5 to 4.7: llama that turns half of each head and may normalise queries and keys, with DeepSeek V3's experts. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA, NAMES_DEEPSEEK_EXPERTS };

/* The layer that predicts a second token: the one after the last, of GLM 4.5 and of GLM 4.5 Air. */
static const char *const ignored[] = { "model.layers.92.*", "model.layers.46.*" };

static const model_rope_defaults half = { .theta = 10000.0, .partial = 0.5 };

static const family_standard standard = {
    .sizes = { .vocab_size = 151552, .hidden_size = 4096, .intermediate_size = 10944, .layers = 46, .heads = 96, .kv_heads = 8,
               .max_position_embeddings = 131072 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-5f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .rope = &half,
};

static oclm_status read_glm4_moe(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 128, .chosen = 8, .width_key = "moe_intermediate_size", .width = 1408,
                                                   .normalised_key = "norm_topk_prob", .normalised = true };
    bool        qk_norm = false;
    oclm_status status;
    a->experts.correction = true;
    a->experts.routing = (dev_routing){ .router = DEV_ROUTER_SIGMOID, .groups = 1, .groups_chosen = 1, .group_sum = true, .eps = 1e-20f,
                                        .scale = 1.0f };
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "attention_bias", origin, &a->qkv_bias)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_qk_norm", origin, &qk_norm)) != OCLM_OK)
        return status;
    a->qk_norm = qk_norm ? MODEL_QK_NORM_HEAD : MODEL_QK_NORM_NONE;
    a->qk_norm_shape = a->norm;
    return model_read_grouped_experts(config, origin, &experts, 1, 1, a);
}

const model_family model_families_glm_moe[] = {
    { .model_type = "glm4_moe", .class_name = "Glm4MoeForCausalLM", .base_prefix = "model.", NAMES_TABLES, .read_config = read_glm4_moe },
    { 0 },
};
