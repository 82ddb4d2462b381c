/* gptq.c: weights quantised by GPTQ: qweight int32 [in * bits / 32, out], a stream of bits down each column; qzeros int32 [groups, out * bits / 32],
 * a stream along each row; scales [groups, out]; g_idx int32 [in], the group of each input. Zero points were once stored less 1 ("gptq"), now as
 * they are ("gptq_v2"). Source: AutoGPTQ's and GPTQModel's QuantLinear. */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/quantized.h"

static void unpack(const ckpt_source *s, uint64_t first_row, uint64_t rows, uint8_t *codes)
{
    const uint32_t bits = s->bits, whole = 32 % bits == 0 ? 32 / bits : 0, mask = (1u << bits) - 1;
    uint64_t       k = 0;
    for (; whole > 0 && k < s->columns; k += whole) { /* a row of words holds some inputs of all outputs: rows inside, for the cache */
        for (uint64_t row = 0; row < rows; row++) {
            uint32_t word = (uint32_t)ckpt_int32(s->codes, k / whole * s->rows + first_row + row);
            for (uint32_t j = 0; j < whole && k + j < s->columns; j++, word >>= bits)
                codes[row * s->columns + k + j] = (uint8_t)(word & mask);
        }
    }
    for (; k < s->columns; k++)
        for (uint64_t row = 0; row < rows; row++)
            codes[row * s->columns + k] = (uint8_t)ckpt_packed(s->codes, first_row + row, s->rows, k, bits);
}

static uint32_t zero(const ckpt_source *s, uint64_t row, uint64_t group)
{
    const uint64_t words = s->zeros->shape[1];
    return (ckpt_packed(s->zeros, group * words, 1, row, s->bits) + s->zero_plus) & ((1u << s->bits) - 1);
}

/* "gptq_v2" stores zero points as they are; anything else but "gptq" and the absence of a word is of other kernels. */
static oclm_status zero_plus(const ckpt_replacing *q, uint32_t *plus)
{
    const char       *format = "gptq";
    const oclm_status status = core_json_get_string(q->config, "checkpoint_format", q->origin, &format);
    *plus = strcmp(format, "gptq_v2") != 0;
    if (status == OCLM_OK && *plus == 1 && strcmp(format, "gptq") != 0)
        return ckpt_fail_config(q, OCLM_ERR_UNSUPPORTED, "checkpoint_format is \"%.60s\", not gptq or gptq_v2", format);
    return status;
}

static oclm_status check(ckpt_replacing *q)
{
    uint32_t plus;
    return zero_plus(q, &plus);
}

/* As the shapes say; "dynamic" gives modules other bits and groups than the rest. */
static oclm_status find_bits(const ckpt_replacing *q, const ckpt_tensor *codes, const ckpt_tensor *group_of, ckpt_source *s)
{
    uint32_t    bits = 0;
    oclm_status status = core_json_get_u32(q->config, "bits", q->origin, 2, 8, &bits);
    if (status != OCLM_OK)
        return status;
    if (bits == 0 || (core_json_has(q->config, "dynamic") && group_of != NULL && group_of->elements > 0))
        bits = group_of != NULL && group_of->elements > 0 ? (uint32_t)(codes->shape[0] * 32 / group_of->elements) : 0;
    if (bits != 2 && bits != 3 && bits != 4 && bits != 8)
        return ckpt_fail_tensor(q, OCLM_ERR_UNSUPPORTED, codes, "is of %" PRIu32 " bits; gptq has 2, 3, 4 and 8", bits);
    if (codes->shape[0] > UINT32_MAX || codes->shape[0] * 32 % bits != 0)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, codes, "has %" PRIu64 " rows of words, which hold no whole number of %" PRIu32 "-bit inputs",
                                codes->shape[0], bits);
    s->bits = (uint8_t)bits;
    s->columns = codes->shape[0] * 32 / bits;
    return OCLM_OK;
}

static oclm_status find_group(const ckpt_replacing *q, ckpt_source *s)
{
    double size = 128;
    if (core_json_member(q->config, "group_size") != NULL) {
        const cJSON *item = core_json_member(q->config, "group_size");
        if (!core_json_is_whole(item, -1, INT32_MAX) || item->valuedouble == 0)
            return core_json_wrong(item, "group_size", q->origin, "a whole number above 0, or -1: all inputs");
        size = item->valuedouble;
    }
    s->group = size < 0 || size > (double)s->columns ? s->columns : (uint64_t)size;
    if (core_json_has(q->config, "dynamic") && s->groups > 0 && (s->columns + s->group - 1) / s->group != s->groups)
        s->group = (s->columns + s->groups - 1) / s->groups;
    if (s->columns == 0 || (s->columns + s->group - 1) / s->group != s->groups)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, s->scales, "has %" PRIu64 " groups, but %" PRIu64 " inputs in groups of %" PRIu64 " (group_size) make "
                                "another number", s->groups, s->columns, s->group);
    return OCLM_OK;
}

static oclm_status visit(ckpt_replacing *q, const ckpt_tensor *tensor)
{
    ckpt_source s = { .code = CORE_CODE_UINT, .unpack = unpack, .scale = ckpt_scale_at, .zero = zero };
    size_t      stem;
    oclm_status status;
    if (!ckpt_stem(tensor->name, ".qweight", &stem))
        return OCLM_OK;
    s.codes = ckpt_part(q, tensor->name, stem, ".qweight");
    s.group_of = ckpt_part(q, tensor->name, stem, ".g_idx");
    if ((status = ckpt_need_part(q, tensor, stem, ".scales", &s.scales)) != OCLM_OK ||
        (status = ckpt_need_part(q, tensor, stem, ".qzeros", &s.zeros)) != OCLM_OK || (status = zero_plus(q, &s.zero_plus)) != OCLM_OK)
        return status;
    if (tensor->dims != 2 || s.scales->dims != 2)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, tensor->dims != 2 ? tensor : s.scales, "must have two dimensions");
    if ((status = find_bits(q, tensor, s.group_of, &s)) != OCLM_OK)
        return status;
    s.rows = tensor->shape[1];
    s.groups = s.scales->shape[0];
    const uint64_t scales[] = { s.groups, s.rows }, zeros[] = { s.groups, (s.rows * s.bits + 31) / 32 }, shape[] = { s.rows, s.columns };
    if ((status = ckpt_need_shape(q, tensor, CORE_I32, 2, tensor->shape)) != OCLM_OK ||
        (status = ckpt_need_shape(q, s.scales, CORE_DTYPE_COUNT, 2, scales)) != OCLM_OK ||
        (status = ckpt_need_shape(q, s.zeros, CORE_I32, 2, zeros)) != OCLM_OK ||
        (s.group_of != NULL && (status = ckpt_need_shape(q, s.group_of, CORE_I32, 1, &s.columns)) != OCLM_OK) ||
        (status = find_group(q, &s)) != OCLM_OK)
        return status;
    s.outer = s.outer_scales = s.rows; /* scales [groups, out] */
    s.rows_together = s.row_stride = 1;
    s.group_stride = s.rows;
    return ckpt_add_module(q, &s, tensor->name, stem, ".weight", s.scales->dtype, 2, shape);
}

const ckpt_method ckpt_gptq = { "gptq", check, visit };
