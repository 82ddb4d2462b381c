/* Drawing a token: from the right place of the cumulative distribution, in the right frequencies, repeatably; on every device. */
#include "cl/philox.h"
#include "cl/sample_bench.h"

/* ---- One draw is the inverse of the cumulative distribution at Philox's share */

static const struct { uint32_t vocab; bool large; } vocabularies[] = {
    { 1, false }, { 31, false }, { 4099, false }, { 49152, true }, { 262144, true },
};

/* The probabilities before and up to token `id`; its own logits, from 0 on, in index order. */
static void interval(const float *x, uint32_t count, uint32_t id, double *begin, double *end)
{
    double largest = -INFINITY, total = 0, before = 0;
    for (uint32_t i = 0; i < count; i++)
        largest = fmax(largest, x[i]);
    for (uint32_t i = 0; i < count; i++) {
        const double e = exp(x[i] - largest);
        total += e;
        before += i < id ? e : 0;
    }
    *begin = before / total;
    *end = (before + exp(x[id] - largest)) / total;
}

static void try_places(dev_device *device, void *user)
{
    (void)user;
    const uint64_t   seed = 0x123456789ABCDEF0u;
    const gen_config config = { OFF, .do_sample = true, .temperature = 1.0f, .top_p = 1.0f, .seed = seed };
    for (size_t i = 0; i < COUNT(vocabularies); i++) {
        if (vocabularies[i].large && devices_is_slow(device))
            continue;
        const uint32_t rows = 3, vocab = vocabularies[i].vocab;
        float         *x = new_numbers(5, (size_t)rows * vocab);
        bench          b;
        for (size_t k = 0; k < (size_t)rows * vocab; k++)
            x[k] = k % 7 == 3 ? -INFINITY : 5.0f * x[k];
        open_bench(&b, device, &config, rows, vocab, 1);
        for (uint32_t step = 0; step < 3; step++) {
            choose(&b, x, vocab);
            int32_t *ids = read_ints(device, &b.ids);
            for (uint32_t r = 0; r < rows; r++) {
                const double share = share_of(seed, step, r);
                double       begin = 0, end = 0;
                assert_in_range(ids[r], 0, vocab - 1);
                interval(x + (size_t)r * vocab, vocab, (uint32_t)ids[r], &begin, &end);
                /* Each probability is at most 2 ulp and 2^-40 off: 2^-22 of the whole. */
                if (share < begin - 0x1p-22 || share >= end + 0x1p-22 || isinf(x[(size_t)r * vocab + (uint32_t)ids[r]]))
                    fail_msg("%u tokens, step %u, row %u: drew %d, which is [%.9g, %.9g); the share is %.9g", vocab, step, r, ids[r],
                             begin, end, share);
            }
            core_free(ids);
        }
        close_bench(&b);
        core_free(x);
    }
}

static void a_draw_inverts_the_cumulative_distribution(void **state)
{
    (void)state;
    devices_each(try_places, NULL);
}

/* ---- Many draws */

#define FEW 24u

static const struct { const char *label; gen_config config; } settings[] = {
    { "as they are", { OFF, .do_sample = true, .temperature = 1.0f, .top_p = 1.0f, .seed = 1 } },
    { "warm", { OFF, .do_sample = true, .temperature = 1.7f, .top_p = 1.0f, .seed = 2 } },
    { "the best five", { OFF, .do_sample = true, .temperature = 1.0f, .top_k = 5, .top_p = 1.0f, .seed = 3 } },
    { "eight tenths", { OFF, .do_sample = true, .temperature = 1.0f, .top_p = 0.8f, .seed = 4 } },
};

/* Chi-square of the counts against the probabilities of what `kept` (the logits after the filters) leaves. With n - 1 degrees of
 * freedom its mean is n - 1 and its variance 2 (n - 1): five deviations above are seen once in a million. */
static void check_frequencies(const char *label, const uint32_t *counts, const float *kept, double draws)
{
    double   total = 0, chi = 0;
    uint32_t cells = 0;
    for (uint32_t i = 0; i < FEW; i++)
        total += exp((double)kept[i]);
    for (uint32_t i = 0; i < FEW; i++) {
        const double want = exp((double)kept[i]) / total * draws;
        if (want == 0 && counts[i] > 0)
            fail_msg("%s: token %u is out, but was drawn %u times", label, i, counts[i]);
        if (want > 0) {
            chi += (counts[i] - want) * (counts[i] - want) / want;
            cells++;
        }
    }
    const double free = cells - 1.0;
    if (chi > free + 5 * sqrt(2 * free))
        fail_msg("%s: chi-square %.1f with %g degrees of freedom after %g draws", label, chi, free, draws);
    print_message("      %s: chi-square %.1f with %g degrees of freedom\n", label, chi, free);
}

static void try_frequencies(dev_device *device, void *user)
{
    (void)user;
    const uint32_t rows = devices_is_slow(device) ? 500 : 5000, steps = devices_is_slow(device) ? 2 : 10;
    float          x[FEW];
    numbers        n = { 99 };
    for (uint32_t i = 0; i < FEW; i++)
        x[i] = 2.0f * next_number(&n);
    for (size_t k = 0; k < COUNT(settings); k++) {
        uint32_t counts[FEW] = { 0 };
        float    kept[FEW];
        bench    b;
        open_bench(&b, device, &settings[k].config, rows, FEW, 1);
        for (uint32_t step = 0; step < steps; step++) {
            choose(&b, x, 0);
            int32_t *ids = read_ints(device, &b.ids);
            for (uint32_t r = 0; r < rows; r++) {
                assert_in_range(ids[r], 0, FEW - 1);
                counts[ids[r]]++;
            }
            core_free(ids);
        }
        assert_ok(dev_buffer_read(dev_queue(device), &b.logits, 0, kept, sizeof kept));
        check_frequencies(settings[k].label, counts, kept, (double)rows * steps);
        close_bench(&b);
    }
}

static void tokens_come_as_often_as_they_should(void **state)
{
    (void)state;
    devices_each(try_frequencies, NULL);
}

/* ---- Repeating, and what cannot be drawn from */

static void draw_ids(dev_device *device, uint64_t seed, int32_t *ids)
{
    const gen_config config = { OFF, .do_sample = true, .temperature = 0.9f, .top_k = 40, .top_p = 0.95f, .seed = seed };
    float           *x = new_numbers(8, 2 * 200);
    bench            b;
    open_bench(&b, device, &config, 2, 200, 8);
    for (uint32_t step = 0; step < 8; step++)
        choose(&b, x, 200);
    assert_ok(dev_buffer_read(dev_queue(device), &b.sampler.ring, 0, ids, 16 * sizeof *ids));
    close_bench(&b);
    core_free(x);
}

static void try_seeds(dev_device *device, void *user)
{
    (void)user;
    int32_t first[16], again[16], other[16];
    draw_ids(device, 42, first);
    draw_ids(device, 42, again);
    draw_ids(device, (uint64_t)42 << 32, other);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
}

static void a_seed_repeats_its_tokens(void **state)
{
    (void)state;
    devices_each(try_seeds, NULL);
}

static void try_ways(dev_device *device, void *user)
{
    (void)user;
    static const uint32_t groups[] = { 1, 32, 128 };
    int32_t               ids[COUNT(groups)][16];
    for (size_t g = 0; g < COUNT(groups); g++) {
        sharing_group = groups[g];
        draw_ids(device, 77, ids[g]);
        assert_memory_equal(ids[g], ids[0], sizeof ids[0]);
    }
}

static void lanes_draw_the_tokens_that_one_work_item_draws(void **state)
{
    (void)state;
    devices_each(try_ways, NULL);
}

static void try_impossible(dev_device *device, void *user)
{
    (void)user;
    const gen_config config = { OFF, .do_sample = true, .temperature = 0.5f, .top_k = 3, .top_p = 0.9f, .seed = 1 };
    float            x[4][40];
    bench            b;
    for (uint32_t i = 0; i < 40; i++) {
        x[0][i] = -INFINITY;
        x[1][i] = i == 7 ? NAN : (float)i;
        x[2][i] = i == 9 ? INFINITY : (float)i;
        x[3][i] = i == 11 ? 1.0f : -INFINITY;
    }
    const int32_t want[4] = { -1, -1, -1, 11 };
    open_bench(&b, device, &config, 4, 40, 1);
    choose(&b, &x[0][0], 40);
    int32_t *ids = read_ints(device, &b.ids);
    for (uint32_t r = 0; r < 4; r++)
        if (ids[r] != want[r])
            fail_msg("row %u: %d, want %d", r, ids[r], want[r]);
    core_free(ids);
    close_bench(&b);
}

static void rows_without_probabilities_are_told(void **state)
{
    (void)state;
    devices_each(try_impossible, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(a_draw_inverts_the_cumulative_distribution),
        cmocka_unit_test_setup(tokens_come_as_often_as_they_should, share_nothing), /* lanes draw the same tokens, see below */
        BOTH_WAYS(a_seed_repeats_its_tokens),
        cmocka_unit_test(lanes_draw_the_tokens_that_one_work_item_draws),
        BOTH_WAYS(rows_without_probabilities_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
