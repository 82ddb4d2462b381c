/* gguf.h: a GGUF file as a model: its metadata as the config.json that the file was made from, its tensors' names by role, and what
 * conversion did to weights undone. Families know nothing of it. */
#ifndef OCLM_MODEL_GGUF_H
#define OCLM_MODEL_GGUF_H

#include "checkpoint/checkpoint.h"
#include "model/architecture.h"

#define MODEL_GGUF_MAX_NAMES 128
#define MODEL_GGUF_MAX_IGNORED 16
#define MODEL_GGUF_MAX_PREDICTING 4 /* layers that guess further tokens; real models have one to three */

/* Whether a model's path is a GGUF file rather than a folder. */
bool model_is_gguf(const char *path);

/* What the config.json of the model would say, as far as the file knows: from its key-values, and from which tensors there are.
 * Errors: OCLM_ERR_UNSUPPORTED (the architecture, and which there are; a list where one number is expected), OCLM_ERR_FORMAT (file and key:
 * missing, of another type), OCLM_ERR_MEMORY. */
oclm_status model_gguf_config(const ckpt_checkpoint *checkpoint, cJSON **config);
/* The same of a file by its path. Errors: also those of ckpt_open_gguf(). */
oclm_status model_gguf_config_of(const char *path, cJSON **config);

/* Fills `architecture` from that tree by the family it names, as model_config_tree(), and then takes back what is otherwise in a GGUF: norms
 * are stored whole, the decay of delta nets itself, fused products not head by head, and where conversion put the two halves of a head side by
 * side, neighbours turn; where it put heads in turn, they are read so.
 * dtype is OCLM_DTYPE_AUTO: ckpt_dtype() knows. */
oclm_status model_gguf_read(const ckpt_checkpoint *checkpoint, const model_family **family, model_architecture *architecture,
                            oclm_dtype *dtype);

/* A family under the names that its tensors have in a GGUF. */
typedef struct model_gguf_names {
    model_family      family; /* its names are those below: stays where it is */
    model_tensor_name names[MODEL_GGUF_MAX_NAMES];
    const char       *ignored[MODEL_GGUF_MAX_IGNORED];
    char              predicting[MODEL_GGUF_MAX_PREDICTING][16]; /* some of those: all of such a layer */
} model_gguf_names;
void model_gguf_family(const model_family *family, const ckpt_checkpoint *checkpoint, model_gguf_names *gguf);

#endif
