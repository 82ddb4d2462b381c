/* export_gguf.h: a model's weights and configuration as a GGUF file has them: what llama.cpp's converter writes, with matrices in blocks.
 *
 * The file is planned from what the model is once it is bound (binding.h): a role's tensor has the name that gguf_names.c reads it by, so every
 * family is written whose files need no more than their rows in another order. Before its weights are written, the file is read back; one that
 * would be another model is refused. */
#ifndef OCLM_MODEL_EXPORT_GGUF_H
#define OCLM_MODEL_EXPORT_GGUF_H

#include "core/gguf_write.h"
#include "core/output.h"

typedef struct model_export model_export;

/* Plans the file of a model's folder: every tensor has its name, type and place. `type` is a ggml_type of blocks_write.h: rows that are no whole
 * blocks become F16; vectors, tables of positions, routers and convolutions F32. `variant` as for ckpt_open();
 * `folder` is read until the plan is freed.
 * Errors: OCLM_ERR_UNSUPPORTED (a model_type, or layers, that have no place in the format, and what to do instead), those of model_open(). */
oclm_status model_export_new(const char *folder, const char *variant, uint32_t type, model_export **plan);
void        model_export_free(model_export *plan);
uint64_t    model_export_tokens(const model_export *plan); /* rows of the embedding */
/* Adds the configuration and the list of tensors. Errors: OCLM_ERR_UNSUPPORTED (a setting that has no place in the format). */
oclm_status model_export_head(model_export *plan, core_gguf_writer *writer);
/* Behind the head, which is all that the output has, writes what configuration lies in tensors, makes it `bytes` long, and reads the file back.
 * Errors: OCLM_ERR_UNSUPPORTED (what the file would lose), OCLM_ERR_IO. */
oclm_status model_export_check(const model_export *plan, core_output *output, uint64_t bytes);
/* Writes the tensors' data. `progress` (may be NULL) counts bytes of the file. Errors: also OCLM_ERR_CANCELLED, OCLM_ERR_IO. */
oclm_status model_export_data(const model_export *plan, core_output *output, oclm_progress_callback progress, void *user);

#endif
