/* config.c: config.json -> family -> architecture. Every size is checked on its own and against the others here, so that the
 * rest of the room may multiply them. Sources: transformers' PreTrainedConfig and RotaryEmbeddingConfigMixin. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "model/binding.h"
#include "model/gguf.h"
#include "model/unknown_type.h"

static oclm_status check_heads(uint32_t heads, uint32_t kv_heads, uint32_t head_dim, const char *origin)
{
    const uint64_t all_heads = ((uint64_t)heads + 2u * (uint64_t)kv_heads) * head_dim;
    if (heads % kv_heads != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: %u attention heads do not divide evenly among %u key-value heads", origin, heads, kv_heads);
    if (head_dim > MODEL_MAX_HEAD_DIM)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: the head dimension is %u; at most %u are supported", origin, head_dim, MODEL_MAX_HEAD_DIM);
    if (all_heads > MODEL_MAX_WIDTH)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: queries, keys and values of %u and %u heads of %u take %" PRIu64
                         " numbers; at most %u are supported", origin, heads, kv_heads, head_dim, all_heads, MODEL_MAX_WIDTH);
    return OCLM_OK;
}

/* Rotary tables are made for a set of layers, whose heads may still be of several sizes. */
static oclm_status check_turning(const model_architecture *a, uint32_t i, const char *origin)
{
    const int8_t rope = a->layer[i].rope;
    if (a->position != MODEL_POSITION_ROPE || rope == MODEL_ROPE_NONE || a->ropes[rope].dims <= model_head_dim(a, i))
        return OCLM_OK;
    return core_fail(OCLM_ERR_FORMAT, "%s: %u dimensions of a head shall turn, those of layer %u have %u", origin, a->ropes[rope].dims, i,
                     model_head_dim(a, i));
}

/* What a family read one by one must also fit together. */
static oclm_status check_sizes(const model_architecture *a, const char *origin)
{
    oclm_status status = check_heads(a->heads, a->kv_heads, a->head_dim, origin);
    for (uint32_t i = 0; i < a->layers && status == OCLM_OK; i++) {
        const uint32_t reads = model_cache_layer(a, i);
        status = check_heads(a->heads, model_kv_heads(a, i), model_head_dim(a, i), origin);
        if (status == OCLM_OK && (model_head_dim(a, reads) != model_head_dim(a, i) || model_kv_heads(a, reads) != model_kv_heads(a, i)))
            status = core_fail(OCLM_ERR_FORMAT, "%s: layer %u reads keys of layer %u, whose heads are others", origin, i, reads);
        if (status == OCLM_OK)
            status = check_turning(a, i, origin);
    }
    if (status == OCLM_OK && (uint64_t)a->layers * a->layer_input.size > MODEL_MAX_WIDTH)
        status = core_fail(OCLM_ERR_UNSUPPORTED, "%s: inputs of %u for each of %u layers; at most %u together are supported", origin,
                           a->layer_input.size, a->layers, MODEL_MAX_WIDTH);
    return status;
}

/* ---- Which family */

/* A model that also sees or hears keeps its language model's keys in "text_config"; what is missing there may stand beside it. */
static oclm_status language_part(const cJSON *config, const char *origin, cJSON **part)
{
    const cJSON *text = core_json_member(config, "text_config");
    *part = cJSON_Duplicate(config, true);
    bool whole = *part != NULL;
    if (text != NULL && !cJSON_IsObject(text))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"text_config\" is not an object", origin);
    for (const cJSON *item = text != NULL ? text->child : NULL; item != NULL && whole; item = item->next) {
        cJSON *copy = cJSON_Duplicate(item, true);
        cJSON_DeleteItemFromObjectCaseSensitive(*part, item->string);
        whole = copy != NULL && cJSON_AddItemToObject(*part, item->string, copy);
    }
    return whole ? OCLM_OK : core_fail(OCLM_ERR_MEMORY, "%s: no memory for a copy of the configuration", origin);
}

/* By the model_type inside, else by the one around it, else by the usual name of the text part of that. */
static const model_family *family_of(const cJSON *config, const char *inside)
{
    const cJSON *outer = core_json_member(config, "model_type");
    char         text_type[80];
    const model_family *family = inside != NULL ? model_family_find(inside) : NULL;
    if (family != NULL || !cJSON_IsString(outer) || core_json_member(config, "text_config") == NULL)
        return family;
    if ((family = model_family_find(outer->valuestring)) != NULL)
        return family;
    snprintf(text_type, sizeof text_type, "%.70s_text", outer->valuestring);
    return model_family_find(text_type);
}

static oclm_status find_family(const cJSON *config, const cJSON *part, const char *origin, const model_family **family)
{
    const char *model_type = NULL;
    oclm_status status = core_json_get_string(part, "model_type", origin, &model_type);
    if (status == OCLM_OK && (*family = family_of(config, model_type)) == NULL)
        status = model_refuse_type(part, model_type, origin);
    return status;
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

static oclm_status read_part(const cJSON *config, const model_family *family, const char *origin, model_architecture *architecture,
                             oclm_dtype *dtype)
{
    oclm_status status;
    if ((status = read_dtype(config, origin, dtype)) != OCLM_OK)
        return status;
    strncpy(architecture->model_type, family->model_type, sizeof architecture->model_type - 1);
    architecture->embedding_scale = architecture->residual_scale = architecture->logits_scale = 1.0f;
    if ((status = family->read_config(config, origin, architecture)) != OCLM_OK)
        return status;
    if ((status = check_sizes(architecture, origin)) != OCLM_OK || (status = model_check_mixers(architecture, origin)) != OCLM_OK)
        return status;
    return model_check_experts(architecture, origin);
}

oclm_status model_config_tree(const cJSON *config, const char *origin, const model_family **family, model_architecture *architecture,
                              oclm_dtype *dtype)
{
    cJSON      *part = NULL;
    oclm_status status;
    *family = NULL;
    *dtype = OCLM_DTYPE_AUTO;
    memset(architecture, 0, sizeof *architecture);
    if (!cJSON_IsObject(config))
        return core_fail(OCLM_ERR_FORMAT, "%s: not a JSON object", origin);
    if ((status = language_part(config, origin, &part)) == OCLM_OK &&
        (status = find_family(config, part, origin, family)) == OCLM_OK)
        status = read_part(part, *family, origin, architecture, dtype);
    cJSON_Delete(part);
    return status;
}

static oclm_status read_gguf(const char *path, const model_family **family, model_architecture *architecture, oclm_dtype *dtype)
{
    ckpt_checkpoint *checkpoint = NULL;
    oclm_status      status = ckpt_open_gguf(path, &checkpoint);
    if (status == OCLM_OK)
        status = model_gguf_read(checkpoint, family, architecture, dtype);
    ckpt_close(checkpoint);
    return status;
}

oclm_status model_config_read(const char *folder, const model_family **family, model_architecture *architecture, oclm_dtype *dtype)
{
    core_text   path = CORE_TEXT_INIT;
    cJSON      *config = NULL;
    oclm_status status;
    *family = NULL;
    if (model_is_gguf(folder))
        return read_gguf(folder, family, architecture, dtype);
    if (!core_path_is_folder(folder))
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: there is no such folder; a model is a folder with config.json and model.safetensors",
                         folder);
    if ((status = core_path_join(&path, folder, "config.json")) == OCLM_OK &&
        (status = core_json_read_file(path.data, CORE_JSON_MAX_CONFIG, &config)) == OCLM_OK)
        status = model_config_tree(config, path.data, family, architecture, dtype);
    else if (status == OCLM_ERR_NOT_FOUND)
        status = core_fail(status, "%s is missing, so this folder is no model, or not all of one; a model is a folder with "
                           "config.json and model.safetensors", path.data);
    cJSON_Delete(config);
    core_text_free(&path);
    return status;
}

uint64_t model_kv_bytes_per_token(const model_architecture *a)
{
    uint64_t numbers = 0;
    for (uint32_t i = 0; i < a->layers; i++)
        numbers += model_keeps_keys(a, i) ? (uint64_t)model_kv_heads(a, i) * model_head_dim(a, i) : 0;
    return 2u * sizeof(float) * numbers;
}
