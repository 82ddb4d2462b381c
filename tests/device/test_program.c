/* test_program.c: programs are built once, from disk where it pays, and a compiler's refusal is told with its words. */
#include "device/devices.h"

#include <pthread.h>
#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "core/scratch.h"
#include "device/device_internal.h"
#include "device/launch.h"
#include "device/program.h"

static char folder[SCRATCH_PATH];

static int fresh_folder(void **state)
{
    (void)state;
    scratch_make(folder);
    return setenv("OCLM_CACHE_DIR", folder, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    scratch_remove(folder);
    return 0;
}

/* ---- What the log says, counted. */
typedef struct heard {
    int warnings, from_source, from_binary, damaged;
} heard;

static void listen(oclm_log_level level, const char *line, void *user)
{
    heard *h = user;
    h->warnings += level == OCLM_LOG_WARNING;
    h->from_source += strstr(line, "built from source") != NULL;
    h->from_binary += strstr(line, "built from binary") != NULL;
    h->damaged += strstr(line, "a damaged file") != NULL;
}

static dev_device *open_again(const dev_device *device)
{
    char        index[24];
    dev_device *again = NULL;
    snprintf(index, sizeof index, "%zu", dev_get_traits(device)->info.index);
    const dev_open_options options = { .spec = index };
    assert_ok(dev_open(&options, &again));
    return again;
}

static void check_once(dev_device *device, void *user)
{
    cl_program first, again, other;
    cl_kernel  kernel;
    (void)user;
    assert_ok(dev_program(device, "select_rows", "", &first));
    assert_ok(dev_program(device, "select_rows", NULL, &again)); /* none are no options */
    assert_ptr_equal(first, again);
    assert_ok(dev_program(device, "select_rows", "-DSEPARATE_MUL_ADD", &other));
    assert_ptr_not_equal(first, other);
    assert_ok(dev_program(device, "select_rows", "", &again));
    assert_ptr_equal(first, again);
    assert_int_equal(device->program_count, 2);
    assert_ok(dev_kernel(device, "select_rows", "", "select_rows", &kernel));
    assert_int_equal(device->program_count, 2);
    clReleaseKernel(kernel);
}

static void a_program_is_built_once_for_its_options(void **state)
{
    (void)state;
    devices_each(check_once, NULL);
}

static void check_refusals(dev_device *device, void *user)
{
    cl_program program = NULL;
    cl_kernel  kernel;
    (void)user;
    assert_status(dev_program(device, "no_such_file", "", &program), OCLM_ERR_INTERNAL);
    assert_non_null(strstr(oclm_last_error(), "no_such_file"));
    assert_null(program);
    /* A macro that makes nonsense of the text: the compiler names it, and so does the message. */
    assert_status(dev_program(device, "norm", "-DNORM=nonsense_word", &program), OCLM_ERR_DEVICE);
    const char *const parts[] = { "cl/norm.cl", "-DNORM=nonsense_word", "does not compile", dev_get_traits(device)->info.name,
                                  "nonsense_word'" };
    assert_null(program);
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!strstr(oclm_last_error(), parts[i]))
            fail_msg("\"%s\" is not in: %s", parts[i], oclm_last_error());
    }
    assert_int_equal(device->program_count, 0);
    assert_status(dev_kernel(device, "select_rows", "", "no_such_kernel", &kernel), OCLM_ERR_DEVICE);
    assert_null(kernel);
    assert_non_null(strstr(oclm_last_error(), "no_such_kernel of cl/select_rows.cl"));
    assert_ok(dev_kernel(device, "select_rows", "", "select_rows", &kernel)); /* all of that broke nothing */
    clReleaseKernel(kernel);
}

static void a_compilers_refusal_is_told_with_its_words(void **state)
{
    (void)state;
    devices_each(check_refusals, NULL);
}

/* ---- On disk */

/* A row goes through the built program as it should. */
static void assert_works(dev_device *device)
{
    float      in[32], out[32] = { 0 };
    int32_t    row = 1;
    dev_buffer x = { NULL, 0 }, y = { NULL, 0 }, rows = { NULL, 0 };
    dev_work  *work = NULL;
    for (int i = 0; i < 32; i++)
        in[i] = (float)i;
    assert_ok(dev_buffer_new(device, sizeof in, "x", &x));
    assert_ok(dev_buffer_new(device, sizeof out / 2, "y", &y));
    assert_ok(dev_buffer_new(device, sizeof row, "rows", &rows));
    assert_ok(dev_buffer_write(dev_queue(device), &x, 0, in, sizeof in));
    assert_ok(dev_buffer_write(dev_queue(device), &rows, 0, &row, sizeof row));
    const dev_arg    args[] = { dev_arg_buffer(&x), dev_arg_u32(16), dev_arg_buffer(&rows), dev_arg_buffer(&y), dev_arg_u32(16) };
    const dev_launch launch = { .source = "select_rows", .kernel = "select_rows", .options = "", .dims = 2, .global = { 1, 1 },
                                .args = args, .arg_count = COUNT(args) };
    assert_ok(dev_work_new(device, &work));
    assert_ok(dev_work_add(work, &launch));
    assert_ok(dev_work_enqueue(work, dev_queue(device), NULL));
    assert_ok(dev_buffer_read(dev_queue(device), &y, 0, out, sizeof out / 2));
    assert_memory_equal(out, in + 16, sizeof out / 2);
    dev_work_free(work);
    dev_buffer_free(device, &x);
    dev_buffer_free(device, &y);
    dev_buffer_free(device, &rows);
}

/* Opens the device anew, as another process would, and lets it work. */
static heard work_once(const dev_device *device)
{
    heard       h = { 0 };
    dev_device *again = open_again(device);
    core_log_set(listen, &h, OCLM_LOG_DEBUG);
    assert_works(again);
    core_log_set(NULL, NULL, OCLM_LOG_WARNING);
    dev_close(again);
    return h;
}

static size_t damaged_files;

/* Another byte in the middle, which is a header's or a binary's. */
static bool damage(const char *name, void *user)
{
    char path[SCRATCH_PATH + 128];
    (void)user;
    snprintf(path, sizeof path, "%s/programs/%s", folder, name);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long middle = ftell(file) / 2;
    assert_int_equal(fseek(file, middle, SEEK_SET), 0);
    const int byte = fgetc(file);
    assert_int_equal(fseek(file, middle, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 0x10, file), byte ^ 0x10);
    assert_int_equal(fclose(file), 0);
    damaged_files++;
    return true;
}

static void check_disk(dev_device *device, void *user)
{
    (void)user;
    const heard first = work_once(device);
    assert_int_equal(first.from_source, 1);
    assert_int_equal(first.warnings, 0);
    const heard second = work_once(device);
    /* Where the driver keeps its own (asking for a binary is dear) it is built from source, quickly. */
    assert_int_equal(second.from_source + second.from_binary, 1);
    assert_int_equal(second.warnings, 0);
    damaged_files = 0;
    assert_ok(core_folder_list(scratch_path(folder, "programs"), damage, NULL));
    assert_int_equal(damaged_files, 3); /* the program, whether binaries are dear, whether a product and a sum are rounded once */
    const heard third = work_once(device);
    assert_int_equal(third.from_source, 1); /* no driver saw the damaged one */
    assert_int_equal(third.damaged, 3);
    const heard fourth = work_once(device);
    assert_int_equal(fourth.warnings, 0); /* it is mended */
    scratch_remove(scratch_path(folder, "programs"));
}

static void a_program_from_disk_works_and_a_damaged_one_is_built_again(void **state)
{
    (void)state;
    devices_each(check_disk, NULL);
}

static void check_without_disk(dev_device *device, void *user)
{
    heard      h = { 0 };
    cl_program program;
    (void)user;
    core_log_set(listen, &h, OCLM_LOG_WARNING);
    assert_works(device);
    assert_ok(dev_program(device, "select_rows", "-DSEPARATE_MUL_ADD", &program));
    core_log_set(NULL, NULL, OCLM_LOG_WARNING);
    assert_int_equal(h.warnings, 1); /* told once */
}

static void a_folder_that_cannot_be_made_costs_a_warning_and_nothing_else(void **state)
{
    (void)state;
    scratch_write(folder, "a-file", "", 0);
    setenv("OCLM_CACHE_DIR", scratch_path(folder, "a-file/cache"), 1);
    devices_each(check_without_disk, NULL);
}

/* ---- Threads and memory */

typedef struct asking {
    dev_device *device;
    cl_program  program;
    oclm_status status;
} asking;

static void *ask(void *user)
{
    asking *a = user;
    a->status = dev_program(a->device, "select_rows", "", &a->program);
    return NULL;
}

static void check_threads(dev_device *device, void *user)
{
    asking    asks[4];
    pthread_t threads[COUNT(asks)];
    (void)user;
    for (size_t i = 0; i < COUNT(asks); i++) {
        asks[i] = (asking){ .device = device };
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &asks[i]), 0);
    }
    for (size_t i = 0; i < COUNT(asks); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_ok(asks[i].status);
        assert_ptr_equal(asks[i].program, asks[0].program);
    }
    assert_int_equal(device->program_count, 1);
}

static void threads_that_ask_at_once_get_the_same_program(void **state)
{
    (void)state;
    devices_each(check_threads, NULL);
}

/* True where the n-th request, which was to fail, has not come yet. */
static bool is_failure_pending(size_t n)
{
    bool pending = false;
    for (size_t i = 0; i < n && !pending; i++) {
        void *memory = core_alloc(1, "a test");
        pending = memory == NULL;
        core_free(memory);
    }
    return pending;
}

/* Where only the cache lacks memory, the program is built all the same. */
static void every_failing_allocation_leaves_nothing_behind(void **state)
{
    dev_device *device;
    cl_program  program;
    size_t      n = 0, failures = 0;
    bool        pending;
    (void)state;
    assert_ok(dev_open(NULL, &device));
    const size_t live = core_memory_live();
    do {
        core_memory_fail_at(++n, false);
        const oclm_status status = dev_program(device, "select_rows", "", &program);
        pending = is_failure_pending(n);
        core_memory_fail_at(0, false);
        assert_int_equal(program == NULL, status != OCLM_OK);
        if (status != OCLM_OK) {
            assert_int_equal(status, OCLM_ERR_MEMORY);
            assert_int_equal(device->program_count, 0);
            failures++;
        }
        dev_programs_drop(device);
        assert_int_equal(core_memory_live(), live);
    } while (!pending && n < 1000);
    assert_true(pending && failures > 2);
    dev_close(device);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, fresh_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_program_is_built_once_for_its_options),
        IN_A_FOLDER(a_compilers_refusal_is_told_with_its_words),
        IN_A_FOLDER(a_program_from_disk_works_and_a_damaged_one_is_built_again),
        IN_A_FOLDER(a_folder_that_cannot_be_made_costs_a_warning_and_nothing_else),
        IN_A_FOLDER(threads_that_ask_at_once_get_the_same_program),
        IN_A_FOLDER(every_failing_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
