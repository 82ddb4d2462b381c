/* test_opencl.c: error numbers become names, statuses and advice. */
#include "device/devices.h"

#include <string.h>

#include "core/memory.h"

static const struct {
    cl_int      error;
    const char *name;
    oclm_status status;
} errors[] = {
    { -2, "CL_DEVICE_NOT_AVAILABLE (-2)", OCLM_ERR_DEVICE },
    { -4, "CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)", OCLM_ERR_DEVICE_MEMORY },
    { -5, "CL_OUT_OF_RESOURCES (-5)", OCLM_ERR_DEVICE_MEMORY },
    { -6, "CL_OUT_OF_HOST_MEMORY (-6)", OCLM_ERR_DEVICE_MEMORY },
    { -11, "CL_BUILD_PROGRAM_FAILURE (-11)", OCLM_ERR_DEVICE },
    { -54, "CL_INVALID_WORK_GROUP_SIZE (-54)", OCLM_ERR_DEVICE },
    { -61, "CL_INVALID_BUFFER_SIZE (-61)", OCLM_ERR_DEVICE_MEMORY },
    { -1001, "CL_PLATFORM_NOT_FOUND_KHR (-1001)", OCLM_ERR_DEVICE },
    { -9999, "OpenCL error (-9999)", OCLM_ERR_DEVICE },
};

static void an_error_has_a_name_a_status_and_a_way_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        assert_string_equal(dev_cl_name(errors[i].error), errors[i].name);
        assert_status(dev_cl_fail(errors[i].error, "enqueueing %s", "norm"), errors[i].status);
        const char *message = oclm_last_error();
        if (strncmp(message, "enqueueing norm: ", 17) != 0 || !strstr(message, errors[i].name) || !strstr(message, "; "))
            fail_msg("%d: %s", (int)errors[i].error, message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(an_error_has_a_name_a_status_and_a_way_out) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
