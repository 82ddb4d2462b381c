/* test_quantize.c: codes and scales are those of bitsandbytes, bit for bit (golden/quantized.json, made by make_quantized.py); and rows are
 * the same whatever pieces they are read in. */
#include "core/unit.h"

#include <stdio.h>

#include "checkpoint/quantize.h"
#include "core/json.h"
#include "core/memory.h"

static cJSON *golden;

static int open_golden(void **state)
{
    (void)state;
    return core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/quantized.json", 1u << 20, &golden) == OCLM_OK ? 0 : -1;
}

static int close_golden(void **state)
{
    (void)state;
    cJSON_Delete(golden);
    return 0;
}

/* What a case says. */
typedef struct quant_case {
    uint64_t           rows, columns;
    uint32_t           seed;
    ckpt_quantize_kind kind;
    core_dtype         dtype;
    bool               nested;
    const cJSON       *tree;
    char               label[80];
} quant_case;

static quant_case read_case(const cJSON *tree)
{
    quant_case  c = { .tree = tree };
    const char *kind = core_json_member(tree, "kind")->valuestring, *dtype = core_json_member(tree, "dtype")->valuestring;
    c.rows = (uint64_t)core_json_member(tree, "rows")->valuedouble;
    c.columns = (uint64_t)core_json_member(tree, "columns")->valuedouble;
    c.seed = (uint32_t)core_json_member(tree, "seed")->valuedouble;
    c.kind = strcmp(kind, "int8") == 0 ? CKPT_QUANTIZE_INT8 : strcmp(kind, "nf4") == 0 ? CKPT_QUANTIZE_NF4 : CKPT_QUANTIZE_FP4;
    c.dtype = strcmp(dtype, "float32") == 0 ? CORE_F32 : strcmp(dtype, "float16") == 0 ? CORE_F16 : CORE_BF16;
    c.nested = cJSON_IsTrue(core_json_member(tree, "nested"));
    snprintf(c.label, sizeof c.label, "%s of %u x %u in %s", kind, (unsigned)c.rows, (unsigned)c.columns, dtype);
    return c;
}

/* The bytes of a member in hexadecimal digits; the caller frees them. */
static uint8_t *bytes_of(const quant_case *c, const char *name, size_t *count)
{
    const char *text = core_json_member(c->tree, name)->valuestring;
    *count = strlen(text) / 2;
    uint8_t *bytes = core_alloc_array(*count + 1, 1, name);
    assert_non_null(bytes);
    for (size_t i = 0; i < *count; i++) {
        unsigned byte;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    return bytes;
}

static void same_bytes(const quant_case *c, const char *name, const void *made)
{
    size_t   count;
    uint8_t *want = bytes_of(c, name, &count);
    for (size_t i = 0; i < count; i++) {
        if (((const uint8_t *)made)[i] != want[i])
            fail_msg("%s: byte %zu of %zu of %s is %02x, not %02x", c->label, i, count, name, ((const uint8_t *)made)[i], want[i]);
    }
    core_free(want);
}

/* make_quantized.py's weight(), rounded to the case's type. */
static float *make_weight(const quant_case *c)
{
    const size_t count = (size_t)(c->rows * c->columns);
    float       *values = core_alloc_array(count, sizeof *values, "a weight");
    uint32_t     number = c->seed;
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        number = number * 1664525u + 1013904223u;
        values[i] = i % 37 ? (float)(((number >> 8) / 16777216.0 - 0.5) * 0.2) : 0.0625f;
        values[i] = c->dtype == CORE_F16 ? core_f16_to_f32(core_f32_to_f16(values[i]))
                    : c->dtype == CORE_BF16 ? core_bf16_to_f32(core_f32_to_bf16(values[i])) : values[i];
        if (c->kind != CKPT_QUANTIZE_INT8 && c->seed % 2 == 0 && i < 64)
            values[i] = 0.0f;
    }
    return values;
}

static void check_int8(const quant_case *c, const float *values)
{
    const size_t columns = (size_t)c->columns;
    float       *absmax = core_alloc_array((size_t)c->rows, sizeof *absmax, "absmax");
    int8_t      *codes = core_alloc_array((size_t)c->rows * columns, 1, "codes");
    for (size_t row = 0; row < c->rows; row++)
        ckpt_quantize_row8(values + row * columns, columns, &absmax[row], codes + row * columns);
    same_bytes(c, "absmax", absmax);
    same_bytes(c, "codes", codes);
    core_free(absmax);
    core_free(codes);
}

static void check_4bit(const quant_case *c, const float *values)
{
    const size_t count = (size_t)(c->rows * c->columns), blocks = (count + 63) / 64;
    float       *absmax = core_alloc_array(blocks, sizeof *absmax, "absmax"), nested[8], offset;
    uint8_t     *codes = core_alloc_zero(count + 1, 1, "codes"), *small = core_alloc_array(blocks, 1, "codes of absmax");
    for (size_t b = 0; b < blocks; b++)
        ckpt_quantize_block4(c->kind, values + 64 * b, count - 64 * b < 64 ? count - 64 * b : 64, &absmax[b], codes + 64 * b);
    for (size_t i = 0; i < count / 2; i++)
        codes[i] = (uint8_t)(codes[2 * i] << 4 | codes[2 * i + 1]);
    same_bytes(c, "codes", codes);
    if (!c->nested)
        same_bytes(c, "absmax", absmax);
    if (c->nested) {
        ckpt_quantize_absmax(absmax, blocks, small, nested, &offset);
        same_bytes(c, "offset", &offset);
        same_bytes(c, "nested_absmax", nested);
        same_bytes(c, "absmax", small);
    }
    core_free(absmax);
    core_free(codes);
    core_free(small);
}

static void codes_and_scales_are_those_of_bitsandbytes(void **state)
{
    size_t count = 0;
    (void)state;
    for (const cJSON *tree = core_json_member(golden, "cases")->child; tree != NULL; tree = tree->next, count++) {
        const quant_case c = read_case(tree);
        float           *values = make_weight(&c);
        if (c.kind == CKPT_QUANTIZE_INT8)
            check_int8(&c, values);
        else
            check_4bit(&c, values);
        core_free(values);
    }
    assert_int_equal(count, 12);
}

static void a_mean_is_that_of_torch(void **state)
{
    (void)state;
    for (const cJSON *tree = core_json_member(golden, "means")->child; tree != NULL; tree = tree->next) {
        quant_case c = { .rows = 1, .kind = CKPT_QUANTIZE_INT8, .dtype = CORE_F32, .tree = tree };
        c.seed = (uint32_t)core_json_member(tree, "count")->valuedouble;
        c.columns = c.seed;
        snprintf(c.label, sizeof c.label, "the mean of %u", c.seed);
        float      *values = make_weight(&c);
        const float mean = ckpt_quantize_mean(values, c.seed);
        same_bytes(&c, "mean", &mean);
        core_free(values);
    }
}

/* Rows of a quantizer from `first` on as values. */
static void rows_as_values(const ckpt_quantizer *q, uint64_t first, uint64_t rows, float *values)
{
    core_codes codes;
    if (q->quantized.read == NULL) {
        assert_int_equal(q->quantized.read_values(&q->tensor, first, rows, values), OCLM_OK);
        return;
    }
    assert_int_equal(core_codes_new(&q->quantized.storage, rows, q->columns, &codes), OCLM_OK);
    assert_int_equal(q->quantized.read(&q->tensor, first, rows, &codes), OCLM_OK);
    core_codes_values(&q->quantized.storage, &codes, rows, q->columns, values);
    core_codes_free(&codes);
}

static void check_quantizer(const quant_case *c, const float *stored, bool transposed)
{
    const size_t      count = (size_t)(c->rows * c->columns);
    const ckpt_tensor plain = { .name = "w", .dtype = CORE_F32, .dims = 2, .elements = count, .data = stored, .bytes = count * sizeof(float),
                                .shape = { transposed ? c->columns : c->rows, transposed ? c->rows : c->columns } };
    float            *whole = core_alloc_array(2 * count, sizeof *whole, "values"), *pieces = whole + count;
    ckpt_quantizer    q;
    assert_int_equal(ckpt_quantizer_open(&plain, transposed, c->kind, c->nested, CORE_F32, &q), OCLM_OK);
    rows_as_values(&q, 0, c->rows, whole);
    for (uint64_t row = 0; row < c->rows; row++)
        rows_as_values(&q, row, 1, pieces + row * c->columns);
    if (memcmp(whole, pieces, count * sizeof *whole) != 0)
        fail_msg("%s%s: single rows differ from all at once", c->label, transposed ? ", transposed" : "");
    if (core_json_member(c->tree, "values") != NULL)
        same_bytes(c, "values", whole);
    ckpt_quantizer_close(&q);
    core_free(whole);
}

static void a_plain_tensor_is_read_as_if_it_were_quantised(void **state)
{
    (void)state;
    for (const cJSON *tree = core_json_member(golden, "cases")->child; tree != NULL; tree = tree->next) {
        const quant_case c = read_case(tree);
        float           *values = make_weight(&c), *turned = core_alloc_array((size_t)(c.rows * c.columns), sizeof *turned, "a weight");
        for (size_t i = 0; i < c.rows * c.columns; i++)
            turned[i % c.columns * c.rows + i / c.columns] = values[i];
        check_quantizer(&c, values, false);
        check_quantizer(&c, turned, true);
        core_free(values);
        core_free(turned);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_scales_are_those_of_bitsandbytes),
        cmocka_unit_test(a_mean_is_that_of_torch),
        cmocka_unit_test(a_plain_tensor_is_read_as_if_it_were_quantised),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
