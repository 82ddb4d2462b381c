/* opened.c: see opened.h. */
#include "model/opened.h"

#include <string.h>

oclm_status model_open_gguf(const char *path, model_opened *o)
{
    oclm_status status;
    memset(o, 0, sizeof *o);
    if ((status = ckpt_open_gguf(path, &o->checkpoint)) != OCLM_OK ||
        (status = model_gguf_read(o->checkpoint, &o->family, &o->architecture, &o->config_dtype)) != OCLM_OK)
        return status;
    model_gguf_family(o->family, o->checkpoint, &o->gguf);
    return model_bind(&o->gguf.family, &o->architecture, o->checkpoint, &o->binding);
}

oclm_status model_open(const char *folder, const char *variant, model_opened *o)
{
    oclm_status status;
    if (model_is_gguf(folder))
        return model_open_gguf(folder, o);
    memset(o, 0, sizeof *o);
    if ((status = model_config_read(folder, &o->family, &o->architecture, &o->config_dtype)) != OCLM_OK ||
        (status = ckpt_open(folder, variant, &o->checkpoint)) != OCLM_OK)
        return status;
    return model_bind(o->family, &o->architecture, o->checkpoint, &o->binding);
}

void model_opened_close(model_opened *o)
{
    ckpt_close(o->checkpoint);
    o->checkpoint = NULL;
}

/* What weights are stored in: the caller's wish, else what config.json says, else what the checkpoint holds. */
static core_dtype storage_of(const model_opened *o, oclm_dtype wish)
{
    if (wish == OCLM_DTYPE_AUTO)
        wish = o->config_dtype;
    if (wish == OCLM_DTYPE_AUTO)
        wish = core_dtype_public(ckpt_dtype(o->checkpoint));
    return wish == OCLM_DTYPE_FLOAT16 ? CORE_F16 : wish == OCLM_DTYPE_BFLOAT16 ? CORE_BF16 : CORE_F32;
}

model_storing model_opened_storing(const model_opened *o, const model_load_options *options)
{
    return (model_storing){ .dtype = storage_of(o, options->dtype), .quantize = options->quantize, .nested = options->nested,
                            .skip = options->skip, .skip_count = options->skip_count };
}
