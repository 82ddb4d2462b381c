/* llama.c: Llama and what is built like it (transformers' LlamaForCausalLM): RMSNorm, rotary positions over whole heads in
 * halves, grouped keys and values, a gated MLP. */
#include <math.h>

#include "model/families/llama_names.h"

static const model_tensor_name names[] = { LLAMA_NAMES };

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    static const model_sizes sizes = { .vocab_size = 32000, .hidden_size = 4096, .intermediate_size = 11008, .layers = 32, .heads = 32,
                                       .max_position_embeddings = 2048 };
    static const model_rope_defaults rope = { .theta = 10000.0 };
    bool        attention_bias = false;
    oclm_status status;
    a->norm = (model_norm_shape){ .kind = DEV_NORM_RMS, .eps = 1e-6f };
    a->mlp_gated = true;
    a->eos_token_ids[0] = 2;
    a->eos_token_count = 1;
    if ((status = model_read_sizes(config, origin, &sizes, a)) != OCLM_OK ||
        (status = model_read_eps(config, "rms_norm_eps", origin, &a->norm.eps)) != OCLM_OK ||
        (status = model_read_activation(config, "hidden_act", origin, DEV_ACT_SILU, &a->activation)) != OCLM_OK ||
        (status = model_read_rope(config, origin, &rope, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "attention_bias", origin, &attention_bias)) != OCLM_OK ||
        (status = core_json_get_bool(config, "mlp_bias", origin, &a->mlp_bias)) != OCLM_OK ||
        (status = core_json_get_bool(config, "tie_word_embeddings", origin, &a->tied_head)) != OCLM_OK ||
        (status = model_read_eos(config, origin, a)) != OCLM_OK)
        return status;
    a->qkv_bias = a->output_bias = attention_bias;
    a->attention_scale = (float)(1.0 / sqrt((double)a->head_dim));
    return OCLM_OK;
}

const model_family model_families_llama[] = {
    { .model_type = "llama", .class_name = "LlamaForCausalLM", .base_prefix = "model.", .names = names, .name_count = COUNT(names),
      .read_config = read_config },
    { 0 },
};
