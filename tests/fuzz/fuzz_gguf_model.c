/* fuzz_gguf_model.c: a GGUF file as a model: its metadata as a configuration, and which of its tensors plays which role. Behind an input
 * lie zeros for its tensors, so that a list of them makes a file. */
#include <string.h>

#include "checkpoint/gguf.h"
#include "fuzz/check_architecture.h"
#include "fuzz/memory_file.h"
#include "model/gguf.h"

#define ROOM ((size_t)1 << 18) /* for data */

static oclm_status open_checkpoint(ckpt_checkpoint *checkpoint, const uint8_t *data, size_t size)
{
    uint8_t *bytes = core_alloc_zero(size + ROOM, 1, "a file");
    FUZZ_CHECK(bytes != NULL);
    memcpy(bytes, data, size);
    const core_map *map = fuzz_give_file(checkpoint, "model.gguf", bytes, size + ROOM);
    oclm_status     status;
    if ((status = core_gguf_open(&checkpoint->gguf, map->data, map->size, checkpoint->files[0].path)) != OCLM_OK ||
        (status = ckpt_gguf_read(&checkpoint->gguf, map, 0, &checkpoint->table)) != OCLM_OK)
        return status;
    return ckpt_files_finish(checkpoint);
}

static oclm_status use(const ckpt_checkpoint *checkpoint)
{
    static model_architecture architecture;
    static model_gguf_names   names;
    const model_family       *family = NULL;
    model_binding             binding;
    oclm_dtype                dtype;
    const oclm_status         status = model_gguf_read(checkpoint, &family, &architecture, &dtype);
    if (status != OCLM_OK)
        return status;
    check_architecture(&architecture);
    model_gguf_family(family, checkpoint, &names);
    return model_bind(&names.family, &architecture, checkpoint, &binding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ckpt_checkpoint *checkpoint = fuzz_new_checkpoint();
    oclm_status      status = open_checkpoint(checkpoint, data, size);
    if (status == OCLM_OK)
        status = use(checkpoint);
    FUZZ_CHECK(status == OCLM_OK || (status != OCLM_ERR_INTERNAL && oclm_last_error()[0] != '\0'));
    fuzz_close_checkpoint(checkpoint);
    return 0;
}
