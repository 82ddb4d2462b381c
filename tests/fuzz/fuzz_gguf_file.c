/* fuzz_gguf_file.c: a GGUF file: reads its list of tensors, and the first and the last rows of each. */
#include <string.h>

#include "checkpoint/gguf.h"
#include "core/memory.h"
#include "fuzz/fuzz.h"

#define MOST_VALUES 4096u /* of a tensor, read at a time: enough for blocks of any type */

/* All that a plain tensor claims may be read. */
static void use_plain(const ckpt_tensor *tensor)
{
    volatile unsigned char last;
    FUZZ_CHECK(tensor->bytes == tensor->elements * core_dtype_size(tensor->dtype));
    if (tensor->bytes > 0)
        last = ((const unsigned char *)tensor->data)[tensor->bytes - 1];
    (void)last;
}

static void use_rows(const ckpt_tensor *tensor, uint64_t first, uint64_t rows, uint64_t columns)
{
    static float values[MOST_VALUES];
    core_codes   codes;
    FUZZ_CHECK(core_codes_new(&tensor->quantized->storage, rows, columns, &codes) == OCLM_OK);
    FUZZ_CHECK(tensor->quantized->read(tensor, first, rows, &codes) == OCLM_OK);
    for (uint64_t i = 0; i < rows * columns; i++)
        FUZZ_CHECK(codes.codes[i] >> tensor->quantized->storage.bits == 0);
    core_codes_values(&tensor->quantized->storage, &codes, rows, columns, values);
    core_codes_free(&codes);
}

static void use(const ckpt_tensor *tensor)
{
    FUZZ_CHECK(tensor->elements >= 1 && tensor->dims <= CKPT_MAX_DIMS && tensor->name[0] != '\0');
    if (tensor->quantized == NULL) {
        use_plain(tensor);
        return;
    }
    FUZZ_CHECK(core_storage_is_valid(&tensor->quantized->storage) && tensor->dims >= 1 && tensor->quantized->bytes == tensor->bytes);
    const uint64_t columns = tensor->shape[tensor->dims - 1], all = tensor->elements / columns;
    if (columns > MOST_VALUES)
        return;
    const uint64_t rows = all < MOST_VALUES / columns ? all : MOST_VALUES / columns;
    use_rows(tensor, 0, rows, columns);
    use_rows(tensor, all - rows, rows, columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const core_map map = { data, size };
    ckpt_table     table = { NULL, 0, 0 };
    core_gguf      gguf;
    oclm_status    status = core_gguf_open(&gguf, data, size, "model.gguf");
    if (status == OCLM_OK)
        status = ckpt_gguf_read(&gguf, &map, 0, &table);
    FUZZ_CHECK(status == OCLM_OK || (status != OCLM_ERR_INTERNAL && oclm_last_error()[0] != '\0'));
    for (size_t i = 0; i < table.count && status == OCLM_OK; i++)
        use(&table.tensors[i]);
    ckpt_table_deinit(&table);
    core_gguf_free(&gguf);
    return 0;
}
