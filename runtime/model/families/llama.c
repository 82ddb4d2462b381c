/* llama.c: Llama and what is built like it (transformers' LlamaForCausalLM): RMSNorm, rotary positions over whole heads in
 * halves, grouped keys and values, a gated MLP. */
#include <math.h>

#include "model/architecture.h"

static const model_tensor_name names[] = {
    { MODEL_EMBEDDING, "model.embed_tokens.weight", false },
    { MODEL_FINAL_NORM, "model.norm.weight", false },
    { MODEL_HEAD, "lm_head.weight", false },
    { MODEL_ATTENTION_NORM, "model.layers.{i}.input_layernorm.weight", false },
    { MODEL_Q, "model.layers.{i}.self_attn.q_proj.weight", false },
    { MODEL_Q_BIAS, "model.layers.{i}.self_attn.q_proj.bias", false },
    { MODEL_K, "model.layers.{i}.self_attn.k_proj.weight", false },
    { MODEL_K_BIAS, "model.layers.{i}.self_attn.k_proj.bias", false },
    { MODEL_V, "model.layers.{i}.self_attn.v_proj.weight", false },
    { MODEL_V_BIAS, "model.layers.{i}.self_attn.v_proj.bias", false },
    { MODEL_O, "model.layers.{i}.self_attn.o_proj.weight", false },
    { MODEL_O_BIAS, "model.layers.{i}.self_attn.o_proj.bias", false },
    { MODEL_MLP_NORM, "model.layers.{i}.post_attention_layernorm.weight", false },
    { MODEL_GATE, "model.layers.{i}.mlp.gate_proj.weight", false },
    { MODEL_GATE_BIAS, "model.layers.{i}.mlp.gate_proj.bias", false },
    { MODEL_UP, "model.layers.{i}.mlp.up_proj.weight", false },
    { MODEL_UP_BIAS, "model.layers.{i}.mlp.up_proj.bias", false },
    { MODEL_DOWN, "model.layers.{i}.mlp.down_proj.weight", false },
    { MODEL_DOWN_BIAS, "model.layers.{i}.mlp.down_proj.bias", false },
};

/* Inverse frequencies, which old files carry, per layer or once. */
static const char *const ignored[] = { "*.rotary_emb.inv_freq" };

static oclm_status read_sizes(const cJSON *config, const char *origin, model_architecture *a)
{
    oclm_status status;
    a->vocab_size = 32000;
    a->hidden_size = 4096;
    a->intermediate_size = 11008;
    a->layers = 32;
    a->heads = 32;
    a->max_position_embeddings = 2048;
    if ((status = model_read_size(config, "vocab_size", NULL, origin, MODEL_MAX_VOCAB, &a->vocab_size)) != OCLM_OK ||
        (status = model_read_size(config, "hidden_size", NULL, origin, MODEL_MAX_WIDTH, &a->hidden_size)) != OCLM_OK ||
        (status = model_read_size(config, "intermediate_size", NULL, origin, MODEL_MAX_WIDTH, &a->intermediate_size)) != OCLM_OK ||
        (status = model_read_size(config, "num_hidden_layers", NULL, origin, MODEL_MAX_LAYERS, &a->layers)) != OCLM_OK ||
        (status = model_read_size(config, "num_attention_heads", NULL, origin, MODEL_MAX_WIDTH, &a->heads)) != OCLM_OK ||
        (status = model_read_size(config, "max_position_embeddings", NULL, origin, MODEL_MAX_POSITIONS,
                                  &a->max_position_embeddings)) != OCLM_OK)
        return status;
    if (a->hidden_size % a->heads != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"hidden_size\" %u does not divide evenly among \"num_attention_heads\" %u", origin,
                         a->hidden_size, a->heads);
    a->kv_heads = a->heads;
    a->head_dim = a->hidden_size / a->heads;
    if ((status = model_read_size(config, "num_key_value_heads", NULL, origin, MODEL_MAX_WIDTH, &a->kv_heads)) != OCLM_OK)
        return status;
    return model_read_size(config, "head_dim", NULL, origin, MODEL_MAX_HEAD_DIM, &a->head_dim);
}

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        attention_bias = false;
    oclm_status status;
    a->norm = (model_norm_shape){ .kind = DEV_NORM_RMS, .eps = 1e-6f };
    a->position = MODEL_POSITION_ROPE;
    a->mlp_gated = true;
    a->eos_token_ids[0] = 2;
    a->eos_token_count = 1;
    if ((status = read_sizes(config, origin, a)) != OCLM_OK ||
        (status = model_read_eps(config, "rms_norm_eps", origin, &a->norm.eps)) != OCLM_OK ||
        (status = model_read_activation(config, "hidden_act", origin, DEV_ACT_SILU, &a->activation)) != OCLM_OK ||
        (status = model_read_rope(config, origin, a->head_dim, 10000.0, a->max_position_embeddings, &a->ropes[0])) != OCLM_OK ||
        (status = core_json_get_bool(config, "attention_bias", origin, &attention_bias)) != OCLM_OK ||
        (status = core_json_get_bool(config, "mlp_bias", origin, &a->mlp_bias)) != OCLM_OK ||
        (status = core_json_get_bool(config, "tie_word_embeddings", origin, &a->tied_head)) != OCLM_OK ||
        (status = model_read_eos(config, origin, a)) != OCLM_OK)
        return status;
    a->qkv_bias = a->output_bias = attention_bias;
    a->attention_scale = (float)(1.0 / sqrt((double)a->head_dim));
    return OCLM_OK;
}

const model_family model_family_llama = {
    .model_type = "llama",
    .base_prefix = "model.",
    .names = names,
    .name_count = COUNT(names),
    .ignored = ignored,
    .ignored_count = COUNT(ignored),
    .read_config = read_config,
};
