/* granite.c: Granite: llama with a factor each for embeddings, scores, what branches add, and logits. */
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

/* attention_multiplier is the factor itself, no root of anything, and 1 where it is missing; logits are divided by theirs. */
static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    double      divisor = 1.0;
    oclm_status status;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "mlp_bias", origin, &a->mlp_bias)) != OCLM_OK)
        return status;
    a->attention_scale = 1.0f;
    if ((status = model_read_number(config, "attention_multiplier", origin, &a->attention_scale)) != OCLM_OK ||
        (status = model_read_number(config, "embedding_multiplier", origin, &a->embedding_scale)) != OCLM_OK ||
        (status = model_read_number(config, "residual_multiplier", origin, &a->residual_scale)) != OCLM_OK ||
        (status = model_read_positive(config, "logits_scaling", origin, &divisor)) != OCLM_OK)
        return status;
    a->logits_scale = (float)(1.0 / divisor);
    return OCLM_OK;
}

const model_family model_families_granite[] = {
    { .model_type = "granite", .class_name = "GraniteForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
