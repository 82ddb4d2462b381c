/* gguf.c: opens a GGUF file as a checkpoint. A model in several files (llama-gguf-split) has its metadata in the first; each says which it is:
 *
 *     name-00001-of-00003.gguf    split.no = 0, split.count = 3, split.tensors.count = those of all three
 */
#include "checkpoint/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/platform.h"

#define SUFFIX_SIZE 24 /* "-00001-of-00003.gguf" */

/* ---- Files of a model in several */

typedef struct split {
    int64_t number, count, tensors; /* from 0; count 0: the only file; tensors -1: not told */
} split;

static oclm_status read_split(const core_gguf *gguf, split *part)
{
    oclm_status status;
    *part = (split){ 0, 0, -1 };
    if ((status = core_gguf_get_int(gguf, "split.no", &part->number)) != OCLM_OK ||
        (status = core_gguf_get_int(gguf, "split.count", &part->count)) != OCLM_OK ||
        (status = core_gguf_get_int(gguf, "split.tensors.count", &part->tensors)) != OCLM_OK)
        return status;
    if (part->count < 0 || part->count > (int64_t)CKPT_MAX_SHARDS)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"split.count\" is %" PRId64 "; a model has at most %u files", gguf->origin, part->count, CKPT_MAX_SHARDS);
    return OCLM_OK;
}

static void write_suffix(char suffix[SUFFIX_SIZE], unsigned number, unsigned count)
{
    snprintf(suffix, SUFFIX_SIZE, "-%05u-of-%05u.gguf", number % 100000, count % 100000);
}

/* The path of part `number` (from 0) of those that `first` is the first of. */
static oclm_status part_path(const char *first, unsigned number, unsigned count, core_text *path)
{
    char suffix[SUFFIX_SIZE];
    write_suffix(suffix, number + 1, count);
    core_text_clear(path);
    return core_text_printf(path, "%.*s%s", (int)(strlen(first) - strlen(suffix)), first, suffix);
}

/* `path`, whose own key-values say that it is a part, must be the first and named as such. */
static oclm_status check_first(const char *path, const split *part)
{
    char         suffix[SUFFIX_SIZE];
    const size_t length = strlen(path);
    if (part->number != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: is file %" PRId64 " of the model's %" PRId64 "; give the first one (-00001-of-%05" PRId64
                         ".gguf), which holds the metadata", path, part->number < INT64_MAX ? part->number + 1 : part->number, part->count, part->count);
    write_suffix(suffix, 1, (unsigned)part->count);
    if (length <= strlen(suffix) || strcmp(path + length - strlen(suffix), suffix) != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: is the first of %" PRId64 " files, which are found by their names: this one's must end in \"%s\"; rename "
                         "them as they were", path, part->count, suffix);
    return OCLM_OK;
}

static oclm_status check_parts_are_there(const char *first, unsigned count)
{
    core_text   path = CORE_TEXT_INIT, example = CORE_TEXT_INIT;
    unsigned    missing = 0;
    oclm_status status = OCLM_OK;
    for (unsigned i = 1; i < count && status == OCLM_OK; i++) {
        if ((status = part_path(first, i, count, &path)) == OCLM_OK && !core_path_is_file(path.data) && missing++ == 0)
            status = part_path(first, i, count, &example);
    }
    if (status == OCLM_OK && missing > 0)
        status = core_fail(OCLM_ERR_NOT_FOUND, "%s: is missing (%u of the model's %u files are); the download is not complete: fetch what is missing",
                           example.data, missing, count);
    core_text_free(&path);
    core_text_free(&example);
    return status;
}

/* ---- Reading files */

/* Maps the next file and reads its key-values into `gguf`, which is to be freed also where this fails. */
static oclm_status open_file(ckpt_checkpoint *checkpoint, const char *path, core_gguf *gguf)
{
    const uint32_t number = checkpoint->file_count;
    oclm_status    status;
    if ((status = ckpt_files_map(checkpoint, path)) != OCLM_OK)
        return status;
    const ckpt_file *const file = &checkpoint->files[number];
    if ((status = ckpt_refuse_pointer(&file->map, path)) != OCLM_OK)
        return status;
    return core_gguf_open(gguf, file->map.data, file->map.size, file->path);
}

static oclm_status add_part(ckpt_checkpoint *checkpoint, const char *path, unsigned number, unsigned count)
{
    const uint32_t file = checkpoint->file_count;
    core_gguf      gguf = { 0 };
    split          part;
    oclm_status    status;
    if ((status = open_file(checkpoint, path, &gguf)) != OCLM_OK || (status = read_split(&gguf, &part)) != OCLM_OK)
        goto done;
    if (part.number != (int64_t)number || part.count != (int64_t)count)
        status = core_fail(OCLM_ERR_FORMAT, "%s: says that it is file %" PRId64 " (from 0) of %" PRId64 ", its name that it is %u of %u; the files do not "
                           "belong together: download them again", path, part.number, part.count, number, count);
    else
        status = ckpt_gguf_read(&gguf, &checkpoint->files[file].map, file, &checkpoint->table);
done:
    core_gguf_free(&gguf);
    return status;
}

/* The first file is mapped, and the only one there is room for as yet. */
static oclm_status make_room(ckpt_checkpoint *checkpoint, unsigned count)
{
    const ckpt_file first = checkpoint->files[0];
    ckpt_file      *few = checkpoint->files;
    oclm_status     status = ckpt_files_alloc(checkpoint, count);
    if (status != OCLM_OK) {
        checkpoint->files = few;
        return status;
    }
    checkpoint->files[0] = first;
    core_free(few);
    return OCLM_OK;
}

static oclm_status add_other_parts(ckpt_checkpoint *checkpoint, const char *first, const split *part)
{
    const unsigned count = (unsigned)part->count;
    core_text      path = CORE_TEXT_INIT;
    oclm_status    status;
    if ((status = check_first(first, part)) != OCLM_OK || (status = check_parts_are_there(first, count)) != OCLM_OK ||
        (status = make_room(checkpoint, count)) != OCLM_OK)
        return status;
    for (unsigned i = 1; i < count && status == OCLM_OK; i++) {
        if ((status = part_path(first, i, count, &path)) == OCLM_OK)
            status = add_part(checkpoint, path.data, i, count);
    }
    if (status == OCLM_OK && part->tensors >= 0 && (uint64_t)part->tensors != checkpoint->table.count)
        status = core_fail(OCLM_ERR_FORMAT, "%s: the model's %u files should hold %" PRId64 " tensors, but hold %zu; download them again", first, count,
                           part->tensors, checkpoint->table.count);
    core_text_free(&path);
    return status;
}

/* ---- Opening */

/* transformers: a file of floats keeps its half type, BF16 before F16; one with anything else becomes float32. */
static core_dtype dtype_of(const ckpt_table *table)
{
    core_dtype dtype = CORE_F32;
    for (size_t i = 0; i < table->count; i++) {
        const ckpt_tensor *const tensor = &table->tensors[i];
        if (tensor->quantized != NULL || tensor->dtype > CORE_BF16)
            return CORE_F32;
        if (tensor->dtype == CORE_BF16 || (tensor->dtype == CORE_F16 && dtype == CORE_F32))
            dtype = tensor->dtype;
    }
    return dtype;
}

oclm_status ckpt_open_gguf(const char *path, ckpt_checkpoint **checkpoint)
{
    ckpt_checkpoint *made = core_alloc_zero(1, sizeof *made, "a checkpoint");
    split            part;
    oclm_status      status;
    *checkpoint = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = ckpt_files_alloc(made, 1)) != OCLM_OK || (status = open_file(made, path, &made->gguf)) != OCLM_OK ||
        (status = read_split(&made->gguf, &part)) != OCLM_OK || (status = ckpt_gguf_read(&made->gguf, &made->files[0].map, 0, &made->table)) != OCLM_OK)
        goto done;
    if (part.count > 1 && (status = add_other_parts(made, path, &part)) != OCLM_OK)
        goto done;
    if ((status = ckpt_files_finish(made)) != OCLM_OK)
        goto done;
    made->dtype = dtype_of(&made->table);
    *checkpoint = made;
    made = NULL;
done:
    ckpt_close(made);
    return status;
}

const core_gguf *ckpt_gguf(const ckpt_checkpoint *checkpoint)
{
    return checkpoint->gguf.origin != NULL ? &checkpoint->gguf : NULL;
}
