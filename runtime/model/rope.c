/* rope.c: the angles of rotary positions, as transformers computes them (modeling_rope_utils.py): inverse frequencies in
 * float32, every step of their formulas rounded to it, angle = position * frequency in float32, then cosine and sine of that
 * very number. Powers, cosines and sines are taken in double and rounded once; torch's own are within one unit in the last
 * place of that and differ between its CPUs. */
#include <math.h>

#include "model/architecture.h"

/* theta ^ (2 i / dims) */
static float wavelength(float theta, uint32_t dims, uint32_t i)
{
    return (float)pow((double)theta, (double)((float)(2u * i) / (float)dims));
}

static float llama3_frequency(const model_rope *rope, float frequency)
{
    const double original = rope->original_max_position_embeddings;
    const float  turn = (float)(2.0 * 3.14159265358979323846) * (1.0f / frequency);
    const float  low = (float)(original / rope->low_freq_factor), high = (float)(original / rope->high_freq_factor);
    if (turn > low)
        return frequency / (float)rope->factor;
    if (turn < high)
        return frequency;
    const float smooth = (1.0f / turn * (float)original - (float)rope->low_freq_factor) /
                         (float)(rope->high_freq_factor - rope->low_freq_factor);
    return (1.0f - smooth) * frequency / (float)rope->factor + smooth * frequency;
}

/* The dimension whose angle makes `rotations` turns over the pretraining length. */
static double yarn_dimension(const model_rope *rope, double rotations)
{
    return rope->dims * log(rope->original_max_position_embeddings / (rotations * 2.0 * 3.14159265358979323846)) /
           (2.0 * log(rope->theta));
}

static float yarn_frequency(const model_rope *rope, uint32_t i)
{
    const float wave = wavelength((float)rope->theta, rope->dims, i);
    double      low = yarn_dimension(rope, rope->beta_fast), high = yarn_dimension(rope, rope->beta_slow);
    low = fmax(rope->truncate ? floor(low) : low, 0.0);
    high = fmin(rope->truncate ? ceil(high) : high, (double)rope->dims - 1.0);
    if (low == high)
        high += 0.001;
    float ramp = ((float)i - (float)low) / (float)(high - low);
    ramp = ramp < 0.0f ? 0.0f : ramp > 1.0f ? 1.0f : ramp;
    const float keep = 1.0f - ramp;
    return 1.0f / ((float)rope->factor * wave) * (1.0f - keep) + 1.0f / wave * keep;
}

/* theta of a pass over `length` positions in all: it grows once the model's own length is passed. */
static float dynamic_theta(const model_rope *rope, uint32_t max_position_embeddings, uint32_t length)
{
    if (length <= max_position_embeddings)
        return (float)rope->theta;
    const float stretch = (float)rope->factor * (float)length / (float)max_position_embeddings - (float)(rope->factor - 1.0);
    const float power = (float)((double)rope->dims / (rope->dims - 2.0));
    return (float)rope->theta * (float)pow((double)stretch, (double)power);
}

/* The long factors serve a whole sequence whose first forward pass goes beyond the pretraining length. A sequence that grows past
 * it is read anew, as in transformers: generation does (model_rope_turning_length). */
static float longrope_frequency(const model_rope *rope, uint32_t prompt, uint32_t i)
{
    const float *factors = prompt > rope->original_max_position_embeddings ? rope->long_factor : rope->short_factor;
    return 1.0f / (factors[i] * wavelength((float)rope->theta, rope->dims, i));
}

float model_rope_frequency(const model_rope *rope, uint32_t prompt, uint32_t i)
{
    const float plain = 1.0f / wavelength((float)rope->theta, rope->dims, i);
    switch (rope->type) {
    case MODEL_ROPE_LINEAR:
        return plain / (float)rope->factor;
    case MODEL_ROPE_LLAMA3:
        return llama3_frequency(rope, plain);
    case MODEL_ROPE_YARN:
        return yarn_frequency(rope, i);
    case MODEL_ROPE_LONGROPE:
        return longrope_frequency(rope, prompt, i);
    case MODEL_ROPE_PROPORTIONAL:
        return i < rope->turning_pairs ? plain / (float)rope->factor : 0.0f;
    case MODEL_ROPE_DYNAMIC:
    case MODEL_ROPE_DEFAULT:
        break;
    }
    return plain;
}

static double yarn_scale(double factor, double mscale)
{
    return factor <= 1.0 ? 1.0 : 0.1 * mscale * log(factor) + 1.0;
}

/* What cosines and sines are multiplied by. */
static float amplitude(const model_rope *rope)
{
    if (rope->type != MODEL_ROPE_YARN && rope->type != MODEL_ROPE_LONGROPE)
        return 1.0f;
    if (rope->attention_factor != 0.0)
        return (float)rope->attention_factor;
    if (rope->type == MODEL_ROPE_LONGROPE)
        return rope->factor <= 1.0 ? 1.0f : (float)sqrt(1.0 + log(rope->factor) / log(rope->original_max_position_embeddings));
    if (rope->mscale != 0.0 && rope->mscale_all_dim != 0.0)
        return (float)(yarn_scale(rope->factor, rope->mscale) / yarn_scale(rope->factor, rope->mscale_all_dim));
    return (float)yarn_scale(rope->factor, 1.0);
}

uint32_t model_rope_prompt(const model_architecture *a, uint32_t prompt)
{
    uint32_t matters = 0;
    for (size_t i = 0; i < MODEL_ROPE_SETS; i++) {
        const uint32_t original = a->ropes[i].original_max_position_embeddings;
        if (a->ropes[i].type == MODEL_ROPE_DYNAMIC && prompt > a->max_position_embeddings)
            return prompt;
        if (a->ropes[i].type == MODEL_ROPE_LONGROPE && prompt > original)
            matters = original + 1 > matters ? original + 1 : matters;
    }
    return matters;
}

uint32_t model_rope_turning_length(const model_architecture *a)
{
    uint32_t length = UINT32_MAX;
    for (size_t i = 0; i < MODEL_ROPE_SETS; i++) {
        if (a->ropes[i].type == MODEL_ROPE_LONGROPE && a->ropes[i].original_max_position_embeddings < length)
            length = a->ropes[i].original_max_position_embeddings;
    }
    return length;
}

void model_rope_table(const model_rope *rope, uint32_t max_position_embeddings, uint32_t prompt, uint32_t first, uint32_t count,
                      float *cos_table, float *sin_table)
{
    const uint32_t half = rope->dims / 2;
    const float    scale = amplitude(rope);
    for (uint32_t i = 0; i < half; i++) {
        const float usual = model_rope_frequency(rope, prompt, i);
        for (uint32_t row = 0; row < count; row++) {
            const uint32_t position = first + row;
            /* A prompt's positions see the prompt's length, a decoded one its own: keys in the cache keep their rotation. */
            const uint32_t length = position < prompt ? prompt : position + 1;
            float          frequency = usual;
            if (rope->type == MODEL_ROPE_DYNAMIC && length > max_position_embeddings)
                frequency = 1.0f / wavelength(dynamic_theta(rope, max_position_embeddings, length), rope->dims, i);
            const float  angle = (float)position * frequency;
            const size_t at = (size_t)row * half + i;
            cos_table[at] = (float)cos((double)angle) * scale;
            sin_table[at] = (float)sin((double)angle) * scale;
        }
    }
}
