/* helium.c: Helium: llama that turns neighbouring pairs. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults rope = { .theta = 100000.0, .interleaved = true };

static const family_standard standard = {
    .sizes = { .vocab_size = 48000, .hidden_size = 2560, .intermediate_size = 7040, .layers = 24, .heads = 20, .kv_heads = 20,
               .head_dim = 128, .max_position_embeddings = 4096 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-8f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 2 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "attention_bias", origin, &a->qkv_bias)) != OCLM_OK)
        return status;
    return core_json_get_bool(config, "mlp_bias", origin, &a->mlp_bias);
}

const model_family model_families_helium[] = {
    { .model_type = "helium", .class_name = "HeliumForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
