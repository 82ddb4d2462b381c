/* gpt2.c: GPT-2 (transformers' GPT2LMHeadModel): LayerNorm, learned positions, one fused q|k|v product, a plain MLP.
 * Its linear layers are "Conv1D": stored [inputs][outputs]. */
#include <math.h>

#include "model/readers.h"

static const model_tensor_name names[] = {
    { MODEL_EMBEDDING, "transformer.wte.weight", false },
    { MODEL_POSITIONS, "transformer.wpe.weight", false },
    { MODEL_FINAL_NORM, "transformer.ln_f.weight", false },
    { MODEL_FINAL_NORM_BIAS, "transformer.ln_f.bias", false },
    { MODEL_HEAD, "lm_head.weight", false },
    { MODEL_ATTENTION_NORM, "transformer.h.{i}.ln_1.weight", false },
    { MODEL_ATTENTION_NORM_BIAS, "transformer.h.{i}.ln_1.bias", false },
    { MODEL_QKV, "transformer.h.{i}.attn.c_attn.weight", true },
    { MODEL_QKV_BIAS, "transformer.h.{i}.attn.c_attn.bias", false },
    { MODEL_O, "transformer.h.{i}.attn.c_proj.weight", true },
    { MODEL_O_BIAS, "transformer.h.{i}.attn.c_proj.bias", false },
    { MODEL_MLP_NORM, "transformer.h.{i}.ln_2.weight", false },
    { MODEL_MLP_NORM_BIAS, "transformer.h.{i}.ln_2.bias", false },
    { MODEL_UP, "transformer.h.{i}.mlp.c_fc.weight", true },
    { MODEL_UP_BIAS, "transformer.h.{i}.mlp.c_fc.bias", false },
    { MODEL_DOWN, "transformer.h.{i}.mlp.c_proj.weight", true },
    { MODEL_DOWN_BIAS, "transformer.h.{i}.mlp.c_proj.bias", false },
};

/* The causal mask, which old files carry. */
static const char *const ignored[] = { "transformer.h.{i}.attn.bias", "transformer.h.{i}.attn.masked_bias" };

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_sizes sizes = { .vocab_size = 50257, .hidden_size = 768, .layers = 12, .heads = 12, .max_position_embeddings = 1024 };
    bool        scaled = true, cross_attention = false;
    oclm_status status;
    a->norm = (model_norm_shape){ .kind = DEV_NORM_LAYER, .eps = 1e-5f, .has_bias = true };
    a->position = MODEL_POSITION_LEARNED;
    a->qkv_bias = a->output_bias = a->mlp_bias = true;
    a->tied_head = true;
    a->eos_token_ids[0] = 50256;
    a->eos_token_count = 1;
    /* reorder_and_upcast_attn asks for float32 scores, which oclm always has. */
    if ((status = model_read_sizes(config, origin, &sizes, a)) != OCLM_OK ||
        (status = model_read_eps(config, "layer_norm_epsilon", origin, &a->norm.eps)) != OCLM_OK ||
        (status = model_read_activation(config, "activation_function", origin, DEV_ACT_GELU_TANH, &a->activation)) != OCLM_OK ||
        (status = core_json_get_bool(config, "scale_attn_weights", origin, &scaled)) != OCLM_OK ||
        (status = core_json_get_bool(config, "scale_attn_by_inverse_layer_idx", origin, &a->attention_scale_by_layer)) != OCLM_OK ||
        (status = core_json_get_bool(config, "add_cross_attention", origin, &cross_attention)) != OCLM_OK ||
        (status = core_json_get_bool(config, "tie_word_embeddings", origin, &a->tied_head)) != OCLM_OK ||
        (status = model_read_eos(config, origin, a)) != OCLM_OK)
        return status;
    if (cross_attention)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"add_cross_attention\" is true: a decoder of an encoder, which is not supported",
                         origin);
    a->attention_scale = scaled ? (float)(1.0 / sqrt((double)a->head_dim)) : 1.0f;
    return OCLM_OK;
}

const model_family model_families_gpt2[] = {
    { .model_type = "gpt2", .class_name = "GPT2LMHeadModel", .base_prefix = "transformer.", .names = names, .name_count = COUNT(names),
      .ignored = ignored, .ignored_count = COUNT(ignored), .read_config = read_config },
    { 0 },
};
