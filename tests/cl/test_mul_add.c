/* MUL_ADD is rounded once on a device that can, twice on one that cannot, and never now so, now so: in loops of any length (compilers unroll
 * some and leave a remainder), in vectors, beside a branch. Where a * b + c stood instead, Intel's CPU runtime gave both. */
#include "cl/snippet.h"
#include "device/device_internal.h"

enum { TERMS = 45, SUMS = 12, WIDE = 16, OUT = SUMS + 1 + WIDE + 1 }; /* what a work-item writes */

/* Work-item n: sums over the first n terms. */
static const char text[] =
    "\n__kernel void try_mul_add(const __global float *a, __global float *out)\n"
    "{\n"
    "    const uint n = (uint)get_global_id(0);\n"
    "    const __global float *const b = a + 45;\n"
    "    float many[12], one = 0.0f;\n"
    "    out += n * (12 + 1 + 16 + 1);\n"
    "    for (uint d = 0; d < 12; d++)\n"
    "        many[d] = 0.0f;\n"
    "    for (uint t = 0; t < n; t++)\n"
    "        for (uint d = 0; d < 12; d++)\n"
    "            many[d] = MUL_ADD(a[t], b[16 * t + d], many[d]);\n"
    "    for (uint t = 0; t < n; t++)\n"
    "        one = MUL_ADD(a[t], b[16 * t], one);\n"
    "    float16 wide = 0.0f;\n"
    "    for (uint t = 0; t < n; t++)\n"
    "        wide = MUL_ADD((float16)(a[t]), vload16(t, b), wide);\n"
    "    float beside = a[0] * b[0];\n"
    "    if (n % 2)\n"
    "        beside = MUL_ADD(beside, b[1], b[2]);\n"
    "    for (uint d = 0; d < 12; d++)\n"
    "        out[d] = many[d];\n"
    "    out[12] = one;\n"
    "    vstore16(wide, 0, out + 13);\n"
    "    out[29] = beside;\n"
    "}\n";

static float mul_add(bool once, float a, float b, float c)
{
    const volatile float product = a * b; /* volatile: rounded */
    return once ? fmaf(a, b, c) : product + c;
}

static void try_sums(dev_device *device, void *user)
{
    double     seconds;
    const bool once = dev_measure_fused(device, &seconds);
    float     *in = new_numbers(5, TERMS + 16 * TERMS), *b = in + TERMS, *got = core_alloc_array(TERMS * OUT, sizeof *got, "sums");
    (void)user;
    assert_non_null(got);
    print_message("      rounded %s\n", once ? "once" : "twice");
    run_snippet_with(device, once ? "#define HAS_FMA\n" : "", "norm", text, "try_mul_add", TERMS, in, (TERMS + 16 * TERMS) * sizeof *in, got,
                     TERMS * OUT * sizeof *got);
    for (size_t n = 0; n < TERMS; n++)
        for (size_t i = 0; i < OUT; i++) {
            const size_t d = i < SUMS ? i : i == SUMS ? 0 : i - SUMS - 1;
            float        want = 0.0f;
            for (size_t t = 0; t < n; t++)
                want = mul_add(once, in[t], b[16 * t + d], want);
            if (i == OUT - 1) {
                const volatile float product = in[0] * b[0];
                want = n % 2 ? mul_add(once, product, b[1], b[2]) : product;
            }
            if (memcmp(&got[n * OUT + i], &want, sizeof want) != 0)
                fail_msg("%zu terms, result %zu: %.9g, want %.9g", n, i, (double)got[n * OUT + i], (double)want);
        }
    core_free(in);
    core_free(got);
}

static void a_product_and_a_sum_are_rounded_one_way_on_a_device(void **state)
{
    (void)state;
    devices_each(try_sums, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_and_a_sum_are_rounded_one_way_on_a_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
