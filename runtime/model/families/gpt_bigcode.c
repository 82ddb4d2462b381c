/* gpt_bigcode.c: SantaCoder and StarCoder: GPT-2 with one key and value head for all queries, or a fused product head by head. */
#include "model/standard.h"

#define LAYER "transformer.h.{i}."

static const model_tensor_name names[] = {
    NAMES_GPT2_TOP,
    NAMES_LINEAR(MODEL_QKV, LAYER "attn.c_attn"),
    NAMES_LINEAR(MODEL_O, LAYER "attn.c_proj"),
    NAMES_LINEAR(MODEL_UP, LAYER "mlp.c_fc"),
    NAMES_LINEAR(MODEL_DOWN, LAYER "mlp.c_proj"),
};
static const char *const ignored[] = { LAYER "attn.bias", LAYER "attn.masked_bias", "transformer.bias" };

static const family_standard standard = {
    .sizes = { .vocab_size = 50257, .hidden_size = 768, .layers = 12, .heads = 12, .max_position_embeddings = 1024 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "layer_norm_epsilon",
    .activation_key = "activation_function", .activation = DEV_ACT_GELU_TANH,
    .tied_head = true, .eos_token_ids = { 50256 },
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        multi_query = true, scaled = true;
    oclm_status status;
    a->position = MODEL_POSITION_LEARNED;
    a->qkv_bias = a->output_bias = a->mlp_bias = true;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "multi_query", origin, &multi_query)) != OCLM_OK ||
        (status = core_json_get_bool(config, "scale_attn_weights", origin, &scaled)) != OCLM_OK ||
        (status = family_refuse(config, "add_cross_attention", origin, "a decoder of an encoder, which is not supported")) != OCLM_OK)
        return status;
    a->kv_heads = multi_query ? 1 : a->heads;
    a->qkv_layout.blocks = multi_query ? 1 : a->heads;
    a->attention_scale = scaled ? a->attention_scale : 1.0f;
    return OCLM_OK;
}

const model_family model_families_gpt_bigcode[] = {
    { .model_type = "gpt_bigcode", .class_name = "GPTBigCodeForCausalLM", .base_prefix = "transformer.", NAMES_TABLES, .read_config = read_config },
    { 0 },
};
