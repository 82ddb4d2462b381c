/* A sum behind IN_ORDER takes in its terms from first to last: of floats and of products, next to each other in memory and apart, of any
 * number of terms. Without IN_ORDER, Intel's CPU runtime keeps a sum for each lane of a vector and joins them after the loop. */
#include "cl/snippet.h"

enum { TERMS = 80, APART = 32, SUMS = 3 };

/* Sums of the first n terms, for each n. One work-item does it all: of many, the compiler would make the lanes of vectors. */
static const char text[] =
    "\n__kernel void try_order(const __global float *in, __global float *out)\n"
    "{\n"
    "    for (uint n = 0; n < 80; n++) {\n"
    "        float near = 0.0f, apart = 0.0f, products = 0.0f;\n"
    "        IN_ORDER for (uint t = 0; t < n; t++)\n"
    "            near += in[t];\n"
    "#pragma unroll 4\n"
    "        IN_ORDER for (uint t = 0; t < n; t++)\n"
    "            apart += in[32 * t];\n"
    "        IN_ORDER for (uint t = 0; t < n; t++)\n"
    "            products = MUL_ADD(in[t], in[t], products);\n"
    "        vstore3((float3)(near, apart, products), n, out);\n"
    "    }\n"
    "}\n";

static void try_order(dev_device *device, void *user)
{
    float *in = new_numbers(9, TERMS * APART), *got = core_alloc_array(TERMS * SUMS, sizeof *got, "sums");
    float  want[SUMS] = { 0, 0, 0 };
    (void)user;
    assert_non_null(got);
    /* Products are rounded twice: fma() keeps its order by itself. */
    run_snippet_with(device, "#define SEPARATE_MUL_ADD\n", "norm", text, "try_order", 1, in, TERMS * APART * sizeof *in, got,
                     TERMS * SUMS * sizeof *got);
    for (size_t n = 0; n < TERMS; n++) {
        static const char *const names[SUMS] = { "next to each other", "apart", "products" };
        for (size_t i = 0; i < SUMS; i++)
            if (memcmp(&got[n * SUMS + i], &want[i], sizeof want[i]) != 0)
                fail_msg("%zu terms, %s: %.9g, want %.9g", n, names[i], (double)got[n * SUMS + i], (double)want[i]);
        const volatile float square = in[n] * in[n]; /* volatile: rounded */
        want[0] += in[n];
        want[1] += in[APART * n];
        want[2] += square;
    }
    core_free(in);
    core_free(got);
}

static void sums_take_in_their_terms_from_first_to_last(void **state)
{
    (void)state;
    devices_each(try_order, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_take_in_their_terms_from_first_to_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
