/* cwm.c: CWM: llama with every fourth layer, from the first on, seeing everything, and the others through a window. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults rope = {
    .theta = 1000000.0,
    .parameters = "{\"rope_type\": \"llama3\", \"rope_theta\": 1000000.0, \"factor\": 16.0, \"low_freq_factor\": 1.0, "
                  "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}",
};

static const family_standard standard = {
    .sizes = { .vocab_size = 128256, .hidden_size = 6144, .intermediate_size = 21504, .layers = 64, .heads = 48, .kv_heads = 8,
               .head_dim = 128, .max_position_embeddings = 131072 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 128001, 128008, 128009 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    window = 8192;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "mlp_bias", origin, &a->mlp_bias)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK ||
        (status = model_read_windows(config, origin, window, 0, a)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; core_json_member(config, "layer_types") == NULL && i < a->layers; i += 4)
        a->layer[i].window = 0;
    return OCLM_OK;
}

const model_family model_families_cwm[] = {
    { .model_type = "cwm", .class_name = "CwmForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
