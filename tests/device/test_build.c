/* test_build.c: a driver whose compiler fails without a word is asked again, a few times; one that names an error is not. */
#include "device/devices.h"

#include "device/device_internal.h"
#include "device/interpose.h"

static int refusals, calls; /* so many calls fail, as beside a process that builds the same; how often we were called */

CL_API_ENTRY cl_int CL_API_CALL clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
                                               void(CL_CALLBACK *notify)(cl_program, void *), void *user)
{
    calls++;
    return refusals-- > 0 ? CL_BUILD_PROGRAM_FAILURE : OPENCL_BEHIND(clBuildProgram)(program, count, devices, options, notify, user);
}

CL_API_ENTRY cl_int CL_API_CALL clCompileProgram(cl_program program, cl_uint count, const cl_device_id *devices, const char *options, cl_uint headers,
                                                 const cl_program *header, const char **names, void(CL_CALLBACK *notify)(cl_program, void *),
                                                 void *user)
{
    calls++;
    return refusals-- > 0 ? CL_COMPILE_PROGRAM_FAILURE
                          : OPENCL_BEHIND(clCompileProgram)(program, count, devices, options, headers, header, names, notify, user);
}

CL_API_ENTRY cl_program CL_API_CALL clLinkProgram(cl_context context, cl_uint count, const cl_device_id *devices, const char *options, cl_uint parts,
                                                  const cl_program *part, void(CL_CALLBACK *notify)(cl_program, void *), void *user,
                                                  cl_int *error)
{
    calls++;
    if (refusals-- > 0) {
        *error = CL_LINK_PROGRAM_FAILURE;
        return NULL;
    }
    return OPENCL_BEHIND(clLinkProgram)(context, count, devices, options, parts, part, notify, user, error);
}

static void refuse(int count)
{
    refusals = count;
    calls = 0;
}

static cl_program program_of(const dev_device *device, const char *text)
{
    cl_int     error;
    cl_program program = clCreateProgramWithSource(device->context, 1, &text, NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
    return program;
}

static const char sound[] = "__kernel void one(__global int *y) { y[0] = 1; }\n", unsound[] = "__kernel void one(__global nonsense *y) { y[0] = 1; }\n";

static void check_building(dev_device *device, void *user)
{
    cl_program program = program_of(device, sound), wrong = program_of(device, unsound);
    (void)user;
    refuse(3);
    assert_int_equal(dev_build(device, program, DEV_COMMON_OPTIONS), CL_SUCCESS);
    assert_int_equal(calls, 4);
    clReleaseProgram(program);
    program = program_of(device, sound);
    refuse(100);
    assert_int_equal(dev_build(device, program, DEV_COMMON_OPTIONS), CL_BUILD_PROGRAM_FAILURE);
    assert_int_equal(calls, 4);
    refuse(0);
    assert_int_equal(dev_build(device, wrong, DEV_COMMON_OPTIONS), CL_BUILD_PROGRAM_FAILURE);
    assert_int_equal(calls, 1);
    clReleaseProgram(program);
    clReleaseProgram(wrong);
}

static void a_build_that_fails_without_a_reason_is_tried_again(void **state)
{
    (void)state;
    devices_each(check_building, NULL);
}

static void check_linking(dev_device *device, void *user)
{
    cl_program program = program_of(device, sound), linked;
    cl_int     error;
    (void)user;
    refuse(2);
    assert_int_equal(dev_compile(device, program, DEV_COMMON_OPTIONS), CL_SUCCESS);
    assert_int_equal(calls, 3);
    refuse(1);
    linked = dev_link_parts(device, 1, &program, &error);
    assert_int_equal(error, CL_SUCCESS);
    assert_int_equal(calls, 2);
    clReleaseProgram(linked);
    refuse(100);
    assert_null(dev_link_parts(device, 1, &program, &error));
    assert_int_equal(error, CL_LINK_PROGRAM_FAILURE);
    assert_int_equal(calls, 4);
    clReleaseProgram(program);
}

static void compiling_and_linking_are_tried_again(void **state)
{
    (void)state;
    devices_each(check_linking, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_build_that_fails_without_a_reason_is_tried_again),
        cmocka_unit_test(compiling_and_linking_are_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
