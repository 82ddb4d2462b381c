/* gpt2.c: GPT-2 (transformers' GPT2LMHeadModel): LayerNorm, learned positions, one fused q|k|v product, a plain MLP.
 * Its linear layers are "Conv1D": stored [inputs][outputs]. */
#include "model/standard.h"

#define LAYER "transformer.h.{i}."

static const model_tensor_name names[] = {
    NAMES_GPT2_TOP,
    { MODEL_QKV, LAYER "attn.c_attn.weight", true },
    { MODEL_QKV_BIAS, LAYER "attn.c_attn.bias", false },
    { MODEL_O, LAYER "attn.c_proj.weight", true },
    { MODEL_O_BIAS, LAYER "attn.c_proj.bias", false },
    { MODEL_UP, LAYER "mlp.c_fc.weight", true },
    { MODEL_UP_BIAS, LAYER "mlp.c_fc.bias", false },
    { MODEL_DOWN, LAYER "mlp.c_proj.weight", true },
    { MODEL_DOWN_BIAS, LAYER "mlp.c_proj.bias", false },
};

/* The causal mask, which old files carry. */
static const char *const ignored[] = { LAYER "attn.bias", LAYER "attn.masked_bias" };

static const family_standard standard = {
    .sizes = { .vocab_size = 50257, .hidden_size = 768, .layers = 12, .heads = 12, .max_position_embeddings = 1024 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "layer_norm_epsilon",
    .activation_key = "activation_function", .activation = DEV_ACT_GELU_TANH,
    .tied_head = true, .eos_token_ids = { 50256 },
};

/* reorder_and_upcast_attn asks for float32 scores, which oclm always has. */
static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        scaled = true;
    oclm_status status;
    a->position = MODEL_POSITION_LEARNED;
    a->qkv_bias = a->output_bias = a->mlp_bias = true;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "scale_attn_weights", origin, &scaled)) != OCLM_OK ||
        (status = core_json_get_bool(config, "scale_attn_by_inverse_layer_idx", origin, &a->attention_scale_by_layer)) != OCLM_OK ||
        (status = family_refuse(config, "add_cross_attention", origin, "a decoder of an encoder, which is not supported")) != OCLM_OK)
        return status;
    a->attention_scale = scaled ? a->attention_scale : 1.0f;
    return OCLM_OK;
}

const model_family model_families_gpt2[] = {
    { .model_type = "gpt2", .class_name = "GPT2LMHeadModel", .base_prefix = "transformer.", NAMES_TABLES, .read_config = read_config },
    { 0 },
};
