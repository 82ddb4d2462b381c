/* test_lazy_memory.c: drivers that hand out a buffer and find at its first use that there is no memory for it. */
#include "device/devices.h"

#include <string.h>

#include "device/fake_icd_use.h"
#include "device/memory.h"

#define MIB ((size_t)1 << 20)

static void memory_that_is_missing_at_first_use_is_missed_when_the_buffer_is_made(void **state)
{
    static const fake_device card = { .name = "card", .type = CL_DEVICE_TYPE_GPU, .global_mem = 1024 * MIB, .real_bytes = 100 * MIB };
    dev_device *device;
    dev_buffer  buffer;
    (void)state;
    fake_devices(&card, 1);
    assert_ok(dev_open(NULL, &device));
    assert_ok(dev_buffer_new(device, 100 * MIB, "what fits", &buffer));
    dev_buffer_free(device, &buffer);
    assert_status(dev_buffer_new(device, 100 * MIB + 1, "the KV cache", &buffer), OCLM_ERR_DEVICE_MEMORY);
    assert_null(buffer.memory);
    assert_non_null(strstr(oclm_last_error(), "the KV cache"));
    assert_non_null(strstr(oclm_last_error(), "CL_MEM_OBJECT_ALLOCATION_FAILURE"));
    assert_int_equal(dev_memory_used(device), 0);
    dev_close(device);
}

static void memory_shared_with_the_host_is_not_touched(void **state)
{
    static const fake_device chip = { .name = "chip", .type = CL_DEVICE_TYPE_GPU, .unified = true, .global_mem = 1024 * MIB, .real_bytes = 1 };
    dev_device *device;
    dev_buffer  buffer;
    (void)state;
    fake_devices(&chip, 1);
    assert_ok(dev_open(NULL, &device));
    assert_ok(dev_buffer_new(device, 1 * MIB, "a buffer", &buffer)); /* a touch would fail; pages of the host come at use */
    dev_buffer_free(device, &buffer);
    dev_close(device);
}

/* What a driver says of its memory, and what is made of it. */
static void nonsense_about_memory_does_not_become_a_budget(void **state)
{
    static const struct { fake_device device; uint64_t wish, least, most; } rows[] = {
        { { .name = "tells nothing", .type = CL_DEVICE_TYPE_GPU }, 0, 100 * MIB, 128 * MIB },
        { { .name = "tells of one buffer", .type = CL_DEVICE_TYPE_GPU, .max_alloc = 512 * MIB }, 0, 400 * MIB, 512 * MIB },
        { { .name = "is told", .type = CL_DEVICE_TYPE_GPU }, 2000 * MIB, 2000 * MIB, 2000 * MIB },
        { { .name = "a CPU that tells nothing", .type = CL_DEVICE_TYPE_CPU }, 0, 100 * MIB, SIZE_MAX / 4 },
        { { .name = "more than any host has", .type = CL_DEVICE_TYPE_CPU, .global_mem = SIZE_MAX / 2 }, 0, 100 * MIB, SIZE_MAX / 4 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        dev_device *device;
        fake_devices(&rows[i].device, 1);
        assert_ok(dev_open(&(dev_open_options){ .budget_bytes = rows[i].wish }, &device));
        const uint64_t budget = dev_get_traits(device)->budget_bytes, host = core_host_memory_available();
        const uint64_t most = rows[i].most == SIZE_MAX / 4 ? host : rows[i].most;
        if (budget < rows[i].least || budget > most)
            fail_msg("%s: a budget of %zu MiB, want %zu to %zu", rows[i].device.name, (size_t)(budget / MIB), (size_t)(rows[i].least / MIB), (size_t)(most / MIB));
        assert_true(dev_get_traits(device)->info.max_alloc_bytes >= 128 * MIB);
        dev_close(device);
    }
}

int main(void)
{
    if (!fake_icd_load())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_is_missing_at_first_use_is_missed_when_the_buffer_is_made),
        cmocka_unit_test(memory_shared_with_the_host_is_not_touched),
        cmocka_unit_test(nonsense_about_memory_does_not_become_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
