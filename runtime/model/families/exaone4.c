/* exaone4.c: EXAONE 4: llama that normalises what each branch adds, and queries and keys head by head; in the 32b only layers with a
 * window turn. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_POST_NORM };

static const model_rope_defaults rope = { .theta = 10000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 102400, .hidden_size = 4096, .intermediate_size = 16384, .layers = 32, .heads = 32, .kv_heads = 32,
               .max_position_embeddings = 2048 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps",
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .eos_token_ids = { 2 },
    .rope = &rope,
};

/* sliding_window_pattern is a number, or letters ("LLLG") for files that also have layer_types, which count. */
static oclm_status read_windows(const cJSON *config, const char *origin, uint32_t window, model_architecture *a)
{
    uint32_t    full_every = 4;
    oclm_status status;
    if (core_json_member(config, "layer_types") == NULL && window != 0 &&
        (status = core_json_get_u32(config, "sliding_window_pattern", origin, 1, MODEL_MAX_WIDTH, &full_every)) != OCLM_OK)
        return status;
    return model_read_windows(config, origin, window, full_every, a);
}

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    window = 4096;
    oclm_status status;
    a->residual = MODEL_RESIDUAL_POST;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK ||
        (status = read_windows(config, origin, window, a)) != OCLM_OK)
        return status;
    a->qk_norm = MODEL_QK_NORM_HEAD;
    a->qk_norm_shape = a->norm;
    for (uint32_t i = 0; window != 0 && i < a->layers; i++)
        a->layer[i].rope = a->layer[i].window == 0 ? MODEL_ROPE_NONE : MODEL_ROPE_FIRST;
    return OCLM_OK;
}

const model_family model_families_exaone4[] = {
    { .model_type = "exaone4", .class_name = "Exaone4ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
