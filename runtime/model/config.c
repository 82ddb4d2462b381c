/* config.c: config.json -> family -> architecture. Every size is checked on its own and against the others here, so that the
 * rest of the room may multiply them. Sources: transformers' PreTrainedConfig and RotaryEmbeddingConfigMixin. */
#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "model/architecture.h"

oclm_status model_read_size(const cJSON *config, const char *key, const char *old_key, const char *origin, uint32_t max,
                            uint32_t *value)
{
    const bool old = old_key != NULL && core_json_member(config, key) == NULL;
    return core_json_get_u32(config, old ? old_key : key, origin, 1, max, value);
}

/* ---- Numbers that must be positive */

static oclm_status read_positive(const cJSON *object, const char *key, const char *origin, double *value)
{
    oclm_status status = core_json_get_float(object, key, origin, value);
    if (status == OCLM_OK && !(*value > 0.0 && *value < 1e30))
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is %g; it must be greater than 0", origin, key, *value);
    return status;
}

static oclm_status read_required(const cJSON *object, const char *key, const char *rope_type, const char *origin, double *value)
{
    if (core_json_member(object, key) == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: rope_type \"%s\" needs \"%s\" beside it, which is missing", origin, rope_type, key);
    return read_positive(object, key, origin, value);
}

oclm_status model_read_eps(const cJSON *config, const char *key, const char *origin, float *eps)
{
    double      value = (double)*eps;
    oclm_status status = read_positive(config, key, origin, &value);
    if (status == OCLM_OK)
        *eps = (float)value;
    return status;
}

/* ---- Rotary positions */

static const struct { const char *name; model_rope_type type; } rope_types[] = {
    { "default", MODEL_ROPE_DEFAULT }, { "linear", MODEL_ROPE_LINEAR }, { "dynamic", MODEL_ROPE_DYNAMIC },
    { "llama3", MODEL_ROPE_LLAMA3 },   { "yarn", MODEL_ROPE_YARN },
};

const char *model_rope_type_name(model_rope_type type)
{
    for (size_t i = 0; i < COUNT(rope_types); i++) {
        if (rope_types[i].type == type)
            return rope_types[i].name;
    }
    return NULL;
}

static oclm_status read_rope_type(const cJSON *set, const char *origin, model_rope_type *type)
{
    const char *name = "default";
    oclm_status status = core_json_get_string(set, core_json_has(set, "rope_type") ? "rope_type" : "type", origin, &name);
    if (status != OCLM_OK)
        return status;
    for (size_t i = 0; i < COUNT(rope_types); i++) {
        if (strcmp(rope_types[i].name, name) == 0) {
            *type = rope_types[i].type;
            return OCLM_OK;
        }
    }
    return core_fail(OCLM_ERR_UNSUPPORTED,
                     "%s: rope_type \"%.60s\" is not supported; supported are default, linear, dynamic, llama3, yarn", origin, name);
}

/* The pretraining length: a key of that name at the top level wins over the one in the set. */
static oclm_status read_original_length(const cJSON *config, const cJSON *set, const char *origin, uint32_t fallback, uint32_t *length)
{
    static const char key[] = "original_max_position_embeddings";
    *length = fallback;
    const cJSON *from = core_json_member(config, key) != NULL ? config : set;
    return core_json_get_u32(from, key, origin, 1, MODEL_MAX_POSITIONS, length);
}

static oclm_status read_llama3(const cJSON *set, const char *origin, model_rope *rope)
{
    oclm_status status = read_required(set, "factor", "llama3", origin, &rope->factor);
    if (status == OCLM_OK)
        status = read_required(set, "low_freq_factor", "llama3", origin, &rope->low_freq_factor);
    if (status == OCLM_OK)
        status = read_required(set, "high_freq_factor", "llama3", origin, &rope->high_freq_factor);
    if (status == OCLM_OK && rope->high_freq_factor <= rope->low_freq_factor)
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"high_freq_factor\" is %g; it must be greater than \"low_freq_factor\", %g",
                           origin, rope->high_freq_factor, rope->low_freq_factor);
    return status;
}

/* beta_fast, beta_slow, mscale and mscale_all_dim of 0 mean "not given", as they do in Python. */
static oclm_status read_yarn(const cJSON *set, const char *origin, uint32_t max_positions, model_rope *rope)
{
    static const char *const keys[] = { "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "attention_factor" };
    double *const values[] = { &rope->beta_fast, &rope->beta_slow, &rope->mscale, &rope->mscale_all_dim, &rope->attention_factor };
    rope->factor = (double)max_positions / rope->original_max_position_embeddings;
    rope->truncate = true;
    oclm_status status = read_positive(set, "factor", origin, &rope->factor);
    for (size_t i = 0; i < COUNT(keys) && status == OCLM_OK; i++) {
        if ((status = core_json_get_float(set, keys[i], origin, values[i])) == OCLM_OK &&
            !(*values[i] >= 0.0 && *values[i] < 1e30))
            status = core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is %g; it must not be negative", origin, keys[i], *values[i]);
    }
    rope->beta_fast = rope->beta_fast == 0.0 ? 32.0 : rope->beta_fast;
    rope->beta_slow = rope->beta_slow == 0.0 ? 1.0 : rope->beta_slow;
    return status == OCLM_OK ? core_json_get_bool(set, "truncate", origin, &rope->truncate) : status;
}

/* `rope_scaling` unless it is missing, null or empty, then `rope_parameters`, likewise; NULL if neither says anything. */
static oclm_status find_rope_set(const cJSON *config, const char *origin, const cJSON **set)
{
    static const char *const keys[] = { "rope_scaling", "rope_parameters" };
    *set = NULL;
    for (size_t i = 0; i < COUNT(keys) && *set == NULL; i++) {
        const cJSON *item = core_json_member(config, keys[i]);
        if (item != NULL && !cJSON_IsObject(item))
            return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is not an object", origin, keys[i]);
        if (item != NULL && item->child != NULL)
            *set = item;
    }
    for (const cJSON *item = *set != NULL ? (*set)->child : NULL; item != NULL; item = item->next) {
        if (cJSON_IsObject(item))
            return core_fail(OCLM_ERR_UNSUPPORTED, "%s: RoPE parameters per layer type (\"%.60s\") are not supported", origin,
                             item->string);
    }
    return OCLM_OK;
}

oclm_status model_read_rope(const cJSON *config, const char *origin, uint32_t head_dim, double default_theta,
                            uint32_t max_position_embeddings, model_rope *rope)
{
    const cJSON *set;
    oclm_status  status;
    *rope = (model_rope){ .type = MODEL_ROPE_DEFAULT, .dims = head_dim, .theta = default_theta, .factor = 1.0,
                          .original_max_position_embeddings = max_position_embeddings };
    if (head_dim % 2 != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: the head dimension is %u; rotary positions turn pairs, so it must be even", origin,
                         head_dim);
    if ((status = find_rope_set(config, origin, &set)) != OCLM_OK ||
        (status = read_rope_type(set, origin, &rope->type)) != OCLM_OK ||
        (status = read_positive(core_json_member(set, "rope_theta") != NULL ? set : config, "rope_theta", origin, &rope->theta)) != OCLM_OK ||
        (status = read_original_length(config, set, origin, max_position_embeddings, &rope->original_max_position_embeddings)) != OCLM_OK)
        return status;
    if (rope->theta <= 1.0)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"rope_theta\" is %g; it must be greater than 1", origin, rope->theta);
    switch (rope->type) {
    case MODEL_ROPE_DEFAULT:
        return OCLM_OK;
    case MODEL_ROPE_LINEAR:
        return read_required(set, "factor", "linear", origin, &rope->factor);
    case MODEL_ROPE_DYNAMIC:
        if (head_dim < 4)
            return core_fail(OCLM_ERR_FORMAT, "%s: rope_type \"dynamic\" needs a head dimension of 4 or more, this one is %u",
                             origin, head_dim);
        return read_required(set, "factor", "dynamic", origin, &rope->factor);
    case MODEL_ROPE_LLAMA3:
        return read_llama3(set, origin, rope);
    case MODEL_ROPE_YARN:
        return read_yarn(set, origin, max_position_embeddings, rope);
    case MODEL_ROPE_LONGROPE: case MODEL_ROPE_PROPORTIONAL:
        break; /* not among the names yet */
    }
    return core_fail(OCLM_ERR_INTERNAL, "%s: rope type %d", origin, (int)rope->type);
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

/* ---- The whole file */

/* What a family read one by one must also fit together. */
static oclm_status check_sizes(const model_architecture *a, const char *origin)
{
    const uint64_t all_heads = ((uint64_t)a->heads + 2u * (uint64_t)a->kv_heads) * a->head_dim;
    if (a->heads % a->kv_heads != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: %u attention heads do not divide evenly among %u key-value heads", origin, a->heads,
                         a->kv_heads);
    if (a->head_dim > MODEL_MAX_HEAD_DIM)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: the head dimension is %u; at most %u are supported", origin, a->head_dim,
                         MODEL_MAX_HEAD_DIM);
    if (all_heads > MODEL_MAX_WIDTH)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: queries, keys and values of %u and %u heads of %u take %" PRIu64
                         " numbers; at most %u are supported", origin, a->heads, a->kv_heads, a->head_dim, all_heads, MODEL_MAX_WIDTH);
    return OCLM_OK;
}

static oclm_status find_family(const cJSON *config, const char *origin, const model_family **family)
{
    const char *model_type = NULL;
    core_text   supported = CORE_TEXT_INIT;
    oclm_status status = core_json_get_string(config, "model_type", origin, &model_type);
    if (status != OCLM_OK)
        return status;
    if (model_type != NULL && (*family = model_family_find(model_type)) != NULL)
        return OCLM_OK;
    for (size_t i = 0; model_families[i] != NULL && status == OCLM_OK; i++)
        status = core_text_printf(&supported, "%s%s", i > 0 ? ", " : "", model_families[i]->model_type);
    if (status == OCLM_OK && model_type == NULL)
        status = core_fail(OCLM_ERR_FORMAT, "%s has no \"model_type\", which tells how to read a model; supported are %s", origin,
                           supported.data);
    else if (status == OCLM_OK)
        status = core_fail(OCLM_ERR_UNSUPPORTED, "%s: model_type \"%.60s\" is not supported; supported are %s", origin, model_type,
                           supported.data);
    core_text_free(&supported);
    return status;
}

static oclm_status refuse_quantized(const cJSON *config, const char *origin)
{
    const cJSON *quantization = core_json_member(config, "quantization_config");
    const char  *method = "an unnamed method";
    oclm_status  status;
    if (quantization == NULL)
        return OCLM_OK;
    if ((status = core_json_get_string(quantization, "quant_method", origin, &method)) != OCLM_OK)
        return status;
    return core_fail(OCLM_ERR_UNSUPPORTED,
                     "%s: the weights are quantised (quantization_config: %.60s), which is not supported; use the float32, float16 or "
                     "bfloat16 version of this model", origin, method);
}

/* What the weights should become by default. A type that oclm does not store (float64) leaves it to the checkpoint. */
static oclm_status read_dtype(const cJSON *config, const char *origin, oclm_dtype *dtype)
{
    const char *name = NULL;
    oclm_status status = core_json_get_string(config, core_json_member(config, "dtype") ? "dtype" : "torch_dtype", origin, &name);
    *dtype = OCLM_DTYPE_AUTO;
    if (status == OCLM_OK && name != NULL && !core_dtype_from_long_name(name, dtype)) {
        *dtype = OCLM_DTYPE_AUTO;
        core_log(OCLM_LOG_WARNING, "%s: dtype \"%.60s\" is none that oclm stores weights in; the checkpoint decides", origin, name);
    }
    return status;
}

static oclm_status read_tree(const cJSON *config, const char *origin, const model_family **family, model_architecture *architecture,
                             oclm_dtype *dtype)
{
    oclm_status status;
    if (!cJSON_IsObject(config))
        return core_fail(OCLM_ERR_FORMAT, "%s: not a JSON object", origin);
    if ((status = find_family(config, origin, family)) != OCLM_OK ||
        (status = refuse_quantized(config, origin)) != OCLM_OK ||
        (status = read_dtype(config, origin, dtype)) != OCLM_OK)
        return status;
    strncpy(architecture->model_type, (*family)->model_type, sizeof architecture->model_type - 1);
    architecture->embedding_scale = architecture->residual_scale = architecture->logits_scale = 1.0f;
    if ((status = (*family)->read_config(config, origin, architecture)) != OCLM_OK)
        return status;
    return check_sizes(architecture, origin);
}

oclm_status model_config_read(const char *folder, const model_family **family, model_architecture *architecture, oclm_dtype *dtype)
{
    core_text   path = CORE_TEXT_INIT;
    cJSON      *config = NULL;
    oclm_status status;
    *family = NULL;
    *dtype = OCLM_DTYPE_AUTO;
    memset(architecture, 0, sizeof *architecture);
    if (!core_path_is_folder(folder))
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: there is no such folder; a model is a folder with config.json and model.safetensors",
                         folder);
    if ((status = core_path_join(&path, folder, "config.json")) == OCLM_OK &&
        (status = core_json_read_file(path.data, CORE_JSON_MAX_CONFIG, &config)) == OCLM_OK)
        status = read_tree(config, path.data, family, architecture, dtype);
    else if (status == OCLM_ERR_NOT_FOUND)
        status = core_fail(status, "%s is missing, so this folder is no model, or not all of one; a model is a folder with "
                           "config.json and model.safetensors", path.data);
    cJSON_Delete(config);
    core_text_free(&path);
    return status;
}

uint64_t model_kv_bytes_per_token(const model_architecture *a)
{
    return 2u * sizeof(float) * (uint64_t)a->layers * a->kv_heads * a->head_dim;
}
