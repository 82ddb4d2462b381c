/* export_plan.h: what the files of export_gguf.h share. */
#ifndef OCLM_MODEL_EXPORT_PLAN_H
#define OCLM_MODEL_EXPORT_PLAN_H

#include "model/export_gguf.h"
#include "model/gguf_reader.h"
#include "model/opened.h"
#include "model/spellings.h"

/* Which row of a role's tensor a row of the file is. */
typedef enum model_export_change {
    MODEL_EXPORT_AS_IS,
    MODEL_EXPORT_HALVES, /* of each head: the halves' rows alternate, for rotary positions of neighbours */
    MODEL_EXPORT_QKV,    /* of a fused tensor in blocks: all queries, all keys, all values */
    MODEL_EXPORT_GATES,  /* of each expert: those of gate and up that are fused in the checkpoint */
    MODEL_EXPORT_UPS,
    MODEL_EXPORT_DELTA,  /* queries, keys and values of a delta net that are fused by key head, with gates */
    MODEL_EXPORT_DELTA_GATES,
    MODEL_EXPORT_TILED   /* of a delta net's value heads: the first of each key head, the second of each, .. */
} model_export_change;

typedef struct model_export_item {
    char                name[MODEL_NAME_SIZE];
    model_role          role;
    uint32_t            layer;
    model_export_change change;
    uint32_t            head;  /* HALVES, TILED: rows of a head */
    uint32_t            before; /* TILED: rows in front of those heads, which stay */
    uint32_t            tiled_columns; /* columns lie in heads of so many, and go as TILED has them; 0: they stay */
    float               plus;  /* added to each number */
    bool                decay; /* of a number x the file has -exp(x) */
    uint32_t            type;  /* ggml_type */
    uint32_t            dims;
    uint64_t            shape[3]; /* in the file, outermost first */
    uint64_t            rows, columns; /* of a matrix, all outer dimensions below each other; a vector's rows are its numbers, in one column */
} model_export_item;

struct model_export {
    model_opened                   model;
    const char                    *origin; /* the folder, borrowed: for messages */
    const model_gguf_architecture *architecture;
    uint32_t                       type;
    model_export_item             *items; /* [item_count] */
    size_t                         item_count, room;
    float                         *factors[2]; /* [dims / 2] of rotary positions, tensors of their own: of short and long, or [0] alone of all lengths;
                                                  NULL: none. They come first */
};

/* Every tensor of the file but factors (export_items.c). */
oclm_status model_export_items(model_export *plan);
/* The row of a role's tensor, of all that make it up below each other, that is row `row` of the item. */
uint64_t    model_export_source(const model_export *plan, const model_export_item *item, uint64_t row);
/* Of numbers that lie in value heads of `head`, the one that comes at place `at` when the heads are in turn. */
uint64_t    model_export_tiled(const model_architecture *a, uint64_t at, uint32_t head);
/* The configuration as key-values; fills factors (export_config.c). */
oclm_status model_export_config(model_export *plan, core_gguf_writer *writer);
/* Is the file the model? (export_same.c) Errors: OCLM_ERR_UNSUPPORTED: what it would lose. */
oclm_status model_export_same(const model_export *plan, const char *path);
/* "...: quantise to nf4, fp4 or int8 instead": OCLM_ERR_UNSUPPORTED. */
oclm_status model_export_refuse(const model_export *plan, const char *what);

#endif
