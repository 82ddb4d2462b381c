/* compressed.c: weights saved by compressed-tensors (llm-compressor): P.weight_packed int32 [out, in * bits / 32], each row a stream of bits, or
 * P.weight in int8 or float8_e4m3fn; P.weight_scale for all of it, each row, groups or blocks; P.weight_zero_point, with weight_packed packed down
 * its columns. Which module is of which group of the configuration is a matter of names and classes; the shapes tell as well.
 * Source: compressed_tensors' compressors. */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/quantized.h"

static void unpack_packed(const ckpt_source *s, uint64_t first_row, uint64_t rows, uint8_t *codes)
{
    const uint64_t words = s->codes->shape[1];
    for (uint64_t row = 0; row < rows; row++)
        ckpt_unpack_stream(s->codes, (first_row + row) * words, 1, s->columns, s->bits, codes + row * s->columns);
}

static uint32_t packed_zero(const ckpt_source *s, uint64_t row, uint64_t group)
{
    return ckpt_packed(s->zeros, group, s->zeros->shape[1], row, s->bits);
}

static uint32_t int8_zero(const ckpt_source *s, uint64_t row, uint64_t group)
{
    const int8_t zero = ((const int8_t *)s->zeros->data)[ckpt_scale_index(s, row, group)];
    return ((uint32_t)zero + (1u << (s->bits - 1))) & ((1u << s->bits) - 1);
}

/* ---- The configuration */

static bool is_known_format(const char *format)
{
    static const char *const known[] = { "pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "dense", "mixed-precision" };
    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(format, known[i]) == 0)
            return true;
    return false;
}

static oclm_status check_format(const ckpt_replacing *q, const cJSON *object)
{
    const char       *format = "dense";
    const oclm_status status = core_json_get_string(object, "format", q->origin, &format);
    return status != OCLM_OK || is_known_format(format) ? status : ckpt_fail_config(q, OCLM_ERR_UNSUPPORTED, "its format is \"%.60s\"", format);
}

static const cJSON *first_group(const ckpt_replacing *q)
{
    const cJSON *const groups = core_json_member(q->config, "config_groups");
    return groups != NULL ? groups->child : NULL;
}

/* A group's bits (8 where it is silent), size of groups (0: none) and block. */
typedef struct scheme {
    uint32_t bits;
    uint64_t group, block_rows, block_columns;
} scheme;

static oclm_status read_scheme(const ckpt_replacing *q, const cJSON *group, scheme *found)
{
    const cJSON *const weights = core_json_member(group, "weights"), *const size = core_json_member(weights, "group_size");
    oclm_status        status;
    *found = (scheme){ .bits = 8 };
    if ((status = core_json_get_u32(weights, "num_bits", q->origin, 1, 32, &found->bits)) != OCLM_OK ||
        (status = ckpt_read_block(q, weights, "block_structure", &found->block_rows, &found->block_columns)) != OCLM_OK)
        return status;
    if (size != NULL && !core_json_is_whole(size, -1, INT32_MAX))
        return core_json_wrong(size, "group_size", q->origin, "a whole number");
    found->group = size != NULL && size->valuedouble > 0 ? (uint64_t)size->valuedouble : found->block_columns;
    return OCLM_OK;
}

static oclm_status check(ckpt_replacing *q)
{
    const cJSON *const groups = core_json_member(q->config, "config_groups"), *const sparsity = core_json_member(q->config, "sparsity_config");
    const cJSON *const turns = core_json_member(core_json_member(q->config, "transform_config"), "config_groups");
    const char        *sparse = "dense";
    scheme             ignored;
    oclm_status        status;
    if (groups != NULL && !cJSON_IsObject(groups))
        return core_json_wrong(groups, "config_groups", q->origin, "an object");
    if ((status = check_format(q, q->config)) != OCLM_OK || (status = core_json_get_string(sparsity, "format", q->origin, &sparse)) != OCLM_OK)
        return status;
    if (strcmp(sparse, "dense") != 0)
        return ckpt_fail_config(q, OCLM_ERR_UNSUPPORTED, "its weights are sparse (\"%.60s\")", sparse);
    if (turns != NULL && turns->child != NULL)
        return ckpt_fail_config(q, OCLM_ERR_UNSUPPORTED, "\"transform_config\" turns weights and activations");
    for (const cJSON *group = first_group(q); group != NULL && status == OCLM_OK; group = group->next) {
        if ((status = check_format(q, group)) == OCLM_OK)
            status = read_scheme(q, group, &ignored);
    }
    return status;
}

/* ---- Weights */

/* The scheme that fits: of `bits` (0: any) with words of `packed` for `columns`; the plain one where none does. */
static oclm_status find_scheme(const ckpt_replacing *q, uint32_t bits, uint64_t columns, uint64_t packed, scheme *found)
{
    oclm_status status = OCLM_OK;
    scheme      each;
    *found = (scheme){ .bits = 0 };
    for (const cJSON *group = first_group(q); group != NULL && status == OCLM_OK && found->bits == 0; group = group->next) {
        if ((status = read_scheme(q, group, &each)) == OCLM_OK && (bits > 0 ? each.bits == bits : each.bits <= 8 && (columns * each.bits + 31) / 32 == packed))
            *found = each;
    }
    return status;
}

/* What accompanies a weight and does not change it. */
static void take_others(ckpt_replacing *q, const ckpt_tensor *tensor, size_t stem)
{
    static const char *const others[] = { ".input_scale", ".input_zero_point", ".output_scale", ".output_zero_point", ".input_global_scale" };
    for (size_t i = 0; i < COUNT(others); i++)
        (void)ckpt_part(q, tensor->name, stem, others[i]);
}

/* Older files may say that there is no order of groups by -1 for each column. */
static oclm_status find_order(ckpt_replacing *q, const ckpt_tensor *tensor, size_t stem, ckpt_source *s)
{
    const ckpt_tensor *const order = ckpt_part(q, tensor->name, stem, ".weight_g_idx");
    const oclm_status        status = order != NULL ? ckpt_need_shape(q, order, CORE_I32, 1, &s->columns) : OCLM_OK;
    if (status == OCLM_OK && order != NULL && ckpt_int32(order, 0) != -1)
        s->group_of = order;
    return status;
}

/* Scales, groups and zero points, the same for all formats. */
static oclm_status add(ckpt_replacing *q, const ckpt_tensor *tensor, size_t stem, const uint64_t *shape, const scheme *how, ckpt_source *s)
{
    oclm_status status = ckpt_need_part(q, tensor, stem, ".weight_scale", &s->scales);
    if (status == OCLM_OK)
        status = ckpt_need_shape(q, s->scales, CORE_DTYPE_COUNT, s->scales->dims, s->scales->shape);
    if (status == OCLM_OK)
        status = ckpt_find_grid(q, s, 2, shape, how->block_rows, how->group);
    if (status != OCLM_OK)
        return status;
    if ((status = find_order(q, tensor, stem, s)) != OCLM_OK)
        return status;
    s->zeros = ckpt_part(q, tensor->name, stem, ".weight_zero_point");
    if (s->code == CORE_CODE_E4M3) /* always 0 */
        s->zeros = NULL;
    if (s->zeros != NULL && s->zeros->dtype == CORE_I8) {
        s->zero = int8_zero;
        status = ckpt_need_shape(q, s->zeros, CORE_I8, s->scales->dims, s->scales->shape);
    } else if (s->zeros != NULL) {
        const uint64_t zeros[] = { (s->rows * s->bits + 31) / 32, s->groups };
        s->zero = packed_zero;
        status = ckpt_need_shape(q, s->zeros, CORE_I32, 2, zeros);
    }
    take_others(q, tensor, stem);
    return status == OCLM_OK ? ckpt_add_module(q, s, tensor->name, stem, ".weight", s->scales->dtype, 2, shape) : status;
}

static oclm_status add_packed(ckpt_replacing *q, const ckpt_tensor *tensor, size_t stem)
{
    ckpt_source        s = { .codes = tensor, .code = CORE_CODE_UINT, .unpack = unpack_packed, .scale = ckpt_scale_at };
    const ckpt_tensor *told;
    uint64_t           two = 2, shape[2];
    int64_t            sides[2];
    scheme             how;
    oclm_status        status;
    if (tensor->dims != 2 || tensor->dtype != CORE_I32)
        return ckpt_fail_tensor(q, OCLM_ERR_UNSUPPORTED, tensor, "is not a matrix of I32 words");
    if ((status = ckpt_need_part(q, tensor, stem, ".weight_shape", &told)) != OCLM_OK ||
        (status = ckpt_need_shape(q, told, told->dtype == CORE_I32 ? CORE_I32 : CORE_I64, 1, &two)) != OCLM_OK)
        return status;
    for (uint64_t i = 0; i < 2; i++) {
        memcpy(&sides[i], (const char *)told->data + (told->dtype == CORE_I32 ? 0 : i * sizeof sides[i]), sizeof sides[i]);
        sides[i] = told->dtype == CORE_I32 ? ckpt_int32(told, i) : sides[i];
        if (sides[i] <= 0 || sides[i] > INT32_MAX)
            return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, told, "says a side of %" PRId64, sides[i]);
        shape[i] = (uint64_t)sides[i];
    }
    if ((status = find_scheme(q, 0, shape[1], tensor->shape[1], &how)) != OCLM_OK)
        return status;
    if (how.bits == 0 || tensor->shape[0] != shape[0])
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, tensor, "has %" PRIu64 " rows of %" PRIu64 " words, but a weight of [%" PRIu64 ", %" PRIu64
                                "] (its weight_shape) has other ones in the bits (num_bits) that config_groups name", tensor->shape[0], tensor->shape[1],
                                shape[0], shape[1]);
    s.bits = (uint8_t)how.bits;
    return add(q, tensor, stem, shape, &how, &s);
}

static oclm_status visit(ckpt_replacing *q, const ckpt_tensor *tensor)
{
    size_t      stem;
    scheme      how;
    oclm_status status;
    if (ckpt_stem(tensor->name, ".weight_packed", &stem)) {
        (void)ckpt_part(q, tensor->name, stem, ".weight_packed");
        return add_packed(q, tensor, stem);
    }
    if (!ckpt_stem(tensor->name, ".weight", &stem) || (tensor->dtype != CORE_I8 && tensor->dtype != CORE_F8_E4M3))
        return OCLM_OK;
    const bool  is_float = tensor->dtype == CORE_F8_E4M3;
    ckpt_source s = { .codes = tensor, .code = is_float ? CORE_CODE_E4M3 : CORE_CODE_UINT, .bits = 8, .scale = ckpt_scale_at,
                      .unpack = is_float ? ckpt_unpack_bytes : ckpt_unpack_int8 };
    if (tensor->dims != 2)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, tensor, "must have two dimensions");
    if ((status = find_scheme(q, 8, 0, 0, &how)) != OCLM_OK)
        return status;
    (void)ckpt_part(q, tensor->name, stem, ".weight");
    return add(q, tensor, stem, tensor->shape, &how, &s);
}

const ckpt_method ckpt_compressed = { "compressed-tensors", check, visit };
