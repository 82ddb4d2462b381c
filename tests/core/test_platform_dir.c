/* test_platform_dir.c: folders held open, files in them, links and locks (core/dir.h). */
#include "core/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/child.h"
#include "core/dir.h"
#include "core/folder.h"

static core_dir *open_scratch(void)
{
    core_dir *dir;
    assert_int_equal(core_dir_open(folder, false, &dir), OCLM_OK);
    return dir;
}

/* ---- Folders */

static void missing_folders_are_made_or_told(void **state)
{
    core_dir *dir, *below;
    (void)state;
    assert_int_equal(core_dir_open(path_of("none"), false, &dir), OCLM_ERR_NOT_FOUND);
    assert_null(dir);
    assert_int_equal(core_dir_open(path_of("a/b"), true, &dir), OCLM_OK);
    assert_int_equal(core_dir_enter(dir, "c/d", false, &below), OCLM_ERR_NOT_FOUND);
    assert_null(below);
    assert_int_equal(core_dir_enter(dir, "c/d", true, &below), OCLM_OK);
    assert_int_equal(core_path_info(path_of("a/b/c/d"), false).kind, CORE_FOLDER);
    assert_string_equal(core_dir_path(below), path_of("a/b/c/d"));
    core_dir_close(below);
    assert_int_equal(core_dir_enter(dir, "", false, &below), OCLM_OK);
    core_dir_close(below);
    core_dir_close(dir);
    core_dir_close(NULL);
}

/* What stands where a folder should: nothing is made behind it. */
static void no_step_leads_through_a_link_or_upwards(void **state)
{
    static const struct {
        const char *path, *reason;
    } ways[] = { { "link", "a link stands where a folder" }, { "link/x", "a link stands where a folder" }, { "..", "no plain path" },
                 { "sub/../x", "no plain path" },            { "./x", "no plain path" },                   { "sub//x", "no plain path" },
                 { "file/x", "cannot make this folder" } };
    core_dir *dir = open_scratch(), *below;
    (void)state;
    scratch_check(mkdir(path_of("away"), 0777) == 0 && mkdir(path_of("sub"), 0777) == 0, "mkdir");
    scratch_check(symlink("away", path_of("link")) == 0, "symlink");
    scratch_write(folder, "file", "", 0);
    for (size_t i = 0; i < COUNT(ways); i++) {
        const oclm_status status = core_dir_enter(dir, ways[i].path, true, &below);
        if (status == OCLM_OK || strstr(oclm_last_error(), ways[i].reason) == NULL)
            fail_msg("%s: %d, \"%s\"", ways[i].path, (int)status, oclm_last_error());
        assert_null(below);
    }
    assert_int_equal(core_path_info(path_of("away/x"), false).kind, CORE_NOTHING);
    core_dir_close(dir);
}

static void a_tree_goes_without_what_its_links_lead_to(void **state)
{
    core_dir *dir = open_scratch();
    (void)state;
    scratch_check(mkdir(path_of("tree"), 0777) == 0 && mkdir(path_of("tree/sub"), 0777) == 0 && mkdir(path_of("kept"), 0777) == 0, "mkdir");
    scratch_write(folder, "kept/file", "x", 1);
    scratch_write(folder, "tree/sub/file", "x", 1);
    scratch_check(symlink("../kept", path_of("tree/link")) == 0, "symlink");
    assert_int_equal(core_dir_remove_tree(dir, "tree"), OCLM_OK);
    assert_int_equal(core_path_info(path_of("tree"), false).kind, CORE_NOTHING);
    assert_int_equal(core_path_info(path_of("kept/file"), false).kind, CORE_FILE);
    assert_int_equal(core_dir_remove_tree(dir, "none"), OCLM_OK);
    assert_int_equal(core_dir_remove_empty(dir, "kept"), OCLM_ERR_IO);
    core_dir_close(dir);
}

/* ---- Files and links */

static void a_new_file_is_written_read_and_renamed(void **state)
{
    core_dir   *dir = open_scratch();
    core_file  *file, *again;
    char        text[16] = "";
    size_t      got;
    const mode_t before = umask(027);
    (void)state;
    assert_int_equal(core_file_create(dir, "new", &file), OCLM_OK);
    umask(before);
    assert_int_equal(core_file_create(dir, "new", &again), OCLM_ERR_IO); /* something stands there */
    assert_null(again);
    assert_int_equal(core_file_write(file, "wrong", 5), OCLM_OK);
    assert_int_equal(core_file_truncate(file), OCLM_OK);
    assert_int_equal(core_file_write(file, "right", 5), OCLM_OK);
    core_file_flush_early(file);
    assert_int_equal(core_file_sync(file), OCLM_OK);
    assert_int_equal(core_file_info(file).size, 5);
    assert_int_equal(core_file_close(file), OCLM_OK);
    assert_int_equal(core_dir_info(dir, "new", false).mode, 0640);
    assert_int_equal(core_file_open(dir, "new", true, &file), OCLM_OK);
    assert_int_equal(core_file_read(file, text, sizeof text, &got), OCLM_OK);
    assert_int_equal(got, 5);
    assert_int_equal(core_file_write(file, " on", 3), OCLM_OK);
    assert_int_equal(core_file_close(file), OCLM_OK);
    assert_int_equal(core_dir_rename(dir, "new", dir, "old"), OCLM_OK);
    assert_int_equal(core_dir_info(dir, "old", false).size, 8);
    assert_int_equal(core_dir_remove(dir, "old"), OCLM_OK);
    assert_int_equal(core_dir_remove(dir, "old"), OCLM_OK);
    core_dir_close(dir);
}

static void a_mapping_outlives_the_file_and_its_name(void **state)
{
    core_dir  *dir = NULL;
    core_file *file = NULL;
    core_map   map = CORE_MAP_INIT;
    (void)state;
    assert_int_equal(core_dir_open(folder, false, &dir), OCLM_OK);
    assert_int_equal(core_file_create(dir, "mapped", &file), OCLM_OK);
    assert_int_equal(core_file_map(file, &map), OCLM_OK); /* nothing yet */
    assert_null(map.data);
    assert_int_equal(core_dir_remove(dir, "mapped"), OCLM_OK);
    assert_int_equal(core_file_write(file, "bytes", 5), OCLM_OK);
    assert_int_equal(core_file_map(file, &map), OCLM_OK);
    assert_int_equal(core_file_close(file), OCLM_OK);
    assert_int_equal(map.size, 5);
    assert_memory_equal(map.data, "bytes", 5);
    core_map_close(&map);
    core_dir_close(dir);
}

static void what_is_no_ordinary_file_is_not_opened(void **state)
{
    core_dir  *dir = open_scratch();
    core_file *file;
    (void)state;
    scratch_write(folder, "file", "x", 1);
    scratch_check(mkfifo(path_of("pipe"), 0600) == 0 && symlink("file", path_of("link")) == 0 && mkdir(path_of("sub"), 0777) == 0, "mkfifo");
    assert_int_equal(core_file_open(dir, "pipe", false, &file), OCLM_ERR_FORMAT); /* and does not wait for a writer */
    assert_int_equal(core_file_open(dir, "sub", false, &file), OCLM_ERR_FORMAT);
    assert_int_equal(core_file_open(dir, "link", false, &file), OCLM_ERR_IO);
    assert_int_equal(core_file_open(dir, "none", false, &file), OCLM_ERR_NOT_FOUND);
    assert_int_equal(core_file_create(dir, "link", &file), OCLM_ERR_IO);
    core_dir_close(dir);
}

static void links_are_made_read_and_found_in_the_way(void **state)
{
    core_dir *dir = open_scratch();
    core_text target = CORE_TEXT_INIT;
    (void)state;
    assert_int_equal(core_dir_link(dir, "link", "../x"), CORE_LINK_MADE);
    assert_int_equal(core_dir_link(dir, "link", "y"), CORE_LINK_EXISTS);
    assert_int_equal(core_dir_read_link(dir, "link", &target), OCLM_OK);
    assert_string_equal(target.data, "../x");
    assert_int_equal(core_dir_info(dir, "link", false).kind, CORE_LINK);
    assert_int_equal(core_dir_info(dir, "link", true).kind, CORE_NOTHING);
    assert_int_equal(core_dir_read_link(dir, "none", &target), OCLM_ERR_NOT_FOUND);
    core_text_free(&target);
    core_dir_close(dir);
}

/* ---- Locks */

static void one_at_a_time_holds_a_lock(void **state)
{
    core_dir      *dir = open_scratch();
    core_dir_lock *first, *second;
    bool           unsupported;
    const mode_t   before = umask(077);
    (void)state;
    assert_int_equal(core_dir_lock_try(dir, "x.lock", &first, &unsupported), OCLM_OK);
    umask(before);
    assert_non_null(first);
    assert_int_equal(core_dir_info(dir, "x.lock", false).mode, 0664); /* whatever the umask */
    assert_int_equal(core_dir_info(dir, "x.lock", false).size, 0);
    assert_int_equal(core_dir_lock_try(dir, "x.lock", &second, &unsupported), OCLM_OK);
    assert_null(second);
    assert_false(unsupported);
    core_dir_lock_release(first);
    assert_int_equal(core_dir_lock_try(dir, "x.lock", &second, &unsupported), OCLM_OK);
    assert_non_null(second);
    core_dir_lock_release(second);
    core_dir_lock_release(NULL);
    core_dir_close(dir);
}

static void a_lock_is_on_the_file_that_has_the_name(void **state)
{
    core_dir      *dir = open_scratch();
    core_dir_lock *old, *new;
    bool           unsupported;
    (void)state;
    assert_int_equal(core_dir_lock_try(dir, "x.lock", &old, &unsupported), OCLM_OK);
    assert_int_equal(core_dir_remove(dir, "x.lock"), OCLM_OK); /* as some programs do on release */
    assert_int_equal(core_dir_lock_try(dir, "x.lock", &new, &unsupported), OCLM_OK);
    assert_non_null(new);
    assert_int_equal(core_path_info(path_of("x.lock"), false).kind, CORE_FILE);
    core_dir_lock_release(new);
    core_dir_lock_release(old);
    scratch_check(symlink("elsewhere", path_of("y.lock")) == 0, "symlink");
    assert_int_equal(core_dir_lock_try(dir, "y.lock", &new, &unsupported), OCLM_ERR_IO);
    assert_non_null(strstr(oclm_last_error(), "a link stands where a lock belongs"));
    assert_int_equal(core_path_info(path_of("elsewhere"), false).kind, CORE_NOTHING);
    core_dir_close(dir);
}

/* ---- Memory */

static oclm_status open_and_create(void *user)
{
    core_dir   *dir = NULL, *below = NULL;
    core_file  *file = NULL;
    core_dir_lock *lock = NULL;
    bool        unsupported;
    oclm_status status;
    (void)user;
    if ((status = core_dir_open(folder, false, &dir)) == OCLM_OK && (status = core_dir_enter(dir, "sub/x", true, &below)) == OCLM_OK &&
        (status = core_file_create(below, "file", &file)) == OCLM_OK)
        status = core_dir_lock_try(below, "lock", &lock, &unsupported);
    core_dir_lock_release(lock);
    (void)core_file_close(file);
    if (below != NULL)
        (void)core_dir_remove(below, "file");
    core_dir_close(below);
    core_dir_close(dir);
    return status;
}

static void nothing(void *user)
{
    (void)user;
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    core_dir *dir;
    (void)state;
    assert_int_equal(core_dir_open(path_of("sub/x"), true, &dir), OCLM_OK);
    core_dir_close(dir);
    fails_cleanly_at_every_request("a folder", open_and_create, nothing, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(missing_folders_are_made_or_told),
        IN_SCRATCH(no_step_leads_through_a_link_or_upwards),
        IN_SCRATCH(a_tree_goes_without_what_its_links_lead_to),
        IN_SCRATCH(a_new_file_is_written_read_and_renamed),
        IN_SCRATCH(a_mapping_outlives_the_file_and_its_name),
        IN_SCRATCH(what_is_no_ordinary_file_is_not_opened),
        IN_SCRATCH(links_are_made_read_and_found_in_the_way),
        IN_SCRATCH(one_at_a_time_holds_a_lock),
        IN_SCRATCH(a_lock_is_on_the_file_that_has_the_name),
        IN_SCRATCH(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
