/* qwen_moe.c: Qwen2-MoE (many narrow experts, and one with a gate that every token has) and Qwen3-MoE (norms of queries and keys, no
 * shared expert). */
#include "model/standard.h"

static const model_tensor_name names[] = {
    NAMES_LLAMA,
    NAMES_QWEN_EXPERTS,
    NAMES_SHARED_EXPERT("shared_expert"),
    { MODEL_SHARED_GATE, NAMES_LAYER "mlp.shared_expert_gate.weight", false },
};

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard qwen2_moe = {
    .sizes = { .vocab_size = 151936, .hidden_size = 2048, .intermediate_size = 5632, .layers = 24, .heads = 16, .kv_heads = 16,
               .max_position_embeddings = 32768 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .rope = &rope,
};

static const family_standard qwen3_moe = {
    .sizes = { .vocab_size = 151936, .hidden_size = 2048, .intermediate_size = 6144, .layers = 24, .heads = 32, .kv_heads = 4,
               .max_position_embeddings = 32768 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .rope = &rope,
};

/* A window counts only where use_sliding_window says so; else files hold null, or 0, or any number. */
static oclm_status read_window(const cJSON *config, const char *origin, uint32_t *window)
{
    bool              use = false;
    const oclm_status status = core_json_get_bool(config, "use_sliding_window", origin, &use);
    *window = use ? 4096 : 0;
    return status == OCLM_OK && use ? model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, window) : status;
}

/* Without layer_types every other layer has the window, from the first on, of those before max_window_layers. */
static oclm_status read_qwen2_moe(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 60, .chosen = 4, .width_key = "moe_intermediate_size", .width = 1408,
                                                   .normalised_key = "norm_topk_prob" };
    uint32_t    window, end = 28;
    oclm_status status;
    a->qkv_bias = true;
    a->experts.shared_gate = true;
    a->experts.shared_width = 5632;
    if ((status = family_read_standard(config, origin, &qwen2_moe, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "qkv_bias", origin, &a->qkv_bias)) != OCLM_OK ||
        (status = model_read_experts(config, origin, &experts, a)) != OCLM_OK ||
        (status = model_read_size(config, "shared_expert_intermediate_size", NULL, origin, MODEL_MAX_WIDTH, &a->experts.shared_width)) != OCLM_OK ||
        (status = model_read_dense_layers(config, origin, a)) != OCLM_OK || (status = read_window(config, origin, &window)) != OCLM_OK ||
        (status = core_json_get_u32(config, "max_window_layers", origin, 0, MODEL_MAX_WIDTH, &end)) != OCLM_OK ||
        (status = model_read_windows(config, origin, window, 2, a)) != OCLM_OK)
        return status;
    for (uint32_t i = end; core_json_member(config, "layer_types") == NULL && i < a->layers; i++)
        a->layer[i].window = 0;
    return OCLM_OK;
}

static oclm_status read_qwen3_moe(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 128, .chosen = 8, .width_key = "moe_intermediate_size", .width = 768,
                                                   .normalised_key = "norm_topk_prob" };
    uint32_t    window;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &qwen3_moe, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = model_read_experts(config, origin, &experts, a)) != OCLM_OK ||
        (status = model_read_dense_layers(config, origin, a)) != OCLM_OK || (status = read_window(config, origin, &window)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].window = window;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    return OCLM_OK;
}

const model_family model_families_qwen_moe[] = {
    { .model_type = "qwen2_moe", .class_name = "Qwen2MoeForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_qwen2_moe },
    { .model_type = "qwen3_moe", .class_name = "Qwen3MoeForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_qwen3_moe },
    { 0 },
};
