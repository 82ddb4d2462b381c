/* test_launch.c: recorded lists of launches, copies and calls: played in order as often as wanted; what OpenCL would refuse at
 * every enqueue is refused when recorded. The kernel is embed.cl's gather with ADD: y += scale * w, so every step counts. */
#include "device/devices.h"

#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "device/launch.h"

enum { N = 64 }; /* columns; a work-item takes one */

typedef struct desk {
    dev_device *device;
    dev_buffer  y, seed, ids, w, copies;
    dev_work   *work;
    dev_arg     args[10];
    dev_launch  add; /* y += 2 */
} desk;

static dev_buffer filled(dev_device *device, float value, size_t count)
{
    dev_buffer buffer = { NULL, 0 };
    float     *values = core_alloc_array(count, sizeof *values, "a test's values");
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    assert_ok(dev_buffer_new(device, count * sizeof *values, "a test's buffer", &buffer));
    assert_ok(dev_buffer_write(dev_queue(device), &buffer, 0, values, count * sizeof *values));
    core_free(values);
    return buffer;
}

static void open_desk(desk *d, dev_device *device)
{
    d->device = device;
    d->y = filled(device, 0.0f, N);
    d->seed = filled(device, 10.0f, N);
    d->ids = filled(device, 0.0f, 1); /* id 0 */
    d->w = filled(device, 1.0f, 32 * N);
    d->copies = filled(device, -1.0f, 2 * N);
    const dev_arg args[] = { dev_arg_buffer(&d->y), dev_arg_u32(N), dev_arg_buffer(&d->ids), dev_arg_u32(0), dev_arg_buffer(&d->w),
                             dev_arg_u32(N), dev_arg_u32(32), dev_arg_u32(0), dev_arg_u32(32), dev_arg_f32(2.0f) };
    memcpy(d->args, args, sizeof args);
    d->add = (dev_launch){ .source = "embed", .kernel = "rows_gather", .options = "-DSTORAGE=0 -DADD=1 -DBLOCK=1", .dims = 2,
                           .global = { N, 1 }, .args = d->args, .arg_count = COUNT(d->args) };
    assert_ok(dev_work_new(device, &d->work));
    assert_ptr_equal(dev_work_device(d->work), device);
    assert_int_equal(dev_work_count(d->work), 0);
}

static void close_desk(desk *d)
{
    dev_buffer *all[] = { &d->y, &d->seed, &d->ids, &d->w, &d->copies };
    dev_work_free(d->work);
    for (size_t i = 0; i < COUNT(all); i++)
        dev_buffer_free(d->device, all[i]);
}

static void assert_values(const desk *d, const dev_buffer *buffer, size_t first, float want, const char *label)
{
    float got[N];
    assert_ok(dev_buffer_read(dev_queue(d->device), buffer, first * sizeof *got, got, sizeof got));
    for (size_t i = 0; i < N; i++) {
        if (got[i] != want)
            fail_msg("%s: element %zu is %g, want %g", label, i, (double)got[i], (double)want);
    }
}

/* ---- Order */

typedef struct callee {
    const desk *d;
    int         calls, freed;
    oclm_status status;
} callee;

/* Keeps what y is at this point of the list. */
static oclm_status call(cl_command_queue queue, void *payload)
{
    callee *c = payload;
    c->calls++;
    if (c->status != OCLM_OK)
        return core_fail(c->status, "the call fails, as it was told to");
    return clEnqueueCopyBuffer(queue, c->d->y.memory, c->d->copies.memory, 0, N * sizeof(float), N * sizeof(float), 0, NULL, NULL) ==
                   CL_SUCCESS ? OCLM_OK : OCLM_ERR_DEVICE;
}

static void free_callee(void *payload)
{
    callee *c = payload;
    c->freed++;
}

static void check_order(dev_device *device, void *user)
{
    desk   d;
    callee c = { .d = &d };
    (void)user;
    open_desk(&d, device);
    assert_ok(dev_work_add_copy(d.work, &d.seed, 0, &d.y, 0, N * sizeof(float)));
    assert_ok(dev_work_add(d.work, &d.add));
    assert_ok(dev_work_add_call(d.work, call, &c, free_callee));
    assert_ok(dev_work_add(d.work, &d.add));
    assert_int_equal(dev_work_count(d.work), 4);
    for (int run = 0; run < 3; run++) /* without waiting in between */
        assert_ok(dev_work_enqueue(d.work, dev_queue(device), NULL));
    assert_ok(dev_finish(dev_queue(device)));
    assert_values(&d, &d.copies, N, 12.0f, "what the call saw");
    assert_values(&d, &d.copies, 0, -1.0f, "what nobody wrote");
    assert_values(&d, &d.y, 0, 14.0f, "the end");
    assert_int_equal(c.calls, 3);
    assert_int_equal(c.freed, 0);
    close_desk(&d);
    assert_int_equal(c.freed, 1);
}

static void a_list_is_played_in_order_as_often_as_wanted(void **state)
{
    (void)state;
    devices_each(check_order, NULL);
}

static void check_long(dev_device *device, void *user)
{
    enum { LAUNCHES = 100 }; /* more than are enqueued before the first flush, more than the list's first room */
    desk d;
    (void)user;
    open_desk(&d, device);
    for (int i = 0; i < LAUNCHES; i++)
        assert_ok(dev_work_add(d.work, &d.add));
    memset(d.args, 0, sizeof d.args); /* recorded is recorded */
    assert_ok(dev_work_enqueue(d.work, dev_queue(device), NULL));
    assert_values(&d, &d.y, 0, 2.0f * LAUNCHES, "a long list");
    close_desk(&d);
}

static void a_long_list_loses_no_launch(void **state)
{
    (void)state;
    devices_each(check_long, NULL);
}

/* ---- The event at the end */

enum { NOTHING, LAUNCH, COPY, CALL };
static const struct { const char *label; int steps[3]; float want; } ends[] = {
    { "an empty list", { NOTHING }, 0.0f },
    { "a launch last", { COPY, LAUNCH, LAUNCH }, 14.0f },
    { "a copy last", { LAUNCH, LAUNCH, COPY }, 10.0f },
    { "a call last", { COPY, LAUNCH, CALL }, 12.0f },
    { "a call alone", { CALL }, 0.0f },
};

static void check_ends(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < COUNT(ends); i++) {
        desk     d;
        callee   c = { .d = &d };
        cl_event done = NULL;
        cl_int   reached = -1;
        open_desk(&d, device);
        for (size_t k = 0; k < 3; k++) {
            if (ends[i].steps[k] == LAUNCH)
                assert_ok(dev_work_add(d.work, &d.add));
            else if (ends[i].steps[k] == COPY)
                assert_ok(dev_work_add_copy(d.work, &d.seed, 0, &d.y, 0, N * sizeof(float)));
            else if (ends[i].steps[k] == CALL)
                assert_ok(dev_work_add_call(d.work, call, &c, NULL));
        }
        assert_ok(dev_work_enqueue(d.work, dev_queue(device), &done));
        if (!done)
            fail_msg("%s: no event", ends[i].label);
        assert_int_equal(clWaitForEvents(1, &done), CL_SUCCESS);
        assert_int_equal(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof reached, &reached, NULL), CL_SUCCESS);
        assert_int_equal(reached, CL_COMPLETE);
        clReleaseEvent(done);
        assert_values(&d, &d.y, 0, ends[i].want, ends[i].label);
        close_desk(&d);
    }
}

static void the_event_is_that_of_the_last_step_whatever_it_is(void **state)
{
    (void)state;
    devices_each(check_ends, NULL);
}

static void check_failing_call(dev_device *device, void *user)
{
    desk     d;
    callee   c = { .d = &d, .status = OCLM_ERR_DEVICE_MEMORY };
    cl_event done = NULL;
    (void)user;
    open_desk(&d, device);
    assert_ok(dev_work_add(d.work, &d.add));
    assert_ok(dev_work_add_call(d.work, call, &c, free_callee));
    assert_ok(dev_work_add(d.work, &d.add));
    assert_status(dev_work_enqueue(d.work, dev_queue(device), &done), OCLM_ERR_DEVICE_MEMORY);
    assert_null(done);
    assert_string_equal(oclm_last_error(), "the call fails, as it was told to");
    assert_values(&d, &d.y, 0, 2.0f, "a list broken off");
    close_desk(&d);
    assert_int_equal(c.freed, 1);
}

static void a_call_that_fails_ends_the_list(void **state)
{
    (void)state;
    devices_each(check_failing_call, NULL);
}

/* ---- What is refused */

static const struct {
    const char *label;
    cl_uint     dims;
    size_t      global[3], local[3];
    cl_uint     arg_count;
    const char *kernel, *part; /* of the message; NULL: accepted */
    oclm_status want;
} launches[] = {
    { "as it should be", 2, { N, 1 }, { 0 }, 10, "rows_gather", NULL, OCLM_OK },
    { "groups that divide", 2, { N, 1 }, { 16, 1 }, 10, "rows_gather", NULL, OCLM_OK },
    { "groups that do not divide", 2, { N, 1 }, { 24, 1 }, 10, "rows_gather", "64 work-items in groups of 24 in dimension 0", OCLM_ERR_INTERNAL },
    { "groups that do not divide the second dimension", 2, { N, 3 }, { 1, 2 }, 10, "rows_gather", "in dimension 1", OCLM_ERR_INTERNAL },
    { "a group larger than all", 2, { N, 1 }, { 2 * N, 1 }, 10, "rows_gather", "in groups of 128", OCLM_ERR_INTERNAL },
    { "half of a group's size", 2, { N, 1 }, { 16, 0 }, 10, "rows_gather", "in dimension 1", OCLM_ERR_INTERNAL },
    { "no work-items", 2, { N, 0 }, { 0 }, 10, "rows_gather", "0 work-items", OCLM_ERR_INTERNAL },
    { "no dimension", 0, { N, 1 }, { 0 }, 10, "rows_gather", "0 dimensions", OCLM_ERR_INTERNAL },
    { "a fourth dimension", 4, { N, 1, 1 }, { 0 }, 10, "rows_gather", "4 dimensions", OCLM_ERR_INTERNAL },
    { "an argument too few", 2, { N, 1 }, { 0 }, 9, "rows_gather", "takes 10 arguments, 9 are given", OCLM_ERR_INTERNAL },
    { "an argument too many", 2, { N, 1 }, { 0 }, 11, "rows_gather", "takes 10 arguments, 11 are given", OCLM_ERR_INTERNAL },
    { "no arguments", 2, { N, 1 }, { 0 }, 0, "rows_gather", "takes 10 arguments, 0 are given", OCLM_ERR_INTERNAL },
    { "a kernel that is not there", 2, { N, 1 }, { 0 }, 10, "rows_scatter", "rows_scatter", OCLM_ERR_DEVICE },
};

static void check_refusals(dev_device *device, void *user)
{
    desk    d;
    dev_arg more[11];
    size_t  accepted = 0;
    (void)user;
    open_desk(&d, device);
    memcpy(more, d.args, sizeof d.args);
    more[10] = dev_arg_u32(1);
    for (size_t i = 0; i < COUNT(launches); i++) {
        dev_launch launch = d.add;
        launch.dims = launches[i].dims;
        memcpy(launch.global, launches[i].global, sizeof launch.global);
        memcpy(launch.local, launches[i].local, sizeof launch.local);
        launch.args = more;
        launch.arg_count = launches[i].arg_count;
        launch.kernel = launches[i].kernel;
        const oclm_status got = dev_work_add(d.work, &launch);
        if (got != launches[i].want || (launches[i].part && !strstr(oclm_last_error(), launches[i].part)))
            fail_msg("%s: %s: %s", launches[i].label, oclm_status_name(got), oclm_last_error());
        accepted += got == OCLM_OK;
        assert_int_equal(dev_work_count(d.work), accepted);
    }
    d.args[1] = dev_arg_u64(N); /* an argument of another size */
    assert_status(dev_work_add(d.work, &d.add), OCLM_ERR_DEVICE);
    assert_non_null(strstr(oclm_last_error(), "embed/rows_gather: argument 1: CL_INVALID_ARG_SIZE"));
    assert_ok(dev_work_enqueue(d.work, dev_queue(device), NULL)); /* what was accepted still works */
    assert_values(&d, &d.y, 0, 2.0f * (float)accepted, "after all refusals");
    close_desk(&d);
}

static void what_could_not_be_enqueued_is_not_recorded(void **state)
{
    (void)state;
    devices_each(check_refusals, NULL);
}

static const struct { const char *label; size_t from, to, bytes; oclm_status want; size_t steps; } copies[] = {
    { "nothing", 0, 0, 0, OCLM_OK, 0 },
    { "all of it", 0, 0, 4 * N, OCLM_OK, 1 },
    { "the last bytes", 4 * N - 4, 8 * N - 4, 4, OCLM_OK, 1 },
    { "a byte too many", 1, 0, 4 * N, OCLM_ERR_INTERNAL, 0 },
    { "a byte too far", 0, 8 * N - 3, 4, OCLM_ERR_INTERNAL, 0 },
    { "from behind the end", 4 * N + 1, 0, 1, OCLM_ERR_INTERNAL, 0 },
    { "a size that wraps", 4, 0, SIZE_MAX - 2, OCLM_ERR_INTERNAL, 0 },
    { "a place that wraps", 0, SIZE_MAX, 4, OCLM_ERR_INTERNAL, 0 },
};

static void check_copies(dev_device *device, void *user)
{
    desk d;
    (void)user;
    open_desk(&d, device);
    for (size_t i = 0; i < COUNT(copies); i++) {
        const size_t      before = dev_work_count(d.work);
        const oclm_status got = dev_work_add_copy(d.work, &d.seed, copies[i].from, &d.copies, copies[i].to, copies[i].bytes);
        if (got != copies[i].want || dev_work_count(d.work) - before != copies[i].steps)
            fail_msg("%s: %s, %zu steps", copies[i].label, oclm_status_name(got), dev_work_count(d.work) - before);
    }
    close_desk(&d);
}

static void a_copy_stays_within_its_buffers(void **state)
{
    (void)state;
    devices_each(check_copies, NULL);
}

/* ---- Profiling and memory */

static void collect(oclm_log_level level, const char *line, void *user)
{
    (void)level;
    assert_ok(core_text_printf(user, "%s\n", line));
}

static void check_profile(dev_device *device, void *user)
{
    desk      d;
    callee    c = { .d = &d };
    core_text log = CORE_TEXT_INIT;
    (void)user;
    open_desk(&d, device);
    assert_ok(dev_work_add(d.work, &d.add));
    assert_ok(dev_work_add_copy(d.work, &d.y, 0, &d.copies, 0, 4));
    assert_ok(dev_work_add_call(d.work, call, &c, NULL));
    assert_ok(dev_work_add(d.work, &d.add));
    core_log_set(collect, &log, OCLM_LOG_DEBUG);
    assert_ok(dev_work_profile(d.work));
    core_log_set(NULL, NULL, OCLM_LOG_WARNING);
    const char *const parts[] = { "4 launches in ", "    2 x ", "  embed/rows_gather\n", "    1 x ", "  host/copy\n", "  host/call\n" };
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!strstr(log.data, parts[i]))
            fail_msg("\"%s\" is not in:\n%s", parts[i], log.data);
    }
    core_text_free(&log);
    close_desk(&d);
}

static void a_profile_names_each_kernel_once(void **state)
{
    (void)state;
    devices_each(check_profile, NULL);
}

static void every_failing_allocation_leaves_nothing_behind(void **state)
{
    dev_device *device;
    desk        d;
    size_t      failures = 0;
    (void)state;
    assert_ok(dev_open(NULL, &device));
    open_desk(&d, device);
    assert_ok(dev_work_add(d.work, &d.add)); /* the program is built */
    const size_t live = core_memory_live();
    for (oclm_status status = OCLM_ERR_MEMORY; status != OCLM_OK && failures < 1000;) {
        callee    c = { .d = &d };
        dev_work *work = NULL;
        core_memory_fail_at(++failures, false);
        if ((status = dev_work_new(device, &work)) == OCLM_OK && (status = dev_work_add(work, &d.add)) == OCLM_OK &&
            (status = dev_work_add_copy(work, &d.seed, 0, &d.y, 0, 4)) == OCLM_OK) {
            status = dev_work_add_call(work, call, &c, free_callee);
            assert_int_equal(c.freed, status != OCLM_OK);
        }
        core_memory_fail_at(0, false);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        dev_work_free(work);
        assert_int_equal(core_memory_live(), live);
    }
    assert_in_range(failures, 5, 999);
    close_desk(&d);
    dev_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_played_in_order_as_often_as_wanted),
        cmocka_unit_test(a_long_list_loses_no_launch),
        cmocka_unit_test(the_event_is_that_of_the_last_step_whatever_it_is),
        cmocka_unit_test(a_call_that_fails_ends_the_list),
        cmocka_unit_test(what_could_not_be_enqueued_is_not_recorded),
        cmocka_unit_test(a_copy_stays_within_its_buffers),
        cmocka_unit_test(a_profile_names_each_kernel_once),
        cmocka_unit_test(every_failing_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
