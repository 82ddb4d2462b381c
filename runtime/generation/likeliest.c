/* likeliest.c: a heap of the best so far, the worst of them on top, so that most logits cost one comparison. */
#include "generation/likeliest.h"

#include <math.h>

/* Does entry a come behind entry b? NaN comes last. */
static bool is_worse(float a, int32_t a_id, float b, int32_t b_id)
{
    const bool a_is_none = isnan(a), b_is_none = isnan(b);
    if (a_is_none != b_is_none)
        return a_is_none;
    return a < b || (!(a > b) && a_id > b_id);
}

static void swap(int32_t *ids, float *values, uint32_t a, uint32_t b)
{
    const int32_t id = ids[a];
    const float   value = values[a];
    ids[a] = ids[b];
    values[a] = values[b];
    ids[b] = id;
    values[b] = value;
}

static void sink(int32_t *ids, float *values, uint32_t count)
{
    for (uint32_t at = 0, worst;; at = worst) {
        worst = at;
        for (uint32_t child = 2 * at + 1; child < count && child <= 2 * at + 2; child++)
            if (is_worse(values[child], ids[child], values[worst], ids[worst]))
                worst = child;
        if (worst == at)
            return;
        swap(ids, values, at, worst);
    }
}

void gen_likeliest_find(const float *logits, uint32_t vocab, uint32_t count, int32_t *ids, float *values)
{
    uint32_t held = 0;
    for (uint32_t i = 0; i < vocab; i++) {
        if (held < count) {
            uint32_t at = held++;
            ids[at] = (int32_t)i;
            values[at] = logits[i];
            for (; at > 0 && is_worse(values[at], ids[at], values[(at - 1) / 2], ids[(at - 1) / 2]); at = (at - 1) / 2)
                swap(ids, values, at, (at - 1) / 2);
        } else if (count > 0 && is_worse(values[0], ids[0], logits[i], (int32_t)i)) {
            ids[0] = (int32_t)i;
            values[0] = logits[i];
            sink(ids, values, count);
        }
    }
    while (held > 1) { /* the worst goes to the end */
        swap(ids, values, 0, --held);
        sink(ids, values, held);
    }
}
