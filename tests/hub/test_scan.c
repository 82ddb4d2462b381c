/* test_scan.c: listing (scan.c), verifying (verify.c) and removing (remove.c) what is in the cache. */
#include "core/unit.h"

#include "hub/scan.h"
#include "hub/store.h"

/* Two commits share x; the second has its own y. */
static void fill(void)
{
    open_cache();
    put(HELLO_SHA256, "hello", COMMIT, "x");
    assert_int_equal(hub_cache_link(&cache, HELLO_SHA256, OTHER, "sub/x"), OCLM_OK);
    put("0c6ea4cfa4fa5aeb3d8e47ed9cf8d1d1b8cf0be5", "no such hash, so not checked as one", OTHER, "y");
    hub_cache_write_ref(&cache, "main", OTHER);
    hub_cache_write_ref(&cache, "v1.0", OTHER);
    hub_cache_write_ref(&cache, "refs/pr/1", COMMIT);
}

#define Y_BYTES 35u

static void sizes_count_each_blob_once(void **state)
{
    hub_scan scan = HUB_SCAN_INIT;
    (void)state;
    fill();
    scratch_write(folder, REPO "blobs/abc.12345678.incomplete", "1234", 4);
    scratch_check(mkdir(path_of("datasets--d"), 0777) == 0 && mkdir(path_of("datasets--d/snapshots"), 0777) == 0, "mkdir");
    assert_int_equal(hub_scan_cache(folder, &scan), OCLM_OK);
    assert_int_equal(scan.count, 2);
    assert_string_equal(scan.repos[0].type, "dataset");
    assert_string_equal(scan.repos[0].id, "d");
    const hub_repo *const repo = &scan.repos[1];
    assert_string_equal(repo->id, "o/m");
    assert_int_equal(repo->bytes, 5 + Y_BYTES);
    assert_int_equal(repo->files, 2);
    assert_int_equal(repo->unfinished, 4);
    assert_int_equal(scan.bytes, repo->bytes);
    assert_int_equal(repo->count, 2);
    assert_string_equal(repo->revisions[0].commit, COMMIT);
    assert_string_equal(repo->revisions[0].refs, "refs/pr/1");
    assert_int_equal(repo->revisions[0].bytes, 5);
    assert_int_equal(repo->revisions[1].bytes, 5 + Y_BYTES);
    assert_int_equal(repo->revisions[1].files, 2);
    assert_non_null(strstr(repo->revisions[1].refs, "main"));
    assert_non_null(strstr(repo->revisions[1].refs, "v1.0"));
    hub_scan_free(&scan);
    assert_int_equal(hub_scan_cache(path_of("none"), &scan), OCLM_OK);
    assert_int_equal(scan.count, 0);
    hub_cache_deinit(&cache);
}

static void what_is_damaged_beyond_reading_is_left_out(void **state)
{
    hub_scan scan = HUB_SCAN_INIT;
    (void)state;
    fill();
    scratch_check(mkdir(path_of("models--bad"), 0777) == 0 && mkdir(path_of("strange"), 0777) == 0, "mkdir"); /* no snapshots; no type */
    assert_int_equal(hub_scan_cache(folder, &scan), OCLM_OK);
    assert_int_equal(scan.count, 1);
    hub_scan_free(&scan);
    assert_int_equal(unlink(path_of(REPO "blobs/" HELLO_SHA256)), 0);
    assert_int_equal(hub_scan_cache(folder, &scan), OCLM_OK);
    assert_int_equal(scan.count, 0);
    hub_scan_free(&scan);
    hub_cache_deinit(&cache);
}

/* ---- Verifying */

static char told[4096];

static void note(const char *path, const char *what, void *user)
{
    (void)user;
    (void)snprintf(told + strlen(told), sizeof told - strlen(told), "%s %s\n", path + strlen(folder) + 1, what);
}

static void damage_is_told_by_the_names_of_files(void **state)
{
    hub_verify verify = { .problem = note };
    (void)state;
    open_cache();
    put(HELLO_SHA256, "hello", COMMIT, "x");
    put(HELLO_GIT, "hello", COMMIT, "y");
    hub_cache_write_ref(&cache, "main", COMMIT);
    told[0] = '\0';
    assert_int_equal(hub_verify_cache(folder, NULL, &verify), OCLM_OK);
    assert_string_equal(told, "");
    assert_int_equal(verify.files, 2);
    assert_int_equal(verify.bytes, 10);
    scratch_write(folder, REPO "blobs/" HELLO_SHA256, "hellO", 5);
    scratch_check(symlink("../../blobs/gone", path_of(REPO "snapshots/" COMMIT "/z")) == 0, "symlink");
    scratch_write(folder, REPO "refs/old", OTHER, 40);
    scratch_write(folder, REPO "refs/torn", COMMIT, 20);
    assert_int_equal(hub_verify_cache(folder, "o/m", &verify), OCLM_OK);
    assert_non_null(strstr(told, REPO "snapshots/" COMMIT "/x is damaged"));
    assert_null(strstr(told, "/y "));
    assert_non_null(strstr(told, REPO "snapshots/" COMMIT "/z leads to nothing"));
    assert_non_null(strstr(told, REPO "refs/old means a commit of which nothing is here"));
    assert_non_null(strstr(told, REPO "refs/torn does not hold the 40 digits"));
    assert_int_equal(hub_verify_cache(folder, "o/none", &verify), OCLM_ERR_NOT_FOUND);
    assert_int_equal(hub_verify_cache(folder, "../x", &verify), OCLM_ERR_ARGUMENT);
    hub_cache_deinit(&cache);
}

static bool say_no(const char *file, uint64_t done, uint64_t total, void *user)
{
    (void)file;
    (void)user;
    return done > total;
}

static void verifying_can_be_stopped(void **state)
{
    hub_verify verify = { .problem = note, .progress = say_no };
    (void)state;
    fill();
    assert_int_equal(hub_verify_cache(folder, NULL, &verify), OCLM_ERR_CANCELLED);
    hub_cache_deinit(&cache);
}

/* ---- Removing */

static void a_revision_goes_with_what_no_other_has(void **state)
{
    uint64_t bytes;
    (void)state;
    fill();
    assert_int_equal(hub_remove(folder, "o/m", "v2.0", &bytes), OCLM_ERR_NOT_FOUND);
    assert_int_equal(hub_remove(folder, "o/m", "../../x", &bytes), OCLM_ERR_ARGUMENT);
    assert_int_equal(hub_remove(folder, "o/m", "main", &bytes), OCLM_OK);
    assert_int_equal(bytes, Y_BYTES);
    assert_int_equal(kind_of(REPO "snapshots/" OTHER), CORE_NOTHING);
    assert_int_equal(kind_of(REPO "refs/main"), CORE_NOTHING);
    assert_int_equal(kind_of(REPO "refs/v1.0"), CORE_NOTHING);
    expect_text(REPO "refs/refs/pr/1", COMMIT);
    expect_text(REPO "snapshots/" COMMIT "/x", "hello");
    assert_int_equal(hub_remove(folder, "o/m", COMMIT, &bytes), OCLM_OK);
    assert_int_equal(bytes, 5);
    assert_int_equal(kind_of(REPO "blobs/" HELLO_SHA256), CORE_NOTHING);
    hub_cache_deinit(&cache);
}

static void a_model_goes_whole_and_nothing_else(void **state)
{
    uint64_t bytes;
    (void)state;
    fill();
    scratch_check(mkdir(path_of("kept"), 0777) == 0, "mkdir");
    scratch_write(folder, "kept/file", "x", 1);
    scratch_check(symlink("../../../kept", path_of(REPO "snapshots/" COMMIT "/kept")) == 0, "symlink");
    assert_int_equal(hub_remove(folder, "o/none", NULL, &bytes), OCLM_ERR_NOT_FOUND);
    assert_int_equal(hub_remove(folder, "o/m", NULL, &bytes), OCLM_OK);
    assert_in_range(bytes, 5 + Y_BYTES, 5 + Y_BYTES + 200); /* and the refs */
    assert_int_equal(kind_of("models--o--m"), CORE_NOTHING);
    assert_int_equal(kind_of("kept/file"), CORE_FILE);
    hub_cache_deinit(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(sizes_count_each_blob_once),
        IN_SCRATCH(what_is_damaged_beyond_reading_is_left_out),
        IN_SCRATCH(damage_is_told_by_the_names_of_files),
        IN_SCRATCH(verifying_can_be_stopped),
        IN_SCRATCH(a_revision_goes_with_what_no_other_has),
        IN_SCRATCH(a_model_goes_whole_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
