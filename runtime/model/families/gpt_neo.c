/* gpt_neo.c: GPT-Neo: GPT-2 with products apart, scores that are not scaled, and every second layer behind a window. */
#include <string.h>

#include "model/standard.h"

#define LAYER "transformer.h.{i}."

static const model_tensor_name names[] = {
    NAMES_GPT2_TOP,
    NAMES_LINEAR(MODEL_Q, LAYER "attn.attention.q_proj"),
    NAMES_LINEAR(MODEL_K, LAYER "attn.attention.k_proj"),
    NAMES_LINEAR(MODEL_V, LAYER "attn.attention.v_proj"),
    NAMES_LINEAR(MODEL_O, LAYER "attn.attention.out_proj"),
    NAMES_LINEAR(MODEL_UP, LAYER "mlp.c_fc"),
    NAMES_LINEAR(MODEL_DOWN, LAYER "mlp.c_proj"),
};

static const char *const ignored[] = { LAYER "attn.attention.bias", LAYER "attn.attention.masked_bias" };

static const family_standard standard = {
    .sizes = { .vocab_size = 50257, .hidden_size = 2048, .layers = 24, .heads = 16, .max_position_embeddings = 2048 },
    .norm = DEV_NORM_LAYER, .norm_bias = true, .eps_key = "layer_norm_epsilon",
    .activation_key = "activation_function", .activation = DEV_ACT_GELU_TANH,
    .tied_head = true, .eos_token_ids = { 50256 },
};

static oclm_status wrong_types(const char *origin, const char *why)
{
    return core_fail(OCLM_ERR_FORMAT, "%s: \"attention_types\" %s; it is a list of [[\"global\", \"local\", ...], times]", origin, why);
}

/* [[["global", "local"], 12]]: those two, twelve times. */
static oclm_status read_windows(const cJSON *config, const char *origin, uint32_t window, model_architecture *a)
{
    const cJSON *types = core_json_member(config, "attention_types");
    uint32_t     layer = 0;
    if (types == NULL) {
        for (; layer < 24 && layer < a->layers; layer++)
            a->layer[layer].window = layer % 2 == 1 ? window : 0;
        return a->layers == 24 ? OCLM_OK : wrong_types(origin, "is missing, which means 24 layers");
    }
    for (const cJSON *group = types->child; group != NULL; group = group->next) {
        const cJSON *kinds = group->child, *times = kinds != NULL ? kinds->next : NULL;
        if (!cJSON_IsArray(kinds) || !core_json_is_whole(times, 0, MODEL_MAX_LAYERS))
            return wrong_types(origin, "has a group of another form");
        for (uint32_t n = 0; n < (uint32_t)times->valuedouble; n++) {
            for (const cJSON *kind = kinds->child; kind != NULL; kind = kind->next) {
                if (!cJSON_IsString(kind) || (strcmp(kind->valuestring, "global") != 0 && strcmp(kind->valuestring, "local") != 0))
                    return wrong_types(origin, "names a kind other than \"global\" and \"local\"");
                if (layer == a->layers)
                    return wrong_types(origin, "counts more layers than \"num_layers\"");
                a->layer[layer++].window = strcmp(kind->valuestring, "local") == 0 ? window : 0;
            }
        }
    }
    return layer == a->layers ? OCLM_OK : wrong_types(origin, "counts fewer layers than \"num_layers\"");
}

static oclm_status read_config(const cJSON *config, const char *origin, model_architecture *a)
{
    uint32_t    window = 256;
    oclm_status status;
    a->position = MODEL_POSITION_LEARNED;
    a->output_bias = a->mlp_bias = true;
    if ((status = family_read_standard(config, origin, &standard, a)) != OCLM_OK ||
        (status = model_read_size(config, "window_size", NULL, origin, MODEL_MAX_POSITIONS, &window)) != OCLM_OK)
        return status;
    a->attention_scale = 1.0f;
    return read_windows(config, origin, window, a);
}

const model_family model_families_gpt_neo[] = {
    { .model_type = "gpt_neo", .class_name = "GPTNeoForCausalLM", .base_prefix = "transformer.", NAMES_TABLES, .read_config = read_config },
    { 0 },
};
