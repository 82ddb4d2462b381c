/* alibi.c: the numbers that attention takes from tables of its own instead of weights: how steeply each head's scores fall with distance
 * (Press et al. 2021, as transformers' Bloom, Falcon and Mpt compute it), and how queries grow with their position. */
#include <math.h>

#include "core/dtype.h"
#include "model/attention.h"

/* The powers of a power of two of heads, then for the heads beyond every second power of twice as many. */
static double bloom_slope(uint32_t heads, uint32_t head)
{
    uint32_t whole = 1;
    while (whole <= heads / 2)
        whole *= 2;
    return head < whole ? exp2(-8.0 * (head + 1) / whole) : exp2(-8.0 * (2 * (head - whole) + 1) / (2.0 * whole));
}

/* The powers of the next power of two of heads; where those are too many, every second of them from the second on, then from the first. */
static double mpt_slope(uint32_t heads, uint32_t head)
{
    uint32_t whole = 1;
    while (whole < heads)
        whole *= 2;
    const uint32_t power = whole == heads ? head + 1 : head < whole / 2 ? 2 * head + 2 : 2 * (head - whole / 2) + 1;
    return exp2(-8.0 * power / whole);
}

void model_alibi_slopes(model_alibi kind, uint32_t heads, float *slopes)
{
    for (uint32_t i = 0; i < heads; i++) {
        slopes[i] = (float)(kind == MODEL_ALIBI_MPT ? mpt_slope(heads, i) : bloom_slope(heads, i));
        if (kind == MODEL_ALIBI_FALCON)
            slopes[i] = core_bf16_to_f32(core_f32_to_bf16(slopes[i]));
    }
}

void model_query_growth(double beta, uint32_t count, float *growth)
{
    for (uint32_t i = 0; i < count; i++)
        growth[i] = (float)(1.0 + beta * log1p((double)i));
}
