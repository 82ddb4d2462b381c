/* The functions between two matrices, for float, float8 and float16, against their formulas in double.
 *
 * Tolerance in units u = 2^-24 of the result, with 2 ulp for exp_f (test_math.c), and what OpenCL allows for division (2.5 ulp), tanh (5 ulp)
 * and erf (16 ulp); an ulp is at most 2 u. A relative error e of the argument of exp() becomes |argument| * e of its result. What
 * underflows may be zero: 2^-126 is allowed on top, and for 1 + tanh() and 1 + erf() what they lose in double, 2^-52 x. */
#include "cl/snippet.h"

#define LANES 16

static const char text[] =
    "\n__kernel void try_activation(const __global float *in, __global float *out)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    in += 16 * i;\n"
    "    out += 48 * i;\n"
    "    const float16 x = vload16(0, in);\n"
    "    vstore16(ACTIVATE(x, 16), 0, out);\n"
    "    vstore8(ACTIVATE(x.lo, 8), 2, out);\n"
    "    vstore8(ACTIVATE(x.hi, 8), 3, out);\n"
    "    for (uint k = 0; k < 16; k++)\n"
    "        out[32 + k] = ACTIVATE(in[k], 1);\n"
    "}\n";

/* 1 / (1 + exp(-v)), v = factor * x off by `off` u: exp is off by 4 u + |v| off, the sum by one more, the quotient by 5. */
static double sigmoid_error(double v, double off) { return (4 + fabs(v) * off + 1 + 5) * 0x1p-24; }

/* How far off the result may be. */
static double allowed(dev_activation activation, double x, double want)
{
    const double u = 0x1p-24, y = fabs(want), inner = sqrt(8 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
    switch (activation) {
    case DEV_ACT_SILU: return y * (sigmoid_error(x, 0) + u);
    case DEV_ACT_SIGMOID: return y * sigmoid_error(x, 0);
    case DEV_ACT_QUICK_GELU: return y * (sigmoid_error(1.702 * x, 2) + u);
    case DEV_ACT_GELU_TANH: return y * (sigmoid_error(inner, 7) + u);
    /* x / 2 is exact; erf(v) with v off by 2 u |v|, its slope at most 1.13; near -1 the sum keeps erf's absolute error. */
    case DEV_ACT_GELU: return 0.5 * fabs(x) * (32 * u + 1.13 * 2 * u * fabs(x) * exp(-x * x / 2)) + 3 * u * y;
    case DEV_ACT_TANH: return 10 * u * y;
    case DEV_ACT_RELU2: return u * y;
    default: return 0;
    }
}

static void try_one(dev_device *device, dev_activation activation, const float *x, size_t count)
{
    char   macro[32];
    float *got = core_alloc_array(3 * count, sizeof *got, "results");
    double worst = 0;
    assert_non_null(got);
    snprintf(macro, sizeof macro, "#define ACTIVATION %d\n", (int)activation);
    run_snippet_with(device, macro, "matmul", text, "try_activation", count / LANES, x, count * sizeof *x, got, 3 * count * sizeof *got);
    for (size_t i = 0; i < count; i++) {
        const double want = activate(activation, x[i]), error = allowed(activation, x[i], want) + 0x1p-126 + 0x1p-52 * fabs((double)x[i]);
        for (size_t k = 0; k < 3; k++) {
            const float y = got[i / LANES * 3 * LANES + k * LANES + i % LANES];
            if (!(fabs(y - want) <= error))
                fail_msg("activation %d of %.9g, among %d: %.9g, want %.9g within %.3g", (int)activation, (double)x[i],
                         k == 0 ? 16 : k == 1 ? 8 : 1, (double)y, want, error);
            worst = fmax(worst, fabs(y - want) / error);
        }
    }
    print_message("      activation %d: at most %.3f of the error allowed\n", (int)activation, worst);
    core_free(got);
}

static void try_all(dev_device *device, void *user)
{
    static const float ends[LANES] = { 0.0f, -0.0f, 1e-30f, -1e-30f, 1e-7f, -1e-7f, 80.0f, -80.0f, 100.0f, -100.0f, 1e4f, -1e4f, 1.0f, -1.0f,
                                       0.5f, -0.5f };
    const size_t count = LANES * (devices_is_slow(device) ? 8u : 1024u);
    float       *x = core_alloc_array(count, sizeof *x, "arguments");
    (void)user;
    assert_non_null(x);
    memcpy(x, ends, sizeof ends);
    for (size_t i = LANES; i < count; i++)
        x[i] = -20.0f + 40.0f * (float)(i - LANES) / (float)(count - LANES);
    for (int activation = DEV_ACT_NONE; activation <= DEV_ACT_TANH; activation++)
        try_one(device, (dev_activation)activation, x, count);
    core_free(x);
}

static void activations_agree_with_their_formulas(void **state)
{
    (void)state;
    devices_each(try_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_agree_with_their_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
