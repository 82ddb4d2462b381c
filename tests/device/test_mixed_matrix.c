/* test_mixed_matrix.c: a product with a matrix whose rows are stored in several ways is the products with each of them, to the last bit. */
#include "cl/launches.h"
#include "cl/matrices.h"
#include "device/trial.h"

#define COLUMNS 320u

static const dev_matrix_run runs[] = {
    { { CORE_CODE_UINT, 4, CORE_SCALE_U8_F16, CORE_SCALE_U8_F16, 0, 32 }, 96 }, /* Q4_K */
    { { CORE_CODE_F32, 32, CORE_SCALE_NONE, CORE_SCALE_NONE, 0, 0 }, 64 },
    { { CORE_CODE_INT, 6, CORE_SCALE_I8_F16, CORE_SCALE_NONE, 0, 16 }, 37 },    /* Q6_K */
};

/* Fills the rows of run `run`, which begin at first_row, the same way every time. */
static void fill_run(dev_device *device, dev_matrix *matrix, size_t run, uint32_t first_row)
{
    const dev_matrix_run *r = &runs[run];
    uint64_t              state = run;
    core_codes            codes;
    if (core_storage_is_float(&r->storage)) {
        float                  *values = new_numbers(5, (size_t)r->rows * COLUMNS);
        const dev_matrix_source source = { .data = values, .dtype = CORE_F32, .rows = r->rows, .columns = COLUMNS, .first_row = first_row,
                                           .panel_step = 1 };
        assert_ok(dev_matrix_fill(device, dev_queue(device), matrix, &source));
        core_free(values);
        return;
    }
    assert_ok(dev_trial_codes(&r->storage, r->rows, COLUMNS, &state, &codes));
    const dev_codes_source source = { &codes, r->rows, COLUMNS, first_row, 1 };
    assert_ok(dev_matrix_fill_codes(device, dev_queue(device), matrix, &source));
    core_codes_free(&codes);
}

/* [rows][padded rows of the matrix] */
static float *multiply(dev_device *device, const dev_matrix *matrix, const dev_buffer *x, const dev_norm *norm, uint32_t rows)
{
    const uint32_t outputs = matrix->panels * DEV_PANEL;
    const size_t   floats = dev_matmul_scratch(device, matrix, rows, norm->kind, DEV_STORE);
    dev_buffer     y = new_nan_buffer(device, (size_t)rows * outputs), scratch = new_nan_buffer(device, floats + 1);
    dev_work      *work = NULL;
    const dev_matmul m = { .y = &y, .y_stride = outputs, .x = x, .x_stride = COLUMNS, .weight = matrix, .rows = rows, .norm = *norm,
                           .scratch = &scratch, .scratch_floats = floats, .epilogue = DEV_STORE };
    assert_ok(dev_work_new(device, &work));
    assert_ok(dev_matmul_add(work, &m));
    run_work(device, work);
    dev_work_free(work);
    float *got = read_floats(device, &y);
    dev_buffer_free(device, &y);
    dev_buffer_free(device, &scratch);
    return got;
}

static void try_rows(dev_device *device, const dev_matrix *mixed, uint32_t rows, bool normed)
{
    float     *values = new_numbers(9, (size_t)rows * COLUMNS);
    dev_buffer x = new_rows(device, values, rows, COLUMNS, COLUMNS, 0);
    dev_norm   norm = { .kind = normed ? DEV_NORM_RMS : DEV_NORM_NONE, .eps = 1e-5f };
    if (normed)
        norm.weight = new_rows(device, values, 1, COLUMNS, COLUMNS, 0);
    float   *got = multiply(device, mixed, &x, &norm, rows);
    uint32_t first = 0;
    for (size_t i = 0; i < COUNT(runs); first += runs[i++].rows) {
        dev_matrix one;
        assert_ok(dev_matrix_new_stored(device, &runs[i], 1, COLUMNS, "a test's matrix", &one));
        fill_run(device, &one, i, 0);
        float *want = multiply(device, &one, &x, &norm, rows);
        for (uint32_t r = 0; r < rows; r++)
            for (uint32_t k = 0; k < runs[i].rows; k++) {
                const float a = got[(size_t)r * mixed->panels * DEV_PANEL + first + k], b = want[(size_t)r * one.panels * DEV_PANEL + k];
                if (!(a == b))
                    fail_msg("row %u of %u%s, output %u: %.9g, alone %.9g", r, rows, normed ? ", normalised" : "", first + k, (double)a, (double)b);
            }
        core_free(want);
        dev_matrix_free(device, &one);
    }
    core_free(got);
    core_free(values);
    dev_buffer_free(device, &x);
    dev_buffer_free(device, &norm.weight);
}

/* With an order of its columns, it is the product of the inputs in that order. */
static void try_ordered(dev_device *device, dev_matrix *mixed, uint32_t rows)
{
    float    *values = new_numbers(9, (size_t)rows * COLUMNS), *in_order = new_numbers(9, (size_t)rows * COLUMNS);
    uint32_t  order[COLUMNS];
    dev_norm  none = { .kind = DEV_NORM_NONE };
    for (uint32_t k = 0; k < COLUMNS; k++)
        order[k] = 7 * k % COLUMNS; /* 7 and 320 have nothing in common */
    for (size_t i = 0; i < (size_t)rows * COLUMNS; i++)
        in_order[i] = values[i / COLUMNS * COLUMNS + order[i % COLUMNS]];
    dev_buffer x = new_rows(device, values, rows, COLUMNS, COLUMNS, 0), y = new_rows(device, in_order, rows, COLUMNS, COLUMNS, 0);
    float     *want = multiply(device, mixed, &y, &none, rows);
    mixed->order = new_bytes(device, order, sizeof order);
    mixed->ordered = true;
    float *got = multiply(device, mixed, &x, &none, rows);
    assert_memory_equal(got, want, (size_t)rows * mixed->panels * DEV_PANEL * sizeof *got);
    mixed->ordered = false;
    dev_buffer_free(device, &mixed->order);
    dev_buffer_free(device, &x);
    dev_buffer_free(device, &y);
    core_free(values);
    core_free(in_order);
    core_free(want);
    core_free(got);
}

static void try_mixed(dev_device *device, void *user)
{
    static const uint32_t rows[] = { 1, 3, 40 };
    dev_matrix            mixed;
    uint32_t              first = 0;
    (void)user;
    assert_ok(dev_matrix_new_stored(device, runs, COUNT(runs), COLUMNS, "a test's matrix", &mixed));
    assert_int_equal(mixed.part_count, COUNT(runs));
    for (size_t i = 0; i < COUNT(runs); first += runs[i++].rows)
        fill_run(device, &mixed, i, first);
    for (size_t i = 0; i < COUNT(rows); i++) {
        try_rows(device, &mixed, rows[i], false);
        try_rows(device, &mixed, rows[i], true);
        try_ordered(device, &mixed, rows[i]);
    }
    dev_matrix_free(device, &mixed);
}

static void a_mixed_matrix_multiplies_as_its_runs_do(void **state)
{
    (void)state;
    devices_each(try_mixed, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_mixed_matrix_multiplies_as_its_runs_do) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
