/* test_platform_files.c: names, reading, folders, the cache's place. Writing is in test_write_file.c, maps in test_map.c, locks
 * in test_file_lock.c. */
#include "core/unit.h"

#include <stdio.h>
#include <sys/stat.h>

#include "core/child.h"
#include "core/platform.h"
#include "core/folder.h"

static bool count_name(const char *name, void *user)
{
    size_t *const count = user;
    (void)name;
    return ++*count != 3;
}

static size_t count_entries(void)
{
    size_t count = 0;
    assert_int_equal(core_folder_list(folder, count_name, &count), OCLM_OK);
    return count;
}

/* ---- Names */

static void folders_and_names_are_joined_by_one_slash(void **state)
{
    static const struct {
        const char *folder, *name, *want;
    } cases[] = { { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "/", "b", "/b" }, { "", "b", "b" },
                  { "a", "", "a/" }, { ".", "b/c", "./b/c" } };
    core_text out = CORE_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(core_path_join(&out, cases[i].folder, cases[i].name), OCLM_OK);
        assert_string_equal(out.data, cases[i].want);
    }
    core_text_free(&out);
}

static void a_path_is_a_file_a_folder_or_neither(void **state)
{
    static const struct {
        const char *name;
        bool        file, folder;
    } cases[] = { { "file", true, false }, { "link", true, false }, { "pipe", true, false }, { ".", false, true }, { "up", false, true },
                  { "none", false, false }, { "dangling", false, false }, { "loop", false, false }, { "file/x", false, false } };
    (void)state;
    scratch_write(folder, "file", "x", 1);
    assert_int_equal(symlink("file", scratch_path(folder, "link")), 0);
    assert_int_equal(symlink("..", scratch_path(folder, "up")), 0);
    assert_int_equal(symlink("nowhere", scratch_path(folder, "dangling")), 0);
    assert_int_equal(symlink("loop", scratch_path(folder, "loop")), 0);
    assert_int_equal(mkfifo(scratch_path(folder, "pipe"), 0600), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *path = scratch_path(folder, cases[i].name);
        if (core_path_is_file(path) != cases[i].file || core_path_is_folder(path) != cases[i].folder)
            fail_msg("%s", path);
    }
    assert_false(core_path_is_file("") || core_path_is_folder(""));
}

static void the_cache_is_where_the_user_says(void **state)
{
#if defined(__APPLE__)
#define IN_HOME "/home/me/Library/Caches/oclm"
#else
#define IN_HOME "/home/me/.cache/oclm"
#endif
    static const struct {
        const char *ours, *xdg, *home, *want; /* "": set, but empty; NULL: not set */
    } cases[] = {
        { "/tmp/ours", "/xdg", "/home/me", "/tmp/ours" },
        { "relative/ours", "/xdg", "/home/me", "relative/ours" },
        { NULL, "/xdg", "/home/me", "/xdg/oclm" },
        { "", "/xdg/", "/home/me", "/xdg/oclm" },
        { NULL, NULL, "/home/me", IN_HOME },
        { "", "", "/home/me/", IN_HOME },
        { NULL, "relative", "/home/me", IN_HOME }, /* the XDG specification: a relative path is to be ignored */
        { NULL, "relative", NULL, NULL },
        { NULL, NULL, NULL, NULL },
        { "", "", "", NULL },
    };
    static const char *const names[] = { "OCLM_CACHE_DIR", "XDG_CACHE_HOME", "HOME" };
    char     *before[COUNT(names)];
    core_text out = CORE_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        before[i] = getenv(names[i]) != NULL ? exact_copy(getenv(names[i]), strlen(getenv(names[i])) + 1) : NULL;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *const values[] = { cases[i].ours, cases[i].xdg, cases[i].home };
        for (size_t j = 0; j < COUNT(names); j++)
            assert_int_equal(values[j] != NULL ? setenv(names[j], values[j], 1) : unsetenv(names[j]), 0);
        const oclm_status status = core_cache_folder(&out);
        if (status != (cases[i].want != NULL ? OCLM_OK : OCLM_ERR_NOT_FOUND))
            fail_msg("row %zu: status %d", i, (int)status);
        if (cases[i].want != NULL)
            assert_string_equal(out.data, cases[i].want);
        else
            assert_non_null(strstr(oclm_last_error(), "set OCLM_CACHE_DIR to a folder that may be written"));
    }
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(before[i] != NULL ? setenv(names[i], before[i], 1) : unsetenv(names[i]), 0);
        free(before[i]);
    }
    core_text_free(&out);
}

/* ---- Reading */

static void a_file_is_read_whole_within_its_limit(void **state)
{
    static const struct {
        const char *label, *name;
        size_t      limit;
        oclm_status status;
        const char *want; /* content, or part of the message */
        size_t      length;
    } cases[] = {
        { "a file", "file", 100, OCLM_OK, "one\0two\n", 8 },
        { "a file of just the limit", "file", 8, OCLM_OK, "one\0two\n", 8 },
        { "a file above the limit", "file", 7, OCLM_ERR_FORMAT, "is 8 bytes long, at most 7 bytes are allowed", 0 },
        { "an empty file", "empty", 0, OCLM_OK, "", 0 },
        { "a folder", "sub", 100, OCLM_ERR_FORMAT, "this is a folder, a file is needed here", 0 },
        { "a missing file", "none", 100, OCLM_ERR_NOT_FOUND, "cannot open: No such file or directory", 0 },
        { "a file in a missing folder", "none/file", 100, OCLM_ERR_NOT_FOUND, "cannot open", 0 },
        { "a file in a file", "file/x", 100, OCLM_ERR_NOT_FOUND, "cannot open: Not a directory", 0 },
        { "a link to nothing", "dangling", 100, OCLM_ERR_NOT_FOUND, "cannot open", 0 },
        { "a link to itself", "loop", 100, OCLM_ERR_IO, "cannot open", 0 },
    };
    (void)state;
    scratch_write(folder, "file", "one\0two\n", 8);
    scratch_write(folder, "empty", "", 0);
    assert_int_equal(mkdir(scratch_path(folder, "sub"), 0700), 0);
    assert_int_equal(symlink("nowhere", scratch_path(folder, "dangling")), 0);
    assert_int_equal(symlink("loop", scratch_path(folder, "loop")), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char  *path = path_of(cases[i].name), *data = path;
        size_t length = 99;
        expect(cases[i].label, core_read_file(path, cases[i].limit, &data, &length), cases[i].status, path, cases[i].want);
        assert_int_equal(length, cases[i].length);
        if (cases[i].status != OCLM_OK)
            assert_null(data);
        else
            assert_memory_equal(data, cases[i].want, length + 1); /* with the NUL */
        core_free(data);
    }
}

static int write_into_pipe(void *path)
{
    FILE *pipe = fopen(path, "wb");
    if (pipe == NULL)
        return 1;
    for (int i = 0; i < 100000; i++)
        fputc('a' + i % 26, pipe);
    return fclose(pipe) != 0;
}

static void what_has_no_size_is_read_to_its_end(void **state)
{
    char  *path = path_of("pipe"), *data;
    size_t length;
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    const pid_t child = child_start(write_into_pipe, path, false);
    assert_int_equal(core_read_file(path, 100000, &data, &length), OCLM_OK);
    assert_int_equal(child_end(child), 0);
    assert_int_equal(length, 100000);
    for (size_t i = 0; i < length; i++)
        assert_true(data[i] == 'a' + (char)(i % 26));
    core_free(data);
    expect("a file without end", core_read_file("/dev/zero", 1u << 20, &data, &length), OCLM_ERR_FORMAT, "/dev/zero",
           "at most 1 MiB are allowed");
    assert_null(data);
}

/* ---- Folders */

static void folders_are_made_as_deep_as_needed(void **state)
{
    static const char *const good[] = { "a", "a", "a/b/c", "x/", "y//z//", "link/inside" };
    (void)state;
    assert_int_equal(mkdir(scratch_path(folder, "real"), 0700), 0);
    assert_int_equal(symlink("real", scratch_path(folder, "link")), 0);
    assert_int_equal(symlink("nowhere", scratch_path(folder, "dangling")), 0);
    scratch_write(folder, "file", "x", 1);
    for (size_t i = 0; i < COUNT(good); i++) {
        char *path = path_of(good[i]);
        expect(good[i], core_make_folders(path), OCLM_OK, path, "");
        assert_true(core_path_is_folder(path));
    }
    assert_int_equal(core_make_folders("/"), OCLM_OK);
    assert_int_equal(core_make_folders("//"), OCLM_OK);
    expect("no name", core_make_folders(""), OCLM_ERR_IO, "", "cannot make this folder: No such file or directory");
    expect("a file", core_make_folders(scratch_path(folder, "file")), OCLM_ERR_IO, "/file", "cannot make this folder: Not a directory");
    expect("in a file", core_make_folders(scratch_path(folder, "file/x/y")), OCLM_ERR_IO, "/file", "cannot make this folder");
    expect("a dangling link", core_make_folders(scratch_path(folder, "dangling")), OCLM_ERR_IO, "/dangling", "cannot make this folder");
}

static void each_entry_is_listed_until_enough(void **state)
{
    size_t count = 0;
    (void)state;
    assert_int_equal(count_entries(), 0);
    for (int i = 0; i < 5; i++)
        scratch_write(folder, (char[]){ (char)('a' + i), '\0' }, "", 0);
    assert_int_equal(count_entries(), 3); /* count_name() stops there */
    expect("none", core_folder_list(scratch_path(folder, "none"), count_name, &count), OCLM_ERR_NOT_FOUND, "/none", "cannot list");
    expect("a file", core_folder_list(scratch_path(folder, "a"), count_name, &count), OCLM_ERR_NOT_FOUND, "/a", "cannot list");
    assert_int_equal(count, 0);
}

static int try_all_without_rights(void *user)
{
    static const struct {
        const char *name, *verb;
    } cases[] = { { "file", "write" }, { "sub/x/file", "make this folder" }, { "sub/x", "make this folder" }, { "secret", "open" },
                  { "closed", "list" } };
    char  *data;
    size_t length, count = 0;
    int    failed = 0;
    (void)user;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char       *path = scratch_path(folder, cases[i].name);
        const oclm_status status = i < 2    ? core_write_file(path, "x", 1)
                                   : i == 2 ? core_make_folders(path)
                                   : i == 3 ? core_read_file(path, 99, &data, &length)
                                            : core_folder_list(path, count_name, &count);
        char reason[64];
        snprintf(reason, sizeof reason, "cannot %s: Permission denied", cases[i].verb);
        if (status != OCLM_ERR_IO || strstr(oclm_last_error(), reason) == NULL || strstr(oclm_last_error(), folder) == NULL) {
            print_message("%s: status %d, \"%s\"\n", path, (int)status, oclm_last_error());
            failed = 1;
        }
    }
    return failed;
}

static void without_the_right_the_reason_is_told(void **state)
{
    (void)state;
    scratch_write(folder, "secret", "x", 1);
    assert_int_equal(chmod(scratch_path(folder, "secret"), 0), 0);
    assert_int_equal(mkdir(scratch_path(folder, "closed"), 0), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    const int failed = child_run(try_all_without_rights, NULL, true);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(chmod(scratch_path(folder, "closed"), 0700), 0);
    assert_int_equal(failed, 0);
}

/* ---- Failing requests */

static oclm_status read_a_file(void *user)
{
    char             *data;
    size_t            length;
    const oclm_status status = core_read_file(user, 100, &data, &length);
    core_free(data);
    return status;
}

static oclm_status make_folders(void *user)
{
    return core_make_folders(user);
}

static oclm_status name_the_cache(void *user)
{
    core_text         out = CORE_TEXT_INIT;
    const oclm_status status = core_cache_folder(&out);
    (void)user;
    core_text_free(&out);
    return status;
}

static void undo_nothing(void *user)
{
    (void)user;
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    char *path = path_of("sub"), *file = path_of("file");
    (void)state;
    scratch_write(folder, "file", "x", 1);
    fails_cleanly_at_every_request("making folders", make_folders, undo_nothing, path);
    fails_cleanly_at_every_request("reading", read_a_file, undo_nothing, file);
    fails_cleanly_at_every_request("the cache's folder", name_the_cache, undo_nothing, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_and_names_are_joined_by_one_slash),
        IN_SCRATCH(a_path_is_a_file_a_folder_or_neither),
        cmocka_unit_test(the_cache_is_where_the_user_says),
        IN_SCRATCH(a_file_is_read_whole_within_its_limit),
        IN_SCRATCH(what_has_no_size_is_read_to_its_end),
        IN_SCRATCH(folders_are_made_as_deep_as_needed),
        IN_SCRATCH(each_entry_is_listed_until_enough),
        IN_SCRATCH(without_the_right_the_reason_is_told),
        IN_SCRATCH(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
