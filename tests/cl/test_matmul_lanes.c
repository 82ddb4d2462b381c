/* Products by the kernels for lanes, each of them on every device, lanes or not: the same bits as by the kernel for vectors, and right
 * against the same in double. */
#include "cl/lanes_providers.h"
#include "cl/product_scene.h"

/* What a program is built for. Every kernel is tried with a pair of these, neighbours with different pairs: building programs takes most of the
 * time, and the kernels are one text that treats norm, gate and storage each by itself. erf() and tanh() are left out: they are the
 * driver's, and PoCL's for one float and for a vector differ in the last bit (tests/cl/test_activation.c has them). */
static const struct {
    core_dtype     dtype;
    dev_norm_kind  norm;
    dev_epilogue   epilogue; /* DEV_ADD: stored for every other size */
    dev_activation activation;
} flavours[][2] = {
    { { CORE_F32, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE }, { CORE_F32, DEV_NORM_LAYER, DEV_GATED, DEV_ACT_SILU } },
    { { CORE_F16, DEV_NORM_NONE, DEV_GATED, DEV_ACT_RELU }, { CORE_BF16, DEV_NORM_RMS1P, DEV_STORE, DEV_ACT_GELU_TANH } },
    { { CORE_BF16, DEV_NORM_NONE, DEV_GATED, DEV_ACT_QUICK_GELU }, { CORE_F16, DEV_NORM_RMS, DEV_STORE, DEV_ACT_RELU2 } },
};

/* What a program is run with. Gated products have twice as many outputs in W, each part of it an even number of panels. */
static const struct {
    const char *label;
    uint32_t    rows, n, k, cut; /* cut: panels of the first part of W; 0: whole */
    bool        bias, large;
} sizes[] = {
    { "one by one by one", 1, 1, 1, 0, false, false },
    { "less than a panel and a chunk", 1, 31, 63, 0, true, false },
    { "a panel and a chunk", 1, 32, 64, 0, true, false },
    { "one more than both, parts", 1, 33, 65, 1, true, false },
    { "primes", 1, 101, 211, 0, false, false },
    { "more chunks than slices", 1, 40, 2113, 0, true, false },
    { "one row, uneven parts", 1, 100, 70, 3, false, false },
    { "two rows", 2, 64, 135, 0, true, false },
    { "two rows, parts", 2, 33, 577, 1, false, false },
    { "three rows", 3, 32, 65, 0, true, false },
    { "four rows, parts", 4, 100, 129, 2, false, false },
    { "five rows", 5, 40, 600, 0, true, false },
    { "eight rows, many columns", 8, 64, 1100, 0, false, true },
    { "seventeen rows", 17, 96, 33, 0, true, false },
    { "thirty-three rows, one panel over", 33, 65, 33, 0, true, false },
    { "many rows, one column", 65, 96, 1, 0, false, false },
    { "many rows, parts", 67, 128, 131, 2, true, true },
    { "a prompt, one panel over, odd parts", 130, 130, 64, 3, true, true },
    { "a prompt", 128, 128, 257, 0, false, true },
};

static bool takes_flavour(size_t provider, size_t flavour) { return provider % COUNT(flavours) == flavour; }

/* So many rows are what the kernel is made for, whether or not the device is. Work-groups are at most 256; what suits a device of lanes, it
 * knows best. */
static bool takes_size(const dev_provider *provider, const dev_device *device, const dev_matmul *m)
{
    const dev_traits *traits = dev_get_traits(device);
    const uint32_t    most = provider->most_rows < 512 ? provider->most_rows : 512;
    return m->rows <= most && m->rows > most / 8 && (traits->lanes_in_items ? provider->suits(provider, device, m) : traits->max_group >= 256);
}

static const dev_provider *tile_for(const dev_device *device, const dev_matmul *m)
{
    for (size_t i = 0; i < dev_tile_provider_count; i++)
        if (dev_tile_providers[i].suits(&dev_tile_providers[i], device, m))
            return &dev_tile_providers[i];
    return NULL;
}

/* Records the product by one provider. The norm goes first where it is not taken along. */
static void record(dev_work *work, const dev_provider *provider, const product *p, dev_matmul m)
{
    if (m.norm.kind != DEV_NORM_NONE && !provider->takes_norm(provider, dev_work_device(work), &m)) {
        assert_ok(dev_norm_add(work, &m.norm, m.x, m.x_offset, m.x_stride, m.scratch, 0, p->s->k, m.rows, p->s->k));
        m.norm.kind = DEV_NORM_NONE;
        m.x = m.scratch;
        m.x_offset = 0;
        m.x_stride = p->s->k;
    }
    assert_ok(provider->add(provider, work, &m));
}

/* All of y by one provider, `together` rows at a time, over y as it was before. */
static float *compute(dev_device *device, const dev_provider *provider, const product *p, const float *before, uint32_t together)
{
    dev_work  *work = NULL;
    dev_matmul m = matmul_of(p);
    assert_ok(dev_buffer_write(dev_queue(device), m.y, 0, before, m.y->bytes));
    assert_ok(dev_work_new(device, &work));
    for (m.rows = together; m.x_offset < 2 + (uint64_t)p->s->rows * p->x_stride; m.x_offset += (uint64_t)together * p->x_stride) {
        record(work, provider, p, m);
        m.y_offset += (uint64_t)together * p->y_stride;
    }
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

/* One size in one flavour: row by row by the kernel for vectors, then by all kernels for lanes that take both. */
static size_t try_size(dev_device *device, size_t flavour, size_t half, size_t size)
{
    const bool          gated = flavours[flavour][half].epilogue == DEV_GATED;
    const dev_epilogue  epilogue = flavours[flavour][half].epilogue == DEV_ADD && size % 2 ? DEV_STORE : flavours[flavour][half].epilogue;
    const uint32_t      panels = (sizes[size].n + DEV_PANEL - 1) / DEV_PANEL;
    const product_shape shape = { sizes[size].label, sizes[size].rows, gated ? 2 * panels * DEV_PANEL : sizes[size].n, sizes[size].k,
                                  flavours[flavour][half].dtype, flavours[flavour][half].norm, epilogue,
                                  flavours[flavour][half].activation, sizes[size].bias, sizes[size].large };
    size_t              tried = 0;
    float              *want = NULL;
    product             p = make_product(device, &shape, gated ? 2 * sizes[size].cut : sizes[size].cut);
    const dev_matmul    m = matmul_of(&p);
    float              *before = read_floats(device, &p.y_buffer);
    for (size_t i = 0; i < dev_lanes_provider_count; i++) {
        const dev_provider *provider = &dev_lanes_providers[i];
        if (!takes_flavour(i, flavour) || !takes_size(provider, device, &m))
            continue;
        if (!want) {
            dev_matmul row = m;
            row.rows = 1;
            want = compute(device, tile_for(device, &row), &p, before, 1);
            check_product(&p, want);
        }
        float *got = compute(device, provider, &p, before, m.rows);
        compare_bits(&p, provider->name, got, want);
        core_free(got);
        tried++;
    }
    core_free(want);
    core_free(before);
    free_product(device, &p);
    return tried;
}

static void try_sizes(dev_device *device, void *user)
{
    size_t tried = 0;
    (void)user;
    for (size_t flavour = 0; flavour < COUNT(flavours); flavour++)
        for (size_t half = 0; half < 2; half++)
            for (size_t size = 0; size < COUNT(sizes); size++)
                if (!sizes[size].large || !devices_is_slow(device))
                    tried += try_size(device, flavour, half, size);
    expect_lanes_tried(device, tried);
}

static void products_by_lanes_have_the_bits_of_those_by_vectors(void **state)
{
    (void)state;
    devices_each(try_sizes, NULL);
}

static void count_suiting(dev_device *device, void *user)
{
    (void)user;
    expect_lanes_suit(device, core_storage_of(CORE_F32), 1);
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
