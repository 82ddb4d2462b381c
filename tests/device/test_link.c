/* test_link.c: bytes go from every device here to every other, and to a second context of the same, in the order of both queues. */
#include "device/devices.h"

#include <string.h>

#include "core/memory.h"
#include "device/interpose.h"
#include "device/launch.h"
#include "device/link.h"

enum { N = 1000, PANEL = 32 /* rows that a matrix keeps together */, SENDS = 7, MAX_DEVICES = 8 };

static bool cards; /* drivers say that their devices have memory of their own, as graphics cards do */

CL_API_ENTRY cl_int CL_API_CALL clGetDeviceInfo(cl_device_id device, cl_device_info what, size_t room, void *value, size_t *size)
{
    const cl_int error = OPENCL_BEHIND(clGetDeviceInfo)(device, what, room, value, size);
    if (cards && what == CL_DEVICE_HOST_UNIFIED_MEMORY && value && room >= sizeof(cl_bool))
        *(cl_bool *)value = CL_FALSE;
    return error;
}

typedef struct scene {
    dev_device      *from, *to;
    cl_command_queue from_queue, to_queue;
    dev_link        *link;
    dev_buffer       hidden, arrived, seen; /* seen: [SENDS][N], a copy of each arrival */
    dev_buffer       ids, ones;
    dev_work        *grow; /* hidden += 2 */
} scene;

static void open_scene(scene *s, dev_device *from, dev_device *to)
{
    static float ones[PANEL * N];
    float        values[N];
    for (size_t i = 0; i < N; i++)
        values[i] = (float)i;
    for (size_t i = 0; i < COUNT(ones); i++)
        ones[i] = 1.0f;
    memset(s, 0, sizeof *s);
    s->from = from;
    s->to = to;
    assert_ok(dev_queue_new(from, &s->from_queue));
    assert_ok(dev_queue_new(to, &s->to_queue));
    assert_ok(dev_buffer_new(from, sizeof values, "what is sent", &s->hidden));
    assert_ok(dev_buffer_write(s->from_queue, &s->hidden, 0, values, sizeof values));
    assert_ok(dev_buffer_new_zero(from, s->from_queue, sizeof(int32_t), "ids", &s->ids));
    assert_ok(dev_buffer_new(from, sizeof ones, "ones", &s->ones));
    assert_ok(dev_buffer_write(s->from_queue, &s->ones, 0, ones, sizeof ones));
    assert_ok(dev_buffer_new_zero(to, s->to_queue, sizeof values, "what arrives", &s->arrived));
    assert_ok(dev_buffer_new_zero(to, s->to_queue, SENDS * sizeof values, "what arrived", &s->seen));
    assert_ok(dev_link_new(from, to, sizeof values, &s->link));
    const dev_arg args[] = { dev_arg_buffer(&s->hidden), dev_arg_u32(N), dev_arg_buffer(&s->ids), dev_arg_u32(0), dev_arg_buffer(&s->ones),
                             dev_arg_u32(N), dev_arg_u32(PANEL), dev_arg_u32(0), dev_arg_u32(PANEL), dev_arg_f32(2.0f) };
    const dev_launch add = { .source = "embed", .kernel = "rows_gather", .options = "-DSTORAGE=0 -DADD=1 -DBLOCK=1", .dims = 2,
                             .global = { N, 1 }, .args = args, .arg_count = COUNT(args) };
    assert_ok(dev_work_new(from, &s->grow));
    assert_ok(dev_work_add(s->grow, &add));
    assert_ok(dev_finish(s->from_queue));
    assert_ok(dev_finish(s->to_queue));
}

static void close_scene(scene *s)
{
    dev_link_free(s->link);
    dev_work_free(s->grow);
    dev_buffer_free(s->from, &s->hidden);
    dev_buffer_free(s->from, &s->ids);
    dev_buffer_free(s->from, &s->ones);
    dev_buffer_free(s->to, &s->arrived);
    dev_buffer_free(s->to, &s->seen);
    clReleaseCommandQueue(s->from_queue);
    clReleaseCommandQueue(s->to_queue);
    assert_int_equal(dev_memory_used(s->from), 0);
    assert_int_equal(dev_memory_used(s->to), 0);
}

/* No wait anywhere but in the sends: what is sent changes before and after each, what arrives is kept each time. */
static void check_order(dev_device *from, dev_device *to)
{
    scene  s;
    float *seen = core_alloc_array((size_t)SENDS * N, sizeof *seen, "a test");
    assert_non_null(seen);
    open_scene(&s, from, to);
    for (size_t i = 0; i < SENDS; i++) {
        assert_ok(dev_work_enqueue(s.grow, s.from_queue, NULL));
        /* All but the first and the last element, which must stay zero. */
        assert_ok(dev_link_send(s.link, s.from_queue, &s.hidden, sizeof(float), s.to_queue, &s.arrived, sizeof(float),
                                (N - 2) * sizeof(float)));
        assert_int_equal(clEnqueueCopyBuffer(s.to_queue, s.arrived.memory, s.seen.memory, 0, i * N * sizeof(float), N * sizeof(float), 0, NULL, NULL),
                         CL_SUCCESS);
    }
    assert_ok(dev_finish(s.to_queue));
    assert_ok(dev_buffer_read(s.to_queue, &s.seen, 0, seen, (size_t)SENDS * N * sizeof *seen));
    for (size_t i = 0; i < SENDS * (size_t)N; i++) {
        const size_t column = i % N;
        const float  want = column == 0 || column == N - 1 ? 0.0f : (float)column + 2.0f * (float)(i / N + 1);
        if (seen[i] != want)
            fail_msg("send %zu, element %zu: %g, want %g", i / N, column, (double)seen[i], (double)want);
    }
    close_scene(&s);
    core_free(seen);
}

static void check_refusals(dev_device *from, dev_device *to)
{
    scene s;
    open_scene(&s, from, to);
    assert_ok(dev_link_send(s.link, s.from_queue, &s.hidden, 0, s.to_queue, &s.arrived, 0, 0));
    assert_status(dev_link_send(s.link, s.from_queue, &s.hidden, 4, s.to_queue, &s.arrived, 0, N * sizeof(float)), OCLM_ERR_INTERNAL);
    assert_status(dev_link_send(s.link, s.from_queue, &s.hidden, 0, s.to_queue, &s.arrived, 4, N * sizeof(float)), OCLM_ERR_INTERNAL);
    assert_status(dev_link_send(s.link, s.to_queue, &s.seen, 0, s.to_queue, &s.seen, 0, (N + 1) * sizeof(float)), OCLM_ERR_INTERNAL);
    close_scene(&s);
}

static void check_failing_memory(dev_device *from, dev_device *to)
{
    for (size_t n = 1; n < 16; n++) {
        dev_link *link = NULL;
        core_memory_fail_at(n, false);
        const oclm_status status = dev_link_new(from, to, 100, &link);
        core_memory_fail_at(0, false);
        if (status == OCLM_OK) {
            assert_true(n > 1);
            dev_link_free(link);
            return;
        }
        assert_int_equal(status, OCLM_ERR_MEMORY);
        assert_null(link);
        assert_int_equal(dev_memory_used(from), 0);
    }
    fail_msg("a link takes more than 15 requests");
}

typedef void (*check_pair)(dev_device *from, dev_device *to);

static void each_pair(check_pair check)
{
    dev_list *list = NULL;
    size_t    count = 0;
    assert_ok(dev_list_new(&list));
    for (size_t i = 0; i < list->count && !list->entries[i].info.unusable && i < MAX_DEVICES; i++)
        count++;
    for (size_t pair = 0; pair < count * count; pair++) {
        dev_device *devices[2] = { NULL, NULL };
        const size_t indexes[2] = { pair / count, pair % count };
        print_message("    from %s to %s\n", list->entries[indexes[0]].info.name, list->entries[indexes[1]].info.name);
        for (size_t end = 0; end < 2; end++) {
            char index[24];
            snprintf(index, sizeof index, "%zu", indexes[end]);
            const dev_open_options options = { .spec = index };
            assert_ok(dev_open(&options, &devices[end]));
        }
        check(devices[0], devices[1]);
        dev_close(devices[0]);
        dev_close(devices[1]);
    }
    assert_true(count > 0);
    dev_list_free(list);
}

static void sends_arrive_in_the_order_of_both_queues(void **state)
{
    (void)state;
    each_pair(check_order);
}

static void sends_arrive_through_memory_that_the_driver_pins(void **state)
{
    (void)state;
    cards = true;
    each_pair(check_order);
    cards = false;
}

static void ranges_outside_a_buffer_are_refused(void **state)
{
    (void)state;
    each_pair(check_refusals);
}

static void a_link_that_finds_no_memory_leaves_nothing(void **state)
{
    (void)state;
    each_pair(check_failing_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_arrive_in_the_order_of_both_queues),
        cmocka_unit_test(sends_arrive_through_memory_that_the_driver_pins),
        cmocka_unit_test(ranges_outside_a_buffer_are_refused),
        cmocka_unit_test(a_link_that_finds_no_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
