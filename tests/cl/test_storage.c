/* Every stored number of 16 bits, and many of 32, as float: one at a time, eight and sixteen together, by every way storage.h has. */
#include "cl/snippet.h"

#define LANES 16

static const struct { const char *label, *macros; core_dtype dtype; } ways[] = {
    { "float32", "#define STORAGE 0\n", CORE_F32 },
    { "float16", "#define STORAGE 1\n", CORE_F16 },
    { "float16 by vload_half", "#define STORAGE 1\n#define HAS_VLOAD_HALF\n", CORE_F16 },
    { "float16 by integers", "#define STORAGE 1\n#undef __FLT16_MANT_DIG__\n", CORE_F16 },
    { "bfloat16", "#define STORAGE 2\n", CORE_BF16 },
};

/* Bits, so that no compiler looks at a NaN: LOAD_W of 16, twice of 8, and sixteen times of 1. */
static const char text[] =
    "\n__kernel void try_loads(const __global stored *in, __global uint *out)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    in += 16 * i;\n"
    "    out += 48 * i;\n"
    "    vstore16(as_uint16(LOAD_W(in, 16)), 0, out);\n"
    "    vstore8(as_uint8(LOAD_W(in, 8)), 2, out);\n"
    "    vstore8(as_uint8(LOAD_W(in + 8, 8)), 3, out);\n"
    "    for (uint k = 0; k < 16; k++)\n"
    "        out[32 + k] = as_uint(LOAD_W1(in + k));\n"
    "}\n";

/* A device may take numbers below the smallest normal float for zero: of those, the sign is all that is asked. */
static bool is_right(uint32_t got, uint32_t want)
{
    const bool nan = (want & 0x7fffffffu) > 0x7f800000u, tiny = (want & 0x7f800000u) == 0;
    return nan ? (got & 0x7fffffffu) > 0x7f800000u : got == want || (tiny && (got & 0x7fffffffu) == 0);
}

static void try_way(dev_device *device, size_t w, const void *stored, size_t count)
{
    uint32_t *got = core_alloc_array(3 * count, sizeof *got, "results");
    assert_non_null(got);
    run_snippet_with(device, ways[w].macros, "embed", text, "try_loads", count / LANES, stored, count * core_dtype_size(ways[w].dtype), got,
                     3 * count * sizeof *got);
    for (size_t i = 0; i < count; i++) {
        uint32_t want;
        float    value;
        core_dtype_to_f32(ways[w].dtype, (const unsigned char *)stored + i * core_dtype_size(ways[w].dtype), &value, 1);
        memcpy(&want, &value, sizeof want);
        for (size_t k = 0; k < 3; k++) {
            const uint32_t bits = got[i / LANES * 3 * LANES + k * LANES + i % LANES];
            if (!is_right(bits, want))
                fail_msg("%s, number %zu, among %d: %08x, want %08x", ways[w].label, i, k == 0 ? 16 : k == 1 ? 8 : 1, bits, want);
        }
    }
    core_free(got);
}

static void try_ways(dev_device *device, void *user)
{
    const size_t count = devices_is_slow(device) ? 0x400 : 0x10000, step = 0x10000 / count;
    uint16_t    *narrow = core_alloc_array(count, sizeof *narrow, "numbers");
    uint32_t    *wide = core_alloc_array(count, sizeof *wide, "numbers");
    (void)user;
    assert_true(narrow && wide);
    for (size_t i = 0; i < count; i++) {
        narrow[i] = (uint16_t)(i * step + i % step);
        wide[i] = (uint32_t)narrow[i] * 0x10001u;
    }
    for (size_t w = 0; w < COUNT(ways); w++)
        try_way(device, w, ways[w].dtype == CORE_F32 ? (const void *)wide : narrow, count);
    core_free(narrow);
    core_free(wide);
}

static void a_stored_number_is_the_same_float_however_it_is_loaded(void **state)
{
    (void)state;
    devices_each(try_ways, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_number_is_the_same_float_however_it_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
