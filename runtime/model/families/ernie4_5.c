/* ernie4_5.c: ERNIE 4.5's dense models: llama that turns neighbouring pairs; one flag for all biases. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults rope = { .theta = 500000.0, .interleaved = true };

static const family_standard standard = {
    .sizes = { .vocab_size = 103424, .hidden_size = 1024, .intermediate_size = 3072, .layers = 18, .heads = 16, .kv_heads = 2,
               .head_dim = 128, .max_position_embeddings = 131072 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .tied_head = true, .eos_token_ids = { 2 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        bias = false;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_bias", origin, &bias)) != OCLM_OK)
        return status;
    a->qkv_bias = a->output_bias = a->mlp_bias = bias;
    return OCLM_OK;
}

const model_family model_families_ernie4_5[] = {
    { .model_type = "ernie4_5", .class_name = "Ernie4_5ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
