/* test_read_rate.c: the yardstick reads all it says it reads, and its measurement keeps to the memory that is left. */
#include "device/devices.h"

#include <string.h>

#include "core/memory.h"
#include "device/launch.h"
#include "device/profile.h"

#define VECTOR 16 /* floats */

static const struct { const char *kernel; uint32_t vectors; size_t items; } shapes[] = {
    { "read_block", 1, 1 },    { "read_block", 3, 1 },  { "read_block", 4, 1 },   { "read_block", 7, 7 },  { "read_block", 35, 5 },
    { "read_block", 1000, 8 }, { "read_lanes", 1, 1 },  { "read_lanes", 1, 3 },   { "read_lanes", 1, 16 }, { "read_lanes", 5, 7 },
    { "read_lanes", 16, 64 },  { "read_lanes", 17, 64 }, { "read_lanes", 31, 31 }, { "read_lanes", 999, 256 },
};

/* Small integers, so that sums are exact in any order: the sums together are the sum of all. */
static void check_sums(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const size_t count = (size_t)shapes[i].vectors * VECTOR;
        float       *values = core_alloc_array(count, sizeof *values, "values"), *sums = core_alloc_array(shapes[i].items, sizeof *sums, "sums");
        dev_buffer   x = { NULL, 0 }, out = { NULL, 0 };
        dev_work    *work = NULL;
        double       want = 0, got = 0;
        assert_true(values && sums);
        for (size_t k = 0; k < count; k++)
            want += values[k] = (float)(k % 97 + 1);
        assert_ok(dev_buffer_new(device, count * sizeof *values, "x", &x));
        assert_ok(dev_buffer_new(device, shapes[i].items * sizeof *sums, "sums", &out));
        assert_ok(dev_buffer_write(dev_queue(device), &x, 0, values, x.bytes));
        const dev_arg    args[] = { dev_arg_buffer(&out), dev_arg_buffer(&x), dev_arg_u64(shapes[i].vectors) };
        const dev_launch launch = { .source = "read", .kernel = shapes[i].kernel, .options = "", .dims = 1, .global = { shapes[i].items },
                                    .args = args, .arg_count = COUNT(args) };
        assert_ok(dev_work_new(device, &work));
        assert_ok(dev_work_add(work, &launch));
        assert_ok(dev_work_enqueue(work, dev_queue(device), NULL));
        assert_ok(dev_buffer_read(dev_queue(device), &out, 0, sums, out.bytes));
        for (size_t k = 0; k < shapes[i].items; k++)
            got += sums[k];
        if (got != want)
            fail_msg("%s, %u vectors by %zu work-items: %.9g, want %.9g", shapes[i].kernel, shapes[i].vectors, shapes[i].items, got, want);
        dev_work_free(work);
        dev_buffer_free(device, &x);
        dev_buffer_free(device, &out);
        core_free(values);
        core_free(sums);
    }
}

static void every_element_is_read_once(void **state)
{
    (void)state;
    devices_each(check_sums, NULL);
}

static void check_rate(dev_device *device, void *user)
{
    static const size_t sizes[] = { 64, 65, (size_t)1 << 16, ((size_t)1 << 20) + 640 };
    (void)user;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        double rate = -1;
        assert_ok(dev_measure_read(device, sizes[i], &rate));
        if (!(rate > 0 && rate < 1e15))
            fail_msg("%zu bytes: %g bytes per second", sizes[i], rate);
        assert_int_equal(dev_memory_used(device), 0);
    }
}

static void a_rate_is_measured_on_any_size_and_gives_its_memory_back(void **state)
{
    (void)state;
    devices_each(check_rate, NULL);
}

/* The sums take 4 MiB; so does what is read, at most half of what is left. */
static void check_little_memory(dev_device *device, void *user)
{
    double     rate;
    dev_buffer model;
    (void)user;
    assert_ok(dev_buffer_new(device, (size_t)8 << 20, "a model", &model));
    assert_ok(dev_measure_read(device, (size_t)1 << 40, &rate)); /* far more than there is */
    assert_true(rate > 0);
    assert_int_equal(dev_memory_used(device), (size_t)8 << 20);
    assert_int_equal(dev_memory_peak(device), (size_t)16 << 20);
    dev_buffer_free(device, &model);
    assert_ok(dev_buffer_new(device, ((size_t)16 << 20) - 100, "a larger model", &model));
    assert_status(dev_measure_read(device, (size_t)1 << 20, &rate), OCLM_ERR_DEVICE_MEMORY);
    assert_true(rate == 0);
    assert_non_null(strstr(oclm_last_error(), "at least 64 bytes"));
    dev_buffer_free(device, &model);
}

static void beside_a_model_what_is_left_is_used_or_told(void **state)
{
    (void)state;
    devices_each_with(check_little_memory, NULL, (uint64_t)16 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_is_read_once),
        cmocka_unit_test(a_rate_is_measured_on_any_size_and_gives_its_memory_back),
        cmocka_unit_test(beside_a_model_what_is_left_is_used_or_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
