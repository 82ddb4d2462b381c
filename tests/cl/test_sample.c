/* The choice of the next token: greedy, and what temperature, top_k and top_p leave to draw from (test_draw.c), on every device,
 * against rules written out in double. */
#include "cl/sample_bench.h"

/* ---- Greedy */

static const struct { const char *label; uint32_t rows, vocab; bool large; } sizes[] = {
    { "one", 1, 1, false },       { "less than a vector", 3, 15, false },     { "a vector", 2, 16, false },
    { "a vector and one", 2, 17, false }, { "a prime", 5, 521, false },   { "a part and one", 2, 4097, false },
    { "Llama 2", 3, 32000, true }, { "SmolLM2", 1, 49152, true },          { "Gemma", 2, 262144, true },
};

/* The first of the largest; -1: where one is NaN or +inf, there is none. */
static int32_t first_of_largest(const float *x, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (isnan(x[i]) || x[i] == INFINITY)
            return -1;
        if (x[i] > x[best])
            best = i;
    }
    return (int32_t)best;
}

/* Logits with what is awkward: the maximum twice, zeros of both signs, infinities, not a number. */
static void make_awkward(float *x, uint32_t count, uint32_t kind)
{
    numbers n = { 77 + kind };
    for (uint32_t i = 0; i < count; i++)
        x[i] = floorf(40.0f * next_number(&n)) / 4.0f;
    if (kind % 6 == 1)
        x[count / 2] = x[count - 1] = 30.0f;
    for (uint32_t i = 0; i < count && kind % 6 == 2; i++)
        x[i] = i % 3 ? -INFINITY : -0.0f;
    if (kind % 6 == 2)
        x[count - 1] = 0.0f;
    for (uint32_t i = 0; i < count && kind % 6 == 3; i++)
        x[i] = -INFINITY;
    if (kind % 6 == 4)
        x[count / 3] = x[count - 1] = INFINITY;
    if (kind % 6 == 5)
        x[count / 3] = x[count / 2] = NAN;
}

static void try_greedy(dev_device *device, void *user)
{
    (void)user;
    const gen_config config = { OFF, .limit = 100 };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        if (sizes[i].large && devices_is_slow(device))
            continue;
        const uint32_t rows = sizes[i].rows, vocab = sizes[i].vocab;
        float         *x = core_alloc_array((size_t)rows * vocab, sizeof *x, "logits");
        bench          b;
        assert_non_null(x);
        open_bench(&b, device, &config, rows, vocab, 4);
        for (uint32_t kind = 0; kind < 6; kind++) {
            for (uint32_t r = 0; r < rows; r++)
                make_awkward(x + (size_t)r * vocab, vocab, kind + 6 * r);
            choose(&b, x, vocab);
            int32_t *ids = read_ints(device, &b.ids);
            for (uint32_t r = 0; r < rows; r++) {
                const int32_t want = first_of_largest(x + (size_t)r * vocab, vocab);
                if (ids[r] != want)
                    fail_msg("%s, kind %u, row %u: %d, want %d", sizes[i].label, kind, r, ids[r], want);
            }
            core_free(ids);
        }
        close_bench(&b);
        core_free(x);
    }
}

static void greedy_takes_the_first_of_the_largest(void **state)
{
    (void)state;
    devices_each(try_greedy, NULL);
}

static void try_steps(dev_device *device, void *user)
{
    (void)user;
    const gen_config config = { OFF, .limit = 100, .min_new_tokens = 2, .eos_token_ids = { 3, 5, 9999 }, .eos_token_count = 3 };
    const float      x[8] = { 0, 1, 2, 9, 4, 8, 3, -1 };
    const int32_t    want[5] = { 4, 4, 3, 3, 3 }; /* 3 and 5 end the sequence: not among the first two */
    bench            b;
    open_bench(&b, device, &config, 2, 8, 3);
    for (uint32_t step = 0; step < 5; step++) {
        choose(&b, x, 0);
        int32_t *ids = read_ints(device, &b.ids), *ring = read_ints(device, &b.sampler.ring);
        int32_t *positions = read_ints(device, &b.positions), *steps = read_ints(device, &b.sampler.step);
        for (uint32_t r = 0; r < 2; r++) {
            if (ids[r] != want[step] || ring[step % 3 * 2 + r] != want[step])
                fail_msg("step %u, row %u: id %d, ring %d, want %d", step, r, ids[r], ring[step % 3 * 2 + r], want[step]);
            assert_int_equal(positions[r], 10 * r + step + 1);
        }
        assert_int_equal(steps[0], step + 1);
        core_free(ids);
        core_free(ring);
        core_free(positions);
        core_free(steps);
    }
    close_bench(&b);
}

static void no_end_comes_before_min_new_tokens_and_everybody_is_told(void **state)
{
    (void)state;
    devices_each(try_steps, NULL);
}

/* ---- What temperature, top_k and top_p leave */

typedef struct entry {
    double   value;
    uint32_t id;
} entry;

static int ascending(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value ? 1 : x->id < y->id ? -1 : x->id > y->id;
}

/* The rules of transformers on one row, in double. Returns how far, relative to 1 - p, the nearest sum of probabilities was from
 * the border: closer than float can tell, either side is right. */
static double keep(const gen_config *c, float *x, uint32_t count)
{
    entry *sorted = core_alloc_array(count, sizeof *sorted, "sorted logits");
    double total = 0, sum = 0, nearest = 1;
    assert_non_null(sorted);
    for (uint32_t i = 0; i < count; i++) {
        x[i] = c->temperature == 1.0f ? x[i] : x[i] / c->temperature;
        sorted[i] = (entry){ x[i], i };
    }
    qsort(sorted, count, sizeof *sorted, ascending);
    if (c->top_k > 0 && c->top_k < count)
        for (uint32_t i = 0; sorted[i].value < sorted[count - c->top_k].value; i++)
            x[sorted[i].id] = -INFINITY;
    const double largest = sorted[count - 1].value;
    for (uint32_t i = 0; i < count; i++)
        total += exp(x[i] - largest);
    for (uint32_t i = 0; i + 1 < count && c->top_p < 1.0f; i++) {
        sum += exp(x[sorted[i].id] - largest) / total;
        nearest = fmin(nearest, fabs(sum - (1.0 - (double)c->top_p)));
        if (sum <= 1.0 - (double)c->top_p)
            x[sorted[i].id] = -INFINITY;
    }
    core_free(sorted);
    return nearest;
}

static const gen_config filters[] = {
    { OFF, .do_sample = true, .temperature = 0.7f, .top_p = 1.0f },
    { OFF, .do_sample = true, .temperature = 1.0f, .top_k = 1, .top_p = 1.0f },
    { OFF, .do_sample = true, .temperature = 1.0f, .top_k = 50, .top_p = 1.0f },
    { OFF, .do_sample = true, .temperature = 1.0f, .top_p = 0.9f },
    { OFF, .do_sample = true, .temperature = 1.0f, .top_p = 0.0f },
    { OFF, .do_sample = true, .temperature = 1.3f, .top_k = 20, .top_p = 0.35f },
    { OFF, .do_sample = true, .temperature = 0.2f, .top_k = 300, .top_p = 0.999f },
};

/* Random rows: smooth, with many ties, with most tokens out already. */
static void make_row(float *x, uint32_t count, uint32_t kind)
{
    numbers n = { 1234 + kind };
    for (uint32_t i = 0; i < count; i++) {
        x[i] = 6.0f * next_number(&n) + 3.0f * next_number(&n);
        if (kind % 3 == 1)
            x[i] = roundf(x[i]);
        if (kind % 3 == 2 && next_number(&n) < 0.5f)
            x[i] = -INFINITY;
    }
    x[count / 2] = 4.0f; /* one that is possible at least */
}

static void check_kept(const char *label, const gen_config *c, const float *x, const float *got, uint32_t count)
{
    float *want = core_copy(x, count * sizeof *x, "a row");
    assert_non_null(want);
    const double nearest = keep(c, want, count);
    uint32_t     unlike = 0;
    for (uint32_t i = 0; i < count; i++) {
        const double left = isinf(want[i]) ? (isinf(got[i]) ? 0 : 1) : isinf(got[i]) ? 1 : fabs(want[i] - got[i]) / (1 + fabs(want[i]));
        if (left == 1)
            unlike++;
        else if (left > 0x1p-23)
            fail_msg("%s, temperature %g: logit %u is %.9g, want %.9g", label, (double)c->temperature, i, (double)got[i], (double)want[i]);
    }
    if (unlike > (nearest < 1e-6 ? 1 : 0))
        fail_msg("%s, temperature %g, top_k %u, top_p %g: %u of %u tokens are kept or dropped wrongly (the border is %.2g away)", label,
                 (double)c->temperature, c->top_k, (double)c->top_p, unlike, count, nearest);
    core_free(want);
}

static void try_filters(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 1; i < COUNT(sizes); i++) {
        if (sizes[i].large && (devices_is_slow(device) || sizes[i].vocab > 100000))
            continue;
        const uint32_t rows = 3, vocab = sizes[i].vocab;
        float         *x = core_alloc_array((size_t)rows * vocab, sizeof *x, "logits");
        assert_non_null(x);
        for (uint32_t r = 0; r < rows; r++)
            make_row(x + (size_t)r * vocab, vocab, r);
        for (size_t f = 0; f < COUNT(filters); f++) {
            bench b;
            open_bench(&b, device, &filters[f], rows, vocab, 1);
            choose(&b, x, vocab);
            float *got = read_floats(device, &b.logits);
            for (uint32_t r = 0; r < rows; r++) {
                check_kept(sizes[i].label, &filters[f], x + (size_t)r * vocab, got + (size_t)r * b.stride, vocab);
                for (uint32_t p = vocab; p < b.stride; p++)
                    assert_true(isnan(got[(size_t)r * b.stride + p]));
            }
            core_free(got);
            close_bench(&b);
        }
        core_free(x);
    }
}

static void the_kept_tokens_are_those_of_the_rules(void **state)
{
    (void)state;
    devices_each(try_filters, NULL);
}

/* What transformers 5.23.0's own warpers answer for this row (a stable sort where torch's choice among ties is open). */
static const float golden_row[6] = { 2.0f, 1.0f, 1.0f, 0.5f, -0.5f, -3.0f };
#define X (-INFINITY)
static const struct { float temperature; uint32_t top_k; float top_p; float want[6]; } golden[] = {
    { 1.0f, 2, 1.0f, { 2, 1, 1, X, X, X } },     { 1.0f, 4, 1.0f, { 2, 1, 1, 0.5f, X, X } },
    { 1.0f, 0, 0.5f, { 2, X, 1, X, X, X } },     { 1.0f, 0, 0.6f, { 2, X, 1, X, X, X } },
    { 1.0f, 0, 0.9f, { 2, 1, 1, 0.5f, X, X } },  { 1.0f, 0, 0.0f, { 2, X, X, X, X, X } },
    { 0.5f, 4, 0.9f, { 4, 2, 2, X, X, X } },
};
#undef X

static void try_golden(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(golden); i++) {
        const gen_config c = { OFF, .do_sample = true, .temperature = golden[i].temperature, .top_k = golden[i].top_k, .top_p = golden[i].top_p };
        bench            b;
        open_bench(&b, device, &c, 1, 6, 1);
        choose(&b, golden_row, 0);
        float *got = read_floats(device, &b.logits);
        for (uint32_t t = 0; t < 6; t++)
            if (memcmp(&got[t], &golden[i].want[t], sizeof(float)) != 0)
                fail_msg("temperature %g, top_k %u, top_p %g: logit %u is %g, want %g", (double)c.temperature, c.top_k, (double)c.top_p, t,
                         (double)got[t], (double)golden[i].want[t]);
        core_free(got);
        close_bench(&b);
    }
}

static void the_filters_answer_as_transformers_does(void **state)
{
    (void)state;
    devices_each(try_golden, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(greedy_takes_the_first_of_the_largest),
        BOTH_WAYS(no_end_comes_before_min_new_tokens_and_everybody_is_told),
        BOTH_WAYS(the_kept_tokens_are_those_of_the_rules),
        BOTH_WAYS(the_filters_answer_as_transformers_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
