/* seed_oss.c: Seed-OSS: llama with biases of queries, keys and values. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 155136, .hidden_size = 4096, .intermediate_size = 27648, .layers = 64, .heads = 80, .kv_heads = 8,
               .head_dim = 128, .max_position_embeddings = 524288 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 2 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    oclm_status status;
    a->qkv_bias = true;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "attention_bias", origin, &a->qkv_bias)) != OCLM_OK ||
        (status = core_json_get_bool(config, "attention_out_bias", origin, &a->output_bias)) != OCLM_OK)
        return status;
    return core_json_get_bool(config, "mlp_bias", origin, &a->mlp_bias);
}

const model_family model_families_seed_oss[] = {
    { .model_type = "seed_oss", .class_name = "SeedOssForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
