/* dtype.c: the number types of weights: one table of names and sizes, and bit-exact conversions to and from float32. */
#include "core/dtype.h"

#include <string.h>

#include "core/memory.h"

static const struct {
    const char *name;
    size_t      size;
} dtypes[CORE_DTYPE_COUNT] = {
    [CORE_F32] = { "F32", 4 },      [CORE_F16] = { "F16", 2 },         [CORE_BF16] = { "BF16", 2 },
    [CORE_F64] = { "F64", 8 },      [CORE_I64] = { "I64", 8 },         [CORE_I32] = { "I32", 4 },
    [CORE_I16] = { "I16", 2 },      [CORE_I8] = { "I8", 1 },           [CORE_U8] = { "U8", 1 },
    [CORE_BOOL] = { "BOOL", 1 },    [CORE_F8_E4M3] = { "F8_E4M3", 1 }, [CORE_F8_E5M2] = { "F8_E5M2", 1 },
    [CORE_U16] = { "U16", 2 },      [CORE_U32] = { "U32", 4 },         [CORE_U64] = { "U64", 8 },
    [CORE_F8_E8M0] = { "F8_E8M0", 1 },
};

static const char *const long_names[] = {
    [OCLM_DTYPE_AUTO] = "auto",
    [OCLM_DTYPE_FLOAT32] = "float32",
    [OCLM_DTYPE_FLOAT16] = "float16",
    [OCLM_DTYPE_BFLOAT16] = "bfloat16",
};

size_t core_dtype_size(core_dtype dtype)
{
    return (size_t)dtype < COUNT(dtypes) ? dtypes[dtype].size : 0;
}

const char *core_dtype_name(core_dtype dtype)
{
    return (size_t)dtype < COUNT(dtypes) ? dtypes[dtype].name : "?";
}

bool core_dtype_from_name(const char *name, core_dtype *dtype)
{
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            *dtype = (core_dtype)i;
            return true;
        }
    }
    return false;
}

const char *core_dtype_long_name(oclm_dtype dtype)
{
    return (size_t)dtype < COUNT(long_names) ? long_names[dtype] : "?";
}

bool core_dtype_from_long_name(const char *name, oclm_dtype *dtype)
{
    if (strncmp(name, "torch.", 6) == 0)
        name += 6;
    for (size_t i = 0; i < COUNT(long_names); i++) {
        if (strcmp(name, long_names[i]) == 0) {
            *dtype = (oclm_dtype)i;
            return true;
        }
    }
    return false;
}

oclm_dtype core_dtype_public(core_dtype dtype)
{
    return dtype == CORE_F32    ? OCLM_DTYPE_FLOAT32
           : dtype == CORE_F16  ? OCLM_DTYPE_FLOAT16
           : dtype == CORE_BF16 ? OCLM_DTYPE_BFLOAT16
                                : OCLM_DTYPE_AUTO;
}

/* ---- Conversions, in integers: the same bits on every machine, whatever its rounding mode. */

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Half: 1 sign, 5 exponent (bias 15), 10 fraction. Float: 1, 8 (bias 127), 23. */
float core_f16_to_f32(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t       exponent = half >> 10 & 0x1F;
    uint32_t       fraction = half & 0x3FF;
    if (exponent == 31)
        return from_bits(sign | 0x7F800000 | fraction << 13); /* infinity; NaN keeps its payload */
    if (exponent == 0) {
        if (fraction == 0)
            return from_bits(sign);
        for (exponent = 1; (fraction & 0x400) == 0; exponent--) /* every subnormal half is a normal float */
            fraction <<= 1;
        fraction &= 0x3FF;
    }
    return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

float core_bf16_to_f32(uint16_t bits)
{
    return from_bits((uint32_t)bits << 16);
}

float core_e8m0_to_f32(uint8_t exponent)
{
    return from_bits(exponent == 0 ? 0x00400000u : (uint32_t)exponent << 23);
}

/* `value` >> `shift`, rounded to nearest, ties to even; 1 <= shift <= 24. */
static uint32_t shift_and_round(uint32_t value, uint32_t shift)
{
    const uint32_t half = 1u << (shift - 1);
    const uint32_t odd = value >> shift & 1;
    return (value + (half - 1) + odd) >> shift;
}

uint16_t core_f32_to_f16(float value)
{
    const uint32_t bits = to_bits(value);
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t size = bits & 0x7FFFFFFF;
    if (size > 0x7F800000) /* NaN: quiet, the payload's upper part stays */
        return (uint16_t)(sign | 0x7E00 | (size >> 13 & 0x3FF));
    if (size >= 0x47800000) /* 65536 and more, and infinity */
        return (uint16_t)(sign | 0x7C00);
    if (size >= 0x38800000) /* 2^-14 and more: normal. A carry out of the fraction rightly raises the exponent. */
        return (uint16_t)(sign | shift_and_round(size - 0x38000000, 13));
    if (size < 0x33000000) /* less than 2^-25, half of the smallest subnormal */
        return (uint16_t)sign;
    return (uint16_t)(sign | shift_and_round((size & 0x7FFFFF) | 0x800000, 126 - (size >> 23)));
}

uint16_t core_f32_to_bf16(float value)
{
    const uint32_t bits = to_bits(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return (uint16_t)(bits >> 16 | 0x40); /* rounding could turn a NaN into infinity */
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

void core_dtype_to_f32(core_dtype dtype, const void *from, float *to, size_t count)
{
    const unsigned char *p = from; /* tensors of a file need not be aligned */
    if (dtype == CORE_F32) {
        if (count > 0)
            memcpy(to, from, count * sizeof *to);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, p + 2 * i, sizeof bits);
        to[i] = dtype == CORE_F16 ? core_f16_to_f32(bits) : core_bf16_to_f32(bits);
    }
}
