/* export_plan.h: what the files of export_gguf.h share. */
#ifndef OCLM_MODEL_EXPORT_PLAN_H
#define OCLM_MODEL_EXPORT_PLAN_H

#include "model/export_gguf.h"

typedef struct model_export_item {
    const ckpt_tensor  *from;
    char                name[128];
    model_export_change change;
    uint32_t            type; /* ggml_type */
    uint64_t            rows, columns; /* in the file; a vector is one row */
} model_export_item;

struct model_export {
    const ckpt_checkpoint   *checkpoint;
    const cJSON             *config;
    const char              *origin;
    const model_export_kind *kind;
    uint32_t                 type, file_type;
    uint32_t                 heads, kv_heads;
    uint64_t                 tokens;
    model_export_item       *items; /* [item_count] */
    size_t                   item_count;
    float                   *factors; /* [factor_count] of rotary positions: the tensor rope_freqs.weight, which is last; NULL: none */
    uint32_t                 factor_count;
};

/* export_config.c: config.json as key-values; fills heads, kv_heads, factors. */
oclm_status model_export_config(model_export *plan, core_gguf_writer *writer);

#endif
