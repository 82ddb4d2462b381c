/* config.c: config.json -> family -> architecture. Every size is checked on its own and against the others here, so that the
 * rest of the room may multiply them. Sources: transformers' PreTrainedConfig and RotaryEmbeddingConfigMixin. */
#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "model/architecture.h"

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
    for (size_t i = 0; model_family_at(i) != NULL && status == OCLM_OK; i++)
        status = core_text_printf(&supported, "%s%s", i > 0 ? ", " : "", model_family_at(i)->model_type);
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
    if ((status = check_sizes(architecture, origin)) != OCLM_OK)
        return status;
    return model_check_experts(architecture, origin);
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
