/* test_no_driver.c: a machine without any OpenCL driver. A process of its own, for the loader looks for drivers once. */
#include "device/devices.h"

#include <stdlib.h>
#include <string.h>

static void no_driver_is_told_with_what_to_install(void **state)
{
    dev_device *device;
    dev_list   *list;
    (void)state;
    assert_status(dev_list_new(&list), OCLM_ERR_NO_DEVICE);
    assert_null(list);
    assert_status(dev_open(NULL, &device), OCLM_ERR_NO_DEVICE);
    assert_null(device);
    assert_non_null(strstr(oclm_last_error(), "pocl-opencl-icd"));
    assert_non_null(strstr(oclm_last_error(), "\"/nonexistent\"")); /* the cause, where the environment is it */
}

int main(void)
{
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    unsetenv("OCL_ICD_FILENAMES");
    const struct CMUnitTest tests[] = { cmocka_unit_test(no_driver_is_told_with_what_to_install) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
