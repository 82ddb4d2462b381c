/* test_feed.c: weights that visit a device: every list finds its unit's bytes, whatever their sizes, number and order; budgets hold. */
#include "device/devices.h"
#include "device/interpose.h"
#include "device/released.h"

#include <pthread.h>
#include <string.h>

#include "core/folder.h"
#include "core/memory.h"
#include "core/platform.h"
#include "device/device_internal.h"
#include "device/feed.h"

/* Copies that nobody waits for: those of a feed. */
static _Atomic size_t copies;

cl_int CL_API_CALL clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size, const void *data,
                                        cl_uint waits, const cl_event *wait_list, cl_event *event)
{
    copies += blocking == CL_FALSE;
    return OPENCL_BEHIND(clEnqueueWriteBuffer)(queue, buffer, blocking, offset, size, data, waits, wait_list, event);
}

enum { MOST_UNITS = 7, REGIONS = 2, ROUNDS = 3 };

/* Bytes of the regions of units; the rest repeat. */
static const size_t sizes[][REGIONS] = { { 40000, 128 }, { 4096, 8192 }, { 256, 70000 }, { 300, 300 } };

static size_t size_of(uint32_t unit, uint32_t region) { return sizes[unit % COUNT(sizes)][region]; }

static unsigned char byte_of(uint32_t unit, uint32_t region, size_t i) { return (unsigned char)(i * 7 + i / 251 + unit * 31 + region * 101 + 1); }

static const struct { const char *label; dev_feed_place even, odd; bool copies; } places[] = {
    { "host memory, copied", DEV_FEED_HOST, DEV_FEED_HOST, true },
    { "a file, copied", DEV_FEED_FILE, DEV_FEED_FILE, true },
    { "both, copied", DEV_FEED_HOST, DEV_FEED_FILE, true },
    { "host memory, as the device likes it", DEV_FEED_HOST, DEV_FEED_HOST, false },
    { "both, as the device likes it", DEV_FEED_FILE, DEV_FEED_HOST, false },
};

typedef struct desk {
    dev_device     *device;
    uint64_t        slot_bytes;
    dev_host_budget budget;
    uint32_t        units;
    dev_buffer      buffers[MOST_UNITS][REGIONS];
    dev_feed       *feed;
} desk;

static oclm_status take(desk *d, uint32_t unit, dev_feed_place place)
{
    dev_buffer *views[REGIONS];
    oclm_status status = OCLM_OK;
    for (uint32_t r = 0; r < REGIONS && status == OCLM_OK; r++) {
        const size_t   bytes = size_of(unit, r);
        unsigned char *data = core_alloc(bytes, "a test's bytes");
        views[r] = &d->buffers[unit][r];
        if ((status = data != NULL ? dev_buffer_new(d->device, bytes, "a test's buffer", views[r]) : OCLM_ERR_MEMORY) == OCLM_OK) {
            for (size_t i = 0; i < bytes; i++)
                data[i] = byte_of(unit, r, i);
            status = dev_buffer_write(dev_queue(d->device), views[r], 0, data, bytes);
        }
        core_free(data);
    }
    const dev_feed_unit taken = { .place = place, .buffers = views, .count = REGIONS, .ends = unit + 2 >= d->units, .what = "a test's unit" };
    return status == OCLM_OK ? dev_feed_take(d->feed, &taken) : status;
}

/* Leaves nothing behind where it fails. */
static oclm_status open_desk(desk *d, size_t place, uint32_t units)
{
    const dev_feed_options options = { .budget = &d->budget, .folder = folder, .slot_bytes = d->slot_bytes,
                                       .copies = places[place].copies };
    d->units = units;
    memset(d->buffers, 0, sizeof d->buffers);
    oclm_status status = dev_feed_new(d->device, &options, &d->feed);
    for (uint32_t i = 0; i < units && status == OCLM_OK; i++)
        status = take(d, i, i % 2 ? places[place].odd : places[place].even);
    if (status == OCLM_OK)
        status = dev_feed_open(d->feed);
    if (status != OCLM_OK) {
        const uint32_t taken = d->feed != NULL ? dev_feed_units(d->feed) : 0;
        dev_feed_free(d->feed);
        for (uint32_t i = taken; i < units; i++)
            for (uint32_t r = 0; r < REGIONS; r++)
                dev_buffer_free(d->device, &d->buffers[i][r]);
    }
    return status;
}

static void close_desk(desk *d)
{
    dev_feed_free(d->feed);
    for (uint32_t i = 0; i < d->units; i++)
        for (uint32_t r = 0; r < REGIONS; r++)
            assert_null(d->buffers[i][r].memory);
    assert_int_equal(d->budget.counter.used, 0);
}

static size_t unit_bytes(uint32_t unit) { return size_of(unit, 0) + size_of(unit, 1); }

/* A pass over the first `units`: each copies what it finds to its place in `out`. */
static oclm_status record_pass(const desk *d, uint32_t units, const dev_buffer *out, dev_work **work)
{
    size_t      at = 0;
    oclm_status status = dev_work_new(d->device, work);
    for (uint32_t i = 0; i < units && status == OCLM_OK; i++) {
        dev_work *inner = NULL;
        status = dev_feed_add(*work, d->feed, i, (i + 1) % units, &inner);
        for (uint32_t r = 0; r < REGIONS && status == OCLM_OK; at += size_of(i, r++))
            status = dev_work_add_copy(inner, &d->buffers[i][r], 0, out, at, size_of(i, r));
    }
    return status;
}

static void check_pass(const unsigned char *got, uint32_t units, const char *label)
{
    for (uint32_t u = 0; u < units; u++)
        for (uint32_t r = 0; r < REGIONS; r++)
            for (size_t i = 0; i < size_of(u, r); i++)
                if (*got++ != byte_of(u, r, i))
                    fail_msg("%s: byte %zu of region %u of unit %u of %u is %d, want %d", label, i, r, u, units, got[-1], byte_of(u, r, i));
}

static size_t pass_bytes(uint32_t units)
{
    size_t sum = 0;
    for (uint32_t u = 0; u < units; u++)
        sum += unit_bytes(u);
    return sum;
}

/* Plays a whole pass and one without the last unit in turn, on a queue of its own. */
static void run_passes(const desk *d, const char *label)
{
    const uint32_t   counts[] = { d->units, d->units > 1 ? d->units - 1 : 1, d->units };
    const size_t     bytes = pass_bytes(d->units);
    unsigned char   *got = core_alloc(bytes, "a test's bytes");
    dev_work        *work[COUNT(counts)] = { NULL };
    cl_command_queue queue = NULL;
    dev_buffer       out[COUNT(counts)];
    assert_non_null(got);
    assert_ok(dev_queue_new(d->device, &queue));
    for (size_t i = 0; i < COUNT(counts); i++) {
        assert_ok(dev_buffer_new(d->device, bytes, "a test's buffer", &out[i]));
        assert_ok(record_pass(d, counts[i], &out[i], &work[i]));
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < COUNT(counts); i++) {
            const cl_uint zero = 0;
            assert_int_equal(clEnqueueFillBuffer(queue, out[i].memory, &zero, 1, 0, bytes, 0, NULL, NULL), CL_SUCCESS);
        }
        for (size_t i = 0; i < COUNT(counts); i++)
            assert_ok(dev_work_enqueue(work[i], queue, NULL));
        assert_ok(dev_finish(queue));
        for (size_t i = 0; i < COUNT(counts); i++) {
            assert_ok(dev_buffer_read(queue, &out[i], 0, got, bytes));
            check_pass(got, counts[i], label);
        }
    }
    for (size_t i = 0; i < COUNT(counts); i++) {
        dev_work_free(work[i]);
        dev_buffer_free(d->device, &out[i]);
    }
    clReleaseCommandQueue(queue);
    core_free(got);
}

static bool count_name(const char *name, void *user)
{
    (void)name;
    ++*(size_t *)user;
    return true;
}

static void bytes_on_device(dev_device *device, void *user)
{
    desk           d = { .device = device, .budget = { .most = 1 << 20 } };
    const uint64_t before = dev_memory_used(device);
    (void)user;
    for (size_t p = 0; p < COUNT(places); p++)
        for (uint32_t units = 1; units <= (devices_is_slow(device) ? 3 : MOST_UNITS); units++) {
            size_t names = 0;
            assert_ok(open_desk(&d, p, units));
            assert_int_equal(dev_feed_host_bytes(d.feed) + dev_feed_file_bytes(d.feed), pass_bytes(units));
            assert_ok(core_folder_list(folder, count_name, &names));
            assert_int_equal(names, 0); /* the file has no name */
            run_passes(&d, places[p].label);
            if (places[p].copies)
                assert_int_equal(dev_feed_slots(d.feed), units < 3 ? units : 3);
            close_desk(&d);
            assert_int_equal(dev_memory_used(device), before);
        }
}

static void every_unit_is_there_when_it_is_read(void **state)
{
    (void)state;
    devices_each(bytes_on_device, NULL);
}

/* ---- Slots */

/* What is copied of a unit: the second region begins where the device wants it. */
static uint64_t run_bytes(const dev_device *device, uint32_t unit)
{
    const size_t alignment = dev_feed_alignment(device, true);
    return (size_of(unit, 0) + alignment - 1) / alignment * alignment + size_of(unit, 1);
}

/* All units share what one slot takes: the largest. */
static uint64_t one_slot(const dev_device *device, uint32_t units)
{
    uint64_t most = 0;
    for (uint32_t u = 0; u < units; u++)
        most = run_bytes(device, u) > most ? run_bytes(device, u) : most;
    return most;
}

static void slots_on_device(dev_device *device, void *user)
{
    enum { UNITS = 5 };
    desk           d = { .device = device, .budget = { .most = 1 << 20 } };
    const uint64_t before = dev_memory_used(device);
    (void)user;
    for (uint32_t slots = 1; slots <= 2; slots++) {
        d.slot_bytes = slots * one_slot(device, UNITS);
        assert_ok(open_desk(&d, 0, UNITS));
        if (slots == 1) /* units of many sizes may do with less than two whole ones */
            assert_int_equal(dev_feed_slots(d.feed), 1);
        assert_true(dev_feed_slots(d.feed) >= slots);
        assert_true(dev_memory_used(device) - before <= d.slot_bytes);
        run_passes(&d, slots == 1 ? "one slot" : "two slots");
        close_desk(&d);
    }
}

static void slots_take_no_more_than_they_may(void **state)
{
    (void)state;
    devices_each(slots_on_device, NULL);
}

static void once_on_device(dev_device *device, void *user)
{
    enum { UNITS = 2 };
    desk      d = { .device = device, .budget = { .most = 1 << 20 } };
    dev_work *work = NULL;
    dev_buffer out;
    (void)user;
    assert_ok(open_desk(&d, 0, UNITS));
    assert_ok(dev_buffer_new(device, pass_bytes(UNITS), "a test's buffer", &out));
    assert_ok(record_pass(&d, UNITS, &out, &work));
    copies = 0;
    for (uint32_t round = 0; round < ROUNDS; round++)
        assert_ok(dev_work_enqueue(work, dev_queue(device), NULL));
    assert_ok(dev_finish(dev_queue(device)));
    assert_int_equal(dev_feed_copied(d.feed), run_bytes(device, 0) + run_bytes(device, 1));
    assert_int_equal(copies, UNITS); /* each as one */
    dev_work_free(work);
    dev_buffer_free(device, &out);
    close_desk(&d);
}

static void units_with_slots_of_their_own_are_copied_once(void **state)
{
    (void)state;
    devices_each(once_on_device, NULL);
}

/* A device that takes no buffer in which a whole unit fits. */
static void pieces_on_device(dev_device *device, void *user)
{
    enum { UNITS = 3 };
    const uint64_t before = dev_memory_used(device), most = device->traits.info.max_alloc_bytes;
    desk           d = { .device = device, .budget = { .most = 1 << 20 } };
    dev_work      *work = NULL;
    dev_buffer     out;
    (void)user;
    assert_ok(dev_buffer_new(device, pass_bytes(UNITS), "a test's buffer", &out));
    device->traits.info.max_alloc_bytes = size_of(2, 1); /* the largest region; only the third unit does not fit */
    assert_ok(open_desk(&d, 2, UNITS));
    assert_ok(record_pass(&d, UNITS, &out, &work));
    copies = 0;
    assert_ok(dev_work_enqueue(work, dev_queue(device), NULL));
    assert_ok(dev_finish(dev_queue(device)));
    assert_int_equal(copies, 1 + 1 + 2);
    device->traits.info.max_alloc_bytes = most;
    dev_work_free(work);
    dev_buffer_free(device, &out);
    run_passes(&d, "in pieces");
    close_desk(&d);
    assert_int_equal(dev_memory_used(device), before);
}

static void a_unit_larger_than_a_buffer_comes_in_pieces(void **state)
{
    (void)state;
    devices_each(pieces_on_device, NULL);
}

static void *run_in_thread(void *user)
{
    run_passes(user, "two threads");
    return NULL;
}

static void threads_on_device(dev_device *device, void *user)
{
    pthread_t threads[2];
    desk      d = { .device = device, .budget = { .most = 1 << 20 } };
    (void)user;
    if (getenv("OCLM_TEST_QUICK") != NULL) /* oclgrind takes one thread */
        return;
    assert_ok(open_desk(&d, 2, 4));
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, &d), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    close_desk(&d);
}

static void two_threads_share_the_slots(void **state)
{
    (void)state;
    devices_each(threads_on_device, NULL);
}

/* ---- Rows of a table */

enum { TABLE_ROWS = 70 * DEV_PANEL - 5, COLUMNS = 48, ASKED = 200 };

static float table_value(uint32_t row, uint32_t column) { return (float)((row * 37 + column * 11) % 1009) / 64.0f - 5.0f; }

static void fill_table(dev_device *device, dev_matrix *table)
{
    float *values = core_alloc_array((size_t)TABLE_ROWS * COLUMNS, sizeof *values, "a test's table");
    assert_non_null(values);
    for (uint32_t i = 0; i < TABLE_ROWS * COLUMNS; i++)
        values[i] = table_value(i / COLUMNS, i % COLUMNS);
    assert_ok(dev_matrix_new(device, CORE_F32, TABLE_ROWS, COLUMNS, "a test's table", table));
    const dev_matrix_source source = { .data = values, .dtype = CORE_F32, .rows = TABLE_ROWS, .columns = COLUMNS, .panel_step = 1 };
    assert_ok(dev_matrix_fill(device, dev_queue(device), table, &source));
    core_free(values);
}

/* Ids of few panels, of more than fit at once, and outside the table. */
static void choose_ids(uint32_t round, int32_t ids[ASKED])
{
    for (uint32_t i = 0; i < ASKED; i++)
        ids[i] = (int32_t)(round == 0 ? i % 40 : i * 389 % TABLE_ROWS);
    ids[7] = -1;
    ids[11] = TABLE_ROWS;
}

static void check_rows(const float *y, const int32_t *ids)
{
    for (uint32_t i = 0; i < ASKED; i++) {
        const uint32_t row = ids[i] >= 0 && ids[i] < TABLE_ROWS ? (uint32_t)ids[i] : 0;
        for (uint32_t k = 0; k < COLUMNS; k++)
            if (y[i * COLUMNS + k] != 2.0f * table_value(row, k))
                fail_msg("column %u of row %u (id %d): %g, want %g", k, i, (int)ids[i], (double)y[i * COLUMNS + k],
                         (double)(2.0f * table_value(row, k)));
    }
}

static void rows_on_device(dev_device *device, void *user)
{
    static const float zeros[ASKED * COLUMNS];
    static float       got[ASKED * COLUMNS];
    const uint64_t     before = dev_memory_used(device);
    (void)user;
    for (size_t p = 0; p < 4; p++) {
        dev_host_budget        budget = { .most = 1 << 20 };
        const dev_feed_options options = { .budget = &budget, .folder = folder, .copies = places[p].copies };
        dev_feed              *feed = NULL;
        dev_matrix             table;
        dev_work              *work = NULL;
        dev_buffer             ids_buffer, y;
        int32_t                ids[ASKED];
        fill_table(device, &table);
        dev_buffer *const   buffers[] = { &table.parts[0].buffer };
        const dev_feed_unit taken = { .place = places[p].even, .use = DEV_FEED_ROWS, .buffers = buffers, .count = 1,
                                      .panel_bytes = (size_t)dev_panel_of(dev_matrix_storage(&table), COLUMNS).bytes, .what = "a test's table" };
        assert_int_equal(table.part_count, 1);
        assert_ok(dev_feed_new(device, &options, &feed));
        assert_ok(dev_feed_take(feed, &taken));
        assert_ok(dev_feed_open(feed));
        assert_ok(dev_buffer_new(device, sizeof ids, "a test's ids", &ids_buffer));
        assert_ok(dev_buffer_new(device, sizeof got, "a test's rows", &y));
        assert_ok(dev_work_new(device, &work));
        assert_ok(dev_feed_rows_add(work, feed, 0, &table, &ids_buffer, ASKED, 2.0f, false, &y, COLUMNS));
        assert_ok(dev_feed_rows_add(work, feed, 0, &table, &ids_buffer, ASKED, 2.0f, true, &y, COLUMNS));
        for (uint32_t round = 0; round < 2; round++) {
            choose_ids(round, ids);
            assert_ok(dev_buffer_write(dev_queue(device), &ids_buffer, 0, ids, sizeof ids));
            assert_ok(dev_buffer_write(dev_queue(device), &y, 0, zeros, sizeof zeros));
            assert_ok(dev_work_enqueue(work, dev_queue(device), NULL));
            assert_ok(dev_buffer_read(dev_queue(device), &y, 0, got, sizeof got));
            for (uint32_t i = 0; i < ASKED * COLUMNS; i++)
                got[i] /= 2.0f; /* stored, then added once more */
            check_rows(got, ids);
        }
        dev_work_free(work);
        dev_buffer_free(device, &ids_buffer);
        dev_buffer_free(device, &y);
        dev_feed_free(feed);
        dev_matrix_free(device, &table);
    }
    assert_true(dev_memory_used(device) - before <= dev_matrix_staging_bytes(device));
}

static void rows_of_a_table_come_one_by_one(void **state)
{
    (void)state;
    devices_each(rows_on_device, NULL);
}

/* ---- What does not fit */

static void refusals_on_device(dev_device *device, void *user)
{
    const uint64_t before = dev_memory_used(device);
    desk           d = { .device = device, .budget = { .most = 100000 } };
    (void)user;
    assert_status(open_desk(&d, 0, 4), OCLM_ERR_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "a test's unit"));
    assert_non_null(strstr(oclm_last_error(), "max_memory"));
    assert_true(d.budget.counter.peak <= d.budget.most);
    assert_int_equal(d.budget.counter.used, 0);
    assert_ok(open_desk(&d, 1, 4)); /* a file is not the host's memory */
    assert_int_equal(d.budget.counter.peak <= d.budget.most, 1);
    close_desk(&d);
    char kept[sizeof folder];
    memcpy(kept, folder, sizeof kept);
    (void)snprintf(folder + strlen(folder), sizeof folder - strlen(folder), "/missing");
    assert_status(open_desk(&d, 1, 2), OCLM_ERR_NOT_FOUND);
    assert_non_null(strstr(oclm_last_error(), folder));
    memcpy(folder, kept, sizeof kept);
    assert_int_equal(dev_memory_used(device), before);
}

static void what_does_not_fit_is_refused_with_its_reason(void **state)
{
    (void)state;
    devices_each(refusals_on_device, NULL);
}

static void failures_on_device(dev_device *device, void *user)
{
    const uint64_t before = dev_memory_used(device);
    (void)user;
    for (size_t p = 0; p < 4; p += 3) {
        bool done = false;
        for (size_t n = 1; !done; n++) {
            desk   d = { .device = device, .budget = { .most = 1 << 20 } };
            size_t live = core_memory_live();
            core_memory_fail_at(n, false);
            const oclm_status status = open_desk(&d, p, 3);
            core_memory_fail_at(0, false);
            done = status == OCLM_OK;
            if (done)
                close_desk(&d);
            else if (status != OCLM_ERR_MEMORY)
                fail_msg("%s, request %zu fails: status %d, %s", places[p].label, n, (int)status, oclm_last_error());
            assert_int_equal(d.budget.counter.used, 0);
            assert_int_equal(dev_memory_used(device), before);
            assert_released(&live, places[p].label, n);
            assert_true(n < 1000);
        }
    }
}

static void every_request_of_memory_may_fail(void **state)
{
    (void)state;
    devices_each(failures_on_device, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(every_unit_is_there_when_it_is_read), IN_SCRATCH(slots_take_no_more_than_they_may),
        IN_SCRATCH(units_with_slots_of_their_own_are_copied_once), IN_SCRATCH(a_unit_larger_than_a_buffer_comes_in_pieces),
        IN_SCRATCH(two_threads_share_the_slots), IN_SCRATCH(rows_of_a_table_come_one_by_one),
        IN_SCRATCH(what_does_not_fit_is_refused_with_its_reason), IN_SCRATCH(every_request_of_memory_may_fail),
    };
    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
