/* dots.c: dots.llm1: Qwen3's attention with DeepSeek V3's experts, all in one group unless the file says otherwise. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA, NAMES_DEEPSEEK_EXPERTS };

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 152064, .hidden_size = 4608, .intermediate_size = 10944, .layers = 62, .heads = 32, .kv_heads = 32,
               .max_position_embeddings = 2048 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .rope = &rope,
};

/* Without layer_types the layers from max_window_layers on have the window. */
static oclm_status read_windows(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    window = 4096, end = 62;
    oclm_status status;
    if ((status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK ||
        (status = core_json_get_u32(config, "max_window_layers", origin, 0, MODEL_MAX_WIDTH, &end)) != OCLM_OK ||
        (status = model_read_windows(config, origin, window, 0, a)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; core_json_member(config, "layer_types") == NULL && i < end && i < a->layers; i++)
        a->layer[i].window = 0;
    return OCLM_OK;
}

static oclm_status read_dots1(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .width_key = "moe_intermediate_size", .width = 1408, .normalised_key = "norm_topk_prob" };
    oclm_status status;
    a->experts.correction = true;
    a->experts.routing = (dev_routing){ .router = DEV_ROUTER_SIGMOID, .groups = 1, .groups_chosen = 1, .group_sum = true, .eps = 1e-20f,
                                        .scale = 1.0f };
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = read_windows(config, origin, a)) != OCLM_OK)
        return status;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    if ((status = model_read_grouped_experts(config, origin, &experts, 0, 0, a)) != OCLM_OK)
        return status;
    return a->experts.routing.count > 0 && a->experts.routing.chosen > 0
               ? OCLM_OK
               : core_fail(OCLM_ERR_FORMAT, "%s: \"n_routed_experts\" and \"num_experts_per_tok\" are needed; one is missing", origin);
}

const model_family model_families_dots[] = {
    { .model_type = "dots1", .class_name = "Dots1ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_dots1 },
    { 0 },
};
