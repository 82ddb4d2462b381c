/* Rows of a weight, gathered by ids, on every device: every element is the stored number times the scale, to the bit, whichever work-item it
 * was, and nothing else is written. */
#include "cl/matrices.h"

static const struct {
    const char *label;
    uint32_t    rows, columns, count;
    core_dtype  dtype;
    float       scale;
    bool        add;
} cases[] = {
    { "one column", 3, 1, 2, CORE_F32, 1.0f, false },
    { "a block", 40, 64, 3, CORE_BF16, 1.0f, false },
    { "one more than a block, scaled", 33, 65, 5, CORE_F16, 8.0f, false },
    { "a prime, added", 100, 131, 7, CORE_F32, 1.0f, true },
    { "a real model's", 96, 576, 9, CORE_BF16, 24.0f, true },
};

/* Ids inside, at both ends and outside, where row 0 is meant. */
static int32_t id_of(uint32_t i, uint32_t rows)
{
    const int32_t ids[] = { 0, (int32_t)rows - 1, -1, (int32_t)(rows / 2), (int32_t)rows, INT32_MAX, 1, INT32_MIN, (int32_t)(rows / 3) };
    return ids[i % COUNT(ids)];
}

static void try_case(dev_device *device, size_t c)
{
    const uint32_t rows = cases[c].rows, columns = cases[c].columns, count = cases[c].count, stride = columns + 4;
    float         *values = new_numbers(1 + c, (size_t)rows * columns), *before = new_numbers(50 + c, (size_t)count * columns);
    dev_matrix     matrix = new_matrix(device, cases[c].dtype, values, rows, columns);
    dev_buffer     y = cases[c].add ? new_rows(device, before, count, columns, stride, 0) : new_nan_buffer(device, (size_t)count * stride);
    dev_buffer     ids = { NULL, 0 };
    dev_work      *work = NULL;
    int32_t        host[16] = { 77 }; /* ids begin at element 1 */
    for (uint32_t i = 0; i < count; i++)
        host[i + 1] = id_of(i, rows);
    assert_ok(dev_buffer_new(device, sizeof host, "ids", &ids));
    assert_ok(dev_buffer_write(dev_queue(device), &ids, 0, host, sizeof host));
    assert_ok(dev_work_new(device, &work));
    assert_ok(dev_rows_add(work, &matrix, &ids, 1, count, cases[c].scale, cases[c].add, &y, stride));
    run_work(device, work);
    float *got = read_floats(device, &y);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t row = host[i + 1] >= 0 && (uint32_t)host[i + 1] < rows ? (uint32_t)host[i + 1] : 0;
        for (uint32_t k = 0; k < stride; k++) {
            const float there = got[(size_t)i * stride + k];
            const float want = k < columns ? cases[c].scale * values[(size_t)row * columns + k] +
                                                 (cases[c].add ? before[(size_t)i * columns + k] : 0.0f) : NAN;
            if (k < columns ? there != want : !isnan(there)) /* scales are powers of two or the product is exact: one rounding */
                fail_msg("%s: id %d, column %u: %.9g, want %.9g", cases[c].label, host[i + 1], k, (double)there, (double)want);
        }
    }
    core_free(got);
    core_free(values);
    core_free(before);
    dev_work_free(work);
    dev_buffer_free(device, &y);
    dev_buffer_free(device, &ids);
    dev_matrix_free(device, &matrix);
}

static void try_cases(dev_device *device, void *user)
{
    (void)user;
    for (size_t c = 0; c < COUNT(cases); c++)
        try_case(device, c);
}

static void rows_are_gathered_by_their_ids(void **state)
{
    (void)state;
    devices_each(try_cases, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_gathered_by_their_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
