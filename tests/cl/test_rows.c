/* test_rows.c: what is done to rows element by element: xIELU, scaled and capped logits, layers' inputs behind a gate, and expm1 below them,
 * against double.
 *
 * Tolerance, u = 2^-24. expm1_f: e^r - 1 is off by 2 u of itself, its product with 2^n and the sum by one each: 4 u (|2^n| <= 1 here, so also
 * of the sum where that is small). xIELU: below 0 the difference e^x - 1 - x is off by 5 u (|e^x - 1| + |x|), then two products and a sum: 3 u of
 * each term. tanh() may be 5 ulp off, the quotient before it 2.5, products 1 each: 20 u of the result, and what the cap's quotient loses. */
#include "cl/launches.h"
#include "cl/snippet.h"

#define ROWS 3u
#define STRIDE 64u /* columns that are computed: all, padding too */

static float *run_rows(dev_device *device, const char *source, const float *values, const dev_arg *more, size_t more_count)
{
    dev_buffer y = new_rows(device, values, ROWS + 1, STRIDE, STRIDE, 0);
    dev_arg    args[4] = { dev_arg_buffer(&y), dev_arg_u32(STRIDE) };
    memcpy(args + 2, more, more_count * sizeof *more);
    const dev_launch launch = { .source = source, .kernel = source, .options = "", .dims = 2, .global = { STRIDE / 16, ROWS }, .args = args,
                                .arg_count = (cl_uint)(2 + more_count) };
    run_launch(device, &launch);
    float *got = read_floats(device, &y);
    dev_buffer_free(device, &y);
    assert_memory_equal(got + ROWS * STRIDE, values + ROWS * STRIDE, STRIDE * sizeof *got); /* the row behind */
    return got;
}

/* Numbers of all sizes, with 0 and both sides of it. */
static float *new_values(uint64_t seed, float size)
{
    float *values = new_numbers(seed, (ROWS + 1) * STRIDE);
    for (size_t i = 0; i < (ROWS + 1) * STRIDE; i++)
        values[i] *= i % 5 == 0 ? 1e-4f : i % 5 == 1 ? 1e-7f : size;
    values[0] = 0.0f;
    values[1] = -0.0f;
    values[2] = -100.0f;
    values[3] = 100.0f;
    return values;
}

static void check(const char *label, size_t i, float x, float got, double want, double error)
{
    if (!(fabs(got - want) <= error))
        fail_msg("%s of %.9g, element %zu: %.9g, want %.9g within %.3g", label, (double)x, i, (double)got, want, error);
}

static void try_xielu(dev_device *device, void *user)
{
    static const float sets[][4] = { { 0.8f, 1.3f, 0.5f, -1e-6f }, { 2.1f, 0.6f, 0.3f, -1e-3f } };
    (void)user;
    for (size_t set = 0; set < COUNT(sets); set++) {
        const double  p = sets[set][0], n = sets[set][1], beta = sets[set][2], eps = sets[set][3];
        float        *x = new_values(20 + set, 6.0f);
        dev_buffer    own = new_bytes(device, sets[set], sizeof sets[set]);
        const dev_arg more[] = { dev_arg_buffer(&own) };
        float        *y = run_rows(device, "xielu", x, more, COUNT(more));
        for (size_t i = 0; i < ROWS * STRIDE; i++) {
            const double v = x[i], above = p * v * v, e = expm1(v < eps ? v : eps), below = n * (e - v), linear = beta * v;
            const double want = (v > 0 ? above : below) + linear, u = 0x1p-24;
            const double error = v > 0 ? u * (3 * fabs(above) + fabs(linear) + fabs(want))
                                       : u * (n * 5 * (fabs(e) + fabs(v)) + 2 * fabs(below) + fabs(linear) + fabs(want));
            check("xielu", i, x[i], y[i], want, error);
        }
        core_free(x);
        core_free(y);
        dev_buffer_free(device, &own);
    }
}

static void xielu_agrees_with_its_formula(void **state)
{
    (void)state;
    devices_each(try_xielu, NULL);
}

static void try_logits(dev_device *device, void *user)
{
    static const struct { float scale, cap; } cases[] = { { 0.0625f, 0 }, { 1, 30 }, { 0.3f, 5 } };
    (void)user;
    for (size_t c = 0; c < COUNT(cases); c++) {
        const double  scale = cases[c].scale, cap = cases[c].cap;
        float        *x = new_values(30 + c, 50.0f);
        const dev_arg more[] = { dev_arg_f32(cases[c].scale), dev_arg_f32(cases[c].cap) };
        float        *y = run_rows(device, "logits", x, more, COUNT(more));
        for (size_t i = 0; i < ROWS * STRIDE; i++) {
            const double want = cap > 0 ? cap * tanh(scale * x[i] / cap) : scale * x[i];
            check("logit", i, x[i], y[i], want, (cap > 0 ? 20 : 1) * 0x1p-24 * fabs(want));
        }
        core_free(x);
        core_free(y);
    }
}

static void logits_are_scaled_then_capped(void **state)
{
    (void)state;
    devices_each(try_logits, NULL);
}

/* Columns from 3 on of one input and from 5 on of the other; columns behind the last stay. */
static void try_layer_input(dev_device *device, void *user)
{
    enum { COLUMNS = 37 };
    float *x = new_values(50, 3.0f), *a = new_values(51, 2.0f), *b = new_values(52, 2.0f);
    (void)user;
    dev_buffer    gate = new_rows(device, x, ROWS, STRIDE, STRIDE, 0), first = new_rows(device, a, ROWS, STRIDE, STRIDE, 0),
                  second = new_rows(device, b, ROWS, STRIDE, STRIDE + 4, 0);
    const dev_arg args[] = { dev_arg_buffer(&gate), dev_arg_u32(STRIDE), dev_arg_buffer(&first), dev_arg_u32(STRIDE), dev_arg_u32(3),
                             dev_arg_buffer(&second), dev_arg_u32(STRIDE + 4), dev_arg_u32(5) };
    const dev_launch launch = { .source = "layer_input", .kernel = "layer_input", .options = "", .dims = 2, .global = { COLUMNS, ROWS },
                                .args = args, .arg_count = COUNT(args) };
    run_launch(device, &launch);
    float *y = read_floats(device, &gate);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < STRIDE; i++) {
            const double told = (double)a[row * STRIDE + 3 + i % COLUMNS] + (double)b[row * STRIDE + 5 + i % COLUMNS];
            const double want = i < COLUMNS ? x[row * STRIDE + i] * told : (double)x[row * STRIDE + i];
            check("layer input", row * STRIDE + i, x[row * STRIDE + i], y[row * STRIDE + i], want, i < COLUMNS ? 2 * 0x1p-24 * fabs(want) : 0);
        }
    core_free(x);
    core_free(a);
    core_free(b);
    core_free(y);
    dev_buffer_free(device, &gate);
    dev_buffer_free(device, &first);
    dev_buffer_free(device, &second);
}

static void what_a_layer_is_told_passes_its_gate(void **state)
{
    (void)state;
    devices_each(try_layer_input, NULL);
}

static const char text[] =
    "\n__kernel void try_expm1(const __global float *in, __global float *out)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    vstore16(expm1_f16(vload16(i, in)), 2 * i, out);\n"
    "    for (uint k = 0; k < 16; k++)\n"
    "        out[32 * i + 16 + k] = expm1_f1(in[16 * i + k]);\n"
    "}\n";

static void try_expm1(dev_device *device, void *user)
{
    const size_t count = (ROWS + 1) * STRIDE;
    float       *x = new_values(40, 20.0f), *y = core_alloc_array(2 * count, sizeof *y, "results");
    (void)user;
    assert_non_null(y);
    run_snippet(device, "attention_join", text, "try_expm1", count / 16, x, count * sizeof *x, y, 2 * count * sizeof *y);
    for (size_t i = 0; i < count; i++) {
        const float  among = y[i / 16 * 32 + i % 16], alone = y[i / 16 * 32 + 16 + i % 16];
        const double want = x[i] > 88.0f ? NAN : expm1((double)x[i]);
        if (!isnan(want))
            check("expm1", i, x[i], among, want, 4 * 0x1p-24 * fabs(want));
        if (!isnan(want) && memcmp(&among, &alone, sizeof alone) != 0)
            fail_msg("expm1(%.9g): %.9g among 16, %.9g alone", (double)x[i], (double)among, (double)alone);
    }
    core_free(x);
    core_free(y);
}

static void expm1_keeps_its_digits_around_zero(void **state)
{
    (void)state;
    devices_each(try_expm1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xielu_agrees_with_its_formula),
        cmocka_unit_test(logits_are_scaled_then_capped),
        cmocka_unit_test(what_a_layer_is_told_passes_its_gate),
        cmocka_unit_test(expm1_keeps_its_digits_around_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
