/* Rows are copied whole, wherever they stand, any number of times; nothing is written beyond them. */
#include "cl/matrices.h"

static const struct { const char *label; uint32_t x_stride, y_stride; int32_t rows[5]; uint32_t count; } cases[] = {
    { "one row", 32, 32, { 6 }, 1 },
    { "the same row twice, backwards", 64, 64, { 6, 2, 6, 0 }, 4 },
    { "to a wider place", 32, 96, { 0, 1, 3 }, 3 },
    { "out of a wider place", 160, 32, { 5, 4, 3, 2, 1 }, 5 },
};
#define X_ROWS 7

static void select_on_device(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint32_t width = cases[i].x_stride < cases[i].y_stride ? cases[i].x_stride : cases[i].y_stride;
        const size_t   x_count = (size_t)X_ROWS * cases[i].x_stride, y_count = (cases[i].count + 1) * (size_t)cases[i].y_stride;
        float         *values = new_numbers(i, x_count), *got = core_alloc_array(y_count, sizeof *got, "rows");
        dev_buffer     x = new_nan_buffer(device, x_count), y = new_nan_buffer(device, y_count), rows = { NULL, 0 };
        dev_work      *work;
        assert_non_null(got);
        assert_ok(dev_buffer_new(device, sizeof cases[i].rows, "which rows", &rows));
        assert_ok(dev_buffer_write(dev_queue(device), &rows, 0, cases[i].rows, sizeof cases[i].rows));
        assert_ok(dev_buffer_write(dev_queue(device), &x, 0, values, x_count * sizeof *values));
        assert_ok(dev_work_new(device, &work));
        const dev_arg args[] = { dev_arg_buffer(&x), dev_arg_u32(cases[i].x_stride), dev_arg_buffer(&rows), dev_arg_buffer(&y),
                                 dev_arg_u32(cases[i].y_stride) };
        const dev_launch launch = { .source = "select_rows", .kernel = "select_rows", .options = "", .dims = 2,
                                    .global = { width / 16, cases[i].count }, .args = args, .arg_count = COUNT(args) };
        assert_ok(dev_work_add(work, &launch));
        assert_ok(dev_work_enqueue(work, dev_queue(device), NULL));
        assert_ok(dev_buffer_read(dev_queue(device), &y, 0, got, y_count * sizeof *got));
        for (uint32_t r = 0; r <= cases[i].count; r++) {
            for (uint32_t c = 0; c < cases[i].y_stride; c++) {
                const float value = got[(size_t)r * cases[i].y_stride + c];
                const bool  written = r < cases[i].count && c < width;
                if (written ? value != values[(size_t)cases[i].rows[r] * cases[i].x_stride + c] : !isnan(value))
                    fail_msg("%s: row %u, column %u is %g", cases[i].label, r, c, (double)value);
            }
        }
        dev_work_free(work);
        dev_buffer_free(device, &x);
        dev_buffer_free(device, &y);
        dev_buffer_free(device, &rows);
        core_free(values);
        core_free(got);
    }
}

static void rows_are_copied_whole_from_anywhere(void **state)
{
    (void)state;
    devices_each(select_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_are_copied_whole_from_anywhere) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
