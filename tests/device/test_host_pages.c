/* test_host_pages.c: buffers cut from blocks of large pages: what they hold, and that blocks go when their last buffer does. */
#include "device/devices.h"

#include <string.h>

#include "core/memory.h"
#include "device/device_internal.h"
#include "device/launch.h"
#include "device/memory.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* Sizes around what is taken from a block, what a block holds, and more than that. */
static const size_t sizes[] = { 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, 3 * MIB + 5, 40 * MIB, 30 * MIB, 64 * MIB - 4096, 64 * MIB, 70 * MIB + 1 };

static void fill(cl_command_queue queue, const dev_buffer *buffer, unsigned char value)
{
    unsigned char ends[64];
    memset(ends, value, sizeof ends);
    assert_ok(dev_buffer_write(queue, buffer, 0, ends, sizeof ends));
    assert_ok(dev_buffer_write(queue, buffer, buffer->bytes - sizeof ends, ends, sizeof ends));
}

static void check(cl_command_queue queue, const dev_buffer *buffer, unsigned char value)
{
    unsigned char ends[2][64];
    assert_ok(dev_buffer_read(queue, buffer, 0, ends[0], sizeof ends[0]));
    assert_ok(dev_buffer_read(queue, buffer, buffer->bytes - sizeof ends[1], ends[1], sizeof ends[1]));
    for (size_t i = 0; i < sizeof ends; i++)
        assert_int_equal(((unsigned char *)ends)[i], value);
}

static void neighbours_on_device(dev_device *device, void *user)
{
    dev_buffer buffers[COUNT(sizes)];
    (void)user;
    if (devices_is_slow(device))
        return;
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            assert_ok(dev_buffer_new(device, sizes[i], "a test's buffer", &buffers[i]));
            fill(dev_queue(device), &buffers[i], (unsigned char)(i + 1));
        }
        for (size_t i = 0; i < COUNT(sizes); i += 2) /* every second goes, in whatever block it lies */
            dev_buffer_free(device, &buffers[i]);
        for (size_t i = 1; i < COUNT(sizes); i += 2) {
            check(dev_queue(device), &buffers[i], (unsigned char)(i + 1));
            dev_buffer_free(device, &buffers[i]);
        }
        assert_int_equal(dev_memory_used(device), 0);
    }
}

static void neighbours_do_not_overlap(void **state)
{
    (void)state;
    devices_each(neighbours_on_device, NULL);
}

/* Forty times 96 MiB are more than a GiB, were blocks kept. */
static void reuse_on_device(dev_device *device, void *user)
{
    (void)user;
    dev_host_pages *owner;
    if (devices_is_slow(device) || !dev_host_pages_new(device, MIB, &owner))
        return;
    dev_host_pages_drop(owner);
    const uint64_t before = core_peak_host_bytes();
    for (int i = 0; i < 40; i++) {
        dev_buffer buffer;
        assert_ok(dev_buffer_new_zero(device, dev_queue(device), 96 * MIB, "a test's buffer", &buffer));
        assert_ok(dev_finish(dev_queue(device)));
        dev_buffer_free(device, &buffer);
    }
    assert_in_range(core_peak_host_bytes() - before, 0, 1024 * MIB);
}

static void blocks_go_with_their_last_buffer(void **state)
{
    (void)state;
    devices_each(reuse_on_device, NULL);
}

static void only_large_buffers_of_devices_in_host_memory_take_pages(void **state)
{
    (void)state;
    dev_device     *device;
    dev_host_pages *owner;
    assert_ok(dev_open(NULL, &device));
    assert_null(dev_host_pages_new(device, 256 * KIB - 1, &owner));
    assert_null(owner);
    assert_null(dev_host_pages_new(device, SIZE_MAX, &owner));
    if (dev_get_traits(device)->info.type == OCLM_DEVICE_CPU && !dev_get_traits(device)->info.software) {
        void *memory = dev_host_pages_new(device, 256 * KIB, &owner);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 4096, 0);
        for (size_t i = 0; i < 256 * KIB; i++)
            assert_int_equal(((char *)memory)[i], 0);
        dev_host_pages_drop(owner);
    }
    dev_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_do_not_overlap),
        cmocka_unit_test(blocks_go_with_their_last_buffer),
        cmocka_unit_test(only_large_buffers_of_devices_in_host_memory_take_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
