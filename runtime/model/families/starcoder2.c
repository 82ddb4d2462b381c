/* starcoder2.c: StarCoder 2: llama with LayerNorm, biases everywhere and a plain MLP. */
#include "model/standard.h"

static const model_tensor_name names[] = {
    NAMES_TOP,
    NAMES_INPUT_NORM,
    NAMES_LINEAR(MODEL_MLP_NORM, NAMES_LAYER "post_attention_layernorm"),
    NAMES_ATTENTION,
    NAMES_LINEAR(MODEL_UP, NAMES_LAYER "mlp.c_fc"),
    NAMES_LINEAR(MODEL_DOWN, NAMES_LAYER "mlp.c_proj"),
};

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 49152, .hidden_size = 3072, .intermediate_size = 12288, .layers = 30, .heads = 24, .kv_heads = 2,
               .max_position_embeddings = 4096 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "norm_epsilon",
    .activation_key = "hidden_act", .activation = DEV_ACT_GELU_TANH,
    .tied_head = true, .eos_token_ids = { 50256 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        bias = true;
    uint32_t    window = 0;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_bias", origin, &bias)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK)
        return status;
    a->qkv_bias = a->output_bias = a->mlp_bias = bias;
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].window = window;
    return OCLM_OK;
}

const model_family model_families_starcoder2[] = {
    { .model_type = "starcoder2", .class_name = "Starcoder2ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
