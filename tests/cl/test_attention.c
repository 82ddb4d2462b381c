/* Attention against softmax(scale * q K^T) V in double, and its bits against themselves: however rows are cut into passes and
 * tiles, in either shape of the kernels, a row's result is the same to the last bit. On every device.
 *
 * Tolerance, with u = 2^-24. A score sums HEAD_DIM products of turned values (2 roundings each): it is off by at most
 * e = (HEAD_DIM + 8) * u * scale * sum |q k| (|q|, |k| with both halves of a turned pair). Weights are then off by a factor of
 * 1 + 2 e + 8 u (both sides of the quotient; exp itself 2 ulp), values are summed in at most length + length / 32 steps. So an
 * element is off by at most (4 e + (length * 33 / 32 + 32) u) * sum w |v|. */
#include "cl/attention_scene.h"

enum { CORES = 1, LANES = 2, BOTH = CORES | LANES }; /* shapes of the kernels */

typedef struct problem {
    const char *label;
    uint32_t    heads, kv_heads, head_dim, rotary_dims;
    bool        interleaved;
    uint32_t    sequences, length;
    int         kernels; /* a program is built for each shape and each set of heads: of large heads, not all meet both */
    bool        large;   /* left out on slow devices */
} problem;

static const problem problems[] = {
    { "one of everything", 1, 1, 1, 0, false, 1, 1, BOTH, false },
    { "less than a page", 4, 2, 12, 8, true, 1, 31, BOTH, false },
    { "a page", 4, 2, 12, 8, true, 1, 32, BOTH, false },
    { "a page and one", 4, 2, 12, 8, true, 2, 33, BOTH, false },
    { "a prime of everything", 7, 7, 17, 10, false, 3, 37, BOTH, false },
    { "a group of five", 5, 1, 16, 16, false, 1, 67, BOTH, true },
    { "heads of 33", 6, 2, 33, 32, true, 1, 45, BOTH, true },
    { "SmolLM2's heads", 9, 3, 64, 64, false, 2, 130, BOTH, true },
    { "GPT-2's heads", 12, 12, 64, 0, false, 1, 97, LANES, true },
    { "heads of 80, partly turned", 4, 4, 80, 32, true, 1, 70, CORES, true },
    { "heads of 96", 8, 2, 96, 96, false, 1, 70, LANES, true },
    { "heads of 128", 14, 2, 128, 128, false, 1, 71, CORES, true },
    { "heads of 256", 8, 1, 256, 256, false, 1, 65, BOTH, true },
    { "a span", 3, 1, 8, 8, false, 1, 512, BOTH, true },
    { "a span and one", 3, 1, 8, 8, false, 1, 513, BOTH, true },
    { "three spans", 3, 1, 8, 8, false, 2, 1100, BOTH, true },
};

static model_attention_shape shape_of(const problem *p)
{
    return (model_attention_shape){ .heads = p->heads, .kv_heads = p->kv_heads, .head_dim = p->head_dim,
                                    .scale = 1.0f / sqrtf((float)p->head_dim), .rotary_dims = p->rotary_dims,
                                    .rotary_interleaved = p->interleaved };
}

/* One head's vector at a position, turned; `size` gets what its rounding errors are proportional to. */
static void turned(const scene *s, const float *x, uint32_t position, double *y, double *size)
{
    const uint32_t n = s->shape.head_dim, half = s->shape.rotary_dims / 2;
    for (uint32_t d = 0; d < n; d++) {
        y[d] = x[d];
        size[d] = fabs(y[d]);
    }
    for (uint32_t i = 0; i < half; i++) {
        const uint32_t a = s->shape.rotary_interleaved ? 2 * i : i, b = s->shape.rotary_interleaved ? 2 * i + 1 : i + half;
        const double   c = s->cosines[position * half + i], sn = s->sines[position * half + i];
        y[a] = x[a] * c - x[b] * sn;
        y[b] = x[b] * c + x[a] * sn;
        size[a] = size[b] = fabs((double)x[a]) + fabs((double)x[b]);
    }
}

/* One head of one row in double; `error` [head_dim] is how far float may be off. */
static void exact_head(const scene *s, uint32_t sequence, uint32_t row, uint32_t head, double *want, double *error)
{
    const model_attention_shape *h = &s->shape;
    const uint32_t n = h->head_dim, kv = head / (h->heads / h->kv_heads);
    const float   *base = s->qkv + (size_t)sequence * s->length * s->width;
    double         q[256], q_size[256], k[256], k_size[256], size[256] = { 0 }, largest = -INFINITY, sum = 0, score_error = 0;
    double        *w = core_alloc_array(row + 1, sizeof *w, "weights");
    assert_non_null(w);
    turned(s, base + (size_t)row * s->width + head * n, row, q, q_size);
    for (uint32_t t = 0; t <= row; t++) {
        double score = 0, score_size = 0;
        turned(s, base + (size_t)t * s->width + (h->heads + kv) * n, t, k, k_size);
        for (uint32_t d = 0; d < n; d++) {
            score += q[d] * k[d];
            score_size += q_size[d] * k_size[d];
        }
        w[t] = score * h->scale;
        largest = fmax(largest, w[t]);
        score_error = fmax(score_error, (n + 8) * 0x1p-24 * score_size * h->scale);
    }
    for (uint32_t t = 0; t <= row; t++)
        sum += w[t] = exp(w[t] - largest);
    for (uint32_t d = 0; d < n; d++)
        want[d] = 0;
    for (uint32_t t = 0; t <= row; t++)
        for (uint32_t d = 0; d < n; d++) {
            const double v = base[(size_t)t * s->width + (h->heads + h->kv_heads + kv) * n + d];
            want[d] += w[t] / sum * v;
            size[d] += w[t] / sum * fabs(v);
        }
    for (uint32_t d = 0; d < n; d++)
        error[d] = (4 * score_error + (row * 33.0 / 32 + 32) * 0x1p-24) * size[d];
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
enum { SMALL = 1, REAL = 2, SPANS = 4, ALL = SMALL | REAL | SPANS };

static const struct {
    cut c;
    int problems;
} cuts[] = {
    { { "token by token", 1, 1, MODEL_ATTENTION_CORES, 0 }, ALL },
    { { "token by token, room for 8 spans", 1, 1, MODEL_ATTENTION_CORES, 4096 }, ALL },
    { { "in tiles of one", 0, 1, MODEL_ATTENTION_CORES, 0 }, ALL },
    { { "in chunks of 7, tiles of 2", 7, 2, MODEL_ATTENTION_CORES, 0 }, SMALL },
    { { "in chunks of 32, tiles of 4", 32, 4, MODEL_ATTENTION_CORES, 0 }, SMALL },
    { { "in chunks of 33, tiles of 8", 33, 8, MODEL_ATTENTION_CORES, 0 }, SMALL | REAL },
    { { "in chunks of 100, tiles of 16", 100, 16, MODEL_ATTENTION_CORES, 0 }, SMALL | SPANS },
    { { "at once, tiles of 64", 0, 64, MODEL_ATTENTION_CORES, 0 }, SMALL },
    { { "as lanes, token by token", 1, 1, MODEL_ATTENTION_LANES, 0 }, ALL },
    { { "as lanes, in tiles of one", 0, 1, MODEL_ATTENTION_LANES, 0 }, ALL },
    { { "as lanes, in chunks of 33, tiles of 4", 33, 4, MODEL_ATTENTION_LANES, 0 }, SMALL },
    { { "as lanes, at once", 0, 0, MODEL_ATTENTION_LANES, 0 }, ALL },
};

static const problem cut_problems[] = { /* SMALL, REAL, SPANS */
    { "two groups of two", 4, 2, 12, 8, true, 2, 37, BOTH, false },
    { "SmolLM2's heads", 9, 3, 64, 64, false, 1, 70, BOTH, true },
    { "across spans", 3, 1, 8, 8, false, 1, 1100, BOTH, true },
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
            if (!(cuts[k].problems & 1 << i))
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
