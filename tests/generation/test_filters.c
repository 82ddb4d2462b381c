/* The filters of sampling: on rows of several parts they keep the tokens that transformers' classes keep (tests/golden/filters.json); what they
 * leave is drawn as often as the formulas say; and a seed means the same tokens on every device. */
#include <stdlib.h>

#include "cl/sample_bench.h"
#include "generation/filter_options.h"

static uint32_t checksum(uint32_t value, uint32_t word)
{
    for (int byte = 0; byte < 4; byte++)
        value = (value ^ (word >> 8 * byte & 0xFFu)) * 16777619u;
    return value;
}

#define CHECKSUM_BEGIN 2166136261u

/* ---- Which tokens stay --------------------------------------------------------------------------------------------------- */

/* The row of make_filters_golden.py. */
static void fill_row(float *x, uint32_t vocab, uint64_t seed)
{
    numbers n = { seed * 2654435761u + 1 };
    for (uint32_t i = 0; i < vocab; i++) {
        const float coarse = next_number(&n), fine = next_number(&n);
        x[i] = 8.0f * coarse + 4.0f * fine;
    }
}

static void check_kept(dev_device *device, const cJSON *entry, uint32_t vocab)
{
    const cJSON *options = core_json_member(entry, "options");
    gen_config   c;
    bench        b;
    uint32_t     kept = 0, sum = CHECKSUM_BEGIN;
    float       *x = core_alloc_array(vocab, sizeof *x, "a row");
    assert_non_null(x);
    gen_config_init(&c);
    c.do_sample = true;
    c.min_keep = min_keep_of(options, 0);
    filter_options(options, &c);
    fill_row(x, vocab, count_option(entry, "seed", 0));
    open_bench(&b, device, &c, 1, vocab, 1);
    choose(&b, x, vocab);
    float *got = read_floats(device, &b.logits);
    for (uint32_t i = 0; i < vocab; i++)
        if (!isinf(got[i])) {
            kept++;
            sum = checksum(sum, i);
            if (fabsf(got[i] - x[i] / c.temperature) > 1e-6f * fabsf(got[i]))
                fail_msg("token %u has %.9g, was %.9g", i, (double)got[i], (double)x[i]);
        }
    if (kept != count_option(entry, "kept", 0) || sum != (uint32_t)core_json_member(entry, "checksum")->valuedouble) {
        char *text = cJSON_PrintUnformatted(entry);
        fail_msg("%s: kept %u tokens with checksum %u", text, kept, sum);
    }
    core_free(got);
    core_free(x);
    close_bench(&b);
}

static void try_kept(dev_device *device, void *user)
{
    const cJSON   *golden = user;
    const uint32_t vocab = count_option(core_json_member(golden, "about"), "vocab", 0);
    uint32_t       number = 0;
    for (const cJSON *entry = core_json_member(golden, "cases")->child; entry; entry = entry->next)
        if (number++ % (getenv("OCLM_TEST_QUICK") ? 5 : 1) == 0)
            check_kept(device, entry, vocab);
}

static void filters_keep_the_tokens_that_transformers_keeps(void **state)
{
    cJSON *golden = NULL;
    (void)state;
    assert_ok(core_json_read_file(OCLM_SOURCE_DIR "/tests/golden/filters.json", CORE_JSON_MAX_CONFIG, &golden));
    devices_each(try_kept, golden);
    cJSON_Delete(golden);
}

/* ---- How often each is drawn --------------------------------------------------------------------------------------------- */

#define FEW 24u

static const gen_config settings[] = {
#define SETTING OFF_BUT_FILTERS, .do_sample = true
#define OFF_BUT_FILTERS                                                                                                        \
    .guidance_scale = 1.0f, .encoder_repetition_penalty = 1.0f, .repetition_penalty = 1.0f, .forced_bos_token_id = -1,         \
    .exponential_decay_start = OCLM_UNSET, .exponential_decay_factor = 1.0f
#define NO_H .top_h = NAN
#define NO_M .min_p = NAN
    { SETTING, .min_keep = 1, .seed = 1, .temperature = 1.0f, .top_p = 1.0f, .typical_p = 1.0f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 2, .temperature = 0.4f, .top_p = 1.0f, .typical_p = 1.0f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 3, .temperature = 2.5f, .top_p = 1.0f, .typical_p = 1.0f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 4, .temperature = 1.0f, .top_k = 7, .top_p = 1.0f, .typical_p = 1.0f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 5, .temperature = 1.0f, .top_p = 0.6f, .typical_p = 1.0f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 6, .temperature = 1.0f, .top_p = 0.95f, .typical_p = 1.0f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 7, .temperature = 1.0f, .top_p = 1.0f, .typical_p = 1.0f, NO_H, .min_p = 0.15f },
    { SETTING, .min_keep = 1, .seed = 8, .temperature = 1.0f, .top_p = 1.0f, .typical_p = 0.5f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 9, .temperature = 1.0f, .top_p = 1.0f, .typical_p = 0.9f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 10, .temperature = 1.0f, .top_p = 1.0f, .typical_p = 1.0f, NO_H, NO_M, .epsilon_cutoff = 0.03f },
    { SETTING, .min_keep = 1, .seed = 11, .temperature = 1.0f, .top_p = 1.0f, .typical_p = 1.0f, NO_H, NO_M, .eta_cutoff = 0.05f },
    { SETTING, .min_keep = 1, .seed = 12, .temperature = 1.0f, .top_p = 1.0f, .typical_p = 1.0f, .top_h = 0.5f, NO_M },
    { SETTING, .min_keep = 1, .seed = 13, .temperature = 0.7f, .top_k = 10, .top_p = 0.9f, .typical_p = 1.0f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 14, .temperature = 1.5f, .top_p = 0.9f, .typical_p = 1.0f, NO_H, .min_p = 0.1f },
    { SETTING, .min_keep = 1, .seed = 15, .temperature = 1.0f, .top_k = 12, .top_p = 1.0f, .typical_p = 0.7f, NO_H, NO_M },
    { SETTING, .min_keep = 1, .seed = 16, .temperature = 2.0f, .top_p = 1.0f, .typical_p = 1.0f, .top_h = 0.8f, NO_M, .epsilon_cutoff = 0.05f },
    { SETTING, .min_keep = 1, .seed = 17, .temperature = 0.9f, .top_k = 15, .top_p = 0.97f, .typical_p = 0.95f, .top_h = 0.95f, .min_p = 0.01f,
      .epsilon_cutoff = 0.001f, .eta_cutoff = 0.002f },
    { SETTING, .min_keep = 4, .seed = 18, .temperature = 1.0f, .top_p = 0.1f, .typical_p = 1.0f, NO_H, NO_M },
    { SETTING, .min_keep = 3, .seed = 19, .temperature = 1.0f, .top_p = 1.0f, .typical_p = 0.05f, NO_H, NO_M },
    { SETTING, .min_keep = 5, .seed = 20, .temperature = 1.0f, .top_p = 1.0f, .typical_p = 1.0f, NO_H, .min_p = 1.0f, .epsilon_cutoff = 0.9f },
};

/* A row's probabilities in double, largest first by `rank`; a token that is out has none. */
typedef struct row {
    double x[FEW], p[FEW], entropy;
    uint32_t by_rank[FEW], count; /* count: of those that are in */
} row;

static void rank(row *r)
{
    double total = 0;
    for (uint32_t i = 0; i < FEW; i++) {
        uint32_t place = 0;
        for (uint32_t j = 0; j < FEW; j++)
            place += r->x[j] > r->x[i] || (r->x[j] == r->x[i] && j < i);
        r->by_rank[place] = i;
    }
    for (uint32_t i = 0; i < FEW; i++)
        total += exp(r->x[i] - r->x[r->by_rank[0]]);
    r->count = 0;
    r->entropy = 0;
    for (uint32_t i = 0; i < FEW; i++) {
        r->p[i] = exp(r->x[i] - r->x[r->by_rank[0]]) / total;
        r->count += r->p[i] > 0;
        r->entropy -= r->p[i] > 0 ? r->p[i] * log(r->p[i]) : 0;
    }
}

/* Those from place `kept` of an order on are out. */
static void cut(row *r, const uint32_t *order, uint32_t kept)
{
    for (uint32_t i = kept; i < FEW; i++)
        r->x[order[i]] = -INFINITY;
    rank(r);
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* How many of the likeliest have at least this probability. */
static uint32_t above(const row *r, double least)
{
    uint32_t kept = 0;
    while (kept < FEW && r->p[r->by_rank[kept]] >= least)
        kept++;
    return kept;
}

static void keep_typical(row *r, double share, uint32_t least)
{
    double   distance[FEW], sum = 0;
    uint32_t order[FEW], kept = 0;
    for (uint32_t i = 0; i < FEW; i++)
        distance[i] = r->p[i] > 0 ? fabs(-log(r->p[i]) - r->entropy) : INFINITY;
    for (uint32_t i = 0; i < FEW; i++) {
        uint32_t place = 0;
        for (uint32_t j = 0; j < FEW; j++)
            place += distance[j] < distance[i] || (distance[j] == distance[i] && j < i);
        order[place] = i;
    }
    while (kept < FEW && sum < share)
        sum += r->p[order[kept++]];
    cut(r, order, larger(kept, least));
}

/* The rules of transformers, in its order. */
static void apply(const gen_config *c, row *r)
{
    double   sum = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < FEW; i++)
        r->x[i] /= (double)c->temperature;
    rank(r);
    if (!isnan(c->top_h)) {
        for (kept = 0; kept < r->count; kept++) {
            const double p = r->p[r->by_rank[kept]];
            if ((sum -= p * log(p)) > (double)c->top_h * r->entropy)
                break;
        }
        cut(r, r->by_rank, larger(kept, 1));
    }
    if (c->top_k > 0)
        cut(r, r->by_rank, larger(c->top_k, c->min_keep));
    if (c->top_p < 1.0f) {
        for (kept = 0, sum = 0; kept < r->count && sum < (double)c->top_p; kept++)
            sum += r->p[r->by_rank[kept]];
        cut(r, r->by_rank, larger(kept, c->min_keep));
    }
    if (!isnan(c->min_p))
        cut(r, r->by_rank, larger(above(r, (double)c->min_p * r->p[r->by_rank[0]]), c->min_keep));
    if (c->typical_p < 1.0f)
        keep_typical(r, (double)c->typical_p, c->min_keep);
    if (c->epsilon_cutoff > 0)
        cut(r, r->by_rank, larger(above(r, (double)c->epsilon_cutoff), c->min_keep));
    if (c->eta_cutoff > 0)
        cut(r, r->by_rank, larger(above(r, fmin((double)c->eta_cutoff, sqrt((double)c->eta_cutoff) * exp(-r->entropy))), c->min_keep));
}

/* Of chi-square: how many deviations of a normal distribution above its mean it lies (Wilson and Hilferty 1931; p = 0.001 is 3.09). */
static double deviations(double chi, double freedom)
{
    const double part = 2.0 / (9.0 * freedom);
    return freedom > 0 ? (cbrt(chi / freedom) - (1.0 - part)) / sqrt(part) : 0;
}

/* `rows` draws a step. All rows are written at once. */
static void count_draws(dev_device *device, const gen_config *c, const float *x, uint32_t rows, uint32_t steps, uint32_t *counts)
{
    bench        b;
    const size_t stride = FEW + PADDING, bytes = rows * stride * sizeof(float);
    float       *all = core_alloc_array(rows * stride, sizeof *all, "rows");
    assert_non_null(all);
    for (size_t i = 0; i < rows * stride; i++)
        all[i] = i % stride < FEW ? x[i % stride] : NAN;
    open_bench(&b, device, c, rows, FEW, 1);
    for (uint32_t step = 0; step < steps; step++) {
        assert_ok(dev_buffer_write(dev_queue(device), &b.logits, 0, all, bytes));
        run_work(device, b.work);
        int32_t *ids = read_ints(device, &b.ids);
        for (uint32_t r = 0; r < rows; r++) {
            assert_in_range(ids[r], 0, FEW - 1);
            counts[ids[r]]++;
        }
        core_free(ids);
    }
    close_bench(&b);
    core_free(all);
}

static void try_frequencies(dev_device *device, void *user)
{
    (void)user;
    const bool     slow = devices_is_slow(device);
    const uint32_t rows = slow ? 1000 : 20000, steps = slow ? 1 : 10;
    double         worst = -INFINITY;
    float          x[FEW];
    numbers        n = { 4321 };
    for (uint32_t i = 0; i < FEW; i++)
        x[i] = 3.0f * next_number(&n);
    for (size_t k = 0; k < COUNT(settings) && (k < 2 || !getenv("OCLM_TEST_QUICK")); k++) {
        uint32_t counts[FEW] = { 0 };
        double   chi = 0, cells = 0;
        row      exact;
        for (uint32_t i = 0; i < FEW; i++)
            exact.x[i] = (double)x[i];
        apply(&settings[k], &exact);
        count_draws(device, &settings[k], x, rows, steps, counts);
        for (uint32_t i = 0; i < FEW; i++) {
            const double want = exact.p[i] * rows * steps;
            if (want == 0 && counts[i] > 0)
                fail_msg("setting %zu: token %u is out, but was drawn %u times", k + 1, i, counts[i]);
            chi += want > 0 ? (counts[i] - want) * (counts[i] - want) / want : 0;
            cells += want > 0;
        }
        const double off = deviations(chi, cells - 1);
        worst = fmax(worst, off);
        if (off > 3.09)
            fail_msg("setting %zu: chi-square %.1f with %g degrees of freedom after %u draws: p < 0.001", k + 1, chi, cells - 1, rows * steps);
    }
    print_message("      %u draws of each setting; the unlikeliest is %.2f deviations off\n", rows * steps, worst);
}

static void tokens_come_as_often_as_the_formulas_say(void **state)
{
    (void)state;
    devices_each(try_frequencies, NULL);
}

/* ---- The same tokens everywhere ------------------------------------------------------------------------------------------ */

#define DRAWN_VOCAB 9001u
#define DRAWN_ROWS  4u
#define DRAWN_STEPS 8u

/* Draws with everything on; the checksum is of ids, on any device, in either shape. */
static uint32_t draw_some(dev_device *device)
{
    const gen_config c = { SETTING, .min_keep = 1, .seed = 1234567890123456789u, .temperature = 1.3f, .top_h = 0.99f, .top_k = 90, .top_p = 0.98f,
                           .min_p = 0.001f, .typical_p = 0.98f, .epsilon_cutoff = 0.0005f, .eta_cutoff = 0.001f };
    bench    b;
    uint32_t sum = CHECKSUM_BEGIN;
    float   *x = core_alloc_array(DRAWN_VOCAB, sizeof *x, "a row");
    assert_non_null(x);
    open_bench(&b, device, &c, DRAWN_ROWS, DRAWN_VOCAB, 1);
    for (uint32_t step = 0; step < DRAWN_STEPS; step++) {
        fill_row(x, DRAWN_VOCAB, step);
        choose(&b, x, 0);
        int32_t *ids = read_ints(device, &b.ids);
        for (uint32_t r = 0; r < DRAWN_ROWS; r++)
            sum = checksum(sum, (uint32_t)ids[r]);
        core_free(ids);
    }
    close_bench(&b);
    core_free(x);
    return sum;
}

static void try_checksum(dev_device *device, void *user)
{
    (void)user;
    const uint32_t want = 3174420567u;
    const uint32_t got = draw_some(device);
    if (got != want)
        fail_msg("the ids drawn have checksum %u, elsewhere %u", got, want);
}

static void a_seed_means_the_same_tokens_on_every_device(void **state)
{
    (void)state;
    if (!getenv("OCLM_TEST_QUICK"))
        devices_each(try_checksum, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(filters_keep_the_tokens_that_transformers_keeps),
        BOTH_WAYS(a_seed_means_the_same_tokens_on_every_device),
        cmocka_unit_test_setup(tokens_come_as_often_as_the_formulas_say, share_nothing), /* lanes draw the same tokens */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
