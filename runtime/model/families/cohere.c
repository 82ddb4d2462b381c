/* cohere.c: Command R (attention and MLP side by side behind one LayerNorm without bias, neighbouring pairs turned, scaled logits) and
 * Command R7B and A (three of four layers behind a window, and only those turn). */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_TOP, NAMES_INPUT_NORM, NAMES_ATTENTION, NAMES_QK_NORM, NAMES_MLP };

static const model_rope_defaults rope = { .theta = 500000.0, .interleaved = true };
static const model_rope_defaults rope2 = { .theta = 10000.0, .interleaved = true };

#define STANDARD                                                                                                            \
    .sizes = { .vocab_size = 256000, .hidden_size = 8192, .intermediate_size = 22528, .layers = 40, .heads = 64,            \
               .max_position_embeddings = 8192 },                                                                           \
    .norm = DEV_NORM_LAYER, .eps_key = "layer_norm_eps",                                                                    \
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,                                          \
    .tied_head = true, .eos_token_ids = { 255001 }

static const family_standard cohere = { STANDARD, .rope = &rope };
static const family_standard cohere2 = { STANDARD, .rope = &rope2 };

static oclm_status read_common(const cJSON *config, const char *origin, const family_standard *standard, model_architecture *a)
{
    oclm_status status;
    a->residual = MODEL_RESIDUAL_PARALLEL_ONE;
    a->logits_scale = 0.0625f;
    if ((status = family_read_standard(config, origin, standard, a)) != OCLM_OK ||
        (status = family_read_attention_bias(config, "attention_bias", origin, a)) != OCLM_OK)
        return status;
    return model_read_number(config, "logit_scale", origin, &a->logits_scale);
}

static oclm_status read_cohere(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        qk_norm = false;
    oclm_status status;
    if ((status = read_common(config, origin, &cohere, a)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_qk_norm", origin, &qk_norm)) != OCLM_OK)
        return status;
    a->qk_norm = qk_norm ? MODEL_QK_NORM_HEADS : MODEL_QK_NORM_NONE;
    a->qk_norm_shape = a->norm;
    return OCLM_OK;
}

static oclm_status read_cohere2(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    window = 4096, full_every = 4;
    oclm_status status;
    if ((status = read_common(config, origin, &cohere2, a)) != OCLM_OK ||
        (status = core_json_get_u32(config, "sliding_window_pattern", origin, 1, MODEL_MAX_WIDTH, &full_every)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK ||
        (status = model_read_windows(config, origin, window, full_every, a)) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].rope = a->layer[i].window == 0 ? MODEL_ROPE_NONE : MODEL_ROPE_FIRST;
    return OCLM_OK;
}

const model_family model_families_cohere[] = {
    { .model_type = "cohere", .class_name = "CohereForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_cohere },
    { .model_type = "cohere2", .class_name = "Cohere2ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_cohere2 },
    { 0 },
};
