/* Attention against softmax(scale * q K^T) V in double, and its bits against themselves: however rows are cut into passes and
 * tiles, in either shape of the kernels, a row's result is the same to the last bit. On every device.
 *
 * Tolerance, with u = 2^-24. A score sums HEAD_DIM products of turned values (2 roundings each): it is off by at most
 * e = (HEAD_DIM + 8) * u * scale * sum |q k| (|q|, |k| with both halves of a turned pair). Weights are then off by a factor of
 * 1 + 2 e + 8 u (both sides of the quotient; exp itself 2 ulp), values are summed in at most length + length / 32 steps. So an
 * element is off by at most (4 e + (length * 33 / 32 + 32) u) * sum w |v|.
 *
 * What else may happen to queries and keys adds to e: a norm is off by at most a relative (count / 64 + 16) u for each side (its sums run
 * in 64 parts), one after turning by (HEAD_DIM / 2 + 8) u; clips are exact, growth one rounding; a soft cap's tanh and its factors
 * are 6 u of the score off, ALiBi 2 u of what it adds and of the sum. A sink is one exponential more. Normalised values are off as
 * normalised keys are.
 *
 * In a cache of 8 bits a number is off by half a step, 1/254 of the largest of its head: a score by that times sum |q|, a value by that,
 * and by three roundings more. */
#include "cl/attention_scene.h"

enum { CORES = 1, LANES = 2, BOTH = CORES | LANES }; /* shapes of the kernels */

typedef struct problem {
    const char *label;
    uint32_t    heads, kv_heads, head_dim, rotary_dims;
    bool        interleaved;
    uint32_t    sequences, length;
    int         kernels; /* a program is built for each shape and each set of heads: of large heads, not all meet both */
    bool        large;   /* left out on slow devices */
    model_attention_shape more; /* what else the shape asks for */
} problem;

/* Shapes with more than most models have. */
#define NO_MORE                  { .window = 0 }
#define WINDOW_OF_A_PAGE_AND_ONE { .window = 33, .softcap = 2.0f, .sinks = true }
#define WINDOW_ACROSS_SPANS      { .window = 200, .sinks = true, .qk_norm = MODEL_QK_NORM_HEAD, .qk_norm_kind = DEV_NORM_RMS1P, .qk_eps = 1e-5f }
#define CHUNKS_OF_A_PAGE_AND_ONE { .window = 33, .chunked = true, .softcap = 2.0f, .sinks = true }
#define CHUNKS_ACROSS_SPANS      { .window = 600, .chunked = true }
#define EIGHT_BITS               { .quantized = true }
#define EIGHT_BITS_AND_MORE      { .quantized = true, .window = 33, .softcap = 2.0f, .sinks = true, .clip = 1.5f, .clip_late = true, .qk_norm = MODEL_QK_NORM_HEAD, .qk_norm_kind = DEV_NORM_RMS, .qk_eps = 1e-5f }
#define NORM_OF_EACH             { .window = 9, .qk_norm = MODEL_QK_NORM_HEADS, .qk_norm_kind = DEV_NORM_LAYER, .qk_eps = 1e-3f }
#define NORM_OF_ALL              { .qk_norm = MODEL_QK_NORM_ALL, .qk_norm_kind = DEV_NORM_RMS, .qk_eps = 1e-5f, .clip = 0.4f, .clip_late = true }
#define LATE_NORM                { .qk_norm = MODEL_QK_NORM_HEAD, .qk_norm_kind = DEV_NORM_RMS, .qk_eps = 1e-5f, .qk_norm_late = true, .query_length = 11 }
#define ALIBI                    { .alibi = true, .clip = 1.2f, .window = 20 }
#define ROUNDED_ALIBI            { .alibi = true, .alibi_rounded = true }
#define VALUES_NORMALISED        { .qk_norm = MODEL_QK_NORM_HEAD, .qk_norm_kind = DEV_NORM_RMS, .qk_eps = 1e-3f, .value_norm = true }
#define KEYS_AS_VALUES           { .qk_norm = MODEL_QK_NORM_HEAD, .qk_norm_kind = DEV_NORM_RMS, .qk_eps = 1e-3f, .value_norm = true, .values_are_keys = true }

static const problem problems[] = {
    { "one of everything", 1, 1, 1, 0, false, 1, 1, BOTH, false, NO_MORE },
    { "less than a page", 4, 2, 12, 8, true, 1, 31, BOTH, false, NO_MORE },
    { "a page", 4, 2, 12, 8, true, 1, 32, BOTH, false, NO_MORE },
    { "a page and one", 4, 2, 12, 8, true, 2, 33, BOTH, false, NO_MORE },
    { "a prime of everything", 7, 7, 17, 10, false, 3, 37, BOTH, false, NO_MORE },
    { "a group of five", 5, 1, 16, 16, false, 1, 67, BOTH, true, NO_MORE },
    { "heads of 33", 6, 2, 33, 32, true, 1, 45, BOTH, true, NO_MORE },
    { "SmolLM2's heads", 9, 3, 64, 64, false, 2, 130, BOTH, true, NO_MORE },
    { "GPT-2's heads", 12, 12, 64, 0, false, 1, 97, LANES, true, NO_MORE },
    { "heads of 80, partly turned", 4, 4, 80, 32, true, 1, 70, CORES, true, NO_MORE },
    { "heads of 96", 8, 2, 96, 96, false, 1, 70, LANES, true, NO_MORE },
    { "heads of 128", 14, 2, 128, 128, false, 1, 71, CORES, true, NO_MORE },
    { "heads of 256", 8, 1, 256, 256, false, 1, 65, BOTH, true, NO_MORE },
    { "a span", 3, 1, 8, 8, false, 1, 512, BOTH, true, NO_MORE },
    { "a span and one", 3, 1, 8, 8, false, 1, 513, BOTH, true, NO_MORE },
    { "three spans", 3, 1, 8, 8, false, 2, 1100, BOTH, true, NO_MORE },
    { "a window of one", 4, 2, 12, 8, true, 1, 37, BOTH, false, { .window = 1 } },
    { "a window of a page and one, capped, with sinks", 6, 2, 12, 8, true, 2, 133, BOTH, true, WINDOW_OF_A_PAGE_AND_ONE },
    { "a window past a span, heads normalised", 3, 1, 8, 8, false, 1, 716, BOTH, true, WINDOW_ACROSS_SPANS },
    { "8 bits", 4, 2, 12, 8, true, 2, 70, BOTH, false, EIGHT_BITS },
    { "8 bits, a prime of everything, not turned", 7, 7, 17, 0, false, 3, 37, BOTH, false, EIGHT_BITS },
    { "8 bits of SmolLM2's heads", 9, 3, 64, 64, false, 1, 130, BOTH, true, EIGHT_BITS },
    { "8 bits, all that may happen to a score", 6, 2, 12, 8, true, 2, 133, BOTH, true, EIGHT_BITS_AND_MORE },
    { "8 bits, three spans", 3, 1, 8, 8, false, 2, 1100, BOTH, true, EIGHT_BITS },
    { "chunks of one", 4, 2, 12, 8, true, 1, 37, BOTH, false, { .window = 1, .chunked = true } },
    { "chunks of a page and one, capped, with sinks", 6, 2, 12, 8, true, 2, 133, BOTH, false, CHUNKS_OF_A_PAGE_AND_ONE },
    { "chunks past a span", 3, 1, 8, 8, false, 1, 1300, BOTH, true, CHUNKS_ACROSS_SPANS },
    { "heads normalised each by its own", 4, 2, 17, 10, true, 2, 37, BOTH, false, NORM_OF_EACH },
    { "all heads normalised, then cut", 4, 2, 20, 20, false, 2, 37, BOTH, false, NORM_OF_ALL },
    { "heads normalised after turning, queries grow", 6, 2, 16, 12, false, 2, 37, BOTH, false, LATE_NORM },
    { "heads normalised and not turned", 4, 2, 12, 0, false, 1, 37, BOTH, false, WINDOW_ACROSS_SPANS },
    { "values normalised", 6, 2, 12, 12, false, 2, 37, BOTH, false, VALUES_NORMALISED },
    { "keys as values, normalised by themselves", 4, 1, 17, 10, false, 2, 37, BOTH, false, KEYS_AS_VALUES },
    { "keys as values", 4, 2, 12, 12, true, 1, 37, BOTH, false, { .values_are_keys = true } },
    { "ALiBi", 7, 7, 12, 0, false, 2, 37, BOTH, false, ALIBI },
    { "ALiBi rounded to bfloat16", 6, 1, 12, 0, false, 1, 330, BOTH, true, ROUNDED_ALIBI },
};

static model_attention_shape shape_of(const problem *p)
{
    model_attention_shape shape = p->more;
    shape.heads = p->heads;
    shape.kv_heads = p->kv_heads;
    shape.head_dim = p->head_dim;
    shape.scale = 1.0f / sqrtf((float)p->head_dim);
    shape.rotary_dims = p->rotary_dims;
    shape.rotary_interleaved = p->interleaved;
    return shape;
}

/* One head's vector, and what its rounding errors are proportional to. */
typedef struct vector {
    double y[256], size[256];
} vector;

static void turn(const scene *s, uint32_t position, vector *v)
{
    const uint32_t half = s->shape.rotary_dims / 2;
    for (uint32_t i = 0; i < half; i++) {
        const uint32_t a = s->shape.rotary_interleaved ? 2 * i : i, b = s->shape.rotary_interleaved ? 2 * i + 1 : i + half;
        const double   c = s->cosines[position * half + i], sn = s->sines[position * half + i], x = v->y[a], y = v->y[b];
        v->y[a] = x * c - y * sn;
        v->y[b] = y * c + x * sn;
        v->size[a] = v->size[b] = v->size[a] + v->size[b];
    }
}

/* The mean and the scale of `count` numbers. */
static void normal_of(const model_attention_shape *h, const double *x, uint32_t count, double *mean, double *scale)
{
    double square = 0;
    *mean = 0;
    for (uint32_t i = 0; i < count && h->qk_norm_kind == DEV_NORM_LAYER; i++)
        *mean += x[i] / count;
    for (uint32_t i = 0; i < count; i++)
        square += (x[i] - *mean) * (x[i] - *mean) / count;
    *scale = 1 / sqrt(square + (double)h->qk_eps);
}

static void normalize_head(const scene *s, bool key, uint32_t head, double mean, double scale, vector *v)
{
    const model_attention_shape *h = &s->shape;
    const uint32_t first = h->qk_norm == MODEL_QK_NORM_HEAD ? 0 : head * h->head_dim;
    const float   *factors = (key ? s->k_factors : s->q_factors) + first, *biases = (key ? s->k_biases : s->q_biases) + first;
    for (uint32_t d = 0; d < h->head_dim; d++) {
        const double factor = (double)factors[d] + (h->qk_norm_kind == DEV_NORM_RMS1P ? 1 : 0);
        const double bias = h->qk_norm_kind == DEV_NORM_LAYER ? (double)biases[d] : 0;
        v->size[d] = (v->size[d] + fabs(mean)) * fabs(scale * factor) + fabs(bias);
        v->y[d] = (v->y[d] - mean) * scale * factor + bias;
    }
}

static double cut_to(const model_attention_shape *h, bool late, double x)
{
    const double clip = h->clip;
    return clip > 0 && h->clip_late == late ? fmin(fmax(x, -clip), clip) : x;
}

/* A query or key head of a row, from the first of all its heads on, as it is multiplied. */
static void prepare(const scene *s, const float *row, bool key, uint32_t head, uint32_t position, vector *v)
{
    const model_attention_shape *h = &s->shape;
    const uint32_t n = h->head_dim, count = h->qk_norm == MODEL_QK_NORM_ALL ? (key ? h->kv_heads : h->heads) * n : n;
    double         x[512], mean, scale;
    for (uint32_t i = 0; i < count; i++)
        x[i] = cut_to(h, false, (double)row[h->qk_norm == MODEL_QK_NORM_ALL ? i : head * n + i]);
    for (uint32_t d = 0; d < n; d++) {
        v->y[d] = cut_to(h, false, (double)row[head * n + d]);
        v->size[d] = fabs(v->y[d]);
    }
    if (h->qk_norm != MODEL_QK_NORM_NONE && !h->qk_norm_late) {
        normal_of(h, x, count, &mean, &scale);
        normalize_head(s, key, head, mean, scale, v);
    }
    for (uint32_t d = 0; d < n; d++)
        v->y[d] = cut_to(h, true, v->y[d]);
    turn(s, position, v);
    if (h->qk_norm_late) {
        normal_of(h, v->y, n, &mean, &scale);
        normalize_head(s, key, head, mean, scale, v);
    }
    for (uint32_t d = 0; d < n && !key && h->query_length > 0; d++) {
        v->y[d] *= (double)s->growth[position / h->query_length];
        v->size[d] *= fabs((double)s->growth[position / h->query_length]);
    }
}

/* Roundings of a score, each at most u = 2^-24 of what its parts come to. */
static double score_steps(const model_attention_shape *h)
{
    const uint32_t count = (h->qk_norm == MODEL_QK_NORM_ALL ? h->heads : 1) * h->head_dim;
    const double   norm = h->qk_norm == MODEL_QK_NORM_NONE ? 0 : h->qk_norm_late ? h->head_dim / 2.0 + 8 : count / 64.0 + 16;
    return h->head_dim + 8 + 2 * norm + (h->query_length > 0 ? 1 : 0) + (h->quantized ? 3 : 0);
}

static double bfloat16(double x) { return (double)core_bf16_to_f32(core_f32_to_bf16((float)x)); }

/* A score as softmax takes it; `error` grows by what that adds. */
static double scored(const scene *s, uint32_t head, uint32_t row, uint32_t t, double score, double *error)
{
    const model_attention_shape *h = &s->shape;
    if (h->softcap > 0) {
        *error += 6 * 0x1p-24 * fabs(score);
        score = h->softcap * tanh(score / h->softcap);
    }
    if (h->alibi) {
        const double slope = s->slopes[head], distance = (double)t - row;
        const double added = h->alibi_rounded ? (bfloat16(slope * bfloat16(t)) - bfloat16(slope * bfloat16(row))) * h->scale : slope * distance;
        *error += 2 * 0x1p-24 * (fabs(score) + 2 * fabs(added));
        score += added;
    }
    return score;
}

/* A value head of a row; `norm`: what its elements are multiplied with. Returns the first. */
static const float *value_of(const scene *s, const float *row, uint32_t kv, double *norm)
{
    const model_attention_shape *h = &s->shape;
    const float *value = row + (h->heads + (h->values_are_keys ? 0 : h->kv_heads) + kv) * h->head_dim;
    double       square = 0;
    for (uint32_t d = 0; d < h->head_dim; d++)
        square += (double)value[d] * (double)value[d] / h->head_dim;
    *norm = h->value_norm ? 1 / sqrt(square + (double)h->qk_eps) : 1;
    return value;
}

/* By how much 8 bits are off at most: half a step of the largest number of a head, and a little for what rounds the step. */
static double half_step(const model_attention_shape *h, double largest) { return h->quantized ? largest * (0.5 / 127) * 1.0001 : 0; }

/* One head of one row in double; `error` [head_dim] is how far float may be off. */
static void exact_head(const scene *s, uint32_t sequence, uint32_t row, uint32_t head, double *want, double *error)
{
    const model_attention_shape *h = &s->shape;
    const uint32_t n = h->head_dim, kv = head / (h->heads / h->kv_heads), begin = h->chunked ? row / h->window * h->window : h->window > 0 && row >= h->window ? row - h->window + 1 : 0;
    const float   *base = s->qkv + (size_t)sequence * s->length * s->width;
    vector         q, k;
    double         size[256] = { 0 }, largest = h->sinks ? (double)s->sinks[head] : -INFINITY, sum = 0, score_error = 0, steps = 0;
    double        *w = core_alloc_array(row + 1, sizeof *w, "weights");
    assert_non_null(w);
    prepare(s, base + (size_t)row * s->width, false, head, row, &q);
    for (uint32_t t = begin; t <= row; t++) {
        double score = 0, score_size = 0, queries = 0, largest_key = 0;
        prepare(s, base + (size_t)t * s->width + h->heads * n, true, kv, t, &k);
        for (uint32_t d = 0; d < n; d++) {
            score += q.y[d] * k.y[d];
            score_size += q.size[d] * k.size[d];
            queries += fabs(q.y[d]);
            largest_key = fmax(largest_key, fabs(k.y[d]));
        }
        double off = (score_steps(h) * 0x1p-24 * score_size + half_step(h, largest_key) * queries) * h->scale;
        w[t] = scored(s, head, row, t, score * h->scale, &off);
        largest = fmax(largest, w[t]);
        score_error = fmax(score_error, off);
    }
    sum = h->sinks ? exp((double)s->sinks[head] - largest) : 0;
    for (uint32_t t = begin; t <= row; t++)
        sum += w[t] = exp(w[t] - largest);
    for (uint32_t d = 0; d < n; d++)
        want[d] = 0;
    for (uint32_t t = begin; t <= row; t++) {
        double       norm, largest_value = 0;
        const float *value = value_of(s, base + (size_t)t * s->width, kv, &norm);
        for (uint32_t d = 0; d < n; d++) {
            const double v = cut_to(h, h->clip_late, (double)value[d]) * norm;
            want[d] += w[t] / sum * v;
            size[d] += w[t] / sum * fabs(v);
            largest_value = fmax(largest_value, fabs(v));
        }
        steps += w[t] / sum * half_step(h, largest_value);
    }
    const double value_steps = h->value_norm ? n / 64.0 + 16 : 0;
    for (uint32_t d = 0; d < n; d++)
        error[d] = (4 * score_error + (row * 33.0 / 32 + 32 + value_steps) * 0x1p-24) * (size[d] + steps) + steps;
    core_free(w);
}

static void check_rows(const problem *p, const scene *s, const cut *c, const float *got)
{
    const uint32_t step = p->length > 100 ? 37 : 1; /* rows that are checked; the last one is */
    double         want[256], error[256], worst = 0;
    for (uint32_t q = 0; q < s->sequences; q++)
        for (uint32_t back = 0; back < s->length; back += step)
            for (uint32_t head = 0; head < p->heads; head++) {
                const uint32_t row = s->length - 1 - back;
                const float   *y = got + ((size_t)q * s->length + row) * s->out_width + head * p->head_dim;
                exact_head(s, q, row, head, want, error);
                for (uint32_t d = 0; d < p->head_dim; d++) {
                    if (!(fabs(y[d] - want[d]) <= error[d]))
                        fail_msg("%s, %s: sequence %u, row %u, head %u, element %u: %.9g, want %.9g, at most %.3g off", p->label,
                                 c->label, q, row, head, d, (double)y[d], want[d], error[d]);
                    worst = fmax(worst, fabs(y[d] - want[d]) / error[d]);
                }
            }
    print_message("      %s, %s: at most %.3f of the error allowed\n", p->label, c->label, worst);
}

static const cut shapes[] = {
    { "work-items as cores", 0, 0, MODEL_ATTENTION_CORES, 0 },
    { "work-items as lanes", 0, 0, MODEL_ATTENTION_LANES, 0 },
};

static void try_problems(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(problems); i++) {
        if (problems[i].large && devices_is_slow(device))
            continue;
        scene s = new_scene(shape_of(&problems[i]), problems[i].sequences, problems[i].length);
        for (size_t k = 0; k < COUNT(shapes); k++) {
            if (!(problems[i].kernels & (shapes[k].kernels == MODEL_ATTENTION_LANES ? LANES : CORES)))
                continue;
            float *got = compute_scene(device, &s, &shapes[k]);
            check_rows(&problems[i], &s, &shapes[k], got);
            core_free(got);
        }
        free_scene(&s);
    }
}

static void attention_agrees_with_double_precision(void **state)
{
    (void)state;
    devices_each(try_problems, NULL);
}

/* Each number of rows in a tile is a program: small heads meet every cut, the others those that are for them. */
enum { SMALL = 1, REAL = 2, SPANS = 4, MORE = 8, ALL = SMALL | REAL | SPANS | MORE };

static const struct {
    cut c;
    int problems;
} cuts[] = {
    { { "token by token", 1, 1, MODEL_ATTENTION_CORES, 0 }, ALL },
    { { "token by token, room for 8 spans", 1, 1, MODEL_ATTENTION_CORES, 4096 }, ALL },
    { { "in tiles of one", 0, 1, MODEL_ATTENTION_CORES, 0 }, SMALL | REAL | SPANS },
    { { "in chunks of 7, tiles of 2", 7, 2, MODEL_ATTENTION_CORES, 0 }, SMALL | MORE },
    { { "in chunks of 32, tiles of 4", 32, 4, MODEL_ATTENTION_CORES, 0 }, SMALL },
    { { "in chunks of 33, tiles of 8", 33, 8, MODEL_ATTENTION_CORES, 0 }, SMALL | REAL },
    { { "in chunks of 100, tiles of 16", 100, 16, MODEL_ATTENTION_CORES, 0 }, SMALL | SPANS },
    { { "at once, tiles of 64", 0, 64, MODEL_ATTENTION_CORES, 0 }, SMALL },
    { { "as lanes, token by token", 1, 1, MODEL_ATTENTION_LANES, 0 }, ALL },
    { { "as lanes, token by token, room for 8 spans", 1, 1, MODEL_ATTENTION_LANES, 4096 }, MORE },
    { { "as lanes, in tiles of one", 0, 1, MODEL_ATTENTION_LANES, 0 }, SMALL | REAL | SPANS },
    { { "as lanes, in chunks of 33, tiles of 4", 33, 4, MODEL_ATTENTION_LANES, 0 }, SMALL },
    { { "as lanes, at once", 0, 0, MODEL_ATTENTION_LANES, 0 }, ALL },
};

static const problem cut_problems[] = { /* SMALL, REAL, SPANS, then MORE */
    { "two groups of two", 4, 2, 12, 8, true, 2, 37, BOTH, false, NO_MORE },
    { "SmolLM2's heads", 9, 3, 64, 64, false, 1, 70, BOTH, true, NO_MORE },
    { "across spans", 3, 1, 8, 8, false, 1, 1100, BOTH, true, NO_MORE },
    { "a window of a page and one, capped, with sinks", 6, 2, 12, 8, true, 2, 133, BOTH, true, WINDOW_OF_A_PAGE_AND_ONE },
    { "a window past a span, heads normalised", 3, 1, 8, 8, false, 1, 716, BOTH, true, WINDOW_ACROSS_SPANS },
    { "chunks of a page and one, capped, with sinks", 6, 2, 12, 8, true, 2, 133, BOTH, true, CHUNKS_OF_A_PAGE_AND_ONE },
    { "chunks past a span", 3, 1, 8, 8, false, 1, 1300, BOTH, true, CHUNKS_ACROSS_SPANS },
    { "8 bits", 4, 2, 17, 10, true, 2, 70, BOTH, false, EIGHT_BITS },
    { "8 bits, all that may happen to a score", 6, 2, 12, 8, true, 2, 133, BOTH, true, EIGHT_BITS_AND_MORE },
    { "8 bits, three spans", 3, 1, 8, 8, false, 1, 1100, BOTH, true, EIGHT_BITS },
    { "heads normalised each by its own", 4, 2, 17, 10, true, 2, 37, BOTH, true, NORM_OF_EACH },
    { "all heads normalised, then cut", 4, 2, 20, 20, false, 2, 37, BOTH, true, NORM_OF_ALL },
    { "heads normalised after turning, queries grow", 6, 2, 16, 12, false, 2, 37, BOTH, true, LATE_NORM },
    { "ALiBi", 7, 7, 12, 0, false, 2, 37, BOTH, true, ALIBI },
    { "ALiBi rounded to bfloat16", 6, 1, 12, 0, false, 1, 70, BOTH, true, ROUNDED_ALIBI },
};

static void try_cuts(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(cut_problems); i++) {
        const problem *p = &cut_problems[i];
        if (p->large && devices_is_slow(device))
            continue;
        scene        s = new_scene(shape_of(p), p->sequences, p->length);
        float       *want = compute_scene(device, &s, &shapes[0]);
        const size_t count = (size_t)s.sequences * s.length * s.out_width;
        for (size_t k = 0; k < COUNT(cuts); k++) {
            if (!(cuts[k].problems & (i < 3 ? 1 << i : MORE)))
                continue;
            float *got = compute_scene(device, &s, &cuts[k].c);
            for (size_t e = 0; e < count; e++)
                if (memcmp(&got[e], &want[e], sizeof got[e]) != 0)
                    fail_msg("%s, %s: row %zu, element %zu: %.9g, at once %.9g", p->label, cuts[k].c.label, e / s.out_width,
                             e % s.out_width, (double)got[e], (double)want[e]);
            core_free(got);
        }
        core_free(want);
        free_scene(&s);
    }
}

static void bits_do_not_depend_on_what_is_computed_together(void **state)
{
    (void)state;
    devices_each(try_cuts, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_agrees_with_double_precision),
        cmocka_unit_test(bits_do_not_depend_on_what_is_computed_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
