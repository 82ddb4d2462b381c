/* rows.c: rows of a tensor as float32. */
#include "checkpoint/rows.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/memory.h"

#define AT_ONCE 65536u /* values */

uint64_t ckpt_rows_at_once(uint64_t columns)
{
    return columns < AT_ONCE ? AT_ONCE / (columns > 0 ? columns : 1) : 1;
}

static oclm_status check(const ckpt_tensor *tensor, const float *values, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            return core_fail(OCLM_ERR_FORMAT, "tensor \"%s\" holds a value that is %s; such a weight cannot be quantised: the checkpoint is broken, or its "
                             "training went wrong", tensor->name, isnan(values[i]) ? "not a number" : "infinite");
    }
    return OCLM_OK;
}

oclm_status ckpt_read_rows(const ckpt_tensor *tensor, bool transposed, uint64_t rows, uint64_t columns, uint64_t first, uint64_t count,
                           float *values)
{
    const size_t         size = core_dtype_size(tensor->dtype);
    const unsigned char *data = tensor->data;
    if (tensor->dtype > CORE_BF16 || tensor->quantized != NULL)
        return core_fail(OCLM_ERR_UNSUPPORTED, "tensor \"%s\" is %s; weights to quantise are F32, F16 or BF16", tensor->name,
                         tensor->quantized != NULL ? "quantised already" : core_dtype_name(tensor->dtype));
    if (!transposed) {
        core_dtype_to_f32(tensor->dtype, data + first * columns * size, values, (size_t)(count * columns));
        return check(tensor, values, count * columns);
    }
    float *part = core_alloc_array((size_t)count, sizeof *part, "a column of a tensor");
    if (part == NULL)
        return OCLM_ERR_MEMORY;
    for (uint64_t k = 0; k < columns; k++) {
        core_dtype_to_f32(tensor->dtype, data + (k * rows + first) * size, part, (size_t)count);
        for (uint64_t r = 0; r < count; r++)
            values[r * columns + k] = part[r];
    }
    core_free(part);
    return check(tensor, values, count * columns);
}

/* Columns back to where the weight has them. */
static void unorder(const uint32_t *order, uint64_t columns, float *row, float *spare)
{
    memcpy(spare, row, (size_t)columns * sizeof *row);
    for (uint64_t k = 0; k < columns; k++)
        row[order[k]] = spare[k];
}

oclm_status ckpt_read_values(const ckpt_tensor *tensor, uint64_t first, uint64_t count, float *values)
{
    const ckpt_quantized *q = tensor->quantized;
    const uint64_t        columns = tensor->shape[tensor->dims - 1];
    core_codes            codes;
    float                *spare = NULL;
    if (q->read == NULL)
        return q->read_values(tensor, first, count, values);
    oclm_status status = core_codes_new(&q->storage, count, columns, &codes);
    if (status == OCLM_OK && q->order != NULL && (spare = core_alloc_array((size_t)columns, sizeof *spare, "a row of values")) == NULL)
        status = OCLM_ERR_MEMORY;
    if (status == OCLM_OK && (status = q->read(tensor, first, count, &codes)) == OCLM_OK) {
        core_codes_values(&q->storage, &codes, count, columns, values);
        for (uint64_t i = 0; i < count && q->order != NULL; i++)
            unorder(q->order, columns, values + i * columns, spare);
    }
    core_codes_free(&codes);
    core_free(spare);
    return status;
}
