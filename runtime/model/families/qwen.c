/* qwen.c: Qwen 2 and 2.5 (llama with biases of queries, keys and values), Qwen 3 (a norm of each query and key head instead). */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard qwen2 = {
    .sizes = { .vocab_size = 151936, .hidden_size = 4096, .intermediate_size = 22016, .layers = 32, .heads = 32, .kv_heads = 32,
               .max_position_embeddings = 32768 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .rope = &rope,
};

/* A window counts only where use_sliding_window says so; without layer_types, in layers from max_window_layers on. */
static oclm_status read_windows(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        use = false;
    uint32_t    window = 4096, first = 28;
    oclm_status status;
    if ((status = core_json_get_bool(config, "use_sliding_window", origin, &use)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK ||
        (status = core_json_get_u32(config, "max_window_layers", origin, 0, MODEL_MAX_WIDTH, &first)) != OCLM_OK ||
        (status = model_read_windows(config, origin, use ? window : 0, 0, a)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; core_json_member(config, "layer_types") == NULL && i < first && i < a->layers; i++)
        a->layer[i].window = 0;
    return OCLM_OK;
}

static oclm_status read_qwen2(const cJSON *config, const char *origin, model_architecture *a)
{
    a->qkv_bias = true;
    const oclm_status status = family_read_standard(config, origin, &qwen2, a);
    return status == OCLM_OK ? read_windows(config, origin, a) : status;
}

static oclm_status read_qwen3(const cJSON *config, const char *origin, model_architecture *a)
{
    family_standard qwen3 = qwen2;
    oclm_status     status;
    qwen3.sizes.head_dim = 128;
    if ((status = family_read_standard(config, origin, &qwen3, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK)
        return status;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    return read_windows(config, origin, a);
}

const model_family model_families_qwen[] = {
    { .model_type = "qwen2", .class_name = "Qwen2ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_qwen2 },
    { .model_type = "qwen3", .class_name = "Qwen3ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_qwen3 },
    { 0 },
};
