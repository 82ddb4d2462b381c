/* cl/short_conv.cl: convolutions of ragged batches against double; the same bits however sequences are cut; padding untouched. */
#include "cl/pieces.h"

static const struct conv_case { const char *label; uint32_t taps, channels; bool gated, bias; } cases[] = {
    { "gated, three rows", 3, 17, true, false },
    { "gated with bias", 4, 5, true, true },
    { "SiLU, four rows", 4, 48, false, false },
    { "two rows, one channel", 2, 1, false, true },
    { "more rows than sequences have", 16, 3, false, false },
};

#define PADDING 3u

typedef struct scene {
    const struct conv_case *is;
    uint32_t   width;  /* of a row that is read */
    float     *x, *w, *bias;
    dev_buffer w_buffer, bias_buffer, tail, reached;
} scene;

static double input_at(const scene *s, uint32_t sequence, uint32_t position, uint32_t c)
{
    const float *row = s->x + ((size_t)sequence * LONGEST + position) * s->width;
    return s->is->gated ? (double)(row[c] * row[2 * s->is->channels + c]) : (double)row[c];
}

/* What a row becomes, and how far off float32 may be: each of taps + 1 roundings is at most of the sum of magnitudes; SiLU's 4 more. */
static double reference(const scene *s, uint32_t sequence, uint32_t position, uint32_t c, double *allowed)
{
    const uint32_t taps = s->is->taps, channels = s->is->channels;
    double sum = s->is->bias ? (double)s->bias[c] : 0.0, size = fabs(sum);
    for (uint32_t t = 0; t < taps; t++) {
        const uint32_t back = taps - 1 - t;
        const double   term = back <= position ? (double)s->w[t * channels + c] * input_at(s, sequence, position - back, c) : 0.0;
        sum += term;
        size += fabs(term);
    }
    *allowed = (2.0 * taps + 6.0) * 0x1p-24 * (size + 1.0);
    return s->is->gated ? sum * (double)s->x[((size_t)sequence * LONGEST + position) * s->width + channels + c] : sum / (1.0 + exp(-sum));
}

static void check_row(const scene *s, const cut *how, const pass_rows *rows, uint32_t r, const float *got, float *results)
{
    const uint32_t channels = s->is->channels, sequence = (uint32_t)rows->sequences[r], position = (uint32_t)rows->positions[r];
    float         *first = results + ((size_t)sequence * LONGEST + position) * channels;
    for (uint32_t c = 0; c < channels + PADDING; c++) {
        double allowed = 0.0;
        if (c >= channels) {
            assert_true(isnan(got[c]));
            continue;
        }
        const double want = reference(s, sequence, position, c, &allowed);
        if (!(fabs((double)got[c] - want) <= allowed))
            fail_msg("%s, %s: sequence %u, position %u, channel %u: %.9g, want %.9g", s->is->label, how->label, sequence, position, c, (double)got[c],
                     want);
        if (how != cuts && memcmp(&first[c], &got[c], sizeof *got) != 0)
            fail_msg("%s, %s: sequence %u, position %u, channel %u has other bits", s->is->label, how->label, sequence, position, c);
        first[c] = got[c];
    }
}

static void run_pass(dev_device *device, const scene *s, const cut *how, const pass_rows *rows, float *results)
{
    const uint32_t channels = s->is->channels, x_stride = s->width + 2, y_stride = channels + PADDING;
    float     *values = rows_of_pass(rows, s->x, s->width);
    dev_buffer x = new_rows(device, values, rows->count, s->width, x_stride, 0), y = new_nan_buffer(device, (size_t)rows->count * y_stride);
    char       options[48];
    snprintf(options, sizeof options, "-DTAPS=%u -DCONV_GATED=%d", s->is->taps, s->is->gated);
    const dev_arg conv[] = {
        dev_arg_buffer(&y), dev_arg_u32(y_stride), dev_arg_buffer(&x), dev_arg_u32(x_stride), dev_arg_buffer(&s->w_buffer),
        dev_arg_buffer(s->is->bias ? &s->bias_buffer : NULL), dev_arg_buffer(&s->tail), dev_arg_buffer(&rows->position_buffer),
        dev_arg_buffer(&rows->sequence_buffer), dev_arg_u32(channels),
    };
    const dev_arg keep[] = {
        dev_arg_buffer(&s->tail), dev_arg_buffer(&s->reached), dev_arg_buffer(&x), dev_arg_u32(x_stride), dev_arg_buffer(&rows->position_buffer),
        dev_arg_buffer(&rows->sequence_buffer), dev_arg_u32(rows->count), dev_arg_u32(channels),
    };
    const dev_launch launches[] = {
        { .source = "short_conv", .kernel = "short_conv", .options = options, .dims = 2, .global = { channels, rows->count },
          .local = { 1, 1 }, .args = conv, .arg_count = COUNT(conv) },
        { .source = "short_conv", .kernel = "short_conv_keep", .options = options, .dims = 2, .global = { channels, rows->count },
          .local = { 1, 1 }, .args = keep, .arg_count = COUNT(keep) },
    };
    run_launch(device, &launches[0]);
    run_launch(device, &launches[1]);
    float *got = read_floats(device, &y);
    for (uint32_t r = 0; r < rows->count; r++)
        check_row(s, how, rows, r, got + (size_t)r * y_stride, results);
    core_free(got);
    core_free(values);
    dev_buffer_free(device, &x);
    dev_buffer_free(device, &y);
}

static void try_cut(dev_device *device, scene *s, const cut *how, float *results)
{
    uint32_t done[SEQUENCES] = { 0 };
    int32_t  reached[SEQUENCES];
    s->tail = new_nan_buffer(device, (size_t)SEQUENCES * (s->is->taps - 1) * s->is->channels); /* nobody may count what is before position 0 */
    s->reached = new_nan_buffer(device, SEQUENCES);
    for (uint32_t pass = 0; pass < how->passes; pass++) {
        pass_rows rows = new_pass(device, how, pass, done);
        run_pass(device, s, how, &rows, results);
        free_pass(device, &rows);
    }
    assert_ok(dev_buffer_read(dev_queue(device), &s->reached, 0, reached, sizeof reached));
    for (uint32_t i = 0; i < SEQUENCES; i++)
        assert_int_equal(reached[i], lengths[i]);
    dev_buffer_free(device, &s->tail);
    dev_buffer_free(device, &s->reached);
}

static void try_cases(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint32_t channels = cases[i].channels, width = (cases[i].gated ? 3 : 1) * channels;
        scene  s = { .is = &cases[i], .width = width, .x = new_numbers(1, (size_t)SEQUENCES * LONGEST * width),
                     .w = new_numbers(2, (size_t)cases[i].taps * channels), .bias = new_numbers(3, channels) };
        float *results = new_numbers(4, (size_t)SEQUENCES * LONGEST * channels);
        s.w_buffer = new_rows(device, s.w, cases[i].taps, channels, channels, 0);
        s.bias_buffer = new_rows(device, s.bias, 1, channels, channels, 0);
        for (size_t c = 0; c < COUNT(cuts); c++)
            try_cut(device, &s, &cuts[c], results);
        dev_buffer_free(device, &s.w_buffer);
        dev_buffer_free(device, &s.bias_buffer);
        core_free(s.x);
        core_free(s.w);
        core_free(s.bias);
        core_free(results);
    }
}

static void convolutions_agree_with_double_however_sequences_are_cut(void **state)
{
    (void)state;
    devices_each(try_cases, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(convolutions_agree_with_double_however_sequences_are_cut) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
