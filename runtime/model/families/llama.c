/* llama.c: Llama and what is built like it (transformers' LlamaForCausalLM): RMSNorm, rotary positions over whole heads in
 * halves, grouped keys and values, a gated MLP. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 32000, .hidden_size = 4096, .intermediate_size = 11008, .layers = 32, .heads = 32,
               .max_position_embeddings = 2048 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 2 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    return family_read_llama(config, origin, &standard, a);
}

const model_family model_families_llama[] = {
    { .model_type = "llama", .class_name = "LlamaForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
