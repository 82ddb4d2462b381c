/* test_file_lock.c: locks between processes (core_file_lock_take(), in platform_files.c). */
#include "core/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "core/child.h"
#include "core/platform.h"
#include "core/scratch.h"

#define TURNS 50

static char folder[SCRATCH_PATH], lock_path[2 * SCRATCH_PATH], count_path[2 * SCRATCH_PATH];

static int make_scratch(void **state)
{
    (void)state;
    scratch_make(folder);
    strcpy(lock_path, scratch_path(folder, "sub/lock")); /* its folder is made too */
    strcpy(count_path, scratch_path(folder, "count"));
    scratch_write(folder, "count", "0", 1);
    return 0;
}

static int remove_scratch(void **state)
{
    (void)state;
    scratch_remove(folder);
    return 0;
}

static unsigned read_count(void)
{
    unsigned count = UINT32_MAX;
    FILE    *file = fopen(count_path, "r");
    if (file != NULL) {
        if (fscanf(file, "%u", &count) != 1)
            count = UINT32_MAX;
        fclose(file);
    }
    return count;
}

/* Reads, adds one, writes: others in between would be lost. */
static int count_up(void *user)
{
    (void)user;
    for (int i = 0; i < TURNS; i++) {
        core_file_lock *lock;
        if (core_file_lock_take(lock_path, &lock) != OCLM_OK)
            return 1;
        const unsigned count = read_count();
        FILE          *file = fopen(count_path, "w");
        if (file == NULL || fprintf(file, "%u", count + 1) < 1 || fclose(file) != 0)
            return 2;
        core_file_lock_release(lock);
    }
    return 0;
}

static void *count_up_in_a_thread(void *user)
{
    return count_up(user) == 0 ? user : NULL;
}

static void one_process_or_thread_holds_it(void **state)
{
    pid_t     children[3];
    pthread_t threads[3];
    void     *result;
    (void)state;
    for (size_t i = 0; i < COUNT(children); i++)
        children[i] = child_start(count_up, NULL, false);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up_in_a_thread, folder), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    for (size_t i = 0; i < COUNT(children); i++)
        assert_int_equal(child_end(children[i]), 0);
    assert_int_equal(read_count(), TURNS * (COUNT(children) + COUNT(threads)));
}

static int take_tell_and_stay(void *user)
{
    core_file_lock *lock;
    const int       told = *(const int *)user;
    if (core_file_lock_take(lock_path, &lock) != OCLM_OK || write(told, "x", 1) != 1)
        return 1;
    for (;;)
        pause();
}

static void a_process_that_ends_lets_go(void **state)
{
    core_file_lock *lock;
    int             told[2];
    char            byte;
    (void)state;
    assert_int_equal(pipe(told), 0);
    const pid_t child = child_start(take_tell_and_stay, &told[1], false);
    assert_int_equal(read(told[0], &byte, 1), 1); /* it holds the lock now */
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(core_file_lock_take(lock_path, &lock), OCLM_OK);
    core_file_lock_release(lock);
    assert_int_equal(child_end(child), 128 + SIGKILL);
    assert_int_equal(close(told[0]) | close(told[1]), 0);
}

static void where_no_lock_can_be_the_reason_is_told(void **state)
{
    core_file_lock *lock = (core_file_lock *)folder;
    (void)state;
    assert_int_equal(core_file_lock_take(folder, &lock), OCLM_ERR_IO);
    assert_null(lock);
    assert_non_null(strstr(oclm_last_error(), folder));
    assert_non_null(strstr(oclm_last_error(), "cannot open: Is a directory"));
    assert_int_equal(core_file_lock_take(scratch_path(folder, "count/lock"), &lock), OCLM_ERR_IO);
    assert_non_null(strstr(oclm_last_error(), "/count: cannot make this folder"));
    core_file_lock_release(NULL);
}

static oclm_status take(void *user)
{
    return core_file_lock_take(lock_path, user);
}

static void release(void *user)
{
    core_file_lock_release(*(core_file_lock **)user);
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    core_file_lock *lock;
    (void)state;
    fails_cleanly_at_every_request("a lock", take, release, &lock);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(one_process_or_thread_holds_it),
        IN_SCRATCH(a_process_that_ends_lets_go),
        IN_SCRATCH(where_no_lock_can_be_the_reason_is_told),
        IN_SCRATCH(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
