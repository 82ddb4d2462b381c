/* export_gguf.h: a model folder's weights and configuration as a GGUF file has them: what llama.cpp's converter writes, with matrices in blocks.
 *
 * Names, and what becomes of a tensor on the way, are data (export_names.c); weights pass some rows at a time. */
#ifndef OCLM_MODEL_EXPORT_GGUF_H
#define OCLM_MODEL_EXPORT_GGUF_H

#include "checkpoint/checkpoint.h"
#include "core/gguf_write.h"
#include "core/json.h"
#include "core/output.h"

/* What happens to a tensor's numbers. */
typedef enum model_export_change {
    MODEL_EXPORT_AS_IS,
    MODEL_EXPORT_TRANSPOSED, /* GPT-2's Conv1D */
    MODEL_EXPORT_Q_HALVES, MODEL_EXPORT_K_HALVES, /* rows of a head's two halves alternate: rotary positions of neighbours */
    MODEL_EXPORT_NORM        /* Gemma's are stored less one */
} model_export_change;

/* A kind of model that is written. */
typedef struct model_export_kind {
    const char *model_type, *architecture; /* in config.json and in the file */
    const char *prefix;                    /* before names of tensors; may be missing in a file */
    const struct model_export_name *names;
    size_t      name_count;
    bool        halves, norms_plus_one, gpt2;
    bool        key_length;                /* heads' size is told by attention.key_length */
} model_export_kind;

typedef struct model_export_name {
    const char         *from, *to; /* without ".weight"; those of layers begin with a dot, behind the layer's number */
    model_export_change change;
} model_export_name;

/* The kind of a model_type; NULL: it is not written. `index` from 0 lists all. */
const model_export_kind *model_export_kind_of(const char *model_type);
const model_export_kind *model_export_kind_at(size_t index);

typedef enum model_export_place { MODEL_EXPORT_HERE, MODEL_EXPORT_IGNORED, MODEL_EXPORT_UNKNOWN } model_export_place;
/* What a tensor is called in the file, and what happens to it. */
model_export_place model_export_name_of(const model_export_kind *kind, const char *name, char into[128], model_export_change *change);

typedef struct model_export model_export;

/* Plans the file: every tensor has its name, type and place. `origin` is config.json's path, `type` a ggml_type of blocks_write.h: rows that
 * are no whole blocks become F16, vectors F32. The tree and the checkpoint stay open while the plan is used.
 * Errors: OCLM_ERR_UNSUPPORTED (model_type, and which there are; a tensor or a setting that has no place in the format), OCLM_ERR_FORMAT
 * (a key that is missing), OCLM_ERR_MEMORY. */
oclm_status model_export_new(const ckpt_checkpoint *checkpoint, const cJSON *config, const char *origin, uint32_t type, model_export **plan);
void        model_export_free(model_export *plan);
uint64_t    model_export_tokens(const model_export *plan); /* rows of the embedding */
/* Adds the configuration and the list of tensors. */
oclm_status model_export_head(model_export *plan, core_gguf_writer *writer);
/* Writes the tensors' data. `progress` (may be NULL) counts bytes of the checkpoint. Errors: also OCLM_ERR_CANCELLED, OCLM_ERR_IO. */
oclm_status model_export_data(const model_export *plan, core_output *output, oclm_progress_callback progress, void *user);

#endif
