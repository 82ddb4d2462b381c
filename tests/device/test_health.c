/* test_health.c: a device that hangs or is gone fails a wait with its name and within the limit; the process goes on. */
#include "device/devices.h"

#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "device/health.h"
#include "device/interpose.h"
#include "device/launch.h"
#include "device/link.h"

/* ---- What the driver's functions are made to say. */

static cl_int finish_error;

CL_API_ENTRY cl_int CL_API_CALL clFinish(cl_command_queue queue)
{
    const cl_int error = OPENCL_BEHIND(clFinish)(queue);
    return finish_error != CL_SUCCESS ? finish_error : error;
}

/* ---- A kernel that takes its time: it ends, for a test must. */

static const char spin_text[] = "__kernel void spin(__global uint *x, ulong n)\n"
                                "{\n"
                                "    uint v = x[0];\n"
                                "    for (ulong i = 0; i < n; i++)\n"
                                "        v = v * 1664525u + 1013904223u;\n"
                                "    x[0] = v;\n"
                                "}\n";

typedef struct spinner {
    cl_program program;
    cl_kernel  kernel;
    cl_mem     x;
    double     steps_per_s;
} spinner;

static cl_event spin(spinner *s, cl_command_queue queue, double seconds)
{
    const size_t   one = 1;
    const cl_ulong steps = (cl_ulong)(seconds * s->steps_per_s);
    cl_event       end = NULL;
    assert_int_equal(clSetKernelArg(s->kernel, 0, sizeof s->x, &s->x), CL_SUCCESS);
    assert_int_equal(clSetKernelArg(s->kernel, 1, sizeof steps, &steps), CL_SUCCESS);
    assert_int_equal(clEnqueueNDRangeKernel(queue, s->kernel, 1, NULL, &one, &one, 0, NULL, &end), CL_SUCCESS);
    return end;
}

static void open_spinner(spinner *s, dev_device *device, cl_command_queue queue)
{
    const char        *text = spin_text;
    const cl_device_id id = dev_id(device);
    cl_int             error;
    *s = (spinner){ .steps_per_s = 1e8 };
    s->program = clCreateProgramWithSource(dev_context(device), 1, &text, NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
    assert_int_equal(clBuildProgram(s->program, 1, &id, "", NULL, NULL), CL_SUCCESS);
    s->kernel = clCreateKernel(s->program, "spin", &error);
    assert_int_equal(error, CL_SUCCESS);
    s->x = clCreateBuffer(dev_context(device), CL_MEM_READ_WRITE, 4096, NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
    /* How fast it is: once to build, once to measure. */
    for (size_t i = 0; i < 2; i++) {
        const double begin = core_seconds();
        cl_event     end = spin(s, queue, 0.1);
        assert_int_equal(clWaitForEvents(1, &end), CL_SUCCESS);
        clReleaseEvent(end);
        if (i == 1)
            s->steps_per_s = 1e7 / (core_seconds() - begin);
    }
}

static void close_spinner(spinner *s)
{
    clReleaseMemObject(s->x);
    clReleaseKernel(s->kernel);
    clReleaseProgram(s->program);
}

static void set_limit(const char *seconds)
{
    if (seconds)
        setenv("OCLM_DEVICE_TIMEOUT", seconds, 1);
    else
        unsetenv("OCLM_DEVICE_TIMEOUT");
}

static void assert_told(const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!strstr(oclm_last_error(), parts[i]))
            fail_msg("\"%s\" is not in: %s", parts[i], oclm_last_error());
    }
}

/* Everything that waits, on a queue that hangs. */
static void hang(dev_device *device, dev_device *other)
{
    const char *const parts[] = { dev_get_traits(device)->info.name, "did not answer within 1 s", "OCLM_DEVICE_TIMEOUT" };
    const char *const again[] = { dev_get_traits(device)->info.name, "did not answer within 1 s and is given up" };
    cl_command_queue  queue, other_queue;
    dev_buffer        buffer, far;
    dev_link         *link;
    spinner           s;
    unsigned char     byte = 7;
    assert_ok(dev_queue_new(device, &queue));
    assert_ok(dev_queue_new(other, &other_queue));
    assert_ok(dev_buffer_new_zero(device, queue, 100, "a test", &buffer));
    assert_ok(dev_buffer_new_zero(other, other_queue, 100, "a test", &far));
    assert_ok(dev_link_new(device, other, 100, &link));
    open_spinner(&s, device, queue);
    assert_false(dev_is_lost(queue));
    const double begin = core_seconds();
    cl_event     end = spin(&s, queue, 4);
    clFlush(queue);
    assert_status(dev_finish(queue), OCLM_ERR_DEVICE);
    const double waited = core_seconds() - begin;
    if (!(waited >= 1 && waited < 3))
        fail_msg("gave up after %g s", waited);
    assert_told(parts, COUNT(parts));
    assert_true(dev_is_lost(queue));
    assert_false(dev_is_lost(other_queue));
    /* From now on nothing waits. */
    assert_status(dev_finish(queue), OCLM_ERR_DEVICE);
    assert_told(again, COUNT(again));
    assert_status(dev_wait(end, "a test"), OCLM_ERR_DEVICE);
    assert_status(dev_buffer_read(queue, &buffer, 0, &byte, 1), OCLM_ERR_DEVICE);
    assert_int_equal(byte, 7);
    assert_status(dev_buffer_write(queue, &buffer, 0, &byte, 1), OCLM_ERR_DEVICE);
    assert_status(dev_link_send(link, queue, &buffer, 0, other_queue, &far, 0, 100), OCLM_ERR_DEVICE);
    dev_link_free(link);
    dev_buffer_free(device, &buffer);
    dev_buffer_free(other, &far);
    assert_ok(dev_finish(other_queue));
    close_spinner(&s);
    clReleaseCommandQueue(other_queue);
    clReleaseCommandQueue(queue);
    dev_close(device);
    if (core_seconds() - begin > 3.8)
        fail_msg("%g s until the lost device was closed", core_seconds() - begin);
    assert_int_equal(clWaitForEvents(1, &end), CL_SUCCESS); /* it does end, for the process must */
    clReleaseEvent(end);
}

/* Some CPU drivers compute in the caller's thread while it enqueues or flushes: nobody is left to give up. */
static bool computes_meanwhile(dev_device *device)
{
    spinner s;
    open_spinner(&s, device, dev_queue(device));
    const double begin = core_seconds();
    cl_event     end = spin(&s, dev_queue(device), 0.5);
    clFlush(dev_queue(device));
    const bool meanwhile = core_seconds() - begin < 0.2;
    assert_int_equal(clWaitForEvents(1, &end), CL_SUCCESS);
    clReleaseEvent(end);
    close_spinner(&s);
    return meanwhile && core_seconds() - begin > 0.2; /* and it does wait for what was flushed (rusticl of Mesa 22.3 does not) */
}

static size_t hung;

static void check_hanging(dev_device *device, void *user)
{
    char        index[24];
    dev_device *hanging, *other, *anew;
    dev_buffer  buffer;
    (void)user;
    if (!computes_meanwhile(device)) {
        print_message("    left out: it computes in the caller's thread\n");
        return;
    }
    hung++;
    snprintf(index, sizeof index, "%zu", dev_get_traits(device)->info.index);
    const dev_open_options options = { .spec = index };
    set_limit("1");
    assert_ok(dev_open(&options, &hanging));
    set_limit(NULL);
    assert_ok(dev_open(&options, &other));
    hang(hanging, other);
    assert_ok(dev_open(&options, &anew)); /* the device itself may be used again */
    assert_ok(dev_buffer_new_zero(anew, dev_queue(anew), 100, "a test", &buffer));
    assert_ok(dev_finish(dev_queue(anew)));
    dev_buffer_free(anew, &buffer);
    dev_close(anew);
    dev_close(other);
}

static void a_hanging_device_is_named_within_the_limit_and_given_up(void **state)
{
    (void)state;
    hung = 0;
    devices_each(check_hanging, NULL);
    if (hung == 0)
        skip();
}

static void check_no_limit(dev_device *device, void *user)
{
    char        index[24];
    dev_device *patient;
    spinner     s;
    (void)user;
    snprintf(index, sizeof index, "%zu", dev_get_traits(device)->info.index);
    const dev_open_options options = { .spec = index };
    set_limit("0");
    assert_ok(dev_open(&options, &patient));
    set_limit(NULL);
    open_spinner(&s, patient, dev_queue(patient));
    cl_event end = spin(&s, dev_queue(patient), 0.3);
    assert_ok(dev_finish(dev_queue(patient)));
    clReleaseEvent(end);
    end = spin(&s, dev_queue(patient), 0.1);
    clFlush(dev_queue(patient));
    assert_ok(dev_wait(end, "a test"));
    clReleaseEvent(end);
    close_spinner(&s);
    dev_close(patient);
}

static void without_a_limit_a_wait_is_as_long_as_it_takes(void **state)
{
    (void)state;
    devices_each(check_no_limit, NULL);
}

static char logged[1000];

static void keep_log(oclm_log_level level, const char *message, void *user)
{
    (void)user;
    if (level == OCLM_LOG_WARNING)
        snprintf(logged, sizeof logged, "%s", message);
}

static void a_limit_that_is_no_number_is_told_and_ignored(void **state)
{
    static const char *const odd[] = { "soon", "-1", "nan", "1e30", "5s" };
    (void)state;
    for (size_t i = 0; i < COUNT(odd); i++) {
        dev_device *device;
        logged[0] = '\0';
        oclm_set_log(keep_log, NULL, OCLM_LOG_WARNING);
        set_limit(odd[i]);
        assert_ok(dev_open(NULL, &device));
        set_limit(NULL);
        oclm_set_log(NULL, NULL, OCLM_LOG_WARNING);
        assert_ok(dev_finish(dev_queue(device)));
        dev_close(device);
        if (!strstr(logged, odd[i]) || !strstr(logged, "OCLM_DEVICE_TIMEOUT"))
            fail_msg("OCLM_DEVICE_TIMEOUT=%s: \"%s\" is logged", odd[i], logged);
    }
}

static void check_gone(dev_device *device, void *user)
{
    static const struct { cl_int error; oclm_status want; } errors[] = {
        { CL_DEVICE_NOT_AVAILABLE, OCLM_ERR_DEVICE },
        { CL_OUT_OF_RESOURCES, OCLM_ERR_DEVICE_MEMORY },
    };
    (void)user;
    for (size_t i = 0; i < COUNT(errors); i++) {
        const char *const parts[] = { dev_get_traits(device)->info.name, dev_cl_name(errors[i].error) };
        finish_error = errors[i].error;
        const oclm_status status = dev_finish(dev_queue(device));
        finish_error = CL_SUCCESS;
        assert_int_equal(status, errors[i].want);
        assert_told(parts, COUNT(parts));
    }
    assert_ok(dev_finish(dev_queue(device)));
}

static void a_device_that_fails_is_named(void **state)
{
    (void)state;
    devices_each(check_gone, NULL);
}

/* More contexts than there are places for: those beyond work, without a limit. */
static void many_contexts_are_open_at_once(void **state)
{
    enum { MANY = 70 };
    dev_device *devices[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        assert_ok(dev_open(NULL, &devices[i]));
    for (size_t i = 0; i < MANY; i++)
        assert_ok(dev_finish(dev_queue(devices[i])));
    for (size_t i = 0; i < MANY; i++)
        dev_close(devices[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hanging_device_is_named_within_the_limit_and_given_up),
        cmocka_unit_test(without_a_limit_a_wait_is_as_long_as_it_takes),
        cmocka_unit_test(a_limit_that_is_no_number_is_told_and_ignored),
        cmocka_unit_test(a_device_that_fails_is_named),
        cmocka_unit_test(many_contexts_are_open_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
