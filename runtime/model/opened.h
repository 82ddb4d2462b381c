/* opened.h: what is known of a model's folder before any weight is read: config.json and the headers of the checkpoint. Inside the model room. */
#ifndef OCLM_MODEL_OPENED_H
#define OCLM_MODEL_OPENED_H

#include "model/gguf.h"
#include "model/model.h"

typedef struct model_opened {
    const model_family *family;
    model_architecture  architecture;
    oclm_dtype          config_dtype;
    ckpt_checkpoint    *checkpoint;
    model_binding       binding; /* refers to the other members: stays where it is */
    model_gguf_names    gguf;    /* the family's, where the checkpoint is a GGUF file */
} model_opened;

/* Opens a folder or a GGUF file. To be closed also where it fails. Errors: those of model_config_read(), ckpt_open() and model_bind(). */
oclm_status   model_open(const char *folder, const char *variant, model_opened *opened);
/* A GGUF file, whatever it is called. */
oclm_status   model_open_gguf(const char *path, model_opened *opened);
void          model_opened_close(model_opened *opened);
/* How the caller wants the weights, of this folder. */
model_storing model_opened_storing(const model_opened *opened, const model_load_options *options);

#endif
