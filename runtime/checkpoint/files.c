/* files.c: files that are mapped, and the growing table of their tensors. */
#include "checkpoint/files.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

/* ---- The table */

void ckpt_quantized_free(const ckpt_quantized *quantized)
{
    if (quantized == NULL)
        return;
    core_free((uint32_t *)(uintptr_t)quantized->order);
    core_free((ckpt_quantized *)(uintptr_t)quantized);
}

void ckpt_table_deinit(ckpt_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        core_free((char *)(uintptr_t)table->tensors[i].name);
        ckpt_quantized_free(table->tensors[i].quantized);
    }
    core_free(table->tensors);
    table->tensors = NULL;
    table->count = table->capacity = 0;
}

static oclm_status grow(ckpt_table *table, const char *path)
{
    if (table->count == CKPT_MAX_TENSORS)
        return core_fail(OCLM_ERR_FORMAT, "%s: more than %u tensors; no model has so many", path, CKPT_MAX_TENSORS);
    ckpt_tensor *tensors = core_grow_array(table->tensors, table->count, &table->capacity, 256, sizeof *tensors, "the list of tensors");
    if (tensors == NULL)
        return OCLM_ERR_MEMORY;
    table->tensors = tensors;
    return OCLM_OK;
}

oclm_status ckpt_table_add(ckpt_table *table, const char *path, const char *name, size_t length, ckpt_tensor **tensor)
{
    oclm_status status = grow(table, path);
    if (status != OCLM_OK)
        return status;
    char *copy = core_copy_part(name, length, "a tensor's name");
    if (copy == NULL)
        return OCLM_ERR_MEMORY;
    *tensor = &table->tensors[table->count++]; /* from here the table owns the name */
    memset(*tensor, 0, sizeof **tensor);
    (*tensor)->name = copy;
    return OCLM_OK;
}

static int by_place(const void *a, const void *b)
{
    const ckpt_tensor *const x = a, *const y = b;
    const uintptr_t x_at = (uintptr_t)x->data, y_at = (uintptr_t)y->data;
    if (x_at != y_at)
        return x_at < y_at ? -1 : 1;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? -1 : 1) : 0; /* empty ones first: they overlap nothing */
}

void ckpt_table_sort_by_place(ckpt_table *table, size_t first)
{
    if (table->count > first)
        qsort(table->tensors + first, table->count - first, sizeof *table->tensors, by_place);
}

/* ---- The files */

oclm_status ckpt_files_alloc(ckpt_checkpoint *checkpoint, size_t count)
{
    checkpoint->files = core_alloc_zero(count, sizeof *checkpoint->files, "the list of weight files");
    return checkpoint->files != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

oclm_status ckpt_files_map(ckpt_checkpoint *checkpoint, const char *path)
{
    ckpt_file *const file = &checkpoint->files[checkpoint->file_count];
    oclm_status      status;
    if ((status = core_map_open(&file->map, path)) != OCLM_OK)
        return status;
    checkpoint->file_count++;
    file->path = core_copy_string(path, "a path");
    return file->path != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

int ckpt_by_name(const void *a, const void *b)
{
    return strcmp(((const ckpt_tensor *)a)->name, ((const ckpt_tensor *)b)->name);
}

oclm_status ckpt_files_sort(ckpt_checkpoint *checkpoint)
{
    ckpt_tensor *const tensors = checkpoint->table.tensors;
    if (checkpoint->table.count > 0)
        qsort(tensors, checkpoint->table.count, sizeof *tensors, ckpt_by_name);
    for (size_t i = 1; i < checkpoint->table.count; i++) {
        if (strcmp(tensors[i - 1].name, tensors[i].name) == 0)
            return core_fail(OCLM_ERR_FORMAT, "%s: tensor \"%s\" is there twice, again in %s; download the files again",
                             checkpoint->files[tensors[i - 1].file].path, tensors[i].name, checkpoint->files[tensors[i].file].path);
    }
    return OCLM_OK;
}

static bool is_floating(core_dtype dtype)
{
    return dtype == CORE_F32 || dtype == CORE_F16 || dtype == CORE_BF16 || dtype == CORE_F64;
}

static void sum_up(ckpt_checkpoint *checkpoint)
{
    uint32_t best = UINT32_MAX; /* the file of the tensor that decides the dtype */
    checkpoint->bytes = 0;
    checkpoint->dtype = CORE_F32;
    for (size_t i = 0; i < checkpoint->table.count; i++) {
        const ckpt_tensor *const tensor = &checkpoint->table.tensors[i];
        checkpoint->bytes += tensor->bytes; /* the tensors of a file do not overlap, so this fits */
        if (is_floating(tensor->dtype) && tensor->file < best) {
            checkpoint->dtype = tensor->dtype;
            best = tensor->file;
        }
    }
}

oclm_status ckpt_files_finish(ckpt_checkpoint *checkpoint)
{
    const oclm_status status = ckpt_files_sort(checkpoint);
    if (status == OCLM_OK)
        sum_up(checkpoint);
    return status;
}

oclm_status ckpt_refuse_pointer(const core_map *map, const char *path)
{
    static const char pointer[] = "version https://git-lfs";
    if (map->size >= sizeof pointer - 1 && memcmp(map->data, pointer, sizeof pointer - 1) == 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: is Git LFS's pointer to the file, not the file: run \"git lfs pull\" in its folder", path);
    return OCLM_OK;
}
