/* Products by the kernels for lanes, each of them on every device, lanes or not: the same bits as by the kernel for vectors, and right
 * against the same in double. */
#include "cl/product_scene.h"
#include "device/provider.h"

static const struct {
    product_shape s;
    uint32_t      cut; /* panels of the first part */
} cases[] = {
    { { "one by one by one", 1, 1, 1, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, false, false }, 0 },
    { { "less than a panel and a chunk", 1, 31, 63, CORE_F16, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, true, false }, 0 },
    { { "a panel and a chunk", 1, 32, 64, CORE_BF16, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE, true, false }, 0 },
    { { "one more than both", 1, 33, 65, CORE_F32, DEV_NORM_LAYER, DEV_STORE, DEV_ACT_GELU, true, false }, 0 },
    { { "primes, residual", 1, 101, 211, CORE_F16, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, true, false }, 0 },
    { { "more chunks than slices, norm", 1, 40, 2113, CORE_BF16, DEV_NORM_RMS1P, DEV_STORE, DEV_ACT_NONE, false, false }, 0 },
    { { "more chunks than slices, gated with bias", 1, 64, 2176, CORE_F16, DEV_NORM_LAYER, DEV_GATED, DEV_ACT_SILU, true, true }, 0 },
    { { "one row, parts", 1, 90, 70, CORE_F32, DEV_NORM_RMS, DEV_STORE, DEV_ACT_SILU, true, false }, 1 },
    { { "one row, gated, parts", 1, 192, 100, CORE_BF16, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU, true, false }, 2 },
    { { "two rows, norm", 2, 64, 135, CORE_F16, DEV_NORM_RMS1P, DEV_STORE, DEV_ACT_NONE, false, false }, 0 },
    { { "two rows, gated, layer norm", 2, 128, 577, CORE_F32, DEV_NORM_LAYER, DEV_GATED, DEV_ACT_GELU_TANH, true, false }, 0 },
    { { "three rows, gated with bias", 3, 64, 65, CORE_BF16, DEV_NORM_LAYER, DEV_GATED, DEV_ACT_RELU, true, false }, 0 },
    { { "four rows, residual, parts", 4, 100, 129, CORE_BF16, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, true, false }, 2 },
    { { "five rows, norm", 5, 40, 600, CORE_F16, DEV_NORM_RMS, DEV_STORE, DEV_ACT_RELU, true, false }, 0 },
    { { "eight rows, many columns", 8, 64, 1100, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, false, true }, 0 },
    { { "sixteen rows", 16, 64, 128, CORE_F16, DEV_NORM_LAYER, DEV_ADD, DEV_ACT_NONE, true, false }, 0 },
    { { "seventeen rows, gated", 17, 192, 96, CORE_F32, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU, false, false }, 0 },
    { { "thirty-three rows, one panel over", 33, 65, 33, CORE_BF16, DEV_NORM_NONE, DEV_STORE, DEV_ACT_RELU2, true, false }, 0 },
    { { "many rows, one column", 65, 96, 1, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_TANH, false, false }, 0 },
    { { "many rows, gated with bias, parts", 67, 256, 131, CORE_F16, DEV_NORM_RMS, DEV_GATED, DEV_ACT_QUICK_GELU, true, false }, 2 },
    { { "many rows, residual, odd parts", 64, 130, 64, CORE_BF16, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, false, false }, 3 },
    { { "a prompt", 130, 160, 257, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, true, true }, 0 },
    { { "a prompt, gated", 128, 128, 576, CORE_BF16, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU, false, true }, 0 },
};

/* Each case is for the default kernel and one in three of the others, taking turns: building programs takes most of the time. */
#define SHARE 3

/* May it run here, whether or not it is meant to? Work-groups are at most 256; what suits a device of lanes, it knows best. */
static bool can_run(const dev_provider *provider, const dev_device *device, const dev_matmul *m)
{
    const dev_traits *traits = dev_get_traits(device);
    return m->rows <= provider->most_rows && (traits->lanes_in_items ? provider->suits(provider, device, m) : traits->max_group >= 256);
}

static const dev_provider *tile_for(const dev_device *device, const dev_matmul *m)
{
    for (size_t i = 0; i < dev_tile_provider_count; i++)
        if (dev_tile_providers[i].suits(&dev_tile_providers[i], device, m))
            return &dev_tile_providers[i];
    return NULL;
}

/* The product by one provider, over y as it was before. The norm goes first where it is not taken along. */
static float *compute(dev_device *device, const dev_provider *provider, const product *p, const float *before)
{
    dev_work  *work = NULL;
    dev_matmul m = matmul_of(p);
    assert_ok(dev_buffer_write(dev_queue(device), m.y, 0, before, m.y->bytes));
    assert_ok(dev_work_new(device, &work));
    if (m.norm.kind != DEV_NORM_NONE && !provider->takes_norm(provider, device, &m)) {
        assert_ok(dev_norm_add(work, &m.norm, m.x, m.x_offset, m.x_stride, m.scratch, 0, p->s->k, p->s->rows, p->s->k));
        m.norm.kind = DEV_NORM_NONE;
        m.x = m.scratch;
        m.x_offset = 0;
        m.x_stride = p->s->k;
    }
    assert_ok(provider->add(provider, work, &m));
    run_work(device, work);
    dev_work_free(work);
    return read_floats(device, m.y);
}

static void compare_bits(const product *p, const char *name, const float *got, const float *want)
{
    for (size_t i = 0; i < p->y_buffer.bytes / sizeof *got; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) != 0)
            fail_msg("%s: %s: element %zu of y (rows are %u from 7 on): %.9g, the kernel for vectors has %.9g", p->s->label, name, i,
                     p->y_stride, (double)got[i], (double)want[i]);
}

/* erf() and tanh() are the driver's: PoCL's for one float and for a vector differ in the last bit. */
static bool has_own_bits(dev_activation activation) { return activation != DEV_ACT_GELU && activation != DEV_ACT_TANH; }

static void try_case(dev_device *device, size_t index)
{
    product             p = make_product(device, &cases[index].s, cases[index].cut);
    const dev_matmul    m = matmul_of(&p);
    float              *before = read_floats(device, &p.y_buffer);
    const dev_provider *tile = tile_for(device, &m);
    assert_non_null(tile);
    float *want = compute(device, tile, &p, before);
    check_product(&p, want);
    for (size_t i = 0, able = 0; i < dev_lanes_provider_count; i++) {
        const dev_provider *provider = &dev_lanes_providers[i];
        if (!can_run(provider, device, &m) || (able++ > 0 && (i + index) % SHARE != 0))
            continue;
        float *got = compute(device, provider, &p, before);
        if (has_own_bits(p.s->activation))
            compare_bits(&p, provider->name, got, want);
        else
            check_product(&p, got);
        core_free(got);
    }
    core_free(want);
    core_free(before);
    free_product(device, &p);
}

static void try_cases(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (!cases[i].s.large || !devices_is_slow(device))
            try_case(device, i);
}

static void products_by_lanes_have_the_bits_of_those_by_vectors(void **state)
{
    (void)state;
    devices_each(try_cases, NULL);
}

static void count_suiting(dev_device *device, void *user)
{
    (void)user;
    const dev_traits *traits = dev_get_traits(device);
    for (uint32_t rows = 1; rows <= 130; rows++) {
        const dev_matrix weight = { .dtype = CORE_F32, .rows = 32, .columns = 1, .panels = 1 };
        const dev_matmul m = { .weight = &weight, .rows = rows };
        bool             any = false;
        for (size_t i = 0; i < dev_lanes_provider_count; i++)
            any |= dev_lanes_providers[i].suits(&dev_lanes_providers[i], device, &m);
        if (any != (traits->lanes_in_items && traits->max_group >= 32))
            fail_msg("%u rows: %s kernel for lanes suits", rows, any ? "a" : "no");
    }
}

static void kernels_for_lanes_suit_devices_of_lanes_alone_and_all_numbers_of_rows(void **state)
{
    (void)state;
    devices_each(count_suiting, NULL);
}

static void providers_are_found_by_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < dev_lanes_provider_count; i++)
        assert_ptr_equal(dev_provider_find(dev_lanes_providers[i].name), &dev_lanes_providers[i]);
    for (size_t i = 0; i < dev_tile_provider_count; i++)
        assert_ptr_equal(dev_provider_find(dev_tile_providers[i].name), &dev_tile_providers[i]);
    assert_null(dev_provider_find("nobody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_by_lanes_have_the_bits_of_those_by_vectors),
        cmocka_unit_test(kernels_for_lanes_suit_devices_of_lanes_alone_and_all_numbers_of_rows),
        cmocka_unit_test(providers_are_found_by_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
