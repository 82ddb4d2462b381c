/* gguf_reader.h: what the files share that make a config.json of a GGUF file (gguf_config.c, gguf_own.c, gguf_rope.c) and a GGUF file of a
 * model (export_*.c). */
#ifndef OCLM_MODEL_GGUF_READER_H
#define OCLM_MODEL_GGUF_READER_H

#include "model/gguf.h"

/* What is so in all files of an architecture. */
#define MODEL_GGUF_TURNED 1u /* conversion put the two halves of each head of queries and keys side by side */
#define MODEL_GGUF_TILED  2u /* and the value heads of a delta net in turn: the first of each key head, the second of each, ... */
#define MODEL_GGUF_UNLIKE 4u /* layers differ; gguf_own.c reads the lists that tell how */
#define MODEL_GGUF_SCALED 8u /* scales of embedding, scores and branches are told; logits are divided by theirs */
#define MODEL_GGUF_TENTH  16u /* a tenth of what yarn's scores grow by is told */
#define MODEL_GGUF_POSTED 32u /* the norm before an MLP is called the one after attention, of which there is none */

typedef struct model_gguf_architecture {
    const char *name, *model_type;
    unsigned    how;
    const char *with; /* JSON: what is true of all its models; NULL: nothing */
} model_gguf_architecture;

/* The architecture that files of a model type have; NULL: none that is known. */
const model_gguf_architecture *model_gguf_architecture_of(const char *model_type);
/* What conversion to a file of an architecture does to a model: what model_gguf_read() takes back. */
void model_gguf_convert(const model_gguf_architecture *architecture, model_architecture *model);
/* What the tensor of a model's role and layer is called in files of an architecture, with {i} for the layer; NULL: nothing. */
const char *model_gguf_name_of(const model_gguf_architecture *to, const model_architecture *model, model_role role, uint32_t layer);

typedef struct model_gguf_reader {
    const ckpt_checkpoint         *checkpoint;
    const core_gguf               *file;
    const char                    *origin;
    const model_gguf_architecture *architecture;
    cJSON                         *config;
} model_gguf_reader;

oclm_status model_gguf_no_memory(const model_gguf_reader *r); /* OCLM_ERR_MEMORY */
/* The key-value "<architecture>.<key>"; NULL: there is none. */
const core_gguf_value *model_gguf_find(const model_gguf_reader *r, const char *key);
/* The same as a number; of a list, what all layers have that have any. `*number` stays as it is where there is none.
 * Errors: OCLM_ERR_FORMAT (no number), OCLM_ERR_UNSUPPORTED (layers differ). */
oclm_status model_gguf_number(const model_gguf_reader *r, const char *key, double *number);

/* Members of the tree; one of that name that is there already is replaced. put() takes over `item`. Errors: OCLM_ERR_MEMORY. */
oclm_status model_gguf_put(const model_gguf_reader *r, const char *name, cJSON *item);
oclm_status model_gguf_put_bool(const model_gguf_reader *r, const char *name, bool value);
oclm_status model_gguf_put_number(const model_gguf_reader *r, const char *name, double value);
oclm_status model_gguf_put_text(const model_gguf_reader *r, const char *name, const char *text);

/* The tensor "blk.<layer>.<tail>" of one layer, or of the first that has it; NULL: there is none. */
const ckpt_tensor *model_gguf_tensor_of(const model_gguf_reader *r, uint32_t layer, const char *tail);
const ckpt_tensor *model_gguf_tensor(const model_gguf_reader *r, const char *tail);

/* What an architecture has of its own, after the keys that mean the same in all (gguf_own.c). */
oclm_status model_gguf_read_own(const model_gguf_reader *r);
/* Rotary positions: key-values and tensors of factors, as "rope_scaling" and what stands beside it (gguf_rope.c). */
oclm_status model_gguf_read_rope(const model_gguf_reader *r);

#endif
