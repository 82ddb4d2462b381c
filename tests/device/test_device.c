/* test_device.c: opening devices, with a context of our own and on the caller's; what is kept per device. */
#include "device/devices.h"

#include <string.h>

#include "core/memory.h"
#include "device/device_internal.h"
#include "device/released.h"

static void check_traits(dev_device *device, void *user)
{
    const dev_traits *traits = dev_get_traits(device);
    dev_device       *again = NULL;
    char              index[24];
    (void)user;
    assert_true(traits->max_group >= 1);
    assert_true(traits->base_align_bytes >= 1);
    assert_true(traits->budget_bytes > 0 && traits->budget_bytes <= traits->info.global_mem_bytes);
    assert_int_equal(strlen(traits->key), 64);
    assert_true(traits->info.name[0] && traits->info.platform_name[0] && traits->info.driver_version[0]);
    assert_false(dev_is_callers(device));
    assert_int_equal(dev_has_extension(device, "cl_khr_fp16"), traits->info.fp16);
    assert_false(dev_has_extension(device, "cl_khr"));
    /* The key is the device's, not the run's; an own budget is kept. */
    snprintf(index, sizeof index, "%zu", traits->info.index);
    const dev_open_options options = { .spec = index, .budget_bytes = 12345, .matmul = OCLM_MATMUL_BUILTIN };
    assert_ok(dev_open(&options, &again));
    assert_string_equal(dev_get_traits(again)->key, traits->key);
    assert_int_equal(dev_get_traits(again)->budget_bytes, 12345);
    assert_int_equal(dev_matmul_choice(again), OCLM_MATMUL_BUILTIN);
    dev_close(again);
}

static void an_open_device_knows_what_it_is(void **state)
{
    (void)state;
    devices_each(check_traits, NULL);
}

static void check_callers(dev_device *device, void *user)
{
    dev_device            *on = NULL;
    cl_command_queue       queue = NULL, ours = NULL;
    const dev_open_options named = { .spec = "0" };
    cl_int                 error;
    (void)user;
    assert_ok(dev_queue_new(device, &queue));
    assert_ptr_not_equal(queue, dev_queue(device));
    assert_references(queue, 1);

    assert_ok(dev_open_on(dev_context(device), queue, NULL, &on));
    assert_true(dev_is_callers(on));
    assert_ptr_equal(dev_queue(on), queue);
    assert_ptr_equal(dev_context(on), dev_context(device));
    assert_ptr_equal(dev_id(on), dev_id(device));
    assert_ok(dev_queue_new(on, &ours));
    assert_ptr_equal(ours, queue); /* all work goes to the caller's queue */
    assert_references(queue, 3);
    clReleaseCommandQueue(ours);
    dev_close(on);
    assert_references(queue, 1);

    assert_status(dev_open_on(NULL, queue, NULL, &on), OCLM_ERR_ARGUMENT);
    assert_null(on);
    assert_status(dev_open_on(dev_context(device), NULL, NULL, &on), OCLM_ERR_ARGUMENT);
    assert_status(dev_open_on(dev_context(device), queue, &named, &on), OCLM_ERR_ARGUMENT);

    const cl_device_id id = dev_id(device);
    cl_context         other = clCreateContext(NULL, 1, &id, NULL, NULL, &error);
    if (error == CL_SUCCESS) { /* oclgrind wants the platform among the properties; one other context is enough */
        assert_status(dev_open_on(other, queue, NULL, &on), OCLM_ERR_ARGUMENT);
        assert_non_null(strstr(oclm_last_error(), "another context"));
        clReleaseContext(other);
    }
    cl_command_queue wild = clCreateCommandQueue(dev_context(device), id, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &error);
    if (error == CL_SUCCESS) {
        assert_status(dev_open_on(dev_context(device), wild, NULL, &on), OCLM_ERR_ARGUMENT);
        assert_non_null(strstr(oclm_last_error(), "out-of-order"));
        clReleaseCommandQueue(wild);
    }
    clReleaseCommandQueue(queue);
}

static void a_callers_queue_is_checked_kept_and_given_back(void **state)
{
    (void)state;
    devices_each(check_callers, NULL);
}

/* ---- Slots */

static int made, dropped[DEV_SLOT_COUNT], drops;

static oclm_status make_number(dev_device *device, void **value)
{
    (void)device;
    made++;
    return (*value = core_alloc(1, "a slot")) ? OCLM_OK : OCLM_ERR_MEMORY;
}

static oclm_status make_fails(dev_device *device, void **value)
{
    (void)device, (void)value;
    return core_fail(OCLM_ERR_DEVICE, "no slot today");
}

static void drop_number(dev_device *device, void *value)
{
    assert_non_null(dev_queue(device)); /* the queue still lives */
    core_free(value);
    dropped[drops++] = 1;
}

static void a_slot_is_made_once_and_dropped_with_the_device(void **state)
{
    dev_device *device;
    void       *first, *second;
    (void)state;
    assert_ok(dev_open(NULL, &device));
    made = drops = 0;
    assert_status(dev_slot_get(device, DEV_SLOT_TUNING, make_fails, drop_number, &first), OCLM_ERR_DEVICE);
    assert_null(first);
    assert_ok(dev_slot_get(device, DEV_SLOT_TUNING, make_number, drop_number, &first));
    assert_ok(dev_slot_get(device, DEV_SLOT_TUNING, make_number, drop_number, &second));
    assert_ptr_equal(first, second);
    assert_ok(dev_slot_get(device, DEV_SLOT_CHECKS, make_number, drop_number, &second));
    assert_ptr_not_equal(first, second);
    assert_int_equal(made, 2);
    dev_close(device);
    assert_int_equal(drops, 2);
}

static void every_failing_allocation_leaves_nothing_behind(void **state)
{
    dev_device *device;
    (void)state;
    const size_t live = core_memory_live();
    for (size_t n = 1; n < 1000; n++) {
        core_memory_fail_at(n, false);
        const oclm_status status = dev_open(NULL, &device);
        core_memory_fail_at(0, false);
        dev_close(device);
        assert_int_equal(core_memory_live(), live);
        if (status == OCLM_OK)
            return;
        assert_int_equal(status, OCLM_ERR_MEMORY);
    }
    fail_msg("opening asks for memory a thousand times");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_device_knows_what_it_is),
        cmocka_unit_test(a_callers_queue_is_checked_kept_and_given_back),
        cmocka_unit_test(a_slot_is_made_once_and_dropped_with_the_device),
        cmocka_unit_test(every_failing_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
