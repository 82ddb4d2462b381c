/* blocks_write.c: blocks of 32 values: a float16 scale, for some a float16 minimum, for 5 bits a word of their highest, then the codes: of 4
 * bits, those of the second half stand in the high nibbles.
 *
 * The scale by which codes are rounded is the float32 one, its float16 is what is written: the reference does so. */
#include "checkpoint/blocks_write.h"

#include <math.h>
#include <string.h>

#include "core/dtype.h"

#define BLOCK 32

typedef struct block_kind {
    uint32_t type;
    size_t   values, bytes;
    unsigned bits;
    bool     minimum;
} block_kind;

static const block_kind kinds[] = {
    { CKPT_GGML_F32, 1, 4, 0, false },       { CKPT_GGML_F16, 1, 2, 0, false },      { CKPT_GGML_Q4_0, BLOCK, 18, 4, false },
    { CKPT_GGML_Q4_1, BLOCK, 20, 4, true },  { CKPT_GGML_Q5_0, BLOCK, 22, 5, false }, { CKPT_GGML_Q5_1, BLOCK, 24, 5, true },
    { CKPT_GGML_Q8_0, BLOCK, 34, 8, false },
};

static const block_kind *kind_of(uint32_t type)
{
    const block_kind *kind = kinds;
    while (kind->type != type)
        kind++;
    return kind;
}

size_t ckpt_block_values(uint32_t type)
{
    return kind_of(type)->values;
}

size_t ckpt_block_bytes(uint32_t type, size_t count)
{
    const block_kind *kind = kind_of(type);
    return count / kind->values * kind->bytes;
}

static void put16(uint8_t *to, uint16_t bits)
{
    to[0] = (uint8_t)bits;
    to[1] = (uint8_t)(bits >> 8);
}

/* The value that is furthest from 0, the first of several. */
static float furthest(const float *values)
{
    float found = values[0];
    for (size_t i = 1; i < BLOCK; i++) {
        if (fabsf(values[i]) > fabsf(found))
            found = values[i];
    }
    return found;
}

/* Rounded by cutting off, as the reference does; a scale too small for its inverse makes values that are no codes. */
static uint8_t code_of(float value, float most)
{
    return value >= most ? (uint8_t)most : value > 0 ? (uint8_t)value : 0;
}

/* With a minimum codes count up from it; without, half of them are below zero and the lowest is exactly the furthest value. */
static void find_codes(const block_kind *kind, const float *values, uint8_t *codes, float *scale, float *minimum)
{
    const float levels = (float)(1u << kind->bits), most = levels - 1;
    float       offset = levels / 2 + 0.5f;
    *minimum = 0;
    *scale = furthest(values) / -(levels / 2);
    if (kind->minimum) {
        float lowest = values[0], highest = values[0];
        for (size_t i = 1; i < BLOCK; i++) {
            lowest = values[i] < lowest ? values[i] : lowest;
            highest = values[i] > highest ? values[i] : highest;
        }
        *minimum = lowest;
        *scale = (highest - lowest) / most;
        offset = 0.5f;
    }
    const float inverse = *scale != 0 ? 1.0f / *scale : 0.0f;
    for (size_t i = 0; i < BLOCK; i++)
        codes[i] = code_of((values[i] - *minimum) * inverse + offset, most);
}

static void write_block(const block_kind *kind, const float *values, uint8_t *to)
{
    uint8_t  codes[BLOCK];
    uint32_t high = 0;
    float    scale, minimum;
    find_codes(kind, values, codes, &scale, &minimum);
    put16(to, core_f32_to_f16(scale));
    to += 2;
    if (kind->minimum) {
        put16(to, core_f32_to_f16(minimum));
        to += 2;
    }
    if (kind->bits == 5) {
        for (unsigned i = 0; i < BLOCK; i++)
            high |= (uint32_t)(codes[i] >> 4) << i;
        put16(to, (uint16_t)high);
        put16(to + 2, (uint16_t)(high >> 16));
        to += 4;
    }
    for (size_t i = 0; i < BLOCK / 2; i++)
        to[i] = (uint8_t)((codes[i] & 0xF) | codes[i + BLOCK / 2] << 4);
}

/* 8 bits: a half is rounded away from zero. */
static void write_block8(const float *values, uint8_t *to)
{
    const float scale = fabsf(furthest(values)) / 127;
    const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
    put16(to, core_f32_to_f16(scale));
    for (size_t i = 0; i < BLOCK; i++) {
        const float value = roundf(values[i] * inverse);
        to[2 + i] = (uint8_t)(int8_t)(value >= 127 ? 127 : value > -128 ? value : -128);
    }
}

static void write_plain(const block_kind *kind, float value, uint8_t *to)
{
    uint32_t bits;
    if (kind->type == CKPT_GGML_F16) {
        put16(to, core_f32_to_f16(value));
        return;
    }
    memcpy(&bits, &value, sizeof bits);
    put16(to, (uint16_t)bits);
    put16(to + 2, (uint16_t)(bits >> 16));
}

void ckpt_blocks_write(uint32_t type, const float *values, size_t count, uint8_t *blocks)
{
    const block_kind *kind = kind_of(type);
    for (size_t i = 0; i < count; i += kind->values, blocks += kind->bytes) {
        if (kind->bits == 0)
            write_plain(kind, values[i], blocks);
        else if (kind->bits == 8)
            write_block8(values + i, blocks);
        else
            write_block(kind, values + i, blocks);
    }
}
