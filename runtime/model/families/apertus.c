/* apertus.c: Apertus: llama with a plain MLP whose activation, xIELU, has numbers of each layer's own, and a norm of each query and
 * key head. */
#include <string.h>

#include "model/standard.h"

static const model_tensor_name names[] = {
    NAMES_TOP, NAMES_ATTENTION, NAMES_QK_NORM, NAMES_MLP,
    { MODEL_ATTENTION_NORM, NAMES_LAYER "attention_layernorm.weight", false },
    { MODEL_MLP_NORM, NAMES_LAYER "feedforward_layernorm.weight", false },
    { MODEL_XIELU_ALPHA_P, NAMES_LAYER "mlp.act_fn.alpha_p", false },
    { MODEL_XIELU_ALPHA_N, NAMES_LAYER "mlp.act_fn.alpha_n", false },
    { MODEL_XIELU_BETA, NAMES_LAYER "mlp.act_fn.beta", false },
    { MODEL_XIELU_EPS, NAMES_LAYER "mlp.act_fn.eps", false },
};

static const model_rope_defaults rope = {
    .theta = 12000000.0,
    .parameters = "{\"rope_type\": \"llama3\", \"rope_theta\": 12000000.0, \"factor\": 8.0, \"low_freq_factor\": 1.0, "
                  "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}",
};

static const family_standard standard = {
    .sizes = { .vocab_size = 131072, .hidden_size = 4096, .intermediate_size = 14336, .layers = 32, .heads = 32,
               .max_position_embeddings = 65536 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation = DEV_ACT_NONE,
    .eos_token_ids = { 2 },
    .rope = &rope,
};

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    const char *activation = "xielu";
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = core_json_get_string(config, "hidden_act", origin, &activation)) != OCLM_OK)
        return status;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    a->xielu = strcmp(activation, "xielu") == 0;
    return a->xielu ? OCLM_OK : model_read_activation(config, "hidden_act", origin, DEV_ACT_NONE, &a->activation);
}

const model_family model_families_apertus[] = {
    { .model_type = "apertus", .class_name = "ApertusForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
