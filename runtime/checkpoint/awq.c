/* awq.c: weights quantised by AWQ, for its gemm kernels: qweight int32 [in, out / 8] and qzeros int32 [in / group, out / 8], in each word eight
 * outputs in the order 0, 2, 4, 6, 1, 3, 5, 7; scales [in / group, out]. Source: AutoAWQ's WQLinear_GEMM. */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/quantized.h"

/* Where output j of eight lies. */
static const uint8_t shift_of[8] = { 0, 16, 4, 20, 8, 24, 12, 28 };

static uint32_t nibble(const ckpt_tensor *words, uint64_t line, uint64_t row)
{
    return (uint32_t)ckpt_int32(words, line * words->shape[1] + row / 8) >> shift_of[row % 8] & 15;
}

static void unpack(const ckpt_source *s, uint64_t first_row, uint64_t rows, uint8_t *codes)
{
    for (uint64_t k = 0; k < s->columns; k++)
        for (uint64_t row = 0; row < rows; row++)
            codes[row * s->columns + k] = (uint8_t)nibble(s->codes, k, first_row + row);
}

static uint32_t zero(const ckpt_source *s, uint64_t row, uint64_t group) { return nibble(s->zeros, group, row); }

static oclm_status check(ckpt_replacing *q)
{
    const char *version = "gemm", *format = NULL;
    uint32_t    bits = 4;
    oclm_status status;
    if ((status = core_json_get_string(q->config, "version", q->origin, &version)) != OCLM_OK ||
        (status = core_json_get_string(q->config, "format", q->origin, &format)) != OCLM_OK ||
        (status = core_json_get_u32(q->config, core_json_has(q->config, "bits") ? "bits" : "w_bit", q->origin, 1, 32, &bits)) != OCLM_OK)
        return status;
    version = format != NULL ? format : version;
    if (strcmp(version, "gemm") != 0 && strcmp(version, "GEMM") != 0)
        return ckpt_fail_config(q, OCLM_ERR_UNSUPPORTED, "its layout is \"%.60s\", not gemm", version);
    return bits == 4 ? OCLM_OK : ckpt_fail_config(q, OCLM_ERR_UNSUPPORTED, "%" PRIu32 " bits, not 4", bits);
}

static oclm_status visit(ckpt_replacing *q, const ckpt_tensor *tensor)
{
    ckpt_source s = { .code = CORE_CODE_UINT, .bits = 4, .unpack = unpack, .scale = ckpt_scale_at, .zero = zero };
    size_t      stem;
    oclm_status status;
    if (!ckpt_stem(tensor->name, ".qweight", &stem))
        return OCLM_OK;
    s.codes = ckpt_part(q, tensor->name, stem, ".qweight");
    if ((status = ckpt_need_part(q, tensor, stem, ".scales", &s.scales)) != OCLM_OK ||
        (status = ckpt_need_part(q, tensor, stem, ".qzeros", &s.zeros)) != OCLM_OK)
        return status;
    if (tensor->dims != 2 || s.scales->dims != 2)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, tensor->dims != 2 ? tensor : s.scales, "must have two dimensions");
    s.columns = tensor->shape[0];
    s.rows = s.scales->shape[1];
    s.groups = s.scales->shape[0];
    const uint64_t codes[] = { s.columns, s.rows / 8 }, zeros[] = { s.groups, s.rows / 8 }, shape[] = { s.rows, s.columns };
    if (s.rows % 8 != 0 || s.groups == 0 || s.columns % s.groups != 0)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, s.scales, "is for %" PRIu64 " groups and %" PRIu64 " outputs, but %" PRIu64 " inputs must divide into "
                                "groups, and outputs into eights", s.groups, s.rows, s.columns);
    if ((status = ckpt_need_shape(q, tensor, CORE_I32, 2, codes)) != OCLM_OK ||
        (status = ckpt_need_shape(q, s.zeros, CORE_I32, 2, zeros)) != OCLM_OK ||
        (status = ckpt_need_shape(q, s.scales, CORE_DTYPE_COUNT, 2, s.scales->shape)) != OCLM_OK)
        return status;
    s.group = s.columns / s.groups;
    s.outer = s.outer_scales = s.rows;
    s.rows_together = s.row_stride = 1;
    s.group_stride = s.rows;
    return ckpt_add_module(q, &s, tensor->name, stem, ".weight", s.scales->dtype, 2, shape);
}

const ckpt_method ckpt_awq = { "awq", check, visit };
