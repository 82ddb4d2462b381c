/* nemotron.c: Nemotron 3 and 4 and Minitron: LayerNorm whose factors are stored less 1, half of a head turned, a plain MLP with squared
 * ReLU. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults half = { .theta = 10000.0, .partial = 0.5 };

static const family_standard standard = {
    .sizes = { .vocab_size = 256000, .hidden_size = 6144, .intermediate_size = 24576, .layers = 32, .heads = 48,
               .max_position_embeddings = 4096 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_RELU2,
    .eos_token_ids = { 3 },
    .rope = &half,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    const oclm_status status = family_read_llama(config, origin, &standard, a);
    a->norm.weight_plus_one = true;
    return status;
}

const model_family model_families_nemotron[] = {
    { .model_type = "nemotron", .class_name = "NemotronForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
