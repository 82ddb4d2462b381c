/* quantize.c: numbers to codes as bitsandbytes 0.50 makes them on a CPU (functional.py, backends/default/ops.py, csrc/cpu_ops.cpp); checked
 * against it by tests/golden/make_quantized.py. */
#include "checkpoint/quantize.h"

#include <math.h>

void ckpt_quantize_row8(const float *values, size_t count, float *absmax, int8_t *codes)
{
    float most = 0.0f;
    for (size_t i = 0; i < count; i++) {
        const float size = fabsf(core_f16_to_f32(core_f32_to_f16(values[i])));
        most = size > most ? size : most;
    }
    const float factor = 1.0f / most * 127.0f; /* as torch divides a number by a tensor */
    *absmax = most;
    for (size_t i = 0; i < count; i++) {
        const float scaled = core_f16_to_f32(core_f32_to_f16(values[i])) * factor;
        codes[i] = most > 0.0f && isfinite(scaled) ? (int8_t)rintf(scaled) : 0;
    }
}

/* ---- 4 bits */

/* FP4's codes by what they stand for, rising; of its two zeros the positive one has values, as the negative one's range is empty. */
static const uint8_t fp4_order[16] = { 11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3 };

static uint8_t code_at(ckpt_quantize_kind kind, size_t place) { return kind == CKPT_QUANTIZE_NF4 ? (uint8_t)place : fp4_order[place]; }

static void bounds_of(ckpt_quantize_kind kind, float bounds[15])
{
    const float *table = core_storage_table(kind == CKPT_QUANTIZE_NF4 ? CORE_TABLE_NF4 : CORE_TABLE_FP4);
    for (size_t i = 0; i < 15; i++)
        bounds[i] = (table[code_at(kind, i)] + table[code_at(kind, i + 1)]) / 2.0f;
}

void ckpt_quantize_block4(ckpt_quantize_kind kind, const float *values, size_t count, float *absmax, uint8_t *codes)
{
    float   bounds[15], scaled[CKPT_QUANTIZE_BLOCK], most = 0.0f;
    uint8_t places[CKPT_QUANTIZE_BLOCK] = { 0 };
    bounds_of(kind, bounds);
    for (size_t i = 0; i < count; i++)
        most = fabsf(values[i]) > most ? fabsf(values[i]) : most;
    const float size = most > 1e-38f ? most : 1e-38f, factor = 1.0f / size;
    const bool  full = count == CKPT_QUANTIZE_BLOCK;
    *absmax = full ? most : size;
    for (size_t i = 0; i < count; i++) {
        const float value = full ? values[i] * factor : values[i] / size;
        scaled[i] = value < -1.0f ? -1.0f : value > 1.0f ? 1.0f : value;
    }
    for (size_t b = 0; b < 15; b++)
        for (size_t i = 0; i < count; i++)
            places[i] = (uint8_t)(places[i] + !(scaled[i] <= bounds[b]));
    for (size_t i = 0; i < count; i++)
        codes[i] = code_at(kind, places[i]);
}

/* ---- Absmax in 8 bits. The map: for each power of ten from -6 to 0 twice as many steps, equal ones between a tenth of it and it, both
 * signs; 0 and 1. The table is what create_dynamic_map() gives, as its floats come from torch's linspace(). */

static const float dynamic_map[256] = {
#include "checkpoint/dynamic_map.inc"
};

const float *ckpt_dynamic_map(void) { return dynamic_map; }

/* As bitsandbytes looks a code up: nearest to the nearest of 65536 steps from -1 to 1. */
static uint8_t nearest(float value)
{
    const float clipped = value < -1.0f ? -1.0f : value > 1.0f ? 1.0f : value;
    const float step = floorf((clipped + 1.0f) * 32767.5f + 0.5f), at = step / 32767.5f - 1.0f;
    size_t      low = 0, high = 255;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        *(at >= dynamic_map[middle] ? &low : &high) = middle;
    }
    return (uint8_t)(at - dynamic_map[low] <= dynamic_map[high] - at ? low : high);
}

/* ---- The mean, in the order in which torch adds on one thread (SumKernel.cpp): four vectors side by side, each through levels. */

#define SUM_VECTORS 4u
#define SUM_WIDTH   8u /* of a vector */
#define SUM_LEVELS  4u

/* Every `stride`-th value, `count` of them. */
static float lane_sum(const float *values, size_t stride, size_t count)
{
    float    level[SUM_LEVELS] = { 0.0f };
    unsigned bits = 0;
    while ((size_t)1 << bits < count)
        bits++;
    const unsigned power = bits / SUM_LEVELS > 4 ? bits / SUM_LEVELS : 4;
    const size_t   step = (size_t)1 << power;
    size_t         i = 0;
    while (i + step <= count) {
        for (const size_t end = i + step; i < end; i++)
            level[0] += values[i * stride];
        for (unsigned j = 1; j < SUM_LEVELS; j++) {
            level[j] += level[j - 1];
            level[j - 1] = 0.0f;
            if ((i & (step - 1) << (j * power)) != 0)
                break;
        }
    }
    for (; i < count; i++)
        level[0] += values[i * stride];
    for (unsigned j = 1; j < SUM_LEVELS; j++)
        level[0] += level[j];
    return level[0];
}

float ckpt_quantize_mean(const float *values, size_t count)
{
    const size_t width = count < SUM_WIDTH ? 1 : SUM_WIDTH, stride = SUM_VECTORS * width, vectors = count / width;
    float        lanes[SUM_VECTORS * SUM_WIDTH], sum = 0.0f;
    for (size_t lane = 0; lane < stride; lane++)
        lanes[lane] = lane_sum(values + lane, stride, count / stride);
    for (size_t i = count / stride * stride; i < vectors * width; i++)
        lanes[i % width] += values[i];
    for (size_t i = width; i < stride; i++)
        lanes[i % width] += lanes[i];
    for (size_t i = vectors * width; i < count; i++)
        sum += values[i];
    for (size_t i = 0; i < width; i++)
        sum += lanes[i];
    return sum / (float)count;
}

void ckpt_quantize_absmax(const float *absmax, size_t count, uint8_t *codes, float *nested_absmax, float *offset)
{
    *offset = ckpt_quantize_mean(absmax, count);
    for (size_t first = 0; first < count; first += CKPT_QUANTIZE_NESTED_BLOCK) {
        const size_t here = count - first < CKPT_QUANTIZE_NESTED_BLOCK ? count - first : CKPT_QUANTIZE_NESTED_BLOCK;
        float        most = 0.0f;
        for (size_t i = 0; i < here; i++)
            most = fabsf(absmax[first + i] - *offset) > most ? fabsf(absmax[first + i] - *offset) : most;
        const float factor = 1.0f / most;
        nested_absmax[first / CKPT_QUANTIZE_NESTED_BLOCK] = most;
        for (size_t i = 0; i < here; i++)
            codes[first + i] = most > 0.0f ? nearest((absmax[first + i] - *offset) * factor) : 0;
    }
}
