/* arcee.c: AFM of Arcee: llama with a plain MLP and squared ReLU. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 32000, .hidden_size = 2560, .intermediate_size = 18432, .layers = 32, .heads = 32,
               .max_position_embeddings = 4096 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_RELU2,
    .eos_token_ids = { 128001 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    return family_read_llama(config, origin, &standard, a);
}

const model_family model_families_arcee[] = {
    { .model_type = "arcee", .class_name = "ArceeForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
