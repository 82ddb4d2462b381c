/* cl/delta_net.cl: the three steps of a gated delta net over ragged batches against double, the same bits however sequences are cut; and
 * cl/attention_gate.cl. */
#include "cl/pieces.h"

static const struct net_case { const char *label; uint32_t key_heads, value_heads, key_dim, value_dim; bool tiled; } cases[] = {
    { "one of everything", 1, 1, 1, 1, false },
    { "keys shared by two heads", 2, 4, 6, 6, false },
    { "keys shared by two heads, in turn", 2, 4, 6, 6, true },
    { "values longer than keys", 3, 3, 5, 8, false },
    { "real heads", 1, 2, 128, 128, false },
};

#define AT 3u      /* where z begins in a row */
#define PADDING 2u
#define EPS 1e-6f

typedef struct scene {
    const struct net_case *is;
    uint32_t   mixed_width, in_width, out_width;
    float     *mixed, *in, *rate, *dt, *w;
    double    *want; /* [SEQUENCES][LONGEST][out_width] */
    dev_buffer rate_buffer, dt_buffer, w_buffer, memory;
} scene;

/* ---- In double */

static void unit(const float *x, uint32_t n, double scale, double *y)
{
    double sum = 1e-6;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    for (uint32_t i = 0; i < n; i++)
        y[i] = (double)x[i] * scale / sqrt(sum);
}

static double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

/* One row of a head: memory [key_dim][value_dim]. */
static void step(const scene *s, uint32_t head, const float *mixed, const float *in, double *memory, double *out)
{
    const struct net_case *c = s->is;
    const uint32_t keys = c->key_heads * c->key_dim, n = c->value_dim;
    const uint32_t key_head = c->tiled ? head % c->key_heads : head / (c->value_heads / c->key_heads);
    const float   *z = in + AT + (size_t)head * n, *b = in + AT + (size_t)c->value_heads * n + head, *v = mixed + 2 * keys + (size_t)head * n;
    const double   beta = sigmoid(b[0]), decay = exp((double)s->rate[head] * log1p(exp((double)b[c->value_heads] + (double)s->dt[head])));
    double         q[128], k[128], squares = 0.0;
    unit(mixed + (size_t)key_head * c->key_dim, c->key_dim, 1.0 / sqrt(c->key_dim), q);
    unit(mixed + keys + (size_t)key_head * c->key_dim, c->key_dim, 1.0, k);
    for (uint32_t j = 0; j < n; j++) {
        double met = 0.0;
        for (uint32_t i = 0; i < c->key_dim; i++)
            met += (memory[i * n + j] *= decay) * k[i];
        out[j] = 0.0;
        for (uint32_t i = 0; i < c->key_dim; i++)
            out[j] += (memory[i * n + j] += k[i] * ((double)v[j] - met) * beta) * q[i];
        squares += out[j] * out[j];
    }
    for (uint32_t j = 0; j < n; j++)
        out[j] *= (double)s->w[j] / sqrt(squares / n + (double)EPS) * z[j] * sigmoid(z[j]);
}

static void compute_reference(scene *s)
{
    static double memory[128 * 128];
    for (uint32_t sequence = 0; sequence < SEQUENCES; sequence++)
        for (uint32_t head = 0; head < s->is->value_heads; head++) {
            memset(memory, 0, sizeof memory);
            for (uint32_t p = 0; p < LONGEST; p++) {
                const size_t row = (size_t)sequence * LONGEST + p;
                step(s, head, s->mixed + row * s->mixed_width, s->in + row * s->in_width, memory,
                     s->want + row * s->out_width + (size_t)head * s->is->value_dim);
            }
        }
}

/* ---- On the device */

static void launch(dev_device *device, const char *kernel, const char *options, size_t columns, size_t rows, const dev_arg *args, size_t count)
{
    const dev_launch l = { .source = "delta_net", .kernel = kernel, .options = options, .dims = 2, .global = { columns, rows },
                           .local = { columns % 4 == 0 ? 4 : 1, 1 }, .args = args, .arg_count = (cl_uint)count };
    run_launch(device, &l);
}

/* Errors of the memory are of its size times key_dim roundings a row, which decay; what a norm divides by may be small: the results of
 * a head are compared as a whole, relative to the largest that they could be. */
static void check_row(const scene *s, const cut *how, const pass_rows *rows, uint32_t r, const float *got, float *results)
{
    const size_t row = (size_t)rows->sequences[r] * LONGEST + (size_t)rows->positions[r];
    const double allowed = (s->is->key_dim + 40.0) * LONGEST * 0x1p-24 * sqrt(s->is->value_dim);
    for (uint32_t c = 0; c < s->out_width + PADDING; c++) {
        if (c >= s->out_width) {
            assert_true(isnan(got[c]));
            continue;
        }
        if (!(fabs((double)got[c] - s->want[row * s->out_width + c]) <= allowed))
            fail_msg("%s, %s: sequence %d, position %d, column %u: %.9g, want %.9g, allowed off by %.3g", s->is->label, how->label,
                     (int)rows->sequences[r], (int)rows->positions[r], c, (double)got[c], s->want[row * s->out_width + c], allowed);
        if (how != cuts && memcmp(&results[row * s->out_width + c], &got[c], sizeof *got) != 0)
            fail_msg("%s, %s: sequence %d, position %d, column %u has other bits", s->is->label, how->label, (int)rows->sequences[r],
                     (int)rows->positions[r], c);
        results[row * s->out_width + c] = got[c];
    }
}

static void run_pass(dev_device *device, const scene *s, const cut *how, const pass_rows *rows, float *results)
{
    const struct net_case *c = s->is;
    float     *mixed_values = rows_of_pass(rows, s->mixed, s->mixed_width), *in_values = rows_of_pass(rows, s->in, s->in_width);
    dev_buffer mixed_buffer = new_rows(device, mixed_values, rows->count, s->mixed_width, s->mixed_width + 1, 0);
    dev_buffer in_buffer = new_rows(device, in_values, rows->count, s->in_width, s->in_width + 2, 0);
    dev_buffer out_buffer = new_nan_buffer(device, (size_t)rows->count * (s->out_width + PADDING));
    const dev_arg mixed = dev_arg_buffer(&mixed_buffer), mixed_stride = dev_arg_u32(s->mixed_width + 1), in = dev_arg_buffer(&in_buffer);
    const dev_arg in_stride = dev_arg_u32(s->in_width + 2), at = dev_arg_u32(AT), out = dev_arg_buffer(&out_buffer);
    const dev_arg out_stride = dev_arg_u32(s->out_width + PADDING), key_heads = dev_arg_u32(c->key_heads), value_heads = dev_arg_u32(c->value_heads);
    const dev_arg value_dim = dev_arg_u32(c->value_dim);
    const dev_arg prepare[] = { mixed, mixed_stride, in, in_stride, at, dev_arg_buffer(&s->rate_buffer), dev_arg_buffer(&s->dt_buffer), key_heads,
                                value_heads, value_dim };
    const dev_arg net[] = { out, out_stride, dev_arg_buffer(&s->memory), mixed, mixed_stride, in, in_stride, at,
                            dev_arg_buffer(&rows->position_buffer), dev_arg_buffer(&rows->sequence_buffer), dev_arg_u32(rows->count), key_heads,
                            value_heads, value_dim, dev_arg_u32(c->tiled ? 1 : c->value_heads / c->key_heads) };
    const dev_arg finish[] = { out, out_stride, in, in_stride, at, dev_arg_buffer(&s->w_buffer), dev_arg_f32(EPS), value_dim };
    char          options[32];
    snprintf(options, sizeof options, "-DKEY_DIM=%u", c->key_dim);
    launch(device, "delta_prepare", options, 2 * c->key_heads + c->value_heads, rows->count, prepare, COUNT(prepare));
    launch(device, "delta_net", options, s->out_width, rows->count, net, COUNT(net));
    launch(device, "delta_finish", options, c->value_heads, rows->count, finish, COUNT(finish));
    float *got = read_floats(device, &out_buffer);
    for (uint32_t r = 0; r < rows->count; r++)
        check_row(s, how, rows, r, got + (size_t)r * (s->out_width + PADDING), results);
    core_free(got);
    core_free(mixed_values);
    core_free(in_values);
    dev_buffer_free(device, &mixed_buffer);
    dev_buffer_free(device, &in_buffer);
    dev_buffer_free(device, &out_buffer);
}

static void try_cut(dev_device *device, scene *s, const cut *how, float *results)
{
    uint32_t done[SEQUENCES] = { 0 };
    s->memory = new_nan_buffer(device, (size_t)SEQUENCES * s->out_width * s->is->key_dim); /* a sequence that begins reads none of it */
    for (uint32_t pass = 0; pass < how->passes; pass++) {
        pass_rows rows = new_pass(device, how, pass, done);
        run_pass(device, s, how, &rows, results);
        free_pass(device, &rows);
    }
    for (uint32_t i = 0; i < SEQUENCES; i++)
        assert_int_equal(done[i], lengths[i]);
    dev_buffer_free(device, &s->memory);
}

static void try_case(dev_device *device, const struct net_case *c)
{
    scene s = { .is = c, .mixed_width = 2 * c->key_heads * c->key_dim + c->value_heads * c->value_dim, .out_width = c->value_heads * c->value_dim };
    s.in_width = AT + s.out_width + 2 * c->value_heads;
    s.mixed = new_numbers(1, (size_t)SEQUENCES * LONGEST * s.mixed_width);
    s.in = new_numbers(2, (size_t)SEQUENCES * LONGEST * s.in_width);
    s.rate = new_numbers(3, c->value_heads);
    s.dt = new_numbers(4, c->value_heads);
    s.w = new_numbers(5, c->value_dim);
    s.want = core_alloc_array((size_t)SEQUENCES * LONGEST * s.out_width, sizeof *s.want, "a reference");
    float *results = new_numbers(6, (size_t)SEQUENCES * LONGEST * s.out_width);
    assert_non_null(s.want);
    for (uint32_t i = 0; i < c->value_heads; i++)
        s.rate[i] = -fabsf(s.rate[i]); /* a decay, never growth */
    compute_reference(&s);
    s.rate_buffer = new_rows(device, s.rate, 1, c->value_heads, c->value_heads, 0);
    s.dt_buffer = new_rows(device, s.dt, 1, c->value_heads, c->value_heads, 0);
    s.w_buffer = new_rows(device, s.w, 1, c->value_dim, c->value_dim, 0);
    for (size_t i = 0; i < COUNT(cuts); i++)
        try_cut(device, &s, &cuts[i], results);
    float *const      arrays[] = { s.mixed, s.in, s.rate, s.dt, s.w, results };
    dev_buffer *const buffers[] = { &s.rate_buffer, &s.dt_buffer, &s.w_buffer };
    for (size_t i = 0; i < COUNT(arrays); i++)
        core_free(arrays[i]);
    core_free(s.want);
    for (size_t i = 0; i < COUNT(buffers); i++)
        dev_buffer_free(device, buffers[i]);
}

static void try_cases(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++)
        try_case(device, &cases[i]);
}

static void delta_nets_agree_with_double_however_sequences_are_cut(void **state)
{
    (void)state;
    devices_each(try_cases, NULL);
}

/* ---- The gate on attention */

#define GATE_ROWS 3u
#define GATE_COLUMNS 13u

static void try_gate(dev_device *device, void *user)
{
    float     *x = new_numbers(7, GATE_ROWS * GATE_COLUMNS), *gates = new_numbers(8, GATE_ROWS * (AT + GATE_COLUMNS));
    dev_buffer out = new_rows(device, x, GATE_ROWS, GATE_COLUMNS, GATE_COLUMNS + PADDING, 0);
    dev_buffer gate = new_rows(device, gates, GATE_ROWS, AT + GATE_COLUMNS, AT + GATE_COLUMNS + 1, 0);
    const dev_arg args[] = { dev_arg_buffer(&out), dev_arg_u32(GATE_COLUMNS + PADDING), dev_arg_buffer(&gate), dev_arg_u32(AT + GATE_COLUMNS + 1),
                             dev_arg_u32(AT) };
    const dev_launch l = { .source = "attention_gate", .kernel = "attention_gate", .options = "", .dims = 2, .global = { GATE_COLUMNS, GATE_ROWS },
                           .args = args, .arg_count = COUNT(args) };
    (void)user;
    run_launch(device, &l);
    float *got = read_floats(device, &out);
    for (uint32_t r = 0; r < GATE_ROWS; r++)
        for (uint32_t i = 0; i < GATE_COLUMNS + PADDING; i++) {
            const float is = got[r * (GATE_COLUMNS + PADDING) + i];
            if (i >= GATE_COLUMNS)
                assert_true(isnan(is));
            else if (!(fabs((double)is - (double)x[r * GATE_COLUMNS + i] * sigmoid((double)gates[r * (AT + GATE_COLUMNS) + AT + i])) <= 4 * 0x1p-24))
                fail_msg("row %u, column %u: %.9g", r, i, (double)is);
        }
    core_free(got);
    core_free(x);
    core_free(gates);
    dev_buffer_free(device, &out);
    dev_buffer_free(device, &gate);
}

static void attention_passes_a_gate(void **state)
{
    (void)state;
    devices_each(try_gate, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delta_nets_agree_with_double_however_sequences_are_cut),
        cmocka_unit_test(attention_passes_a_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
