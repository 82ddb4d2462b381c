/* gpt_neox.c: GPT-NeoX and Pythia: LayerNorm, attention and MLP side by side with a norm each, a quarter of a head turned, and a
 * fused product in which each head has its query, key and value together. */
#include "model/standard.h"

#define LAYER "gpt_neox.layers.{i}."

static const model_tensor_name names[] = {
    { MODEL_EMBEDDING, "gpt_neox.embed_in.weight", false },
    NAMES_LINEAR(MODEL_FINAL_NORM, "gpt_neox.final_layer_norm"),
    { MODEL_HEAD, "embed_out.weight", false },
    { MODEL_HEAD, "lm_head.weight", false },
    NAMES_LINEAR(MODEL_ATTENTION_NORM, LAYER "input_layernorm"),
    NAMES_LINEAR(MODEL_QKV, LAYER "attention.query_key_value"),
    NAMES_LINEAR(MODEL_O, LAYER "attention.dense"),
    NAMES_LINEAR(MODEL_MLP_NORM, LAYER "post_attention_layernorm"),
    NAMES_LINEAR(MODEL_UP, LAYER "mlp.dense_h_to_4h"),
    NAMES_LINEAR(MODEL_DOWN, LAYER "mlp.dense_4h_to_h"),
};

/* The causal mask, and what is written to where it is false. */
static const char *const ignored[] = { LAYER "attention.bias", LAYER "attention.masked_bias" };

static const model_rope_defaults quarter = { .theta = 10000.0, .theta_key = "rotary_emb_base", .partial = 0.25, .partial_key = "rotary_pct" };

static const family_standard standard = {
    .sizes = { .vocab_size = 50432, .hidden_size = 6144, .intermediate_size = 24576, .layers = 44, .heads = 64,
               .max_position_embeddings = 2048 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "layer_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_GELU,
    .eos_token_ids = { 2 },
    .rope = &quarter,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        parallel = true;
    oclm_status status;
    a->qkv_bias = a->output_bias = a->mlp_bias = true;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_parallel_residual", origin, &parallel)) != OCLM_OK)
        return status;
    a->residual = parallel ? MODEL_RESIDUAL_PARALLEL : MODEL_RESIDUAL_PRE;
    a->qkv_layout.blocks = a->heads;
    return OCLM_OK;
}

const model_family model_families_gpt_neox[] = {
    { .model_type = "gpt_neox", .class_name = "GPTNeoXForCausalLM", .base_prefix = "gpt_neox.", NAMES_TABLES, .read_config = read_config },
    { 0 },
};
