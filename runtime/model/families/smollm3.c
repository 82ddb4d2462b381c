/* smollm3.c: SmolLM3: llama in which every fourth layer does not turn its queries and keys. */
#include "model/standard.h"

static const model_tensor_name names[] = { NAMES_LLAMA };

static const model_rope_defaults rope = { .theta = 2000000.0 };

static const family_standard standard = {
    .sizes = { .vocab_size = 128256, .hidden_size = 2048, .intermediate_size = 11008, .layers = 36, .heads = 16, .kv_heads = 4,
               .max_position_embeddings = 32768 },
    .norm = DEV_NORM_RMS, .eps_key = "rms_norm_eps", .eps = 1e-6f,
    .activation_key = "hidden_act", .activation = DEV_ACT_SILU, .mlp_gated = true,
    .tied_head = true, .eos_token_ids = { 128001 },
    .rope = &rope,
};

/* no_rope_layers has, against its name, 1 for a layer that turns and 0 for one that does not. */
static oclm_status read_turning(const cJSON *config, const char *origin, model_architecture *a)
{
    const cJSON *list = core_json_member(config, "no_rope_layers"), *flag;
    uint32_t     interval = 4;
    oclm_status  status = core_json_get_u32(config, "no_rope_layer_interval", origin, 1, MODEL_MAX_WIDTH, &interval);
    if (status != OCLM_OK)
        return status;
    if (list != NULL && (!cJSON_IsArray(list) || cJSON_GetArraySize(list) < (int)a->layers))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"no_rope_layers\" must be a list with a 1 or 0 for each of %u layers", origin, a->layers);
    flag = list != NULL ? list->child : NULL;
    for (uint32_t i = 0; i < a->layers; i++, flag = flag != NULL ? flag->next : NULL) {
        if (flag != NULL && !core_json_is_whole(flag, 0, 1))
            return core_fail(OCLM_ERR_FORMAT, "%s: \"no_rope_layers\" has another entry than 1 or 0 for layer %u", origin, i);
        const bool turns = flag != NULL ? flag->valuedouble == 1.0 : (i + 1) % interval != 0;
        a->layer[i].rope = turns ? MODEL_ROPE_FIRST : MODEL_ROPE_NONE;
    }
    return OCLM_OK;
}

/* Windows come from layer_types; without it, and with use_sliding_window, layers that do not turn have one. */
static oclm_status read_windows(const cJSON *config, const char *origin, model_architecture *a)
{
    bool        use = false;
    uint32_t    window = 0;
    oclm_status status;
    if ((status = core_json_get_bool(config, "use_sliding_window", origin, &use)) != OCLM_OK ||
        (status = model_read_size_or_null(config, "sliding_window", origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK)
        return status;
    if (core_json_member(config, "layer_types") != NULL)
        return model_read_windows(config, origin, window, 1, a);
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].window = use && a->layer[i].rope == MODEL_ROPE_NONE ? window : 0;
    return OCLM_OK;
}

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    oclm_status status;
    if ((status = family_read_llama(config, origin, &standard, a)) != OCLM_OK ||
        (status = read_turning(config, origin, a)) != OCLM_OK)
        return status;
    return read_windows(config, origin, a);
}

const model_family model_families_smollm3[] = {
    { .model_type = "smollm3", .class_name = "SmolLM3ForCausalLM", .base_prefix = "model.", NAMES_ONLY, .read_config = read_config },
    { 0 },
};
