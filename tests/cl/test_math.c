/* exp_f1 to exp_f16, tanh_f1, tanh_f16 and log_f1 of cl/math.h against double: at most 2, 3 and 2 units in the last place off, the same bits in a
 * vector as alone, and what is promised at the ends. */
#include "cl/snippet.h"

#define LANES 16u

static const char text[] =
    "\n__kernel void try_exp(const __global float *in, __global float *out)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    const float16 x = vload16(i, in);\n"
    "    __global float *const y = out + 64 * i;\n"
    "    vstore16(exp_f16(x), 0, y);\n"
    "    vstore8(exp_f8(x.lo), 2, y);\n"
    "    vstore8(exp_f8(x.hi), 3, y);\n"
    "    vstore4(exp_f4(x.lo.lo), 8, y);\n"
    "    vstore4(exp_f4(x.lo.hi), 9, y);\n"
    "    vstore4(exp_f4(x.hi.lo), 10, y);\n"
    "    vstore4(exp_f4(x.hi.hi), 11, y);\n"
    "    for (uint k = 0; k < 16; k++)\n"
    "        y[48 + k] = exp_f1(in[16 * i + k]);\n"
    "}\n";

/* What is promised: NaN stays, 0 below the smallest normal result, infinity a little early. */
static double promised(float x) { return isnan(x) ? (double)NAN : x < -87.336544f ? 0.0 : x > 88.376259f ? (double)INFINITY : exp((double)x); }

/* Units in the last place of `got` from `want`; 0 for what is equal, infinite and not a number included. */
static double distance(float got, double want)
{
    if ((isnan(got) && isnan(want)) || (double)got == want)
        return 0;
    if (isnan(got) || isnan(want) || isinf(got) || isinf(want))
        return INFINITY;
    int exponent;
    frexp(want, &exponent);
    return fabs(got - want) / ldexp(1.0, exponent - 24);
}

static void try_exp(dev_device *device, void *user)
{
    (void)user;
    static const float ends[LANES] = { 0.0f, -0.0f, -INFINITY, INFINITY, NAN, -87.336544f, -87.33655f, 88.376259f, 88.37627f, 88.8f,
                                       -1e30f, 1e30f, -103.0f, 1e-30f, -1e-8f, 1.0f };
    const size_t count = LANES * (devices_is_slow(device) ? 16u : 8192u);
    float       *x = core_alloc_array(count, sizeof *x, "arguments"), *y = core_alloc_array(4 * count, sizeof *y, "results");
    double       worst = 0;
    assert_true(x && y);
    memcpy(x, ends, sizeof ends);
    for (size_t i = LANES; i < count; i++)
        x[i] = -88.0f + 177.0f * (float)(i - LANES) / (float)(count - LANES);
    run_snippet(device, "attention_join", text, "try_exp", count / LANES, x, count * sizeof *x, y, 4 * count * sizeof *y);
    for (size_t i = 0; i < count; i++) {
        const float *own = y + i / LANES * 4 * LANES + i % LANES;
        const double off = distance(own[0], promised(x[i]));
        if (!(off <= 2.0))
            fail_msg("exp(%.9g) = %.9g, want %.12g: %.2f ulp off", (double)x[i], (double)own[0], promised(x[i]), off);
        worst = fmax(worst, off);
        for (size_t k = 1; k < 4; k++)
            if (memcmp(&own[k * LANES], &own[0], sizeof(float)) != 0 && !isnan(own[0]))
                fail_msg("exp(%.9g): %.9g among 16, %.9g among %d", (double)x[i], (double)own[0], (double)own[k * LANES], k == 1 ? 8 : k == 2 ? 4 : 1);
    }
    print_message("      at most %.2f ulp off\n", worst);
    core_free(x);
    core_free(y);
}

static void exponentials_are_two_units_off_at_most(void **state)
{
    (void)state;
    devices_each(try_exp, NULL);
}

static const char tanh_text[] =
    "\n__kernel void try_tanh(const __global float *in, __global float *out)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    vstore16(tanh_f16(vload16(i, in)), 0, out + 32 * i);\n"
    "    for (uint k = 0; k < 16; k++)\n"
    "        out[32 * i + 16 + k] = tanh_f1(in[16 * i + k]);\n"
    "}\n";

static void try_tanh(dev_device *device, void *user)
{
    static const float ends[LANES] = { 0.0f, -0.0f, -INFINITY, INFINITY, NAN, 0.625f, 0.62499994f, -0.625f, 1e-30f, -1e-20f, 1e-4f, 88.0f, -200.0f,
                                       1e30f, 9.0f, -0.5f };
    const size_t count = LANES * (devices_is_slow(device) ? 16u : 2048u);
    float       *x = core_alloc_array(count, sizeof *x, "arguments"), *y = core_alloc_array(2 * count, sizeof *y, "results");
    double       worst = 0;
    (void)user;
    assert_true(x && y);
    for (size_t i = 0; i < count; i++)
        x[i] = i < LANES ? ends[i] : (float)(-10.0 + 20.0 * (double)i / (double)count);
    run_snippet(device, "attention_join", tanh_text, "try_tanh", count / LANES, x, count * sizeof *x, y, 2 * count * sizeof *y);
    for (size_t i = 0; i < count; i++) {
        const float *own = y + i / LANES * 2 * LANES + i % LANES;
        const double off = distance(own[0], isnan(x[i]) ? (double)NAN : tanh((double)x[i]));
        worst = fmax(worst, off);
        if (off > 3)
            fail_msg("tanh(%.9g) = %.9g: %g ulp off", (double)x[i], (double)own[0], off);
        if (memcmp(own, own + LANES, sizeof *own) != 0 && !isnan(x[i]))
            fail_msg("tanh(%.9g): %.9g among 16, %.9g alone", (double)x[i], (double)own[0], (double)own[LANES]);
    }
    print_message("      at most %.2f ulp off\n", worst);
    core_free(x);
    core_free(y);
}

static void hyperbolic_tangents_are_three_units_off_at_most(void **state)
{
    (void)state;
    devices_each(try_tanh, NULL);
}

static const char log_text[] =
    "\n__kernel void try_log(const __global float *in, __global float *out)\n"
    "{\n"
    "    out[get_global_id(0)] = log_f1(in[get_global_id(0)]);\n"
    "}\n";

/* Normal numbers of all sizes, most of them near 1, where the logarithm is small. */
static void try_log(dev_device *device, void *user)
{
    static const float ends[LANES] = { 0.0f, 1.0f, 1.17549435e-38f, 3.4028235e38f, 0.70710677f, 0.70710683f, 1.4142135f, 1.4142137f, 0.99999994f,
                                       1.0000001f, 2.0f, 0.5f, 2.7182817f, 262144.0f, 0.9f, 1.1f };
    const size_t count = LANES * (devices_is_slow(device) ? 16u : 4096u);
    float       *x = core_alloc_array(count, sizeof *x, "arguments"), *y = core_alloc_array(count, sizeof *y, "results");
    double       worst = 0;
    (void)user;
    assert_true(x && y);
    for (size_t i = 0; i < count; i++) {
        const double part = (double)i / (double)count;
        x[i] = i < LANES ? ends[i] : i % 2 ? (float)exp(-87.0 + 175.0 * part) : (float)exp(-0.5 + part);
    }
    run_snippet(device, "attention_join", log_text, "try_log", count, x, count * sizeof *x, y, count * sizeof *y);
    for (size_t i = 0; i < count; i++) {
        const double off = distance(y[i], log((double)x[i]));
        worst = fmax(worst, off);
        if (!(off <= 2))
            fail_msg("log(%.9g) = %.9g, want %.9g: %g ulp off", (double)x[i], (double)y[i], log((double)x[i]), off);
    }
    print_message("      at most %.2f ulp off\n", worst);
    core_free(x);
    core_free(y);
}

static void logarithms_are_two_units_off_at_most(void **state)
{
    (void)state;
    devices_each(try_log, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithms_are_two_units_off_at_most),
        cmocka_unit_test(hyperbolic_tangents_are_three_units_off_at_most),
        cmocka_unit_test(exponentials_are_two_units_off_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
