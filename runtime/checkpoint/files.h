/* files.h: the weight files of a checkpoint, mapped, and the one table of their tensors that the readers of each format fill. Inside the
 * room. */
#ifndef OCLM_CHECKPOINT_FILES_H
#define OCLM_CHECKPOINT_FILES_H

#include "checkpoint/checkpoint.h"
#include "core/gguf.h"
#include "core/map.h"

/* What a tensor's `quantized` points at, with its order. NULL: nothing. */
void ckpt_quantized_free(const ckpt_quantized *quantized);

/* The tensors of all files read so far. Owns their names, and each one's `quantized`. */
typedef struct ckpt_table {
    ckpt_tensor *tensors;
    size_t       count, capacity;
} ckpt_table;

void ckpt_table_deinit(ckpt_table *table);
/* A further tensor, all zero but for its name, which is copied. `path` is for messages. OCLM_ERR_FORMAT (too many), OCLM_ERR_MEMORY. */
oclm_status ckpt_table_add(ckpt_table *table, const char *path, const char *name, size_t length, ckpt_tensor **tensor);
/* Puts the tensors from `first` on in the order of their place in memory, empty ones before what begins at the same byte. */
void        ckpt_table_sort_by_place(ckpt_table *table, size_t first);
int         ckpt_by_name(const void *a, const void *b); /* of two tensors, for qsort() and bsearch() */

typedef struct ckpt_file {
    char    *path;
    core_map map;
} ckpt_file;

struct ckpt_checkpoint {
    ckpt_table table; /* in order of name once open */
    ckpt_table parts; /* where weights are quantised, the tensors of the files, which those of `table` then point into */
    ckpt_file *files; /* in order of name */
    uint32_t   file_count;
    uint64_t   bytes;
    core_dtype dtype;
    core_gguf  gguf; /* of the first file; no `origin`: it is no GGUF */
};

/* Room for so many files; none is open yet. */
oclm_status ckpt_files_alloc(ckpt_checkpoint *checkpoint, size_t count);
/* Maps `path` as the next file, which ckpt_close() closes. */
oclm_status ckpt_files_map(ckpt_checkpoint *checkpoint, const char *path);
/* Sorts the tensors by name; OCLM_ERR_FORMAT for a name that is there twice. */
oclm_status ckpt_files_sort(ckpt_checkpoint *checkpoint);
/* Where all are read: sorts the tensors by name, refuses a name that is there twice (the reference would silently take one of them), and sums
 * up bytes and dtype. */
oclm_status ckpt_files_finish(ckpt_checkpoint *checkpoint);

/* OCLM_ERR_FORMAT where the file is what Git leaves in place of a large one. */
oclm_status ckpt_refuse_pointer(const core_map *map, const char *path);

#endif
