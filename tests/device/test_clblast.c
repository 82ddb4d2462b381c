/* test_clblast.c: products by CLBlast, of every storage type, norm and epilogue, against double; and when it takes part. */
#include "cl/product_scene.h"

#include "core/log.h"
#include "device/provider.h"

/* Few: CLBlast compiles one kernel for small products and several for large ones, seconds each. */
static const product_shape shapes[] = {
    { "stored by CLBlast itself", 16, 64, 70, CORE_F32, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, false, false },
    { "added by CLBlast itself", 17, 65, 70, CORE_F16, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, false, false },
    { "stored, bias", 33, 31, 129, CORE_BF16, DEV_NORM_NONE, DEV_STORE, DEV_ACT_NONE, true, false },
    { "added, bias", 19, 96, 33, CORE_F32, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, true, false },
    { "an activation, no bias", 19, 96, 33, CORE_F16, DEV_NORM_NONE, DEV_STORE, DEV_ACT_RELU2, false, false },
    { "an activation, bias, norm", 40, 128, 64, CORE_BF16, DEV_NORM_LAYER, DEV_STORE, DEV_ACT_GELU_TANH, true, false },
    { "gated", 21, 128, 96, CORE_F16, DEV_NORM_NONE, DEV_GATED, DEV_ACT_SILU, false, false },
    { "gated, bias, norm", 67, 192, 131, CORE_F32, DEV_NORM_RMS, DEV_GATED, DEV_ACT_GELU, true, false },
    { "norm of other weights, added", 18, 40, 53, CORE_F32, DEV_NORM_RMS1P, DEV_ADD, DEV_ACT_NONE, false, false },
    { "several blocks", 16, 165, 70001, CORE_BF16, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, false, true },
    { "several blocks, gated, norm", 17, 256, 66000, CORE_F16, DEV_NORM_RMS, DEV_GATED, DEV_ACT_SILU, true, true },
    { "a prompt", 300, 1000, 960, CORE_F32, DEV_NORM_NONE, DEV_ADD, DEV_ACT_NONE, false, true },
};

static dev_device *open_like(dev_device *device, oclm_matmul matmul)
{
    dev_device *made = NULL;
    char        index[24];
    snprintf(index, sizeof index, "%zu", dev_get_traits(device)->info.index);
    const dev_open_options options = { .spec = index, .matmul = matmul };
    assert_ok(dev_open(&options, &made));
    return made;
}

/* `cut`: panels of a part of their own. */
static void try_shape(dev_device *device, const product_shape *shape, uint32_t cut)
{
    dev_work  *work = NULL;
    product    p = make_product(device, shape, cut);
    dev_matmul m = matmul_of(&p);
    p.roundings = shape->k + 16;
    assert_true(dev_clblast_provider.suits(&dev_clblast_provider, device, &m));
    assert_ok(dev_work_new(device, &work));
    assert_ok(dev_matmul_add_by(work, &dev_clblast_provider, &m));
    run_work(device, work);
    float *y = read_floats(device, &p.y_buffer);
    check_product(&p, y);
    core_free(y);
    if (shape->epilogue != DEV_ADD) { /* a list runs again: its call too */
        run_work(device, work);
        y = read_floats(device, &p.y_buffer);
        check_product(&p, y);
        core_free(y);
    }
    dev_work_free(work);
    free_product(device, &p);
}

static void try_shapes(dev_device *device, void *user)
{
    (void)user;
    if (devices_is_slow(device)) {
        print_message("    skipped: CLBlast compiles for too long here\n");
        return;
    }
    dev_device *forced = open_like(device, OCLM_MATMUL_CLBLAST); /* plans scratch for CLBlast */
    for (size_t i = 0; i < COUNT(shapes); i++)
        try_shape(forced, &shapes[i], 0);
    try_shape(forced, &shapes[7], 2);
    try_shape(forced, &shapes[1], 1);
    dev_close(forced);
}

static void products_agree_with_double_precision(void **state)
{
    (void)state;
    devices_each(try_shapes, NULL);
}

/* ---- When it takes part */

static const struct {
    const char *label;
    oclm_matmul matmul;
    uint32_t    rows;
    bool        room, want; /* room: scratch as planned */
} choices[] = {
    { "forced", OCLM_MATMUL_CLBLAST, 16, true, true },
    { "forced, too few rows", OCLM_MATMUL_CLBLAST, 15, true, false },
    { "forced, no scratch", OCLM_MATMUL_CLBLAST, 16, false, false },
    { "auto, never measured", OCLM_MATMUL_AUTO, 16, true, false },
    { "builtin", OCLM_MATMUL_BUILTIN, 300, true, false },
};

static void try_choices(dev_device *device, void *user)
{
    static const product_shape plain = { "plain", 300, 64, 64, CORE_F32, DEV_NORM_RMS, DEV_STORE, DEV_ACT_NONE, false, false };
    dev_providers               all;
    (void)user;
    if (devices_is_slow(device))
        return;
    dev_providers_all(&all);
    for (size_t i = 0; i < COUNT(choices); i++) {
        dev_device         *own = open_like(device, choices[i].matmul);
        product             p = make_product(own, &plain, 0);
        dev_matmul          m = matmul_of(&p);
        const dev_provider *chosen = NULL;
        m.rows = choices[i].rows;
        if (!choices[i].room)
            m.scratch_floats = (size_t)m.rows * plain.k; /* the norm's */
        assert_ok(dev_provider_choose(own, &all, &m, &chosen));
        if ((chosen == &dev_clblast_provider) != choices[i].want)
            fail_msg("%s: %s serves", choices[i].label, chosen->name);
        free_product(own, &p);
        dev_close(own);
    }
}

static void it_takes_part_where_it_is_forced_with_enough_rows_and_scratch(void **state)
{
    (void)state;
    devices_each(try_choices, NULL);
}

/* What is planned for many rows is enough for fewer, also where CLBlast needs copies for them that it does not need for all. */
static void try_scratch(dev_device *device, void *user)
{
    (void)user;
    if (devices_is_slow(device))
        return;
    dev_device *forced = open_like(device, OCLM_MATMUL_CLBLAST), *builtin = open_like(device, OCLM_MATMUL_BUILTIN);
    dev_matrix  matrix = { 0 };
    assert_ok(dev_matrix_new(forced, CORE_F32, 1024, 1024, "a test's matrix", &matrix));
    const size_t most = dev_matmul_scratch(forced, &matrix, 512, DEV_NORM_NONE, DEV_STORE);
    for (uint32_t rows = 1; rows <= 512; rows += 7) {
        const size_t floats = dev_matmul_scratch(forced, &matrix, rows, DEV_NORM_NONE, DEV_STORE);
        if (floats > most || (floats > 0) != (rows >= 16))
            fail_msg("%u rows want %zu floats, 512 rows %zu", rows, floats, most);
    }
    assert_int_equal(dev_matmul_scratch(builtin, &matrix, 512, DEV_NORM_NONE, DEV_STORE), 0);
    dev_matrix_free(forced, &matrix);
    dev_close(builtin);
    dev_close(forced);
}

static void scratch_for_many_rows_is_enough_for_fewer(void **state)
{
    (void)state;
    devices_each(try_scratch, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_with_double_precision),
        cmocka_unit_test(it_takes_part_where_it_is_forced_with_enough_rows_and_scratch),
        cmocka_unit_test(scratch_for_many_rows_is_enough_for_fewer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
