/* shards.c: reads model.safetensors.index.json:
 *
 *     {"metadata": {"total_size": 123}, "weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors", ...}} */
#include "checkpoint/shards.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/platform.h"

#define MAX_FILE_NAME 255 /* of most file systems */

void ckpt_shard_index_deinit(ckpt_shard_index *index)
{
    for (size_t i = 0; i < index->shard_count; i++)
        core_free(index->shards[i]);
    for (size_t i = 0; i < index->count; i++)
        core_free(index->entries[i].tensor);
    core_free(index->shards);
    core_free(index->entries);
    *index = (ckpt_shard_index)CKPT_SHARD_INDEX_INIT;
}

/* A file beside the index and nowhere else: the index is a stranger's. */
static oclm_status check_file_name(const core_json_reader *json, const char *name, size_t length)
{
    static const char suffix[] = ".safetensors";
    const size_t      suffix_length = sizeof suffix - 1;
    const int         shown = (int)core_utf8_cut(name, length, 80);
    if (length > MAX_FILE_NAME || memchr(name, '/', length) != NULL || memchr(name, '\\', length) != NULL ||
        memchr(name, '\0', length) != NULL || (length > 0 && name[0] == '.'))
        return core_json_error(json, "\"%.*s\" is not the plain name of a file in this folder", shown, name);
    if (length <= suffix_length || memcmp(name + length - suffix_length, suffix, suffix_length) != 0)
        return core_json_error(json, "\"%.*s\" is not a .safetensors file", shown, name);
    return OCLM_OK;
}

/* Finds a file name among the shards, or puts it in its place. Its own memory stays where it is when others move. */
static oclm_status intern_shard(ckpt_shard_index *index, const core_json_reader *json, const char *name, size_t length,
                                const char **shard)
{
    size_t low = 0, high = index->shard_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        int          order = strncmp(index->shards[middle], name, length);
        if (order == 0 && index->shards[middle][length] != '\0')
            order = 1;
        if (order == 0) {
            *shard = index->shards[middle];
            return OCLM_OK;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (index->shard_count == CKPT_MAX_SHARDS)
        return core_json_error(json, "more than %u files; no model has so many", CKPT_MAX_SHARDS);
    if ((index->shard_count & (index->shard_count - 1)) == 0) { /* full at each power of two */
        const size_t capacity = index->shard_count > 0 ? index->shard_count * 2 : 1;
        char       **shards = core_realloc_array(index->shards, capacity, sizeof *shards, "the list of shards");
        if (shards == NULL)
            return OCLM_ERR_MEMORY;
        index->shards = shards;
    }
    char *copy = core_copy_part(name, length, "a shard's name");
    if (copy == NULL)
        return OCLM_ERR_MEMORY;
    memmove(index->shards + low + 1, index->shards + low, (index->shard_count - low) * sizeof *index->shards);
    index->shards[low] = copy;
    index->shard_count++;
    *shard = copy;
    return OCLM_OK;
}

static oclm_status grow(ckpt_shard_index *index, const core_json_reader *json)
{
    if (index->count == CKPT_MAX_TENSORS)
        return core_json_error(json, "more than %u tensors; no model has so many", CKPT_MAX_TENSORS);
    ckpt_shard_entry *entries = core_grow_array(index->entries, index->count, &index->capacity, 256, sizeof *entries, "the index of shards");
    if (entries == NULL)
        return OCLM_ERR_MEMORY;
    index->entries = entries;
    return OCLM_OK;
}

static oclm_status read_weight_map(core_json_reader *json, ckpt_shard_index *index)
{
    bool        first = true, more;
    oclm_status status = core_json_enter(json, CORE_JSON_OBJECT);
    while (status == OCLM_OK && (status = core_json_next(json, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more) {
        const char *text, *shard = NULL;
        size_t      length;
        if ((status = grow(index, json)) != OCLM_OK || (status = core_json_key(json, &text, &length)) != OCLM_OK)
            break;
        if (memchr(text, '\0', length) != NULL)
            return core_json_error(json, "a tensor's name holds a NUL");
        char *tensor = core_copy_part(text, length, "a tensor's name");
        if (tensor == NULL)
            return OCLM_ERR_MEMORY;
        index->entries[index->count++] = (ckpt_shard_entry){ tensor, NULL };
        if ((status = core_json_string(json, &text, &length)) == OCLM_OK &&
            (status = check_file_name(json, text, length)) == OCLM_OK &&
            (status = intern_shard(index, json, text, length, &shard)) == OCLM_OK)
            index->entries[index->count - 1].shard = shard;
    }
    return status;
}

static int by_tensor(const void *a, const void *b)
{
    return strcmp(((const ckpt_shard_entry *)a)->tensor, ((const ckpt_shard_entry *)b)->tensor);
}

static oclm_status sort(ckpt_shard_index *index, const char *path)
{
    qsort(index->entries, index->count, sizeof *index->entries, by_tensor);
    for (size_t i = 1; i < index->count; i++) {
        if (strcmp(index->entries[i - 1].tensor, index->entries[i].tensor) == 0)
            return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\" is listed twice; download the file again", path,
                             index->entries[i].tensor);
    }
    return OCLM_OK;
}

oclm_status ckpt_shard_index_read(const char *text, size_t length, const char *path, ckpt_shard_index *index)
{
    bool             first = true, more, seen = false;
    core_json_reader json;
    core_json_kind   kind;
    core_json_reader_init(&json, text, length, path);
    json.way_out = "download the file again";
    oclm_status status = core_json_enter(&json, CORE_JSON_OBJECT);
    while (status == OCLM_OK && (status = core_json_next(&json, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more) {
        const char *key;
        size_t      key_length;
        if ((status = core_json_key(&json, &key, &key_length)) != OCLM_OK)
            break;
        const bool wanted = key_length == 10 && memcmp(key, "weight_map", 10) == 0;
        if (wanted && seen)
            status = core_json_error(&json, "\"weight_map\" is there twice");
        else
            status = wanted ? read_weight_map(&json, index) : core_json_skip(&json);
        seen |= wanted;
    }
    if (status == OCLM_OK && (status = core_json_peek(&json, &kind)) == OCLM_OK && kind != CORE_JSON_END)
        status = core_json_error(&json, "more text follows after the end of the JSON value");
    core_json_reader_deinit(&json);
    if (status == OCLM_OK && index->count == 0)
        status = core_fail(OCLM_ERR_FORMAT, "%s: has no \"weight_map\" with tensors; download the file again", path);
    return status == OCLM_OK ? sort(index, path) : status;
}

oclm_status ckpt_shard_files(const char *index_path, oclm_status (*add)(const char *name, void *user), void *user)
{
    ckpt_shard_index index = CKPT_SHARD_INDEX_INIT;
    char            *text = NULL;
    size_t           length;
    oclm_status      status = core_read_file(index_path, CKPT_MAX_HEADER, &text, &length);
    if (status == OCLM_OK)
        status = ckpt_shard_index_read(text, length, index_path, &index);
    for (size_t i = 0; i < index.shard_count && status == OCLM_OK; i++)
        status = add(index.shards[i], user);
    ckpt_shard_index_deinit(&index);
    core_free(text);
    return status;
}
