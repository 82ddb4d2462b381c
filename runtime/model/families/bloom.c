/* bloom.c: BLOOM: LayerNorm also of the embeddings, scores that fall with distance, a fused product head by head. */
#include "model/standard.h"

#define LAYER "transformer.h.{i}."

static const model_tensor_name names[] = {
    { MODEL_EMBEDDING, "transformer.word_embeddings.weight", false },
    NAMES_LINEAR(MODEL_EMBEDDING_NORM, "transformer.word_embeddings_layernorm"),
    NAMES_LINEAR(MODEL_FINAL_NORM, "transformer.ln_f"),
    { MODEL_HEAD, "lm_head.weight", false },
    NAMES_LINEAR(MODEL_ATTENTION_NORM, LAYER "input_layernorm"),
    NAMES_LINEAR(MODEL_QKV, LAYER "self_attention.query_key_value"),
    NAMES_LINEAR(MODEL_O, LAYER "self_attention.dense"),
    NAMES_LINEAR(MODEL_MLP_NORM, LAYER "post_attention_layernorm"),
    NAMES_LINEAR(MODEL_UP, LAYER "mlp.dense_h_to_4h"),
    NAMES_LINEAR(MODEL_DOWN, LAYER "mlp.dense_4h_to_h"),
};

/* No key tells how long a text may be, and nothing but memory limits it; 2048 is what the models were trained with. */
static const family_standard standard = {
    .sizes = { .vocab_size = 250880, .hidden_size = 64, .layers = 2, .heads = 8, .max_position_embeddings = 2048 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "layer_norm_epsilon",
    .activation = DEV_ACT_GELU_TANH,
    .tied_head = true, .eos_token_ids = { 2 },
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        normed = false;
    oclm_status status;
    a->position = MODEL_POSITION_ALIBI;
    a->alibi = MODEL_ALIBI_BLOOM;
    a->qkv_bias = a->output_bias = a->mlp_bias = true;
    a->embedding_norm = true;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = model_read_size(config, "seq_length", NULL, origin, MODEL_MAX_POSITIONS, &a->max_position_embeddings)) != OCLM_OK ||
        (status = core_json_get_bool(config, "apply_residual_connection_post_layernorm", origin, &normed)) != OCLM_OK)
        return status;
    a->residual = normed ? MODEL_RESIDUAL_NORMED : MODEL_RESIDUAL_PRE;
    a->intermediate_size = 4 * a->hidden_size;
    a->kv_heads = a->heads;
    a->qkv_layout.blocks = a->heads;
    return OCLM_OK;
}

const model_family model_families_bloom[] = {
    { .model_type = "bloom", .class_name = "BloomForCausalLM", .base_prefix = "transformer.", .names = names, .name_count = COUNT(names),
      .read_config = read_config },
    { 0 },
};
