/* storage.c: descriptions of stored weights, and what their codes stand for. Sources of the tables: bitsandbytes' create_normal_map() and
 * FP4 tree, ggml's kvalues_iq4nl, the OCP microscaling specification. */
#include "core/storage.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"

static const float tables[CORE_TABLE_COUNT][16] = {
    [CORE_TABLE_NF4] = { -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
                         -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f,
                         0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f },
    [CORE_TABLE_FP4] = { 0.0f, 0.0625f / 12.0f, 8.0f / 12.0f, 1.0f, 4.0f / 12.0f, 6.0f / 12.0f, 2.0f / 12.0f, 3.0f / 12.0f, -0.0f,
                         -0.0625f / 12.0f, -8.0f / 12.0f, -1.0f, -4.0f / 12.0f, -6.0f / 12.0f, -2.0f / 12.0f, -3.0f / 12.0f },
    [CORE_TABLE_IQ4_NL] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 },
    [CORE_TABLE_MXFP4] = { 0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f, -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f },
};
static const char *const table_names[CORE_TABLE_COUNT] = { "nf4", "fp4", "iq4_nl", "mxfp4" };
static const char *const scale_names[CORE_SCALE_COUNT] = { "no", "float32", "float16", "e8m0", "two-level signed", "two-level" };

core_storage core_storage_of(core_dtype dtype)
{
    return (core_storage){ .code = (uint8_t)dtype, .bits = (uint8_t)(8 * core_dtype_size(dtype)) };
}

bool core_storage_equal(const core_storage *a, const core_storage *b)
{
    return a->code == b->code && a->bits == b->bits && a->scale == b->scale && a->minimum == b->minimum && a->table == b->table &&
           a->group == b->group;
}

static bool has_such_bits(const core_storage *s)
{
    switch (s->code) {
    case CORE_CODE_INT: case CORE_CODE_UINT: return (s->bits >= 2 && s->bits <= 6) || s->bits == 8;
    case CORE_CODE_TABLE: return s->bits == 4 && s->table < CORE_TABLE_COUNT;
    case CORE_CODE_E4M3: return s->bits == 8;
    default: return false;
    }
}

bool core_storage_is_valid(const core_storage *s)
{
    if (core_storage_is_float(s))
        return s->scale == CORE_SCALE_NONE && s->minimum == CORE_SCALE_NONE && s->group == 0;
    return has_such_bits(s) && s->scale > CORE_SCALE_NONE && s->scale < CORE_SCALE_COUNT &&
           (s->minimum <= CORE_SCALE_F16 || s->minimum == CORE_SCALE_U8_F16) &&
           (s->group == 16 || s->group == 32 || s->group % 64 == 0);
}

const char *core_storage_name(const core_storage *s, char into[96])
{
    char group[24] = "a row";
    if (core_storage_is_float(s))
        return core_dtype_long_name(core_dtype_public((core_dtype)s->code));
    if (s->group != CORE_WHOLE_ROW)
        snprintf(group, sizeof group, "%u", s->group);
    snprintf(into, 96, "%u-bit %s, %s to a %s scale%s%s%s", s->bits,
             s->code == CORE_CODE_TABLE ? table_names[s->table] : s->code == CORE_CODE_E4M3 ? "e4m3" : s->code == CORE_CODE_INT ? "signed"
                                                                                                                                : "unsigned",
             group, scale_names[s->scale], s->minimum != CORE_SCALE_NONE ? " and " : "",
             s->minimum != CORE_SCALE_NONE ? scale_names[s->minimum] : "", s->minimum != CORE_SCALE_NONE ? " minimum" : "");
    return into;
}

const float *core_storage_table(core_table table) { return tables[table]; }

size_t core_scale_size(core_scale scale)
{
    static const uint8_t sizes[CORE_SCALE_COUNT] = { 0, 4, 2, 1, 1, 1 };
    return sizes[scale];
}

double core_storage_bits_per_weight(const core_storage *s, uint64_t columns)
{
    const double groups = (double)core_storage_groups(s, columns), super = (double)core_storage_super_groups(columns);
    const double each = 8.0 * (double)(core_scale_size(s->scale) + core_scale_size(s->minimum));
    const double levels = (core_scale_has_levels(s->scale) ? 16.0 : 0.0) + (core_scale_has_levels(s->minimum) ? 16.0 : 0.0);
    return s->bits + (groups * each + super * levels) / (double)columns;
}

/* ---- Rows of codes */

oclm_status core_codes_new(const core_storage *s, uint64_t rows, uint64_t columns, core_codes *codes)
{
    const size_t groups = (size_t)core_storage_groups(s, columns), super = (size_t)core_storage_super_groups(columns);
    const size_t super_scales = core_scale_has_levels(s->scale) ? (size_t)rows * super * 2 : 0;
    const size_t super_minima = core_scale_has_levels(s->minimum) ? (size_t)rows * super * 2 : 0;
    const size_t scales = ((size_t)rows * groups * core_scale_size(s->scale) + 3) / 4 * 4;
    const size_t minima = ((size_t)rows * groups * core_scale_size(s->minimum) + 3) / 4 * 4;
    char        *all = core_alloc_zero(scales + minima + super_scales + super_minima + (size_t)rows * columns, 1, "rows of a quantised weight");
    memset(codes, 0, sizeof *codes);
    if (all == NULL)
        return OCLM_ERR_MEMORY;
    /* Scales first: what comes from the allocator is aligned. */
    codes->scales = all;
    codes->minima = minima > 0 ? all + scales : NULL;
    codes->super_scales = super_scales > 0 ? (uint16_t *)(void *)(all + scales + minima) : NULL;
    codes->super_minima = super_minima > 0 ? (uint16_t *)(void *)(all + scales + minima + super_scales) : NULL;
    codes->codes = (uint8_t *)all + scales + minima + super_scales + super_minima;
    return OCLM_OK;
}

void core_codes_free(core_codes *codes)
{
    core_free(codes->scales);
    memset(codes, 0, sizeof *codes);
}

static float number_of(core_scale kind, const void *values, const uint16_t *super, size_t at, size_t super_at)
{
    switch (kind) {
    case CORE_SCALE_F32: return ((const float *)values)[at];
    case CORE_SCALE_F16: return core_f16_to_f32(((const uint16_t *)values)[at]);
    case CORE_SCALE_E8M0: return core_e8m0_to_f32(((const uint8_t *)values)[at]);
    case CORE_SCALE_I8_F16: return core_f16_to_f32(super[super_at]) * (float)((const int8_t *)values)[at];
    case CORE_SCALE_U8_F16: return core_f16_to_f32(super[super_at]) * (float)((const uint8_t *)values)[at];
    default: return 0.0f;
    }
}

static float e4m3(uint8_t code)
{
    const int   exponent = code >> 3 & 15, mantissa = code & 7;
    const float magnitude = exponent == 0 ? (float)mantissa * 0x1p-9f : (float)(8 + mantissa) * (float)(1u << exponent) * 0x1p-10f;
    return code & 0x80 ? -magnitude : magnitude;
}

static float code_value(const core_storage *s, uint8_t code)
{
    switch (s->code) {
    case CORE_CODE_INT: return (float)(code >> (s->bits - 1) ? (int)code - (1 << s->bits) : (int)code);
    case CORE_CODE_TABLE: return tables[s->table][code & 15];
    case CORE_CODE_E4M3: return e4m3(code);
    default: return (float)code;
    }
}

void core_codes_values(const core_storage *s, const core_codes *codes, uint64_t rows, uint64_t columns, float *values)
{
    const size_t groups = (size_t)core_storage_groups(s, columns), super = (size_t)core_storage_super_groups(columns);
    const size_t group = s->group == CORE_WHOLE_ROW ? (size_t)columns : s->group;
    float        of[256];
    for (unsigned code = 0; code < 1u << s->bits; code++)
        of[code] = code_value(s, (uint8_t)code);
    for (size_t row = 0; row < rows; row++)
        for (size_t k = 0; k < columns; k++) {
            const size_t at = row * groups + k / group, super_at = row * super + k / CORE_SUPER_GROUP;
            const float  scale = number_of((core_scale)s->scale, codes->scales, codes->super_scales, at, super_at);
            const float  minimum = number_of((core_scale)s->minimum, codes->minima, codes->super_minima, at, super_at);
            const volatile float product = scale * of[codes->codes[row * columns + k]]; /* rounded before the sum, whatever the compiler may do */
            values[row * columns + k] = s->minimum == CORE_SCALE_NONE ? product : product + minimum;
        }
}
