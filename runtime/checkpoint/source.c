/* source.c: what the methods of quantisation have in common: a weight's codes, scales and zero points are read into a storage that kernels
 * know, or, where none fits, as values.
 *
 * Nothing is rounded on the way. With zero points that vary, scale * (code - zero) becomes scale * code + minimum: exact where scales have at
 * most 11 bits, as float16 and bfloat16 do, since all three products are then float32 numbers. With float32 scales the code itself becomes
 * code - zero, which takes a bit more. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "checkpoint/quantized.h"

#define ROWS_AT_A_TIME 32u /* of values: a panel */

/* ---- Numbers of a file, aligned to nothing */

int32_t ckpt_int32(const ckpt_tensor *tensor, uint64_t at)
{
    int32_t value;
    memcpy(&value, (const char *)tensor->data + at * sizeof value, sizeof value);
    return value;
}

float ckpt_number(const ckpt_tensor *tensor, uint64_t at)
{
    const char *const data = tensor->data;
    float             value = 0.0f;
    uint16_t          half;
    switch (tensor->dtype) {
    case CORE_F32: memcpy(&value, data + at * sizeof value, sizeof value); return value;
    case CORE_F16: memcpy(&half, data + at * sizeof half, sizeof half); return core_f16_to_f32(half);
    case CORE_BF16: memcpy(&half, data + at * sizeof half, sizeof half); return core_bf16_to_f32(half);
    default: return core_e8m0_to_f32(((const uint8_t *)data)[at]);
    }
}

uint64_t ckpt_scale_index(const ckpt_source *s, uint64_t row, uint64_t group)
{
    const uint64_t line = row / s->outer * s->outer_scales + row % s->outer / s->rows_together;
    return line * s->row_stride + group * s->group_stride;
}

float ckpt_scale_at(const ckpt_source *s, uint64_t row, uint64_t group) { return ckpt_number(s->scales, ckpt_scale_index(s, row, group)); }

/* ---- Codes of a file */

uint32_t ckpt_packed(const ckpt_tensor *words, uint64_t at, uint64_t stride, uint64_t index, uint32_t bits)
{
    const uint64_t bit = index * bits, word = at + bit / 32 * stride;
    const uint32_t from = (uint32_t)(bit % 32);
    uint32_t       value = (uint32_t)ckpt_int32(words, word) >> from;
    if (from + bits > 32)
        value |= (uint32_t)ckpt_int32(words, word + stride) << (32 - from);
    return value & ((1u << bits) - 1);
}

void ckpt_unpack_stream(const ckpt_tensor *words, uint64_t at, uint64_t stride, uint64_t count, uint32_t bits, uint8_t *codes)
{
    const uint32_t whole = 32 % bits == 0 ? 32 / bits : 0, mask = (1u << bits) - 1;
    uint64_t       i = 0;
    for (; whole > 0 && i + whole <= count; i += whole) {
        uint32_t word = (uint32_t)ckpt_int32(words, at + i / whole * stride);
        for (uint32_t j = 0; j < whole; j++, word >>= bits)
            codes[i + j] = (uint8_t)(word & mask);
    }
    for (; i < count; i++)
        codes[i] = (uint8_t)ckpt_packed(words, at, stride, i, bits);
}

void ckpt_unpack_bytes(const ckpt_source *s, uint64_t first_row, uint64_t rows, uint8_t *codes)
{
    memcpy(codes, (const char *)s->codes->data + first_row * s->columns, (size_t)(rows * s->columns));
}

void ckpt_unpack_int8(const ckpt_source *s, uint64_t first_row, uint64_t rows, uint8_t *codes)
{
    ckpt_unpack_bytes(s, first_row, rows, codes);
    for (uint64_t i = 0; i < rows * s->columns; i++)
        codes[i] ^= 0x80;
}

/* ---- Which storage */

static uint32_t half_of(const ckpt_source *s) { return 1u << (s->bits - 1); }

static bool all_zeros_are_half(const ckpt_source *s)
{
    for (uint64_t row = 0; row < s->rows; row++)
        for (uint64_t g = 0; g < s->groups; g++)
            if (s->zero(s, row, g) != half_of(s))
                return false;
    return true;
}

/* Kernels know codes of 2, 3, 4, 5, 6 and 8 bits. */
static uint8_t known_bits(uint32_t bits) { return (uint8_t)(bits < 2 ? 2 : bits == 7 ? 8 : bits); }

/* Code, bits, scale and minimum. */
static void choose_kinds(ckpt_source *s)
{
    core_storage *const to = &s->storage;
    *to = (core_storage){ .code = s->code, .bits = s->bits, .table = s->table, .scale = CORE_SCALE_F32 };
    if (s->scale == ckpt_scale_at && s->scales->dtype == CORE_F16)
        to->scale = CORE_SCALE_F16;
    else if (s->scale == ckpt_scale_at && core_dtype_size(s->scales->dtype) == 1 && s->code == CORE_CODE_TABLE)
        to->scale = CORE_SCALE_E8M0;
    if (s->code != CORE_CODE_UINT)
        return;
    if (s->zero != NULL && all_zeros_are_half(s))
        s->zero = NULL;
    to->bits = known_bits(s->bits);
    to->code = CORE_CODE_INT;
    if (s->zero == NULL) {
        s->shift = (uint8_t)half_of(s);
    } else if (s->scales->dtype != CORE_F32) {
        to->code = CORE_CODE_UINT;
        to->minimum = CORE_SCALE_F32;
    } else {
        s->takes_zero = true;
        to->bits = known_bits(s->bits + 1u);
    }
}

/* The largest group of kernels into which the file's groups divide; false: none. */
static bool choose_group(const ckpt_source *s, uint16_t *group)
{
    const uint64_t g = s->group;
    *group = (uint16_t)(s->groups == 1 ? CORE_WHOLE_ROW : g % 64 == 0 && g <= 0x8000 ? g : g % 64 == 0 ? 64 : g % 32 == 0 ? 32 : 16);
    return s->groups == 1 || g % 16 == 0;
}

static uint64_t group_of(const ckpt_source *s, uint64_t k)
{
    return s->group_of != NULL ? (uint64_t)ckpt_int32(s->group_of, k) : k / s->group;
}

/* Each column's group must be there. `*regular`: they are k / group. */
static oclm_status check_groups(const ckpt_replacing *q, const ckpt_source *s, bool *regular)
{
    *regular = true;
    for (uint64_t k = 0; s->group_of != NULL && k < s->columns; k++) {
        const int32_t group = ckpt_int32(s->group_of, k);
        if (group < 0 || (uint64_t)group >= s->groups)
            return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, s->group_of, "puts input %" PRIu64 " into group %" PRId32 ", but there are %" PRIu64
                                    " groups of scales", k, group, s->groups);
        *regular = *regular && (uint64_t)group == k / s->group;
    }
    return OCLM_OK;
}

/* Columns that lie elsewhere than their group: group after group, where each has as many as a group has. */
static oclm_status put_in_order(ckpt_source *s)
{
    uint64_t k = 0;
    if ((s->columns + s->group - 1) / s->group != s->groups)
        return OCLM_OK;
    uint64_t *const next = core_alloc_array((size_t)s->groups, sizeof *next, "groups of columns");
    uint32_t *const order = core_alloc_array((size_t)s->columns, sizeof *order, "an order of columns");
    const oclm_status status = next != NULL && order != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (uint64_t g = 0; g < s->groups && status == OCLM_OK; g++)
        next[g] = g * s->group;
    for (; k < s->columns && status == OCLM_OK; k++) {
        const uint64_t g = group_of(s, k);
        if (next[g] >= (g + 1) * s->group || next[g] >= s->columns)
            break;
        order[next[g]++] = (uint32_t)k;
    }
    core_free(next);
    if (status == OCLM_OK && k == s->columns)
        s->order = order;
    else
        core_free(order);
    return status;
}

static oclm_status read_codes(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, const core_codes *codes);
static oclm_status read_values(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, float *values);

oclm_status ckpt_settle(const ckpt_replacing *q, ckpt_module *module)
{
    ckpt_source *const s = &module->source;
    bool               regular;
    oclm_status        status = check_groups(q, s, &regular);
    if (status == OCLM_OK && !regular)
        status = put_in_order(s);
    if (status != OCLM_OK)
        return status;
    if (regular)
        s->group_of = NULL;
    choose_kinds(s);
    s->by_value = (!regular && s->order == NULL) || !choose_group(s, &s->storage.group) || s->storage.bits > 8;
    module->quantized.storage = s->by_value ? core_storage_of(CORE_F32) : s->storage;
    module->quantized.read = s->by_value ? NULL : read_codes;
    module->quantized.read_values = s->by_value ? read_values : NULL;
    if (s->by_value) {
        core_free(s->order);
        s->order = NULL;
    }
    module->quantized.order = s->order;
    module->quantized.source = s;
    if (s->by_value) { /* then each column may have a scale of its own, and its code less its zero point any bits */
        s->storage.group = 1;
        s->storage.scale = CORE_SCALE_F32;
    }
    return OCLM_OK;
}

/* ---- Reading */

static oclm_status fail_not_a_number(const ckpt_tensor *tensor, const char *what, uint64_t row)
{
    return core_fail(OCLM_ERR_FORMAT, "tensor \"%s\": a %s of row %" PRIu64 " is not a finite number; the quantised weights are broken: download them "
                     "again", tensor->name, what, row);
}

static void put_scale(const core_storage *storage, const core_codes *codes, size_t at, float scale)
{
    uint32_t bits;
    if (storage->scale == CORE_SCALE_F32) {
        ((float *)codes->scales)[at] = scale;
    } else if (storage->scale == CORE_SCALE_F16) {
        ((uint16_t *)codes->scales)[at] = core_f32_to_f16(scale);
    } else {
        memcpy(&bits, &scale, sizeof bits);
        ((uint8_t *)codes->scales)[at] = (uint8_t)(bits >> 23);
    }
}

/* The column of the weight that stands k-th in the codes. */
static uint64_t column_of(const ckpt_source *s, uint64_t k) { return s->order != NULL ? s->order[k] : k; }

/* Scales and minima of one row, where a group of the file is several of the storage repeated. */
static oclm_status read_scales(const ckpt_tensor *tensor, uint64_t row, uint64_t at_row, const core_codes *codes)
{
    const ckpt_source *const s = tensor->quantized->source;
    const size_t groups = (size_t)core_storage_groups(&s->storage, s->columns), at = (size_t)at_row * groups;
    uint64_t     last = UINT64_MAX;
    float        scale = 0.0f, minimum = 0.0f;
    for (size_t g = 0; g < groups; g++) {
        const uint64_t here = s->storage.group == CORE_WHOLE_ROW ? 0 : group_of(s, column_of(s, (uint64_t)g * s->storage.group));
        if (here != last) {
            scale = s->scale(s, row, here);
            if (!isfinite(scale))
                return fail_not_a_number(tensor, "scale", row);
            minimum = s->zero != NULL && !s->takes_zero ? -((float)s->zero(s, row, here) * scale) : 0.0f;
            last = here;
        }
        put_scale(&s->storage, codes, at + g, scale);
        if (codes->minima != NULL)
            ((float *)codes->minima)[at + g] = minimum;
    }
    return OCLM_OK;
}

/* From unsigned codes to those of the storage. */
static void shift_codes(const ckpt_source *s, uint64_t row, uint8_t *codes)
{
    const uint32_t mask = (1u << s->storage.bits) - 1;
    uint64_t       last = UINT64_MAX;
    uint32_t       zero = s->shift;
    for (uint64_t k = 0; k < s->columns; k++) {
        const uint64_t here = s->takes_zero ? group_of(s, k) : last;
        if (here != last) {
            zero = s->zero(s, row, here);
            last = here;
        }
        codes[k] = (uint8_t)((codes[k] - zero) & mask);
    }
}

static bool has_nan(const uint8_t *codes, uint64_t count)
{
    bool found = false;
    for (uint64_t k = 0; k < count; k++)
        found = found || (codes[k] & 0x7f) == 0x7f;
    return found;
}

static void reorder(const ckpt_source *s, uint8_t *codes, uint8_t *spare)
{
    memcpy(spare, codes, (size_t)s->columns);
    for (uint64_t k = 0; k < s->columns; k++)
        codes[k] = spare[s->order[k]];
}

static oclm_status read_codes(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, const core_codes *codes)
{
    const ckpt_source *const s = tensor->quantized->source;
    uint8_t *const spare = s->order != NULL ? core_alloc_array((size_t)s->columns, 1, "a row of codes") : NULL;
    oclm_status status = s->order != NULL && spare == NULL ? OCLM_ERR_MEMORY : OCLM_OK;
    if (status != OCLM_OK)
        return status;
    s->unpack(s, first_row, rows, codes->codes);
    for (uint64_t row = 0; row < rows && status == OCLM_OK; row++) {
        uint8_t *const here = codes->codes + row * s->columns;
        if (s->storage.code == CORE_CODE_INT)
            shift_codes(s, first_row + row, here);
        if (s->storage.code == CORE_CODE_E4M3 && has_nan(here, s->columns))
            status = fail_not_a_number(tensor, "weight", first_row + row);
        if (s->order != NULL)
            reorder(s, here, spare);
        if (status == OCLM_OK)
            status = read_scales(tensor, first_row + row, row, codes);
    }
    core_free(spare);
    return status;
}

/* Of integers, without the detour: here a zero point may leave any difference. */
static oclm_status integer_values(const ckpt_tensor *tensor, uint64_t row, const uint8_t *codes, float *values)
{
    const ckpt_source *const s = tensor->quantized->source;
    uint64_t last = UINT64_MAX;
    int32_t  zero = 0;
    float    scale = 0.0f;
    for (uint64_t k = 0; k < s->columns; k++) {
        const uint64_t here = group_of(s, k);
        if (here != last) {
            scale = s->scale(s, row, here);
            zero = s->zero != NULL ? (int32_t)s->zero(s, row, here) : (int32_t)s->shift;
            last = here;
            if (!isfinite(scale))
                return fail_not_a_number(tensor, "scale", row);
        }
        values[k] = scale * (float)((int32_t)codes[k] - zero);
    }
    return OCLM_OK;
}

static oclm_status read_values(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, float *values)
{
    const ckpt_source *const s = tensor->quantized->source;
    const uint64_t together = rows < ROWS_AT_A_TIME ? rows : ROWS_AT_A_TIME;
    core_codes     codes;
    oclm_status    status = core_codes_new(&s->storage, together, s->columns, &codes);
    for (uint64_t row = 0; row < rows && status == OCLM_OK; row += together) {
        const uint64_t here = rows - row < together ? rows - row : together;
        if (s->code != CORE_CODE_UINT) {
            if ((status = read_codes(tensor, first_row + row, here, &codes)) == OCLM_OK)
                core_codes_values(&s->storage, &codes, here, s->columns, values + row * s->columns);
            continue;
        }
        s->unpack(s, first_row + row, here, codes.codes);
        for (uint64_t i = 0; i < here && status == OCLM_OK; i++)
            status = integer_values(tensor, first_row + row + i, codes.codes + i * s->columns, values + (row + i) * s->columns);
    }
    core_codes_free(&codes);
    return status;
}
