/* test_memory.c: buffers, their accounting and their limits. */
#include "device/devices.h"

#include <string.h>

#include "core/memory.h"
#include "device/memory.h"

#define KIB ((size_t)1 << 10)

static void check_round_trip(dev_device *device, void *user)
{
    unsigned char in[1000], out[1000];
    dev_buffer    buffer;
    (void)user;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)(i * 7);
    assert_ok(dev_buffer_new(device, sizeof in, "a test", &buffer));
    assert_int_equal(buffer.bytes, sizeof in);
    assert_ok(dev_buffer_write(dev_queue(device), &buffer, 0, in, sizeof in));
    assert_ok(dev_buffer_write(dev_queue(device), &buffer, 500, in, 0)); /* nothing */
    assert_ok(dev_buffer_write(dev_queue(device), &buffer, 999, in + 3, 1));
    memset(out, 0xEE, sizeof out);
    assert_ok(dev_buffer_read(dev_queue(device), &buffer, 1, out, 999));
    assert_memory_equal(out, in + 1, 998);
    assert_int_equal(out[998], in[3]);
    assert_int_equal(out[999], 0xEE);
    assert_status(dev_buffer_write(dev_queue(device), &buffer, 1000, in, 1), OCLM_ERR_INTERNAL);
    assert_status(dev_buffer_read(dev_queue(device), &buffer, 1, out, SIZE_MAX), OCLM_ERR_INTERNAL);
    dev_buffer_free(device, &buffer);
    assert_null(buffer.memory);
    dev_buffer_free(device, &buffer); /* an empty one is fine */
}

static void bytes_come_back_as_they_were_written(void **state)
{
    (void)state;
    devices_each(check_round_trip, NULL);
}

static void check_zero(dev_device *device, void *user)
{
    static const size_t sizes[] = { 1, 3, 4, 4097, ((size_t)1 << 20) + 4, ((size_t)1 << 20) + 5 };
    (void)user;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        dev_buffer     buffer;
        unsigned char *out = core_alloc(sizes[i], "a test");
        assert_non_null(out);
        assert_ok(dev_buffer_new_zero(device, dev_queue(device), sizes[i], "a test", &buffer));
        memset(out, 0xEE, sizes[i]);
        assert_ok(dev_buffer_read(dev_queue(device), &buffer, 0, out, sizes[i]));
        for (size_t j = 0; j < sizes[i]; j++) {
            if (out[j])
                fail_msg("byte %zu of %zu is %d", j, sizes[i], out[j]);
        }
        core_free(out);
        dev_buffer_free(device, &buffer);
    }
}

static void a_cleared_buffer_is_zero_to_its_last_byte(void **state)
{
    (void)state;
    devices_each(check_zero, NULL);
}

static void check_budget(dev_device *device, void *user)
{
    dev_buffer first, second, third;
    (void)user;
    assert_int_equal(dev_memory_used(device), 0);
    assert_ok(dev_buffer_new(device, 600 * KIB, "the weights", &first));
    assert_int_equal(dev_memory_left(device), 400 * KIB);
    assert_status(dev_buffer_new(device, 400 * KIB + 1, "the KV cache", &second), OCLM_ERR_DEVICE_MEMORY);
    assert_null(second.memory);
    const char *const parts[] = { "the KV cache", "needed", "available 400 KiB", "600 KiB of", "dtype" };
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!strstr(oclm_last_error(), parts[i]))
            fail_msg("\"%s\" is not in: %s", parts[i], oclm_last_error());
    }
    assert_ok(dev_buffer_new(device, 400 * KIB, "the KV cache", &second));
    assert_int_equal(dev_memory_left(device), 0);
    assert_status(dev_buffer_new(device, 1, "one byte", &third), OCLM_ERR_DEVICE_MEMORY);
    assert_status(dev_buffer_new(device, 0, "no bytes", &third), OCLM_ERR_INTERNAL);
    dev_buffer_free(device, &first);
    dev_buffer_free(device, &second);
    assert_int_equal(dev_memory_used(device), 0);
    assert_int_equal(dev_memory_peak(device), 1000 * KIB);
}

static void every_byte_counts_against_the_budget(void **state)
{
    (void)state;
    devices_each_with(check_budget, NULL, 1000 * KIB);
}

static void check_largest(dev_device *device, void *user)
{
    dev_buffer     buffer;
    const uint64_t most = dev_get_traits(device)->info.max_alloc_bytes;
    (void)user;
    assert_status(dev_buffer_new(device, (size_t)most + 1, "a huge tensor", &buffer), OCLM_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "a huge tensor"));
    assert_non_null(strstr(oclm_last_error(), "no buffer larger than"));
    assert_int_equal(dev_memory_used(device), 0);
}

static void a_buffer_larger_than_the_driver_takes_is_refused_before_it_is_asked(void **state)
{
    (void)state;
    devices_each(check_largest, NULL);
}

static void check_refusal(dev_device *device, void *user)
{
    dev_buffer kept, buffer;
    (void)user;
    assert_true(dev_memory_refused_at(device) == UINT64_MAX);
    assert_ok(dev_buffer_new(device, 100 * KIB, "the weights", &kept));
    (void)dev_memory_fail_at(2, false);
    assert_ok(dev_buffer_new(device, 1 * KIB, "the first", &buffer));
    dev_buffer_free(device, &buffer);
    assert_status(dev_buffer_new_zero(device, dev_queue(device), 3 * KIB, "the second", &buffer), OCLM_ERR_DEVICE_MEMORY);
    assert_null(buffer.memory);
    assert_non_null(strstr(oclm_last_error(), "the second"));
    assert_non_null(strstr(oclm_last_error(), dev_get_traits(device)->info.name));
    assert_ok(dev_buffer_new(device, 1 * KIB, "the third", &buffer)); /* one alone was refused */
    dev_buffer_free(device, &buffer);
    assert_int_equal(dev_memory_fail_at(1, true), 0);
    for (size_t i = 0; i < 3; i++)
        assert_status(dev_buffer_new(device, 1, "all others", &buffer), OCLM_ERR_DEVICE_MEMORY);
    assert_int_equal(dev_memory_fail_at(9, false), 1);
    assert_int_equal(dev_memory_fail_at(0, false), 9);
    assert_int_equal(dev_memory_used(device), 100 * KIB);
    assert_int_equal(dev_memory_refused_at(device), 100 * KIB);
    dev_memory_lower(device, 120 * KIB);
    assert_true(dev_memory_refused_at(device) == UINT64_MAX);
    assert_int_equal(dev_memory_left(device), 20 * KIB);
    assert_status(dev_buffer_new(device, 20 * KIB + 1, "too much", &buffer), OCLM_ERR_DEVICE_MEMORY);
    assert_true(dev_memory_refused_at(device) == UINT64_MAX); /* the budget refused it, not the driver */
    dev_memory_lower(device, 200 * KIB); /* is no way to raise it */
    assert_int_equal(dev_memory_left(device), 20 * KIB);
    dev_buffer_free(device, &kept);
}

static void what_the_driver_refuses_is_told_and_where(void **state)
{
    (void)state;
    devices_each_with(check_refusal, NULL, 1000 * KIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back_as_they_were_written),
        cmocka_unit_test(a_cleared_buffer_is_zero_to_its_last_byte),
        cmocka_unit_test(every_byte_counts_against_the_budget),
        cmocka_unit_test(what_the_driver_refuses_is_told_and_where),
        cmocka_unit_test(a_buffer_larger_than_the_driver_takes_is_refused_before_it_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
