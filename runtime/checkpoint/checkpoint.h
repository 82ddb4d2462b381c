/* checkpoint.h: the tensors of a model folder by name, whatever files they lie in.
 *
 * Nothing of a file is believed: every offset, shape and size is checked when it is opened, so what a ckpt_tensor says holds. */
#ifndef OCLM_CHECKPOINT_CHECKPOINT_H
#define OCLM_CHECKPOINT_CHECKPOINT_H

#include "core/gguf.h"
#include "core/storage.h"

#define CKPT_MAX_DIMS 8
#define CKPT_MAX_HEADER 100000000u /* bytes of a safetensors header, the limit of the reference; also of the shard index */
#define CKPT_MAX_TENSORS (1u << 20)
#define CKPT_MAX_SHARDS (1u << 14)
#define CKPT_MAX_NAME 255   /* of a weight file */
#define CKPT_MAX_VARIANT 64

typedef struct ckpt_tensor ckpt_tensor;

/* A weight that is held quantised: what it becomes, and who reads it. Such a tensor's shape is that of the weight [.., rows, columns], rows
 * of all outer dimensions below each other, never transposed; its dtype is what the reference would make of it; `data` and `bytes` are the
 * codes', for the reader alone. One of the two readers is there. */
typedef struct ckpt_quantized {
    core_storage storage; /* with read_values: float32 */
    /* Rows first_row .. first_row + rows - 1 into `codes`, which core_codes_new() made for as many. The file was checked when it was opened:
     * nothing can be wrong with them any more but memory, and numbers that are none (OCLM_ERR_FORMAT). */
    oclm_status (*read)(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, const core_codes *codes);
    /* For a weight that no storage fits, as its groups lie elsewhere: the same rows as values [rows][columns]. */
    oclm_status (*read_values)(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, float *values);
    /* [columns]: which column of the weight each column of read()'s codes is: where columns share their scales in another order than they lie in.
     * NULL: as they lie. Values come as they lie, always. */
    const uint32_t *order;
    const void  *source; /* the reader's own */
    uint64_t     bytes;  /* that it takes in the checkpoint, with scales and all */
} ckpt_quantized;

struct ckpt_tensor {
    const char *name;                 /* lives as the checkpoint */
    core_dtype  dtype;
    uint32_t    dims;                 /* 0: a single number */
    uint64_t    shape[CKPT_MAX_DIMS]; /* outermost first */
    uint64_t    elements;             /* product of shape; bytes fit in size_t */
    const void *data;                 /* mapped, aligned to the file's own offsets: maybe to nothing; never NULL */
    size_t      bytes;
    uint32_t    file;                 /* which file, for messages: ckpt_file_name() */
    const ckpt_quantized *quantized;  /* NULL: plain numbers */
};

typedef struct ckpt_checkpoint ckpt_checkpoint; /* immutable once open: shared */

/* The files that may hold a model's weights: all in one, else an index and the shards that it lists. "" where there cannot be one. */
typedef struct ckpt_names {
    char single[CKPT_MAX_NAME + 1], index[CKPT_MAX_NAME + 1];
} ckpt_names;

/* model.safetensors and model.safetensors.index.json; of a variant ("fp16"; NULL or "": none) model.fp16.safetensors and
 * model.safetensors.index.fp16.json; or what "transformers_weights" in the folder's config.json names.
 * Errors: OCLM_ERR_ARGUMENT (the variant), OCLM_ERR_FORMAT (the name in config.json), OCLM_ERR_MEMORY. */
oclm_status ckpt_names_of(const char *folder, const char *variant, ckpt_names *names);

/* Opens the weights of `folder`, by the names that ckpt_names_of() gives. Where its config.json has a "quantization_config" (itself, or in
 * "text_config"), the tensors of each quantised weight (codes, scales, zero points, ..) are one with `quantized`.
 * Errors: OCLM_ERR_NOT_FOUND (what was looked for; what to do where only .bin files are there),
 *         OCLM_ERR_FORMAT (file, tensor, what is wrong: truncated, overlapping, outside, misdeclared, twice, in no shard),
 *         OCLM_ERR_UNSUPPORTED (a dtype oclm does not know, or a way to quantise, named), OCLM_ERR_IO, OCLM_ERR_MEMORY. */
oclm_status ckpt_open(const char *folder, const char *variant, ckpt_checkpoint **checkpoint);
/* Opens a GGUF file (version 2 or 3), and where it is the first of several (name-00001-of-00003.gguf) the others beside it. Its tensors keep
 * their names (blk.0.attn_q.weight); blocks of quantised numbers (Q4_0, Q4_K, ..) have ckpt_tensor.quantized. ckpt_dtype() is float32 where any
 * is quantised, else bfloat16 or float16 where one tensor is, as the reference has it.
 * Errors: OCLM_ERR_NOT_FOUND (the file, or one of several), OCLM_ERR_FORMAT (file, tensor, what is wrong; a part that is not the first),
 *         OCLM_ERR_UNSUPPORTED (version; a type that oclm does not read, named), OCLM_ERR_IO, OCLM_ERR_MEMORY. */
oclm_status ckpt_open_gguf(const char *path, ckpt_checkpoint **checkpoint);
void        ckpt_close(ckpt_checkpoint *checkpoint);

/* Calls `add` with the name of each file that an index of shards (model.safetensors.index.json) lists, in order, until one fails. They are
 * plain names beside the index. Errors: as ckpt_open(). */
oclm_status ckpt_shard_files(const char *index_path, oclm_status (*add)(const char *name, void *user), void *user);

size_t             ckpt_count(const ckpt_checkpoint *checkpoint);
const ckpt_tensor *ckpt_at(const ckpt_checkpoint *checkpoint, size_t index); /* in order of name */
const ckpt_tensor *ckpt_find(const ckpt_checkpoint *checkpoint, const char *name); /* NULL if there is none */
const char        *ckpt_file_name(const ckpt_checkpoint *checkpoint, uint32_t file); /* its path */
uint64_t           ckpt_bytes(const ckpt_checkpoint *checkpoint); /* of all tensors */
/* What "dtype": "auto" means for this checkpoint where config.json is silent: that of the first floating tensor by name in the
 * first file that has one, as transformers (get_state_dict_dtype) takes it; F32 if there is none. */
core_dtype         ckpt_dtype(const ckpt_checkpoint *checkpoint);

/* The key-values of the (first) GGUF file; NULL: it is none. They live as the checkpoint. */
const core_gguf   *ckpt_gguf(const ckpt_checkpoint *checkpoint);

/* Hints around reading a tensor's data: needed soon; done with it (its pages leave resident memory). */
void ckpt_will_need(const ckpt_checkpoint *checkpoint, const ckpt_tensor *tensor);
void ckpt_release(const ckpt_checkpoint *checkpoint, const ckpt_tensor *tensor);

#endif
