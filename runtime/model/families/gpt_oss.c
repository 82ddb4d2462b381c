/* gpt_oss.c: gpt-oss: attention with sinks and windows on even layers, experts with biases whose gates and ups alternate and are cut. */
#include "model/standard.h"

/* In memory transformers has experts as [experts][inputs][outputs], and saves them so where they are not quantised; in MXFP4, the other way. */
static const model_tensor_name names[] = {
    NAMES_TOP,
    NAMES_INPUT_NORM,
    NAMES_ATTENTION,
    { MODEL_SINKS, NAMES_LAYER "self_attn.sinks", false },
    { MODEL_MLP_NORM, NAMES_LAYER "post_attention_layernorm.weight", false },
    NAMES_LINEAR(MODEL_ROUTER, NAMES_LAYER "mlp.router"),
    { MODEL_EXPERTS_GATE_UP, NAMES_LAYER "mlp.experts.gate_up_proj", true },
    { MODEL_EXPERTS_GATE_UP_BIAS, NAMES_LAYER "mlp.experts.gate_up_proj_bias", false },
    { MODEL_EXPERTS_DOWN, NAMES_LAYER "mlp.experts.down_proj", true },
    { MODEL_EXPERTS_DOWN_BIAS, NAMES_LAYER "mlp.experts.down_proj_bias", false },
};

static const model_rope_defaults rope = {
    .theta = 150000.0,
    .parameters = "{\"rope_type\": \"yarn\", \"factor\": 32.0, \"beta_fast\": 32.0, \"beta_slow\": 1.0, \"truncate\": false, "
                  "\"original_max_position_embeddings\": 4096}",
};

static const family_standard standard = {
    .sizes = { .vocab_size = 201088, .hidden_size = 2880, .intermediate_size = 2880, .layers = 36, .heads = 64, .kv_heads = 8, .head_dim = 64,
               .max_position_embeddings = 131072 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-5f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_expert_defaults experts = { .count = 128, .chosen = 4 };
    uint32_t    window = 128;
    double      alpha = 1.702, limit = 7.0;
    oclm_status status;
    a->qkv_bias = a->output_bias = true;
    a->attention_sinks = true;
    a->experts = (model_experts){ .routing.router = DEV_ROUTER_TOP, .router_bias = true, .bias = true, .gate_up_interleaved = true };
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK ||
        (status = model_read_windows(config, origin, window, 2, a)) != OCLM_OK ||
        (status = model_read_experts(config, origin, &experts, a)) != OCLM_OK ||
        (status = model_read_positive(config, "swiglu_alpha", origin, &alpha)) != OCLM_OK)
        return status;
    status = model_read_positive(config, "swiglu_limit", origin, &limit);
    a->experts.swiglu_alpha = (float)alpha;
    a->experts.swiglu_limit = (float)limit;
    return status;
}

const model_family model_families_gpt_oss[] = {
    { .model_type = "gpt_oss", .class_name = "GptOssForCausalLM",
      .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
