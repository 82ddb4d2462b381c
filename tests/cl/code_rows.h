/* code_rows.h: for tests of products by weights that are codes: storages as files have them, random rows of each, such rows on the device, and
 * their product as every kernel computes it, bit by bit. */
#ifndef OCLM_TESTS_CL_CODE_ROWS_H
#define OCLM_TESTS_CL_CODE_ROWS_H

#include "cl/matrices.h"
#include "core/storage.h"

/* Each code, each number of bits, each kind of scale and minimum, each sort of group. */
static const struct {
    const char  *label;
    core_storage s;
} code_storages[] = {
    { "Q4_0", { CORE_CODE_INT, 4, CORE_SCALE_F16, CORE_SCALE_NONE, 0, 32 } },
    { "Q4_1", { CORE_CODE_UINT, 4, CORE_SCALE_F16, CORE_SCALE_F16, 0, 32 } },
    { "Q5_0", { CORE_CODE_INT, 5, CORE_SCALE_F16, CORE_SCALE_NONE, 0, 32 } },
    { "Q5_K", { CORE_CODE_UINT, 5, CORE_SCALE_U8_F16, CORE_SCALE_U8_F16, 0, 32 } },
    { "Q8_0", { CORE_CODE_INT, 8, CORE_SCALE_F16, CORE_SCALE_NONE, 0, 32 } },
    { "Q2_K", { CORE_CODE_UINT, 2, CORE_SCALE_U8_F16, CORE_SCALE_U8_F16, 0, 16 } },
    { "Q3_K", { CORE_CODE_INT, 3, CORE_SCALE_I8_F16, CORE_SCALE_NONE, 0, 16 } },
    { "Q4_K", { CORE_CODE_UINT, 4, CORE_SCALE_U8_F16, CORE_SCALE_U8_F16, 0, 32 } },
    { "Q6_K", { CORE_CODE_INT, 6, CORE_SCALE_I8_F16, CORE_SCALE_NONE, 0, 16 } },
    { "IQ4_XS", { CORE_CODE_TABLE, 4, CORE_SCALE_I8_F16, CORE_SCALE_NONE, CORE_TABLE_IQ4_NL, 32 } },
    { "MXFP4", { CORE_CODE_TABLE, 4, CORE_SCALE_E8M0, CORE_SCALE_NONE, CORE_TABLE_MXFP4, 32 } },
    { "nf4", { CORE_CODE_TABLE, 4, CORE_SCALE_F32, CORE_SCALE_NONE, CORE_TABLE_NF4, 64 } },
    { "fp4", { CORE_CODE_TABLE, 4, CORE_SCALE_F32, CORE_SCALE_NONE, CORE_TABLE_FP4, 16 } },
    { "bitsandbytes' int8", { CORE_CODE_INT, 8, CORE_SCALE_F32, CORE_SCALE_NONE, 0, CORE_WHOLE_ROW } },
    { "GPTQ, 4 bits", { CORE_CODE_INT, 4, CORE_SCALE_F16, CORE_SCALE_NONE, 0, 128 } },
    { "GPTQ, 3 bits with zeros", { CORE_CODE_UINT, 3, CORE_SCALE_F16, CORE_SCALE_F32, 0, 64 } },
    { "AWQ", { CORE_CODE_UINT, 4, CORE_SCALE_F32, CORE_SCALE_F32, 0, 128 } },
    { "two bits, a row", { CORE_CODE_INT, 2, CORE_SCALE_F16, CORE_SCALE_NONE, 0, CORE_WHOLE_ROW } },
    { "six bits, unsigned", { CORE_CODE_UINT, 6, CORE_SCALE_E8M0, CORE_SCALE_F16, 0, 64 } },
    { "eight bits, unsigned", { CORE_CODE_UINT, 8, CORE_SCALE_F16, CORE_SCALE_F16, 0, 192 } },
    { "fp8", { CORE_CODE_E4M3, 8, CORE_SCALE_F32, CORE_SCALE_NONE, 0, 128 } },
    { "fp8, a row", { CORE_CODE_E4M3, 8, CORE_SCALE_F32, CORE_SCALE_NONE, 0, CORE_WHOLE_ROW } },
};

/* Scales or minima: of a few sizes, so that no group is lost beside another. */
static inline void fill_numbers(numbers *n, core_scale kind, void *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float value = next_number(n) * 0.05f + (i % 3 == 0 ? 0.03f : 0.01f);
        switch (kind) {
        case CORE_SCALE_F32: ((float *)to)[i] = value; break;
        case CORE_SCALE_F16: ((uint16_t *)to)[i] = core_f32_to_f16(value); break;
        case CORE_SCALE_E8M0: ((uint8_t *)to)[i] = (uint8_t)(121 + i % 4); break;
        default: ((uint8_t *)to)[i] = (uint8_t)(int)(next_number(n) * 127.5f + 127.5f); break;
        }
    }
}

static inline void fill_supers(numbers *n, uint16_t *to, size_t count)
{
    for (size_t i = 0; i < count && to != NULL; i++)
        to[i] = core_f32_to_f16(next_number(n) * 0.001f);
}

/* Random rows. No code is NaN. Free with core_codes_free(). */
static inline core_codes new_codes(uint64_t seed, const core_storage *s, uint32_t rows, uint32_t columns)
{
    const size_t groups = (size_t)core_storage_groups(s, columns), super = (size_t)core_storage_super_groups(columns);
    numbers      n = { seed * 2654435761u + 1 };
    core_codes   c;
    assert_ok(core_codes_new(s, rows, columns, &c));
    for (size_t i = 0; i < (size_t)rows * columns; i++) {
        n.state = n.state * 6364136223846793005u + 1442695040888963407u;
        c.codes[i] = (uint8_t)(n.state >> 40) & (uint8_t)((1u << s->bits) - 1);
        if (s->code == CORE_CODE_E4M3 && (c.codes[i] & 0x7f) == 0x7f)
            c.codes[i] ^= 1;
    }
    fill_numbers(&n, (core_scale)s->scale, c.scales, rows * groups);
    if (s->minimum != CORE_SCALE_NONE)
        fill_numbers(&n, (core_scale)s->minimum, c.minima, rows * groups);
    fill_supers(&n, c.super_scales, rows * super);
    fill_supers(&n, c.super_minima, rows * super);
    return c;
}

/* A whole matrix of them. */
static inline dev_matrix new_code_matrix(dev_device *device, const core_storage *s, const core_codes *codes, uint32_t rows, uint32_t columns)
{
    const dev_matrix_run   run = { .storage = *s, .rows = rows };
    const dev_codes_source source = { .codes = codes, .rows = rows, .columns = columns, .panel_step = 1 };
    dev_matrix             matrix = { 0 };
    assert_ok(dev_matrix_new_stored(device, &run, 1, columns, "a test's matrix", &matrix));
    assert_ok(dev_matrix_fill_codes(device, dev_queue(device), &matrix, &source));
    return matrix;
}

/* Rows taken apart, by core_codes_values() itself: codes without scales, scales times one. [rows][columns] each. */
typedef struct code_parts {
    float *codes, *scales, *minima, *values;
} code_parts;

static inline code_parts new_code_parts(const core_storage *s, const core_codes *c, uint32_t rows, uint32_t columns)
{
    const size_t count = (size_t)rows * columns;
    float       *all = core_alloc_array(4 * count + rows, sizeof *all, "codes taken apart");
    uint8_t     *ones = core_alloc_array(count, 1, "ones");
    assert_non_null(all);
    assert_non_null(ones);
    const code_parts p = { all, all + count, all + 2 * count, all + 3 * count };
    float *const     one_each = all + 4 * count;
    for (uint32_t r = 0; r < rows; r++)
        one_each[r] = 1.0f;
    memset(ones, 1, count);
    core_storage bare = *s, scale = { CORE_CODE_UINT, 8, s->scale, CORE_SCALE_NONE, 0, s->group }, minimum = scale;
    bare.scale = CORE_SCALE_F32;
    bare.minimum = CORE_SCALE_NONE;
    bare.group = CORE_WHOLE_ROW;
    minimum.scale = s->minimum;
    core_codes_values(&bare, &(core_codes){ .codes = c->codes, .scales = one_each }, rows, columns, p.codes);
    core_codes_values(&scale, &(core_codes){ .codes = ones, .scales = c->scales, .super_scales = c->super_scales }, rows, columns, p.scales);
    if (s->minimum == CORE_SCALE_NONE)
        memset(p.minima, 0, count * sizeof(float));
    else
        core_codes_values(&minimum, &(core_codes){ .codes = ones, .scales = c->minima, .super_scales = c->super_minima }, rows, columns, p.minima);
    core_codes_values(s, c, rows, columns, p.values);
    core_free(ones);
    return p;
}

static inline void free_code_parts(code_parts *p) { core_free(p->codes); }

static inline float mul_add_as(bool once, float a, float b, float c)
{
    const volatile float product = a * b; /* volatile: rounded */
    return once ? fmaf(a, b, c) : product + c;
}

static inline float sum_of_span(const float *x, uint32_t count)
{
    float p[8] = { 0 };
    for (uint32_t k = 0; k < count; k++)
        p[k % 8] += x[k];
    return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
}

/* One output as kernels compute it, on a device that rounds a product and a sum once, or twice. */
static inline float multiply_codes(const core_storage *s, const code_parts *p, uint32_t row, const float *x, uint32_t columns, bool once)
{
    const uint32_t span = s->group == CORE_WHOLE_ROW || s->group > 64 ? 64 : s->group;
    const size_t   at = (size_t)row * columns;
    float          total = 0;
    for (uint32_t begin = 0; begin < columns; begin += span) {
        const uint32_t count = columns - begin < span ? columns - begin : span;
        float          sum = 0;
        for (uint32_t k = begin; k < begin + count; k++)
            sum = mul_add_as(once, x[k], p->codes[at + k], sum);
        total = mul_add_as(once, p->scales[at + begin], sum, total);
        if (s->minimum != CORE_SCALE_NONE)
            total = mul_add_as(once, p->minima[at + begin], sum_of_span(x + begin, count), total);
    }
    return total;
}

/* The same in double, of the reference decoder's values; and how much float may differ from it. */
static inline double exact_product(const code_parts *p, uint32_t row, const float *x, uint32_t columns, double *error)
{
    const size_t at = (size_t)row * columns;
    double       sum = 0, size = 0;
    for (uint32_t k = 0; k < columns; k++) {
        sum += (double)x[k] * (double)p->values[at + k];
        size += fabs((double)x[k]) * (fabs((double)p->scales[at + k] * (double)p->codes[at + k]) + fabs((double)p->minima[at + k]));
    }
    *error = (64 + columns / 8.0 + 8) * 0x1p-24 * size; /* terms of a span, spans, of 16 each with a minimum, and what a value was rounded */
    return sum;
}

#endif
