/* rows.c: rows of a tensor as float32. */
#include "checkpoint/rows.h"

#include <inttypes.h>
#include <math.h>

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
