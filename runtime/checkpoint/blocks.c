/* blocks.c: GGUF's blocks of quantised numbers, taken apart into codes, scales and minima (ggml/src/ggml-common.h has the layouts, ggml-quants.c
 * what they mean). Nothing is rounded: core_codes_values() of what comes out is what ggml's dequantize_row_*() gives.
 *
 *     d, m, dmin      float16: scale, minimum, and what the bytes of minima are multiples of
 *     q               a code; "x" is an element's place in its block
 *
 * Signed codes are stored with an offset (q - 8, q - 16, q - 32): flipping the top bit makes two's complement of that. */
#include "checkpoint/blocks.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"

static uint16_t u16_at(const uint8_t *data)
{
    return (uint16_t)(data[0] | data[1] << 8);
}

/* A float16 in the host's order. */
static void put_f16(uint8_t *to, uint16_t bits)
{
    memcpy(to, &bits, sizeof bits);
}

/* ---- Blocks of 32: codes of 16 bytes, x = j in the low nibble of byte j, x = j + 16 in the high one */

static void unpack_nibbles(const uint8_t *restrict qs, uint8_t flip, uint8_t *restrict codes)
{
    for (unsigned j = 0; j < 16; j++) {
        codes[j] = (qs[j] & 15) ^ flip;
        codes[j + 16] = (qs[j] >> 4) ^ flip;
    }
}

/* The same with a fifth bit each, bit x of the four bytes `qh`. */
static void unpack_fives(const uint8_t *qs, const uint8_t *restrict qh, uint8_t flip, uint8_t *restrict codes)
{
    static const uint8_t bit[32] = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
                                     1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
    uint8_t high[32];
    unpack_nibbles(qs, flip, codes);
    for (unsigned i = 0; i < 4; i++)
        memset(high + 8 * i, qh[i], 8);
    for (unsigned x = 0; x < 32; x++)
        codes[x] ^= (high[x] & bit[x]) != 0 ? 16 : 0;
}

/* d, qs[16]; d * (q - 8) */
static void unpack_q4_0(const uint8_t *data, const ckpt_block *to)
{
    put_f16(to->scales, u16_at(data));
    unpack_nibbles(data + 2, 8, to->codes);
}

/* d, m, qs[16]; d * q + m */
static void unpack_q4_1(const uint8_t *data, const ckpt_block *to)
{
    put_f16(to->scales, u16_at(data));
    put_f16(to->minima, u16_at(data + 2));
    unpack_nibbles(data + 4, 0, to->codes);
}

/* d, qh, qs[16]; d * (q - 16) */
static void unpack_q5_0(const uint8_t *data, const ckpt_block *to)
{
    put_f16(to->scales, u16_at(data));
    unpack_fives(data + 6, data + 2, 16, to->codes);
}

/* d, m, qh, qs[16]; d * q + m */
static void unpack_q5_1(const uint8_t *data, const ckpt_block *to)
{
    put_f16(to->scales, u16_at(data));
    put_f16(to->minima, u16_at(data + 2));
    unpack_fives(data + 8, data + 4, 0, to->codes);
}

/* d, int8[32]; d * q */
static void unpack_q8_0(const uint8_t *data, const ckpt_block *to)
{
    put_f16(to->scales, u16_at(data));
    memcpy(to->codes, data + 2, 32);
}

/* d, qs[16]; d * table[q] */
static void unpack_iq4_nl(const uint8_t *data, const ckpt_block *to)
{
    put_f16(to->scales, u16_at(data));
    unpack_nibbles(data + 2, 0, to->codes);
}

/* e, qs[16]; 2^(e - 127) * table[q], ggml's table and its 2^(e - 128) being twice and half of ours. e = 255, which stands for NaN (ggml: 2^127),
 * no quantiser writes. */
static void unpack_mxfp4(const uint8_t *data, const ckpt_block *to)
{
    to->scales[0] = data[0];
    unpack_nibbles(data + 1, 0, to->codes);
}

/* ---- Blocks of 256: a byte of scale for each 16 or 32, times a float16 for all */

/* The loops below run over 32 or 64 neighbours without a branch, so that compilers make vectors of them. */

/* Two bits each: x = 128 h + 32 s + l at bits 2s of byte 32 h + l. `shift` raises them in their codes, over what is there. */
static void add_two_bits(const uint8_t *restrict qs, unsigned shift, uint8_t *restrict codes)
{
    for (unsigned h = 0; h < 2; h++)
        for (unsigned s = 0; s < 4; s++)
            for (unsigned l = 0; l < 32; l++)
                codes[128 * h + 32 * s + l] |= (uint8_t)((uint8_t)(qs[32 * h + l] >> 2 * s & 3) << shift);
}

/* One bit each: x is bit x / 32 of byte x % 32. */
static void add_one_bit(const uint8_t *restrict qh, unsigned shift, uint8_t *restrict codes)
{
    for (unsigned s = 0; s < 8; s++)
        for (unsigned l = 0; l < 32; l++)
            codes[32 * s + l] |= (uint8_t)((uint8_t)(qh[l] >> s & 1) << shift);
}

static void flip(uint8_t bit, uint8_t *codes)
{
    for (unsigned x = 0; x < 256; x++)
        codes[x] ^= bit;
}

/* scales[16]: low nibble of the scale, high one of the minimum; qs[64], d, dmin; d * scale * q - dmin * minimum */
static void unpack_q2_k(const uint8_t *data, const ckpt_block *to)
{
    for (unsigned i = 0; i < 16; i++) {
        to->scales[i] = data[i] & 15;
        to->minima[i] = data[i] >> 4;
    }
    memset(to->codes, 0, 256);
    add_two_bits(data + 16, 0, to->codes);
    *to->super_scale = u16_at(data + 80);
    *to->super_minimum = u16_at(data + 82) ^ 0x8000;
}

/* hmask[32], qs[64], scales[12], d; d * (scale - 32) * (q - 4). The third bit of x is bit x / 32 of hmask[x % 32]. Scales have six bits: four
 * of scale i in the nibbles of bytes 0 .. 7, low ones first, two in bytes 8 .. 11. */
static void unpack_q3_k(const uint8_t *data, const ckpt_block *to)
{
    const uint8_t *const scales = data + 96;
    memset(to->codes, 0, 256);
    add_two_bits(data + 32, 0, to->codes);
    add_one_bit(data, 2, to->codes);
    flip(4, to->codes);
    for (unsigned i = 0; i < 16; i++) {
        const int low = i < 8 ? scales[i] & 15 : scales[i - 8] >> 4, high = scales[8 + i % 4] >> 2 * (i / 4) & 3;
        to->scales[i] = (uint8_t)(low + 16 * high - 32);
    }
    *to->super_scale = u16_at(data + 108);
}

/* d, dmin, and twelve bytes of eight scales and minima of six bits; what Q4_K and Q5_K begin with. */
static void unpack_k_scales(const uint8_t *data, const ckpt_block *to)
{
    const uint8_t *const packed = data + 4;
    *to->super_scale = u16_at(data);
    *to->super_minimum = u16_at(data + 2) ^ 0x8000;
    for (unsigned j = 0; j < 4; j++) {
        to->scales[j] = packed[j] & 63;
        to->minima[j] = packed[j + 4] & 63;
        to->scales[j + 4] = (uint8_t)((packed[j + 8] & 15) | (packed[j] >> 6) << 4);
        to->minima[j + 4] = (uint8_t)(packed[j + 8] >> 4 | (packed[j + 4] >> 6) << 4);
    }
}

/* qs[128]: of each `run` bytes the low nibbles, then the high ones */
static void unpack_k_nibbles(const uint8_t *restrict qs, unsigned run, uint8_t *restrict codes)
{
    for (unsigned at = 0; at < 128; at += run)
        for (unsigned l = 0; l < run; l++) {
            codes[2 * at + l] = qs[at + l] & 15;
            codes[2 * at + run + l] = qs[at + l] >> 4;
        }
}

/* d, dmin, scales[12], qs[128]; d * scale * q - dmin * minimum */
static void unpack_q4_k(const uint8_t *data, const ckpt_block *to)
{
    unpack_k_scales(data, to);
    unpack_k_nibbles(data + 16, 32, to->codes);
}

/* d, dmin, scales[12], qh[32], qs[128]; the fifth bit of x is bit x / 32 of qh[x % 32] */
static void unpack_q5_k(const uint8_t *data, const ckpt_block *to)
{
    unpack_k_scales(data, to);
    unpack_k_nibbles(data + 48, 32, to->codes);
    add_one_bit(data + 16, 4, to->codes);
}

/* ql[128], qh[64], int8 scales[16], d; d * scale * (q - 32). Of each 64 bytes of ql the low nibbles, then the high ones, with two bits above
 * from qh. */
static void unpack_q6_k(const uint8_t *data, const ckpt_block *to)
{
    unpack_k_nibbles(data, 64, to->codes);
    add_two_bits(data + 128, 4, to->codes);
    flip(32, to->codes);
    memcpy(to->scales, data + 192, 16);
    *to->super_scale = u16_at(data + 208);
}

/* d, u16 of two high bits of each scale, scales[4] of their low nibbles, qs[128]; d * (scale - 32) * table[q]. Each 16 bytes of qs are 32 values,
 * as in the blocks of 32. */
static void unpack_iq4_xs(const uint8_t *data, const ckpt_block *to)
{
    const unsigned high = u16_at(data + 2);
    *to->super_scale = u16_at(data);
    for (unsigned b = 0; b < 8; b++) {
        const unsigned low = data[4 + b / 2] >> 4 * (b % 2) & 15;
        to->scales[b] = (uint8_t)(low + 16 * (high >> 2 * b & 3) - 32);
        unpack_nibbles(data + 8 + 16 * b, 0, to->codes + 32 * b);
    }
}

/* ---- Types */

#define PLAIN(id, name, dtype, bytes) { id, name, 1, bytes, dtype, { 0 }, NULL }
/* code, bits, group, scale, minimum */
#define STORED(kind, bits_, group_, scale_, minimum_) \
    { .code = CORE_CODE_##kind, .bits = bits_, .group = group_, .scale = CORE_SCALE_##scale_, .minimum = CORE_SCALE_##minimum_ }
#define FROM_TABLE(table_, scale_) { .code = CORE_CODE_TABLE, .bits = 4, .group = 32, .scale = CORE_SCALE_##scale_, .table = CORE_TABLE_##table_ }

static const ckpt_block_type types[] = {
    PLAIN(0, "F32", CORE_F32, 4),
    PLAIN(1, "F16", CORE_F16, 2),
    PLAIN(30, "BF16", CORE_BF16, 2),
    PLAIN(28, "F64", CORE_F64, 8),
    PLAIN(24, "I8", CORE_I8, 1),
    PLAIN(25, "I16", CORE_I16, 2),
    PLAIN(26, "I32", CORE_I32, 4),
    PLAIN(27, "I64", CORE_I64, 8),
    { 2, "Q4_0", 32, 18, CORE_F32, STORED(INT, 4, 32, F16, NONE), unpack_q4_0 },
    { 3, "Q4_1", 32, 20, CORE_F32, STORED(UINT, 4, 32, F16, F16), unpack_q4_1 },
    { 6, "Q5_0", 32, 22, CORE_F32, STORED(INT, 5, 32, F16, NONE), unpack_q5_0 },
    { 7, "Q5_1", 32, 24, CORE_F32, STORED(UINT, 5, 32, F16, F16), unpack_q5_1 },
    { 8, "Q8_0", 32, 34, CORE_F32, STORED(INT, 8, 32, F16, NONE), unpack_q8_0 },
    { 10, "Q2_K", 256, 84, CORE_F32, STORED(UINT, 2, 16, U8_F16, U8_F16), unpack_q2_k },
    { 11, "Q3_K", 256, 110, CORE_F32, STORED(INT, 3, 16, I8_F16, NONE), unpack_q3_k },
    { 12, "Q4_K", 256, 144, CORE_F32, STORED(UINT, 4, 32, U8_F16, U8_F16), unpack_q4_k },
    { 13, "Q5_K", 256, 176, CORE_F32, STORED(UINT, 5, 32, U8_F16, U8_F16), unpack_q5_k },
    { 14, "Q6_K", 256, 210, CORE_F32, STORED(INT, 6, 16, I8_F16, NONE), unpack_q6_k },
    { 20, "IQ4_NL", 32, 18, CORE_F32, FROM_TABLE(IQ4_NL, F16), unpack_iq4_nl },
    { 23, "IQ4_XS", 256, 136, CORE_F32, FROM_TABLE(IQ4_NL, I8_F16), unpack_iq4_xs },
    { 39, "MXFP4", 32, 17, CORE_F32, FROM_TABLE(MXFP4, E8M0), unpack_mxfp4 },
};

/* Those that oclm does not read, for messages. */
static const struct {
    uint32_t    id;
    const char *name;
} others[] = {
    { 4, "Q4_2" },    { 5, "Q4_3" },   { 9, "Q8_1" },      { 15, "Q8_K" },     { 16, "IQ2_XXS" },  { 17, "IQ2_XS" },     { 18, "IQ3_XXS" },
    { 19, "IQ1_S" },  { 21, "IQ3_S" }, { 22, "IQ2_S" },    { 29, "IQ1_M" },    { 31, "Q4_0_4_4" }, { 32, "Q4_0_4_8" },   { 33, "Q4_0_8_8" },
    { 34, "TQ1_0" },  { 35, "TQ2_0" }, { 36, "IQ4_NL_4_4" }, { 37, "IQ4_NL_4_8" }, { 38, "IQ4_NL_8_8" }, { 40, "NVFP4" }, { 41, "Q1_0" },
};

const ckpt_block_type *ckpt_block_type_of(uint32_t id)
{
    for (size_t i = 0; i < COUNT(types); i++) {
        if (types[i].id == id)
            return &types[i];
    }
    return NULL;
}

const char *ckpt_block_type_name(uint32_t id, char into[24])
{
    const ckpt_block_type *const type = ckpt_block_type_of(id);
    if (type != NULL)
        return type->name;
    for (size_t i = 0; i < COUNT(others); i++) {
        if (others[i].id == id)
            return others[i].name;
    }
    snprintf(into, 24, "number %u", id);
    return into;
}

/* ---- Rows */

oclm_status ckpt_blocks_read(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, const core_codes *codes)
{
    const ckpt_block_type *const type = tensor->quantized->source;
    const core_storage *const    storage = &type->storage;
    const size_t blocks = (size_t)(tensor->shape[tensor->dims - 1] / type->elements); /* of a row, which they fill */
    const size_t groups = type->elements / storage->group; /* of a block */
    const size_t scales = groups * core_scale_size((core_scale)storage->scale), minima = groups * core_scale_size((core_scale)storage->minimum);
    const bool   super_scales = core_scale_has_levels((core_scale)storage->scale), super_minima = core_scale_has_levels((core_scale)storage->minimum);
    const uint8_t *data = (const uint8_t *)tensor->data + (size_t)first_row * blocks * type->bytes;
    ckpt_block     to = { codes->codes, codes->scales, codes->minima, codes->super_scales, codes->super_minima };
    for (size_t i = (size_t)rows * blocks; i > 0; i--) {
        type->unpack(data, &to);
        data += type->bytes;
        to.codes += type->elements;
        to.scales += scales;
        to.minima = minima > 0 ? to.minima + minima : NULL;
        to.super_scale = super_scales ? to.super_scale + 1 : NULL;
        to.super_minimum = super_minima ? to.super_minimum + 1 : NULL;
    }
    return OCLM_OK;
}
