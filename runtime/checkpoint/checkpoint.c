/* checkpoint.c: finds a folder's weight files, opens them all, and keeps their tensors in order of name. */
#include "checkpoint/checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/quantized.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shards.h"
#include "core/log.h"
#include "core/platform.h"

/* ---- Finding files */

/* What a folder without safetensors holds instead, for the message. */
typedef struct other_files {
    const ckpt_names *names;
    char pickle[64], gguf[64], safetensors[64]; /* an example of each, or "" */
    char no_file[64];                           /* has the right name, but is none */
} other_files;

static bool ends_with(const char *name, const char *suffix)
{
    const size_t length = strlen(name), suffix_length = strlen(suffix);
    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

static bool note_other_file(const char *name, void *user)
{
    other_files *const others = user;
    char *const example = strcmp(name, others->names->single) == 0 || strcmp(name, others->names->index) == 0 ? others->no_file
                          : ends_with(name, ".bin") || ends_with(name, ".pt") || ends_with(name, ".pth")      ? others->pickle
                          : ends_with(name, ".gguf")                                                          ? others->gguf
                          : ends_with(name, ".safetensors")                                                   ? others->safetensors
                                                                                                              : NULL;
    if (example != NULL && example[0] == '\0' && strlen(name) < sizeof others->pickle)
        memcpy(example, name, strlen(name) + 1);
    return true;
}

static oclm_status fail_no_weights(const char *folder, const ckpt_names *names)
{
    other_files       others = { names, "", "", "", "" };
    const bool        both = names->single[0] != '\0' && names->index[0] != '\0';
    const char *const wanted = names->single[0] != '\0' ? names->single : names->index;
    oclm_status status;
    if (core_path_is_file(folder))
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: is a file; give the folder that holds config.json and %s", folder, wanted);
    if ((status = core_folder_list(folder, note_other_file, &others)) == OCLM_ERR_NOT_FOUND)
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: there is no such folder; give one that holds config.json and %s", folder, wanted);
    if (status != OCLM_OK)
        return status;
    if (others.no_file[0] != '\0')
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: %s is there, but is no file: a folder, or a link to a file that is gone; download it "
                         "again", folder, others.no_file);
    if (others.safetensors[0] != '\0')
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: no %s%s%s is there, but %s is: if it is the whole model, rename it; if it is one of several "
                         "shards, download their index (model.safetensors.index.json) too; if it is a variant (model.fp16.safetensors), say which",
                         folder, names->single, both ? " and no " : "", names->index, others.safetensors);
    if (others.pickle[0] != '\0')
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: no %s, only PyTorch's pickled weights (%s), which can run code when opened and which oclm does "
                         "not read; convert them once in Python: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, "
                         "safe_serialization=True)", folder, wanted, others.pickle);
    if (others.gguf[0] != '\0')
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: no %s, only GGUF weights (%s), which oclm does not read yet; download the model's original "
                         "safetensors files", folder, wanted, others.gguf);
    return core_fail(OCLM_ERR_NOT_FOUND, "%s: no weights there: looked for %s%s%s; is the download complete?", folder, names->single,
                     both ? " and for " : "", names->index);
}

/* Maps `path` as the next file and reads its header. */
static oclm_status add_file(ckpt_checkpoint *checkpoint, const char *path)
{
    const uint32_t    number = checkpoint->file_count;
    const oclm_status status = ckpt_files_map(checkpoint, path);
    return status != OCLM_OK ? status : ckpt_safetensors_read(&checkpoint->files[number].map, path, number, &checkpoint->table);
}

/* ---- Shards */

/* The number of the file that the index calls `shard`: files were opened in the order of index->shards. */
static uint32_t shard_number(const ckpt_shard_index *index, const char *shard)
{
    size_t low = 0, high = index->shard_count - 1;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(index->shards[middle], shard) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low;
}

/* Each tensor that the index lists must lie where it says. One that it does not list is kept, as the reference does. */
static oclm_status check_index(const ckpt_checkpoint *checkpoint, const ckpt_shard_index *index, const char *index_path)
{
    for (size_t i = 0; i < index->count; i++) {
        const ckpt_shard_entry *const entry = &index->entries[i];
        const ckpt_tensor *const      tensor = ckpt_find(checkpoint, entry->tensor);
        if (tensor == NULL)
            return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\" should be in %s, but is in no shard; download that file again",
                             index_path, entry->tensor, entry->shard);
        if (tensor->file != shard_number(index, entry->shard))
            return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\" should be in %s, but is in %s; index and shards do not belong together: "
                             "download them again", index_path, entry->tensor, entry->shard, ckpt_file_name(checkpoint, tensor->file));
    }
    if (checkpoint->table.count > index->count)
        core_log(OCLM_LOG_WARNING, "%s: %zu tensors of the shards are not in the index", index_path,
                 checkpoint->table.count - index->count);
    return OCLM_OK;
}

static oclm_status check_shards_are_there(const char *folder, const ckpt_shard_index *index)
{
    core_text   path = CORE_TEXT_INIT;
    size_t      missing = 0;
    const char *example = NULL;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < index->shard_count && status == OCLM_OK; i++) {
        if ((status = core_path_join(&path, folder, index->shards[i])) == OCLM_OK && !core_path_is_file(path.data)) {
            example = example != NULL ? example : index->shards[i];
            missing++;
        }
    }
    core_text_free(&path);
    if (status == OCLM_OK && missing > 0)
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: %s is missing (%zu of the %zu shards are); the download is not complete: fetch what is "
                         "missing", folder, example, missing, index->shard_count);
    return status;
}

static oclm_status open_shards(ckpt_checkpoint *checkpoint, const char *folder, const char *index_path)
{
    ckpt_shard_index index = CKPT_SHARD_INDEX_INIT;
    core_text        path = CORE_TEXT_INIT;
    char            *text = NULL;
    size_t           length;
    oclm_status      status;
    if ((status = core_read_file(index_path, CKPT_MAX_HEADER, &text, &length)) != OCLM_OK ||
        (status = ckpt_shard_index_read(text, length, index_path, &index)) != OCLM_OK ||
        (status = check_shards_are_there(folder, &index)) != OCLM_OK ||
        (status = ckpt_files_alloc(checkpoint, index.shard_count)) != OCLM_OK)
        goto done;
    for (size_t i = 0; i < index.shard_count; i++) {
        if ((status = core_path_join(&path, folder, index.shards[i])) != OCLM_OK ||
            (status = add_file(checkpoint, path.data)) != OCLM_OK)
            goto done;
    }
    if ((status = ckpt_files_finish(checkpoint)) == OCLM_OK)
        status = check_index(checkpoint, &index, index_path);
done:
    ckpt_shard_index_deinit(&index);
    core_text_free(&path);
    core_free(text);
    return status;
}

static oclm_status open_single(ckpt_checkpoint *checkpoint, const char *path)
{
    oclm_status status;
    if ((status = ckpt_files_alloc(checkpoint, 1)) != OCLM_OK || (status = add_file(checkpoint, path)) != OCLM_OK)
        return status;
    return ckpt_files_finish(checkpoint);
}

/* ---- Opening */

/* Whether `folder` has such a file; "" is none. */
static bool is_there(const char *folder, const char *name, core_text *path, oclm_status *status)
{
    if (name[0] == '\0' || *status != OCLM_OK)
        return false;
    *status = core_path_join(path, folder, name);
    return *status == OCLM_OK && core_path_is_file(path->data);
}

oclm_status ckpt_open(const char *folder, const char *variant, ckpt_checkpoint **checkpoint)
{
    core_text        path = CORE_TEXT_INIT;
    ckpt_checkpoint *made = NULL;
    ckpt_names       names;
    oclm_status      status;
    *checkpoint = NULL;
    if ((status = ckpt_names_of(folder, variant, &names)) != OCLM_OK)
        return status;
    if ((made = core_alloc_zero(1, sizeof *made, "a checkpoint")) == NULL)
        return OCLM_ERR_MEMORY;
    if (is_there(folder, names.single, &path, &status))
        status = open_single(made, path.data);
    else if (is_there(folder, names.index, &path, &status))
        status = open_shards(made, folder, path.data);
    else if (status == OCLM_OK)
        status = fail_no_weights(folder, &names);
    if (status != OCLM_OK)
        goto done;
    if ((status = ckpt_quantized_open(made, folder)) != OCLM_OK)
        goto done;
    *checkpoint = made;
    made = NULL;
done:
    ckpt_close(made);
    core_text_free(&path);
    return status;
}

void ckpt_close(ckpt_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    for (uint32_t i = 0; i < checkpoint->file_count; i++) {
        core_map_close(&checkpoint->files[i].map);
        core_free(checkpoint->files[i].path);
    }
    core_free(checkpoint->files);
    ckpt_table_deinit(&checkpoint->table);
    ckpt_table_deinit(&checkpoint->parts);
    core_gguf_free(&checkpoint->gguf);
    core_free(checkpoint);
}

/* ---- Asking */

size_t ckpt_count(const ckpt_checkpoint *checkpoint)
{
    return checkpoint->table.count;
}

const ckpt_tensor *ckpt_at(const ckpt_checkpoint *checkpoint, size_t index)
{
    return &checkpoint->table.tensors[index];
}

const ckpt_tensor *ckpt_find(const ckpt_checkpoint *checkpoint, const char *name)
{
    const ckpt_tensor key = { .name = name };
    if (checkpoint->table.count == 0)
        return NULL;
    return bsearch(&key, checkpoint->table.tensors, checkpoint->table.count, sizeof key, ckpt_by_name);
}

const char *ckpt_file_name(const ckpt_checkpoint *checkpoint, uint32_t file)
{
    return checkpoint->files[file].path;
}

uint64_t ckpt_bytes(const ckpt_checkpoint *checkpoint)
{
    return checkpoint->bytes;
}

core_dtype ckpt_dtype(const ckpt_checkpoint *checkpoint)
{
    return checkpoint->dtype;
}

/* ---- Hints */

static size_t offset_in_file(const core_map *map, const ckpt_tensor *tensor)
{
    return (size_t)((const unsigned char *)tensor->data - map->data);
}

void ckpt_will_need(const ckpt_checkpoint *checkpoint, const ckpt_tensor *tensor)
{
    const core_map *const map = &checkpoint->files[tensor->file].map;
    core_map_will_need(map, offset_in_file(map, tensor), tensor->bytes);
}

void ckpt_release(const ckpt_checkpoint *checkpoint, const ckpt_tensor *tensor)
{
    const core_map *const map = &checkpoint->files[tensor->file].map;
    core_map_release(map, offset_in_file(map, tensor), tensor->bytes);
}
