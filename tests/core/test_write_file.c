/* test_write_file.c: core_write_file() of platform_files.c: who reads while others write sees whole files alone. */
#include "core/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "core/child.h"
#include "core/platform.h"
#include "core/written.h"

static void a_written_file_replaces_the_old_one(void **state)
{
    char *path = path_of("a/b/file"), *plain = path_of("plain"), *sub = path_of("a/b");
    char  before[SCRATCH_PATH];
    (void)state;
    assert_int_equal(core_write_file(path, "a longer text", 13), OCLM_OK); /* the folders too */
    expect_content(path, "a longer text");
    assert_int_equal(core_write_file(path, "short", 5), OCLM_OK);
    expect_content(path, "short");
    assert_int_equal(core_write_file(path, NULL, 0), OCLM_OK);
    expect_content(path, "");
    expect("a folder in its place", core_write_file(sub, "x", 1), OCLM_ERR_IO, sub, "cannot write: Is a directory");
    assert_int_equal(count_entries(), 1);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(core_write_file("plain", "here", 4), OCLM_OK); /* no folder in the name */
    assert_int_equal(chdir(before), 0);
    expect_content(plain, "here");
    expect("a file where a folder should be", core_write_file(scratch_path(folder, "plain/x"), "x", 1), OCLM_ERR_IO, plain,
           "cannot make this folder: Not a directory");
    assert_int_equal(count_entries(), 2); /* a, plain; nothing left beside them */
}

/* Content n: 1000 * (n + 1) times one letter. */
static bool content_is_whole(const char *data, size_t length)
{
    const size_t n = length / 1000 - 1;
    for (size_t i = 0; i < length; i++) {
        if (length % 1000 != 0 || data[i] != (char)('a' + n))
            return false;
    }
    return length > 0;
}

static size_t rounds(void)
{
    return getenv("OCLM_TEST_QUICK") != NULL ? 30 : 300;
}

static int write_many(void *user)
{
    const char *path = user;
    char        data[26000];
    for (size_t round = 0; round < rounds(); round++) {
        const size_t n = (round * 7 + (size_t)getpid()) % 26, length = 1000 * (n + 1);
        memset(data, (int)('a' + n), length);
        if (core_write_file(path, data, length) != OCLM_OK)
            return 1;
    }
    return 0;
}

static void *write_many_in_a_thread(void *user)
{
    return write_many(user) == 0 ? user : NULL;
}

static void a_reader_meets_no_half_written_file(void **state)
{
    char     *path = path_of("shared"), first[1000];
    pid_t     children[2];
    pthread_t threads[2];
    void     *result;
    (void)state;
    memset(first, 'a', sizeof first);
    assert_int_equal(core_write_file(path, first, sizeof first), OCLM_OK);
    for (size_t i = 0; i < COUNT(children); i++)
        children[i] = child_start(write_many, path, false);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many_in_a_thread, path), 0);
    bool whole = true;
    for (size_t round = 0; round < 3 * rounds() && whole; round++) {
        char  *data;
        size_t length;
        assert_int_equal(core_read_file(path, 26000, &data, &length), OCLM_OK);
        whole = content_is_whole(data, length);
        core_free(data);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, path);
    }
    for (size_t i = 0; i < COUNT(children); i++)
        assert_int_equal(child_end(children[i]), 0);
    assert_true(whole);
    assert_int_equal(count_entries(), 1);
}

static int write_beyond_a_limit(void *user)
{
    static const char data[10000];
    const char       *path = user;
    signal(SIGXFSZ, SIG_IGN); /* then write() fails, as on a full disk */
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4096, 4096 }) != 0)
        return 2;
    if (core_write_file(path, data, sizeof data) != OCLM_ERR_IO)
        return 3;
    return strstr(oclm_last_error(), path) != NULL && strstr(oclm_last_error(), "cannot write: File too large") != NULL ? 0 : 4;
}

static void a_failed_write_leaves_the_old_file_and_nothing_else(void **state)
{
    char *path = path_of("file");
    (void)state;
    assert_int_equal(core_write_file(path, "old", 3), OCLM_OK);
    assert_int_equal(child_run(write_beyond_a_limit, path, false), 0);
    expect_content(path, "old");
    assert_int_equal(count_entries(), 1);
}

static oclm_status write_a_file(void *user)
{
    return core_write_file(user, "x", 1);
}

static void undo_nothing(void *user)
{
    (void)user;
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    char *path = path_of("sub/file");
    (void)state;
    fails_cleanly_at_every_request("writing", write_a_file, undo_nothing, path);
    expect_content(path, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_written_file_replaces_the_old_one),
        IN_SCRATCH(a_reader_meets_no_half_written_file),
        IN_SCRATCH(a_failed_write_leaves_the_old_file_and_nothing_else),
        IN_SCRATCH(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
