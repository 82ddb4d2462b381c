/* readers.c: what families read config.json with: sizes under all their names, numbers, windows, activations, ends of text.
 * Sources: transformers' PreTrainedConfig and attribute_map of its configuration classes. */
#include "model/readers.h"

#include <string.h>

/* ---- Sizes */

oclm_status model_read_size(const cJSON *config, const char *key, const char *old_key, const char *origin, uint32_t max,
                            uint32_t *value)
{
    const bool old = old_key != NULL && core_json_member(config, key) == NULL;
    return core_json_get_u32(config, old ? old_key : key, origin, 1, max, value);
}

oclm_status model_read_size_or_null(const cJSON *config, const char *key, const char *origin, uint32_t max, uint32_t *value)
{
    if (core_json_has(config, key) && core_json_member(config, key) == NULL) {
        *value = 0;
        return OCLM_OK;
    }
    return core_json_get_u32(config, key, origin, 1, max, value);
}

/* The names of each size, the usual one first; an attribute of transformers' classes and the keys that its maps make of it. */
#define MAX_NAMES 5
typedef const char *const size_names[MAX_NAMES];
static size_names vocab_names = { "vocab_size" };
static size_names hidden_names = { "hidden_size", "n_embd", "n_embed", "d_model" };
static size_names intermediate_names = { "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size" };
static size_names layer_names = { "num_hidden_layers", "n_layer", "n_layers", "num_layers" };
static size_names head_names = { "num_attention_heads", "n_head", "n_heads", "num_heads" };
static size_names kv_head_names = { "num_key_value_heads", "num_kv_heads", "n_head_kv" };
static size_names head_dim_names = { "head_dim" };
static size_names position_names = { "max_position_embeddings", "n_positions", "max_seq_len" };

/* The first of `names` that config.json has; the usual one where it has none. */
static const char *name_in(const cJSON *config, size_names names)
{
    for (size_t i = 0; i < MAX_NAMES && names[i] != NULL; i++) {
        if (core_json_has(config, names[i]))
            return names[i];
    }
    return names[0];
}

static oclm_status read_named(const cJSON *config, size_names names, const char *origin, uint32_t max, uint32_t *value)
{
    return core_json_get_u32(config, name_in(config, names), origin, 1, max, value);
}

/* One that null sets back to 0: derived from the others. */
static oclm_status read_derivable(const cJSON *config, size_names names, const char *origin, uint32_t max, uint32_t *value)
{
    return model_read_size_or_null(config, name_in(config, names), origin, max, value);
}

oclm_status model_read_sizes(const cJSON *config, const char *origin, const model_sizes *defaults, model_architecture *a)
{
    oclm_status status;
    a->vocab_size = defaults->vocab_size;
    a->hidden_size = defaults->hidden_size;
    a->intermediate_size = defaults->intermediate_size;
    a->layers = defaults->layers;
    a->heads = defaults->heads;
    a->kv_heads = defaults->kv_heads;
    a->head_dim = defaults->head_dim;
    a->max_position_embeddings = defaults->max_position_embeddings;
    if ((status = read_named(config, vocab_names, origin, MODEL_MAX_VOCAB, &a->vocab_size)) != OCLM_OK ||
        (status = read_named(config, hidden_names, origin, MODEL_MAX_WIDTH, &a->hidden_size)) != OCLM_OK ||
        (status = read_named(config, intermediate_names, origin, MODEL_MAX_WIDTH, &a->intermediate_size)) != OCLM_OK ||
        (status = read_named(config, layer_names, origin, MODEL_MAX_LAYERS, &a->layers)) != OCLM_OK ||
        (status = read_named(config, head_names, origin, MODEL_MAX_WIDTH, &a->heads)) != OCLM_OK ||
        (status = read_derivable(config, kv_head_names, origin, MODEL_MAX_WIDTH, &a->kv_heads)) != OCLM_OK ||
        (status = read_derivable(config, head_dim_names, origin, MODEL_MAX_HEAD_DIM, &a->head_dim)) != OCLM_OK ||
        (status = read_named(config, position_names, origin, MODEL_MAX_POSITIONS, &a->max_position_embeddings)) != OCLM_OK)
        return status;
    if (a->head_dim == 0 && a->hidden_size % a->heads != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" %u does not divide evenly among \"%s\" %u, and no \"head_dim\" is given", origin,
                         name_in(config, hidden_names), a->hidden_size, name_in(config, head_names), a->heads);
    a->head_dim = a->head_dim == 0 ? a->hidden_size / a->heads : a->head_dim;
    a->kv_heads = a->kv_heads == 0 ? a->heads : a->kv_heads;
    a->intermediate_size = a->intermediate_size == 0 ? 4 * a->hidden_size : a->intermediate_size;
    return OCLM_OK;
}

/* ---- Numbers */

oclm_status model_read_positive(const cJSON *object, const char *key, const char *origin, double *value)
{
    oclm_status status = core_json_get_float(object, key, origin, value);
    if (status == OCLM_OK && !(*value > 0.0 && *value < 1e30))
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is %g; it must be greater than 0", origin, key, *value);
    return status;
}

oclm_status model_read_eps(const cJSON *config, const char *key, const char *origin, float *eps)
{
    double      value = (double)*eps;
    oclm_status status = model_read_positive(config, key, origin, &value);
    if (status == OCLM_OK)
        *eps = (float)value;
    return status;
}

oclm_status model_read_number(const cJSON *config, const char *key, const char *origin, float *value)
{
    double      wide = (double)*value;
    oclm_status status = core_json_get_float(config, key, origin, &wide);
    if (status == OCLM_OK && !(wide > -1e30 && wide < 1e30))
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is %g; no model computes with that", origin, key, wide);
    if (status == OCLM_OK)
        *value = (float)wide;
    return status;
}

oclm_status model_read_cap(const cJSON *config, const char *key, const char *origin, float *value)
{
    if (core_json_has(config, key) && core_json_member(config, key) == NULL) {
        *value = 0.0f;
        return OCLM_OK;
    }
    return core_json_member(config, key) == NULL ? OCLM_OK : model_read_eps(config, key, origin, value);
}

/* ---- Windows */

/* A word for layers of a kind that the family said it has; else attention. */
static model_mixer mixer_named(const char *name, const model_architecture *a)
{
    if (a->short_conv.taps > 0 && strcmp(name, "conv") == 0)
        return MODEL_MIXER_SHORT_CONV;
    return a->delta_net.key_heads > 0 && strcmp(name, "linear_attention") == 0 ? MODEL_MIXER_DELTA_NET : MODEL_MIXER_ATTENTION;
}

static oclm_status read_layer_types(const cJSON *config, const char *origin, uint32_t window, model_architecture *a)
{
    const cJSON *list = core_json_member(config, "layer_types");
    if (!cJSON_IsArray(list))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"layer_types\" must be a list with a word for each layer", origin);
    if ((uint32_t)cJSON_GetArraySize(list) != a->layers)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"layer_types\" has %d entries, for %u layers", origin, cJSON_GetArraySize(list), a->layers);
    uint32_t i = 0;
    for (const cJSON *type = list->child; type != NULL; type = type->next, i++) {
        const char *name = cJSON_IsString(type) ? type->valuestring : "no word";
        if (strcmp(name, "sliding_attention") == 0 && window == 0)
            return core_fail(OCLM_ERR_FORMAT, "%s: \"layer_types\" makes layer %u slide, but \"sliding_window\" gives no window", origin, i);
        a->layer[i].mixer = (uint8_t)mixer_named(name, a);
        if (a->layer[i].mixer == MODEL_MIXER_ATTENTION && strcmp(name, "sliding_attention") != 0 && strcmp(name, "full_attention") != 0)
            return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"layer_types\" has \"%.60s\" for layer %u; supported are full_attention, "
                             "sliding_attention", origin, name, i);
        a->layer[i].window = name[0] == 's' ? window : 0;
    }
    return OCLM_OK;
}

oclm_status model_read_windows(const cJSON *config, const char *origin, uint32_t window, uint32_t full_every, model_architecture *a)
{
    if (core_json_member(config, "layer_types") != NULL)
        return read_layer_types(config, origin, window, a);
    for (uint32_t i = 0; i < a->layers; i++)
        a->layer[i].window = full_every != 0 && (i + 1) % full_every == 0 ? 0 : window;
    return OCLM_OK;
}

/* ---- Activations: the names of transformers' ACT2CLS that mean these functions */

static const struct { const char *name; dev_activation activation; } activations[] = {
    { "silu", DEV_ACT_SILU }, { "swish", DEV_ACT_SILU }, { "gelu", DEV_ACT_GELU }, { "gelu_python", DEV_ACT_GELU },
    { "gelu_new", DEV_ACT_GELU_TANH }, { "gelu_fast", DEV_ACT_GELU_TANH }, { "gelu_pytorch_tanh", DEV_ACT_GELU_TANH },
    { "gelu_python_tanh", DEV_ACT_GELU_TANH }, { "gelu_accurate", DEV_ACT_GELU_TANH }, { "quick_gelu", DEV_ACT_QUICK_GELU },
    { "relu", DEV_ACT_RELU }, { "relu2", DEV_ACT_RELU2 }, { "sigmoid", DEV_ACT_SIGMOID }, { "tanh", DEV_ACT_TANH },
    { "linear", DEV_ACT_NONE },
};

oclm_status model_read_activation(const cJSON *config, const char *key, const char *origin, dev_activation fallback,
                                  dev_activation *activation)
{
    const char *name = NULL;
    char        supported[256] = "";
    oclm_status status = core_json_get_string(config, key, origin, &name);
    *activation = fallback;
    if (status != OCLM_OK || name == NULL)
        return status;
    for (size_t i = 0; i < COUNT(activations); i++) {
        if (strcmp(activations[i].name, name) == 0) {
            *activation = activations[i].activation;
            return OCLM_OK;
        }
        strcat(supported, i > 0 ? ", " : "");
        strcat(supported, activations[i].name);
    }
    return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"%s\" is \"%.60s\", an activation that is not supported; supported are %s", origin,
                     key, name, supported);
}

/* ---- End-of-sequence ids: a number, a list of numbers, or null for none */

oclm_status model_read_eos(const cJSON *config, const char *origin, model_architecture *architecture)
{
    static const char key[] = "eos_token_id";
    const cJSON      *item = core_json_member(config, key);
    if (!core_json_has(config, key))
        return OCLM_OK;
    architecture->eos_token_count = 0;
    if (item == NULL)
        return OCLM_OK;
    const bool list = cJSON_IsArray(item);
    for (const cJSON *id = list ? item->child : item; id != NULL; id = list ? id->next : NULL) {
        if (!core_json_is_whole(id, 0, INT32_MAX))
            return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" must be a token id, a list of them, or null", origin, key);
        if (architecture->eos_token_count == OCLM_MAX_EOS_TOKENS)
            return core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"%s\" lists more than %d ids", origin, key, OCLM_MAX_EOS_TOKENS);
        architecture->eos_token_ids[architecture->eos_token_count++] = (int32_t)id->valuedouble;
    }
    return OCLM_OK;
}
