/* fuzz_quantized_repository.c: a folder whose weights are quantised: makes one tensor of the parts of each, as "quantization_config" says, and
 * reads the first and the last rows of each. An input is three pieces with a zero byte between them: config.json, the header of
 * model.safetensors, and its data; the header's length is put in front of it here. */
#include <string.h>

#include "checkpoint/quantized.h"
#include "checkpoint/rows.h"
#include "checkpoint/safetensors.h"
#include "fuzz/memory_file.h"

#define MOST_VALUES 4096u /* of a tensor, read at a time */

static size_t piece(const uint8_t *data, size_t size)
{
    const uint8_t *const end = size > 0 ? memchr(data, 0, size) : NULL;
    return end != NULL ? (size_t)(end - data) : size;
}

/* The file in memory of exactly its size. */
static const core_map *make_file(ckpt_checkpoint *checkpoint, const uint8_t *data, size_t size)
{
    const size_t   header = piece(data, size), skipped = header < size ? header + 1 : size;
    uint8_t *const bytes = core_alloc(8 + header + (size - skipped), "a file");
    FUZZ_CHECK(bytes != NULL);
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)header >> (8 * i));
    memcpy(bytes + 8, data, header);
    memcpy(bytes + 8 + header, data + skipped, size - skipped);
    return fuzz_give_file(checkpoint, "model.safetensors", bytes, 8 + header + (size - skipped));
}

/* Each column once. */
static void check_order(const uint32_t *order, uint64_t columns)
{
    static bool seen[MOST_VALUES];
    memset(seen, 0, columns * sizeof *seen);
    for (uint64_t k = 0; k < columns; k++) {
        FUZZ_CHECK(order[k] < columns && !seen[order[k]]);
        seen[order[k]] = true;
    }
}

static void use_rows(const ckpt_tensor *tensor, uint64_t first, uint64_t rows, uint64_t columns)
{
    static float                values[MOST_VALUES];
    const ckpt_quantized *const q = tensor->quantized;
    core_codes                  codes;
    oclm_status                 status;
    if (q->read_values != NULL) {
        status = q->read_values(tensor, first, rows, values);
        FUZZ_CHECK(status == OCLM_OK || status == OCLM_ERR_FORMAT);
        return;
    }
    FUZZ_CHECK(core_codes_new(&q->storage, rows, columns, &codes) == OCLM_OK);
    status = q->read(tensor, first, rows, &codes);
    FUZZ_CHECK(status == OCLM_OK || status == OCLM_ERR_FORMAT);
    for (uint64_t i = 0; i < rows * columns && status == OCLM_OK; i++)
        FUZZ_CHECK(codes.codes[i] >> q->storage.bits == 0);
    core_codes_free(&codes);
    FUZZ_CHECK(ckpt_read_values(tensor, first, rows, values) == status);
}

static void use(const ckpt_tensor *tensor)
{
    const ckpt_quantized *const q = tensor->quantized;
    if (q == NULL)
        return;
    FUZZ_CHECK(core_storage_is_valid(&q->storage) && (q->read != NULL) != (q->read_values != NULL) && q->bytes > 0);
    FUZZ_CHECK(tensor->elements >= 1 && tensor->dims >= 1 && tensor->dims <= CKPT_MAX_DIMS && tensor->dtype <= CORE_BF16);
    const uint64_t columns = tensor->shape[tensor->dims - 1], all = tensor->elements / columns;
    FUZZ_CHECK(columns * all == tensor->elements);
    if (columns > MOST_VALUES)
        return;
    if (q->order != NULL)
        check_order(q->order, columns);
    const uint64_t rows = all < MOST_VALUES / columns ? all : MOST_VALUES / columns;
    use_rows(tensor, 0, rows, columns);
    use_rows(tensor, all - rows, rows, columns);
}

static oclm_status open_checkpoint(ckpt_checkpoint *checkpoint, const cJSON *config, const uint8_t *data, size_t size)
{
    const core_map *map = make_file(checkpoint, data, size);
    oclm_status     status = ckpt_safetensors_read(map, checkpoint->files[0].path, 0, &checkpoint->table);
    if (status == OCLM_OK && (status = ckpt_files_finish(checkpoint)) == OCLM_OK)
        status = ckpt_quantized_tree(checkpoint, config, "config.json");
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t     length = piece(data, size), skipped = length < size ? length + 1 : size;
    ckpt_checkpoint *checkpoint = fuzz_new_checkpoint();
    cJSON           *config = NULL;
    oclm_status status = core_json_parse((const char *)data, length, "config.json", &config);
    if (status == OCLM_OK)
        status = open_checkpoint(checkpoint, config, data + skipped, size - skipped);
    FUZZ_CHECK(status == OCLM_OK || (status != OCLM_ERR_INTERNAL && oclm_last_error()[0] != '\0'));
    for (size_t i = 0; i < checkpoint->table.count && status == OCLM_OK; i++)
        use(&checkpoint->table.tensors[i]);
    cJSON_Delete(config);
    fuzz_close_checkpoint(checkpoint);
    return 0;
}
