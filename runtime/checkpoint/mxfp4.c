/* mxfp4.c: experts in the microscaling format of 4 bits, as gpt-oss has them: NAME_blocks uint8 [experts, rows, columns / 32, 16], the even column of
 * a byte in its low nibble, and NAME_scales uint8 [experts, rows, columns / 32], the exponent + 127 of 32 columns. They become NAME, [experts, rows,
 * columns]. Source: transformers' integrations/mxfp4.py, the OCP microscaling specification. */
#include <string.h>

#include "checkpoint/quantized.h"

static void unpack(const ckpt_source *s, uint64_t first_row, uint64_t rows, uint8_t *codes)
{
    const uint8_t *const bytes = (const uint8_t *)s->codes->data + first_row * s->columns / 2;
    for (uint64_t i = 0; i < rows * s->columns / 2; i++) {
        codes[2 * i] = bytes[i] & 15;
        codes[2 * i + 1] = bytes[i] >> 4;
    }
}

static oclm_status visit(ckpt_replacing *q, const ckpt_tensor *tensor)
{
    ckpt_source s = { .codes = tensor, .code = CORE_CODE_TABLE, .bits = 4, .table = CORE_TABLE_MXFP4, .unpack = unpack, .scale = ckpt_scale_at };
    size_t      stem;
    oclm_status status;
    if (!ckpt_stem(tensor->name, "_blocks", &stem))
        return OCLM_OK;
    if ((tensor->dims != 3 && tensor->dims != 4) || tensor->shape[tensor->dims - 1] != 16)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, tensor, "must be [experts, rows, columns / 32, 16]");
    if ((status = ckpt_need_shape(q, tensor, CORE_U8, tensor->dims, tensor->shape)) != OCLM_OK ||
        (status = ckpt_need_part(q, tensor, stem, "_scales", &s.scales)) != OCLM_OK ||
        (status = ckpt_need_shape(q, s.scales, CORE_U8, tensor->dims - 1, tensor->shape)) != OCLM_OK)
        return status;
    const uint32_t dims = tensor->dims - 1;
    uint64_t       shape[CKPT_MAX_DIMS];
    memcpy(shape, tensor->shape, sizeof shape);
    shape[dims - 1] = tensor->elements == 0 ? 0 : tensor->shape[dims - 1] * 32;
    s.columns = shape[dims - 1];
    s.rows = s.columns == 0 ? 0 : tensor->elements * 2 / s.columns;
    s.group = 32;
    s.groups = tensor->shape[dims - 1];
    s.outer = s.outer_scales = s.rows;
    s.rows_together = s.group_stride = 1;
    s.row_stride = s.groups;
    (void)ckpt_part(q, tensor->name, strlen(tensor->name), "");
    return ckpt_add_module(q, &s, tensor->name, stem, "", CORE_BF16, dims, shape);
}

const ckpt_method ckpt_mxfp4 = { "mxfp4", NULL, visit };
