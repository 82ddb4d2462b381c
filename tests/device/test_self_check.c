/* test_self_check.c: providers made up to be wrong in one way each are found out, named and dropped; a good verdict is kept on disk,
 * a bad one is not. */
#include "device/providers.h"

#include "device/self_check.h"

static size_t runs; /* products recorded by the providers below */

static oclm_status forgets_a_row(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    dev_matmul wrong = *m;
    (void)self;
    wrong.rows -= 1;
    runs++;
    return providers_add_good(work, &wrong);
}

static oclm_status forgets_the_bias(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    dev_matmul wrong = *m;
    (void)self;
    wrong.bias = NULL;
    runs++;
    return providers_add_good(work, &wrong);
}

static oclm_status begins_a_column_late(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    dev_matmul wrong = *m;
    (void)self;
    wrong.x_offset += 1;
    runs++;
    return providers_add_good(work, &wrong);
}

static oclm_status copies(dev_work *work, const dev_matmul *m, size_t from, size_t to)
{
    runs++;
    const oclm_status status = providers_add_good(work, m);
    return status == OCLM_OK ? dev_work_add_copy(work, m->y, from * sizeof(float), m->y, to * sizeof(float), sizeof(float)) : status;
}

static oclm_status spoils_one_element(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    (void)self;
    return copies(work, m, m->y_stride, m->y_stride + 33);
}

static oclm_status writes_into_the_padding(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    (void)self;
    return copies(work, m, 0, m->y_stride - 1);
}

static oclm_status does_not_build(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    (void)self, (void)work, (void)m;
    runs++;
    return core_fail(OCLM_ERR_DEVICE, "this compiler is broken");
}

static oclm_status is_right(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    (void)self;
    runs++;
    return providers_add_good(work, m);
}

#define MADE_UP(name, add) { name, providers_suits, providers_takes_no_norm, add, 1, 32, 8, UINT32_MAX, NULL, NULL }

static const struct {
    dev_provider provider;
    const char  *says; /* in the warning */
} wrong[] = {
    { MADE_UP("one that forgets a row", forgets_a_row), "nan" },
    { MADE_UP("one that forgets the bias", forgets_the_bias), "want" },
    { MADE_UP("one that begins late", begins_a_column_late), "nan" }, /* and meets the padding */
    { MADE_UP("one that spoils an element", spoils_one_element), "row 1, output 33" },
    { MADE_UP("one that leaves its rows", writes_into_the_padding), "want nan" },
    { MADE_UP("one that does not build", does_not_build), "this compiler is broken" },
};
static const dev_provider right = MADE_UP("a right one", is_right);

static dev_device *open_again(dev_device *device)
{
    dev_device *made = NULL;
    char        index[24];
    snprintf(index, sizeof index, "%zu", dev_get_traits(device)->info.index);
    const dev_open_options options = { .spec = index };
    assert_ok(dev_open(&options, &made));
    return made;
}

static const dev_buffer some_bias = { NULL, 0 };
static dev_matrix_part  some_part = { .storage = { .code = CORE_CODE_BF16, .bits = 16 }, .panels = 2 };
static const dev_matrix some_weight = { .rows = 64, .columns = 64, .panels = 2, .parts = &some_part, .part_count = 1 };

static dev_matmul request(void)
{
    dev_matmul m = providers_request(&some_weight, 5);
    m.bias = &some_bias;
    return m;
}

static void try_wrong(dev_device *device, void *user)
{
    (void)user;
    providers_fresh_cache();
    for (size_t i = 0; i < COUNT(wrong); i++) {
        const dev_matmul m = request();
        dev_device      *own = open_again(device);
        bool             good = true;
        providers_listen();
        assert_ok(dev_self_check(own, &wrong[i].provider, &m, &good));
        if (good || providers_warnings != 1 || !strstr(providers_log, wrong[i].provider.name) || !strstr(providers_log, wrong[i].says))
            fail_msg("%s: %s, %zu warnings: %s", wrong[i].provider.name, good ? "right" : "wrong", providers_warnings, providers_log);
        /* Known from here on: no second run, no second warning. */
        runs = 0;
        assert_ok(dev_self_check(own, &wrong[i].provider, &m, &good));
        assert_false(good);
        assert_int_equal(runs, 0);
        assert_int_equal(providers_warnings, 1);
        dev_close(own);
    }
}

static void what_is_wrong_is_dropped_and_named_with_its_worst_element(void **state)
{
    (void)state;
    devices_each(try_wrong, NULL);
}

static void try_next(dev_device *device, void *user)
{
    const dev_matmul    m = request();
    dev_device         *own = open_again(device);
    dev_providers       list = { { &wrong[3].provider, &wrong[0].provider, &right }, 3 };
    const dev_provider *chosen = NULL;
    (void)user;
    providers_fresh_cache();
    providers_listen();
    assert_ok(dev_provider_choose(own, &list, &m, &chosen));
    assert_ptr_equal(chosen, &right);
    list.count = 2;
    assert_status(dev_provider_choose(own, &list, &m, &chosen), OCLM_ERR_DEVICE);
    assert_null(chosen);
    assert_non_null(strstr(oclm_last_error(), dev_get_traits(own)->info.name));
    list.count = 0;
    assert_status(dev_provider_choose(own, &list, &m, &chosen), OCLM_ERR_INTERNAL);
    dev_close(own);
}

static void the_next_that_suits_serves_and_none_left_is_an_error(void **state)
{
    (void)state;
    devices_each(try_next, NULL);
}

/* A table's rows share their function; here one of them goes wrong. */
static oclm_status is_wrong_for_few(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    return self->most_rows == 8 ? forgets_the_bias(self, work, m) : providers_add_good(work, m);
}

static bool suits_its_rows(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    (void)device;
    return m->rows <= self->most_rows;
}

static void try_table(dev_device *device, void *user)
{
    static const dev_provider table[] = {
        { "for 8", suits_its_rows, providers_takes_no_norm, is_wrong_for_few, 1, 32, 8, 8, NULL, NULL },
        { "for many", suits_its_rows, providers_takes_no_norm, is_wrong_for_few, 1, 32, 8, UINT32_MAX, NULL, NULL },
        { "for 16", suits_its_rows, providers_takes_no_norm, is_wrong_for_few, 1, 32, 8, 16, NULL, NULL },
    };
    static const struct { uint32_t rows; bool bias; const dev_provider *want; } cases[] = {
        { 5, false, &table[0] }, { 9, false, &table[2] }, { 17, false, &table[1] }, { 5, true, &table[1] },
    };
    const dev_providers list = { { &table[0], &table[1], &table[2] }, 3 };
    dev_device         *own = open_again(device);
    (void)user;
    providers_fresh_cache();
    providers_listen();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const dev_provider *chosen = NULL;
        dev_matmul          m = providers_request(&some_weight, cases[i].rows);
        m.bias = cases[i].bias ? &some_bias : NULL;
        assert_ok(dev_provider_choose(own, &list, &m, &chosen));
        if (chosen != cases[i].want)
            fail_msg("%u rows: \"%s\" serves, want \"%s\"", cases[i].rows, chosen->name, cases[i].want->name);
    }
    dev_close(own);
}

static void of_a_table_the_row_made_for_the_fewest_serves_unless_it_is_wrong(void **state)
{
    (void)state;
    devices_each(try_table, NULL);
}

/* Weights that are codes: the reference is what they stand for. */
static void try_codes(dev_device *device, void *user)
{
    static const core_storage storages[] = {
        { CORE_CODE_UINT, 4, CORE_SCALE_U8_F16, CORE_SCALE_U8_F16, 0, 32 }, { CORE_CODE_INT, 6, CORE_SCALE_I8_F16, CORE_SCALE_NONE, 0, 16 },
        { CORE_CODE_TABLE, 4, CORE_SCALE_F32, CORE_SCALE_NONE, CORE_TABLE_NF4, 64 }, { CORE_CODE_INT, 8, CORE_SCALE_F32, CORE_SCALE_NONE, 0, CORE_WHOLE_ROW },
        { CORE_CODE_TABLE, 4, CORE_SCALE_E8M0, CORE_SCALE_NONE, CORE_TABLE_MXFP4, 32 }, { CORE_CODE_UINT, 8, CORE_SCALE_F16, CORE_SCALE_F32, 0, 128 },
        { CORE_CODE_E4M3, 8, CORE_SCALE_F32, CORE_SCALE_NONE, 0, 128 },
    };
    dev_device *own = open_again(device);
    (void)user;
    providers_fresh_cache();
    providers_listen();
    for (size_t i = 0; i < 2 * COUNT(storages); i++) {
        dev_matrix_part     part = { .storage = storages[i / 2], .panels = 2 };
        const dev_matrix    weight = { .rows = 64, .columns = 64, .panels = 2, .parts = &part, .part_count = 1 };
        const dev_matmul    m = providers_request(&weight, i % 2 ? 5 : 1);
        const dev_provider *good = providers_good(own, &m);
        bool                passed = false;
        char                name[96];
        assert_ok(dev_self_check(own, good, &m, &passed));
        if (!passed)
            fail_msg("%s, %s weights: %s", good->name, core_storage_name(&part.storage, name), providers_log);
        assert_ok(dev_self_check(own, &wrong[i % 2 ? 3 : 0].provider, &m, &passed));
        assert_false(passed);
    }
    dev_close(own);
}

static void products_with_codes_are_checked_like_others(void **state)
{
    (void)state;
    devices_each(try_codes, NULL);
}

/* No memory for the check: an error that says so, and no verdict. */
static void try_memory(dev_device *device, void *user)
{
    dev_providers       list = { { &right }, 1 };
    const dev_matmul    m = request();
    const dev_provider *chosen = NULL;
    dev_device         *own = NULL;
    dev_buffer          all = { NULL, 0 };
    char                index[24];
    (void)user;
    snprintf(index, sizeof index, "%zu", dev_get_traits(device)->info.index);
    const dev_open_options options = { .spec = index, .budget_bytes = 2 * DEV_SELF_CHECK_BYTES };
    providers_fresh_cache();
    providers_listen();
    assert_ok(dev_open(&options, &own));
    assert_ok(dev_buffer_new(own, 2 * DEV_SELF_CHECK_BYTES - 1000, "a test", &all));
    assert_status(dev_provider_choose(own, &list, &m, &chosen), OCLM_ERR_DEVICE_MEMORY);
    assert_null(chosen);
    assert_int_equal(providers_warnings, 0);
    dev_buffer_free(own, &all);
    assert_ok(dev_buffer_new(own, DEV_SELF_CHECK_BYTES, "a test", &all)); /* leaves what plans leave */
    dev_matmul largest = m;
    largest.rows = 1000;
    largest.epilogue = DEV_GATED;
    assert_ok(dev_provider_choose(own, &list, &largest, &chosen));
    assert_ptr_equal(chosen, &right);
    dev_buffer_free(own, &all);
    dev_close(own);
}

static void without_memory_for_a_check_there_is_no_verdict(void **state)
{
    (void)state;
    devices_each(try_memory, NULL);
}

/* Checks with a device opened anew, as another process would; returns how often the product was recorded. */
static size_t check_again(dev_device *device, const dev_provider *provider, const dev_matmul *m, bool want)
{
    dev_device *own = open_again(device);
    bool        good = !want;
    runs = 0;
    assert_ok(dev_self_check(own, provider, m, &good));
    assert_int_equal(good, want);
    dev_close(own);
    return runs;
}

static void try_disk(dev_device *device, void *user)
{
    const dev_matmul m = request();
    dev_matmul       other = m;
    dev_provider     repaired = right;
    (void)user;
    providers_fresh_cache();
    providers_listen();
    assert_int_equal(check_again(device, &right, &m, true), 1);
    assert_int_equal(check_again(device, &right, &m, true), 0);
    other.epilogue = DEV_ADD;
    assert_int_equal(check_again(device, &right, &other, true), 1); /* another kind */
    other.epilogue = DEV_GATED;
    assert_int_equal(check_again(device, &right, &other, true), 1);
    providers_damage_cache();
    assert_int_equal(check_again(device, &right, &m, true), 1);
    assert_int_equal(check_again(device, &right, &m, true), 0);
    /* A bad verdict is not kept, so that what was repaired serves. */
    assert_int_equal(check_again(device, &wrong[0].provider, &m, false), 1);
    repaired.name = wrong[0].provider.name;
    assert_int_equal(check_again(device, &repaired, &m, true), 1);
}

static void a_good_verdict_is_kept_on_disk_and_a_damaged_file_is_none(void **state)
{
    (void)state;
    devices_each(try_disk, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_dropped_and_named_with_its_worst_element),
        cmocka_unit_test(the_next_that_suits_serves_and_none_left_is_an_error),
        cmocka_unit_test(of_a_table_the_row_made_for_the_fewest_serves_unless_it_is_wrong),
        cmocka_unit_test(products_with_codes_are_checked_like_others),
        cmocka_unit_test(without_memory_for_a_check_there_is_no_verdict),
        cmocka_unit_test(a_good_verdict_is_kept_on_disk_and_a_damaged_file_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, providers_remove_cache);
}
