/* Log-probabilities of targets equal those in double, for rows of any length; the rows around are not touched. */
#include "cl/launches.h"

#define PART 1024u

static const struct { const char *label; uint32_t rows, vocab, stride; float scale; } cases[] = {
    { "one logit", 1, 1, 16, 1 },
    { "fewer than a vector", 2, 15, 16, 5 },
    { "a vector", 1, 16, 16, 5 },
    { "a part less one", 3, PART - 1, PART, 10 },
    { "a part", 2, PART, PART, 10 },
    { "a part and one", 2, PART + 1, PART + 32, 10 },
    { "a prime", 3, 5003, 5024, 20 },
    { "a real vocabulary", 2, 49152, 49152, 30 },
    { "large logits", 2, 300, 320, 3e4f },
};

static double exact(const float *row, uint32_t vocab, int32_t target)
{
    double largest = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < vocab; i++)
        largest = fmax(largest, row[i]);
    for (uint32_t i = 0; i < vocab; i++)
        sum += exp(row[i] - largest);
    return row[target] - largest - log(sum);
}

/* [rows][2], and two numbers behind that nobody may touch. */
static float *run(dev_device *device, const float *values, uint32_t rows, uint32_t vocab, uint32_t stride, const int32_t *targets)
{
    const uint32_t count = (vocab + PART - 1) / PART;
    dev_buffer     logits = new_rows(device, values, rows, vocab, stride, 0), parts = new_nan_buffer(device, 2 * rows * count);
    dev_buffer     ids = new_bytes(device, targets, rows * sizeof *targets), out = new_nan_buffer(device, 2 * rows + 2);
    const dev_arg  first[] = { dev_arg_buffer(&logits), dev_arg_u32(stride), dev_arg_u32(vocab), dev_arg_buffer(&parts) };
    const dev_arg  second[] = { first[0], first[1], first[2], first[3], dev_arg_buffer(&ids), dev_arg_buffer(&out) };
    const dev_launch cut = { .source = "log_prob", .kernel = "log_prob_parts", .options = "-DPART=1024", .dims = 2, .global = { count, rows },
                             .args = first, .arg_count = COUNT(first) };
    const dev_launch join = { .source = "log_prob", .kernel = "log_prob_join", .options = "-DPART=1024", .dims = 1, .global = { rows },
                              .args = second, .arg_count = COUNT(second) };
    run_launch(device, &cut);
    run_launch(device, &join);
    float *got = read_floats(device, &out);
    dev_buffer_free(device, &logits);
    dev_buffer_free(device, &parts);
    dev_buffer_free(device, &ids);
    dev_buffer_free(device, &out);
    return got;
}

static double log_prob(const float *pair) { return pair[0] - log(pair[1]); }

/* e^x is off by 2 ulp; 64 terms of a lane and then 16 lanes and the parts are added: below 2^-24 * 100 of the sum. */
static void compare_on_device(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint32_t rows = cases[i].rows, vocab = cases[i].vocab;
        float         *values = new_numbers(i + 1, (size_t)rows * vocab);
        int32_t        targets[3];
        for (size_t v = 0; v < (size_t)rows * vocab; v++)
            values[v] *= cases[i].scale;
        for (uint32_t r = 0; r < rows; r++)
            targets[r] = (int32_t)(r == 0 ? vocab - 1 : (r * 7919u) % vocab);
        float *got = run(device, values, rows, vocab, cases[i].stride, targets);
        for (uint32_t r = 0; r < rows; r++) {
            const double want = exact(values + (size_t)r * vocab, vocab, targets[r]);
            if (!(fabs(log_prob(got + 2 * r) - want) <= 6e-6 + 6e-8 * fabs(want)))
                fail_msg("%s: row %u: %.9g, want %.9g", cases[i].label, r, log_prob(got + 2 * r), want);
        }
        assert_true(isnan(got[2 * rows]) && isnan(got[2 * rows + 1]));
        core_free(values);
        core_free(got);
    }
}

static void log_probabilities_equal_those_in_double(void **state)
{
    (void)state;
    devices_each(compare_on_device, NULL);
}

static void odd_on_device(dev_device *device, void *user)
{
    enum { VOCAB = 2100, ROWS = 5 };
    const int32_t targets[ROWS] = { 5, 2099, 3, -1, VOCAB };
    float        *values = new_numbers(3, (size_t)ROWS * VOCAB);
    (void)user;
    values[5] = -INFINITY;                  /* a target that is out */
    for (uint32_t i = 0; i < 1024; i++)
        values[VOCAB + i] = -INFINITY;      /* a part that is out */
    values[2 * VOCAB + 1500] = NAN;
    float *got = run(device, values, ROWS, VOCAB, 2112, targets);
    const double want = exact(values + VOCAB, VOCAB, targets[1]);
    assert_true(isinf(log_prob(got)) && log_prob(got) < 0);
    assert_true(fabs(log_prob(got + 2) - want) < 6e-6);
    assert_true(isnan(log_prob(got + 4)));
    assert_true(log_prob(got + 6) == 0);    /* no target */
    assert_true(log_prob(got + 8) == 0);    /* one beyond the vocabulary */
    core_free(values);
    core_free(got);
}

static void infinities_nan_and_missing_targets_stay_in_their_rows(void **state)
{
    (void)state;
    devices_each(odd_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_probabilities_equal_those_in_double),
        cmocka_unit_test(infinities_nan_and_missing_targets_stay_in_their_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
