/* test_dtype.c: number types, and conversions against the formula of IEEE 754 in double. */
#include "core/unit.h"

#include <math.h>

#include "core/dtype.h"

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* What a 16-bit pattern means, from the definition: (-1)^s * 2^(e - bias) * 1.f, or subnormal. Finite ones only. */
static double meaning(unsigned bits, int fraction_bits)
{
    const int    exponent_bits = 15 - fraction_bits;
    const int    bias = (1 << (exponent_bits - 1)) - 1;
    const int    exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    const double fraction = (double)(bits & ((1u << fraction_bits) - 1)) / (double)(1u << fraction_bits);
    const double size = exponent == 0 ? ldexp(fraction, 1 - bias) : ldexp(1.0 + fraction, exponent - bias);
    return bits & 0x8000 ? -size : size;
}

typedef struct format {
    const char *name;
    int         fraction_bits;
    unsigned    infinity;
    float (*to_f32)(uint16_t);
    uint16_t (*from_f32)(float);
} format;

static const format formats[] = {
    { "float16", 10, 0x7C00, core_f16_to_f32, core_f32_to_f16 },
    { "bfloat16", 7, 0x7F80, core_bf16_to_f32, core_f32_to_bf16 },
};

static void every_pattern_means_what_the_formula_says(void **state)
{
    (void)state;
    for (size_t f = 0; f < COUNT(formats); f++) {
        const format *const type = &formats[f];
        for (unsigned bits = 0; bits <= 0xFFFF; bits++) {
            const float value = type->to_f32((uint16_t)bits);
            const bool  is_nan = (bits & 0x7FFF) > type->infinity, is_infinite = (bits & 0x7FFF) == type->infinity;
            const bool  good = is_nan        ? isnan(value)
                               : is_infinite ? isinf(value) && (signbit(value) != 0) == (bits >> 15 != 0)
                                             : (double)value == meaning(bits, type->fraction_bits) &&
                                                  (signbit(value) != 0) == (bits >> 15 != 0);
            if (!good)
                fail_msg("%s 0x%04X: %a", type->name, bits, (double)value);
        }
    }
}

static void every_pattern_comes_back(void **state)
{
    (void)state;
    for (size_t f = 0; f < COUNT(formats); f++) {
        const format *const type = &formats[f];
        const unsigned      quiet = 1u << (type->fraction_bits - 1);
        for (unsigned bits = 0; bits <= 0xFFFF; bits++) {
            const unsigned want = (bits & 0x7FFF) > type->infinity ? bits | quiet : bits; /* a NaN becomes a quiet one */
            const unsigned got = type->from_f32(type->to_f32((uint16_t)bits));
            if (got != want)
                fail_msg("%s 0x%04X came back as 0x%04X", type->name, bits, got);
        }
    }
}

/* Between two neighbours: below the middle goes down, above it up, the middle itself to the even one. */
static void rounding_goes_to_the_nearest_and_ties_to_even(void **state)
{
    (void)state;
    for (size_t f = 0; f < COUNT(formats); f++) {
        const format *const type = &formats[f];
        for (unsigned sign = 0; sign <= 0x8000; sign += 0x8000) {
            for (unsigned low = 0; low < type->infinity; low++) {
                const unsigned high = low + 1; /* maybe infinity, whose place is where the next number would be */
                const double   a = meaning(low, type->fraction_bits);
                const double   b = high == type->infinity ? ldexp(1.0, type->fraction_bits == 10 ? 16 : 128)
                                                          : meaning(high, type->fraction_bits);
                const float    middle = (float)((a + b) / 2); /* exact: one bit more than 16 of them */
                const float    signed_middle = sign != 0 ? -middle : middle;
                const float    below = nextafterf(signed_middle, 0.0f);
                const float    above = nextafterf(signed_middle, sign != 0 ? -INFINITY : INFINITY);
                const unsigned even = low % 2 == 0 ? low : high;
                assert_true((double)middle == (a + b) / 2);
                if (type->from_f32(signed_middle) != (sign | even) || type->from_f32(below) != (sign | low) ||
                    type->from_f32(above) != (sign | high))
                    fail_msg("%s: around %a, between 0x%04X and 0x%04X: 0x%04X 0x%04X 0x%04X", type->name, (double)signed_middle,
                             low, high, type->from_f32(below), type->from_f32(signed_middle), type->from_f32(above));
            }
        }
    }
}

static void extremes_convert(void **state)
{
    static const struct {
        float    value;
        uint16_t f16, bf16;
    } extremes[] = {
        { 0.0f, 0x0000, 0x0000 },           { -0.0f, 0x8000, 0x8000 },          { INFINITY, 0x7C00, 0x7F80 },
        { -INFINITY, 0xFC00, 0xFF80 },      { 65504.0f, 0x7BFF, 0x4780 },       { 65519.996f, 0x7BFF, 0x4780 },
        { 65520.0f, 0x7C00, 0x4780 },       { 3.4028235e38f, 0x7C00, 0x7F80 },  { 0x1p-24f, 0x0001, 0x3380 },
        { 0x1p-25f, 0x0000, 0x3300 },       { 0x1.000002p-25f, 0x0001, 0x3300 }, { 0x1p-149f, 0x0000, 0x0000 },
        { -0x1p-149f, 0x8000, 0x8000 },     { 1.0f, 0x3C00, 0x3F80 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(extremes); i++) {
        const uint16_t f16 = core_f32_to_f16(extremes[i].value), bf16 = core_f32_to_bf16(extremes[i].value);
        if (f16 != extremes[i].f16 || bf16 != extremes[i].bf16)
            fail_msg("%a: 0x%04X and 0x%04X, want 0x%04X and 0x%04X", (double)extremes[i].value, f16, bf16, extremes[i].f16,
                     extremes[i].bf16);
    }
    for (uint32_t payload = 1; payload < 0x800000; payload = payload * 2 + 1) { /* a NaN stays one, however small its payload */
        const uint32_t bits = 0x7F800000 | payload;
        float          nan;
        memcpy(&nan, &bits, sizeof nan);
        assert_true((core_f32_to_f16(nan) & 0x7FFF) > 0x7C00);
        assert_true((core_f32_to_bf16(nan) & 0x7FFF) > 0x7F80);
    }
}

static void whole_tensors_convert_from_any_address(void **state)
{
    const float    values[] = { 1.5f, -2.0f, 0.0f, 1024.0f };
    unsigned char  bytes[1 + sizeof values];
    float          got[COUNT(values)];
    (void)state;
    for (int dtype = CORE_F32; dtype <= CORE_BF16; dtype++) {
        for (size_t i = 0; i < COUNT(values); i++) {
            const uint16_t half = dtype == CORE_F16 ? core_f32_to_f16(values[i]) : core_f32_to_bf16(values[i]);
            if (dtype == CORE_F32)
                memcpy(bytes + 1 + 4 * i, &values[i], 4);
            else
                memcpy(bytes + 1 + 2 * i, &half, 2);
        }
        memset(got, 0xFF, sizeof got);
        core_dtype_to_f32((core_dtype)dtype, bytes + 1, got, COUNT(values));
        for (size_t i = 0; i < COUNT(values); i++)
            assert_int_equal(bits_of(got[i]), bits_of(values[i]));
    }
}

static void names_and_sizes_belong_together(void **state)
{
    static const struct {
        const char *name;
        core_dtype  dtype;
        size_t      size;
    } known[] = {
        { "F32", CORE_F32, 4 }, { "F16", CORE_F16, 2 }, { "BF16", CORE_BF16, 2 }, { "F64", CORE_F64, 8 }, { "I64", CORE_I64, 8 },
        { "I32", CORE_I32, 4 }, { "I16", CORE_I16, 2 }, { "I8", CORE_I8, 1 }, { "U8", CORE_U8, 1 }, { "BOOL", CORE_BOOL, 1 },
        { "F8_E4M3", CORE_F8_E4M3, 1 }, { "F8_E5M2", CORE_F8_E5M2, 1 }, { "U16", CORE_U16, 2 }, { "U32", CORE_U32, 4 },
        { "U64", CORE_U64, 8 },
        { "F8_E8M0", CORE_F8_E8M0, 1 },
    };
    core_dtype dtype;
    (void)state;
    assert_int_equal(COUNT(known), CORE_DTYPE_COUNT);
    for (size_t i = 0; i < COUNT(known); i++) {
        assert_true(core_dtype_from_name(known[i].name, &dtype));
        assert_int_equal(dtype, known[i].dtype);
        assert_string_equal(core_dtype_name(dtype), known[i].name);
        assert_int_equal(core_dtype_size(dtype), known[i].size);
    }
    assert_false(core_dtype_from_name("f32", &dtype));
    assert_false(core_dtype_from_name("", &dtype));
    assert_false(core_dtype_from_name("F4", &dtype));
}

static void long_names_are_those_of_torch(void **state)
{
    static const struct {
        const char *name;
        oclm_dtype  dtype;
    } known[] = {
        { "auto", OCLM_DTYPE_AUTO }, { "float32", OCLM_DTYPE_FLOAT32 }, { "float16", OCLM_DTYPE_FLOAT16 },
        { "bfloat16", OCLM_DTYPE_BFLOAT16 }, { "torch.bfloat16", OCLM_DTYPE_BFLOAT16 }, { "torch.float32", OCLM_DTYPE_FLOAT32 },
    };
    oclm_dtype dtype;
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        assert_true(core_dtype_from_long_name(known[i].name, &dtype));
        assert_int_equal(dtype, known[i].dtype);
        assert_non_null(strstr(known[i].name, core_dtype_long_name(dtype)));
    }
    assert_false(core_dtype_from_long_name("float64", &dtype));
    assert_false(core_dtype_from_long_name("", &dtype));
    assert_int_equal(core_dtype_public(CORE_F32), OCLM_DTYPE_FLOAT32);
    assert_int_equal(core_dtype_public(CORE_F16), OCLM_DTYPE_FLOAT16);
    assert_int_equal(core_dtype_public(CORE_BF16), OCLM_DTYPE_BFLOAT16);
    assert_int_equal(core_dtype_public(CORE_I8), OCLM_DTYPE_AUTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_means_what_the_formula_says),
        cmocka_unit_test(every_pattern_comes_back),
        cmocka_unit_test(rounding_goes_to_the_nearest_and_ties_to_even),
        cmocka_unit_test(extremes_convert),
        cmocka_unit_test(whole_tensors_convert_from_any_address),
        cmocka_unit_test(names_and_sizes_belong_together),
        cmocka_unit_test(long_names_are_those_of_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
