/* quantized.h: weights that a repository keeps quantised, as "quantization_config" in config.json tells: several tensors of the files (codes,
 * scales, zero points, ..) become one that looks like the plain weight. Inside the room.
 *
 * A file for each method (bnb.c, gptq.c, ..) knows the names and layouts of its tensors, and describes each weight as a ckpt_source; what is
 * then common to all, the choice of a storage and the reading, is in source.c. */
#ifndef OCLM_CHECKPOINT_QUANTIZED_H
#define OCLM_CHECKPOINT_QUANTIZED_H

#include "checkpoint/files.h"
#include "core/json.h"

typedef struct ckpt_source ckpt_source;

/* How a file describes a weight [rows][columns]: value(r, k) = scale(r, g) * (code(r, k) - zero(r, g)), g the group of column k. */
struct ckpt_source {
    const ckpt_tensor *codes, *scales;
    const ckpt_tensor *zeros;    /* NULL: none, or all the same */
    const ckpt_tensor *group_of; /* int32 [columns]: each one's group; NULL: k / group */
    uint64_t rows, columns;      /* rows of all outer dimensions below each other */
    uint64_t group, groups;      /* columns to a scale, scales to a row; group is at most columns */
    uint8_t  code, bits, table;  /* core_code that unpack() gives, UINT for all integers; bits of it */

    /* Rows of codes [rows][columns], a byte each. */
    void (*unpack)(const ckpt_source *source, uint64_t first_row, uint64_t rows, uint8_t *codes);
    float (*scale)(const ckpt_source *source, uint64_t row, uint64_t group);
    uint32_t (*zero)(const ckpt_source *source, uint64_t row, uint64_t group); /* NULL: that of two's complement, half of all codes */

    /* For ckpt_scale_index(): the scale of a row and group is number ((row / outer) * outer_scales + row % outer / rows_together) * row_stride +
     * group * group_stride of `scales`. */
    uint64_t outer, outer_scales, rows_together, row_stride, group_stride;

    /* Of single methods. */
    const ckpt_tensor *nested_scales, *nested_map; /* bitsandbytes: absmax in 8 bits */
    uint64_t block, nested_block;
    float    nested_offset;
    uint32_t zero_plus; /* GPTQ: what to add to a stored zero point */

    /* Chosen by ckpt_settle(). */
    core_storage storage; /* of the codes as they are read; where no storage of kernels fits, each column its own group */
    bool         by_value;
    uint32_t    *order;   /* as ckpt_quantized has it, which owns it: each group's columns together; NULL: they are */
    uint8_t      shift;   /* CORE_CODE_INT: what to take from an unsigned code; 0 if zero() tells */
    bool         takes_zero;
};

/* One weight on its way into the table, which frees it as what its tensor's `quantized` points at. */
typedef struct ckpt_module {
    ckpt_quantized      quantized; /* first */
    ckpt_source         source;
    struct ckpt_module *next;
    ckpt_tensor         tensor; /* its name and module are not yet the table's */
} ckpt_module;

/* The tensors of all files, and what became of them. */
typedef struct ckpt_replacing {
    const ckpt_checkpoint *checkpoint; /* for messages, and to find tensors */
    const ckpt_tensor     *tensors;    /* in order of name */
    size_t                 count;
    bool                  *taken;      /* [count]: part of a module */
    ckpt_module           *modules;
    size_t                 module_count;
    const cJSON           *config; /* quantization_config */
    const char            *origin; /* of it, for messages */
    const char            *method;
} ckpt_replacing;

/* A method: checks its configuration, then sees each tensor and makes a module of those that hold codes. */
typedef struct ckpt_method {
    const char *name;
    oclm_status (*check)(ckpt_replacing *q);
    oclm_status (*visit)(ckpt_replacing *q, const ckpt_tensor *tensor);
} ckpt_method;

extern const ckpt_method ckpt_bnb, ckpt_gptq, ckpt_awq, ckpt_compressed, ckpt_fp8, ckpt_mxfp4;

/* Replaces the tensors of quantised weights, where config.json in `folder` has a quantization_config: `table` then holds the plain and the new
 * ones, `parts` all of the files. Bytes and dtype of the checkpoint stay what the files say.
 * Errors: OCLM_ERR_FORMAT (the tensor: a part missing, of a wrong shape or type; the configuration), OCLM_ERR_UNSUPPORTED (the method, scheme
 *         or option, and what is supported), OCLM_ERR_MEMORY. */
oclm_status ckpt_quantized_open(ckpt_checkpoint *checkpoint, const char *folder);
/* The same for a config.json that is read already; `origin` is its name for messages. */
oclm_status ckpt_quantized_tree(ckpt_checkpoint *checkpoint, const cJSON *config, const char *origin);

/* ---- For methods */

/* A name's beginning before `suffix`; false where it ends otherwise. */
bool ckpt_stem(const char *name, const char *suffix, size_t *stem);
/* The tensor named by the first `stem` characters of `name` and `suffix`, which from now on is no tensor of its own; NULL if there is none. */
const ckpt_tensor *ckpt_part(ckpt_replacing *q, const char *name, size_t stem, const char *suffix);
/* The same, where it must be there: OCLM_ERR_FORMAT. */
oclm_status ckpt_need_part(ckpt_replacing *q, const ckpt_tensor *of, size_t stem, const char *suffix, const ckpt_tensor **part);
/* OCLM_ERR_FORMAT where a part is not of that type and shape; a type of CORE_DTYPE_COUNT: F32, F16 or BF16. */
oclm_status ckpt_need_shape(const ckpt_replacing *q, const ckpt_tensor *part, core_dtype dtype, uint32_t dims, const uint64_t *shape);
/* `file: tensor "name" ...`: what is wrong with it. */
oclm_status ckpt_fail_tensor(const ckpt_replacing *q, oclm_status status, const ckpt_tensor *tensor, const char *format, ...) CORE_PRINTF(4, 5);
/* The configuration asks for what there is not: `origin: quantization_config: ...`. */
oclm_status ckpt_fail_config(const ckpt_replacing *q, oclm_status status, const char *format, ...) CORE_PRINTF(3, 4);
/* A weight [shape] named by the first `stem` characters of `name` and `suffix`, with its storage chosen by what `source` says. */
oclm_status ckpt_add_module(ckpt_replacing *q, const ckpt_source *source, const char *name, size_t stem, const char *suffix, core_dtype dtype,
                            uint32_t dims, const uint64_t *shape);

/* ---- grid.c */

/* Rows, columns, groups and where scales lie, for a weight [.., rows, columns] of two or three dimensions whose `scales` are one number, one for
 * each row, for some groups of each row, or for blocks of block_rows by block_columns (0: the configuration names none). OCLM_ERR_FORMAT where
 * they are none of these. */
oclm_status ckpt_find_grid(const ckpt_replacing *q, ckpt_source *source, uint32_t dims, const uint64_t *shape, uint64_t block_rows,
                           uint64_t block_columns);
/* Reads `name` of `object`, a block's two sides: [128, 128] or "128x128"; where it is absent they stay. */
oclm_status ckpt_read_block(const ckpt_replacing *q, const cJSON *object, const char *name, uint64_t *rows, uint64_t *columns);

/* ---- source.c */

/* Checks group_of and chooses the storage, of the module and of the source. */
oclm_status ckpt_settle(const ckpt_replacing *q, ckpt_module *module);
uint64_t    ckpt_scale_index(const ckpt_source *source, uint64_t row, uint64_t group);
float       ckpt_scale_at(const ckpt_source *source, uint64_t row, uint64_t group);
float       ckpt_number(const ckpt_tensor *tensor, uint64_t at); /* F32, F16, BF16; U8 and F8_E8M0: 2^(byte - 127) */
int32_t     ckpt_int32(const ckpt_tensor *tensor, uint64_t at);
/* Number `index` of a little-endian stream of `bits` each over the words at, at + stride, .. of `words`. */
uint32_t ckpt_packed(const ckpt_tensor *words, uint64_t at, uint64_t stride, uint64_t index, uint32_t bits);
/* A row's numbers 0 .. count - 1 of such a stream. */
void ckpt_unpack_stream(const ckpt_tensor *words, uint64_t at, uint64_t stride, uint64_t count, uint32_t bits, uint8_t *codes);
/* unpack() of rows of bytes: as they are, and of int8, which become unsigned. */
void ckpt_unpack_bytes(const ckpt_source *source, uint64_t first_row, uint64_t rows, uint8_t *codes);
void ckpt_unpack_int8(const ckpt_source *source, uint64_t first_row, uint64_t rows, uint8_t *codes);

#endif
