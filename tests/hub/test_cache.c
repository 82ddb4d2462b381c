/* test_cache.c: the cache's layout: what is written where, what is found, what is refused. */
#include "core/unit.h"

#include "core/hash.h"
#include "hub/store.h"

/* ---- Layout */

static void a_file_lies_where_python_looks_for_it(void **state)
{
    core_text path = CORE_TEXT_INIT;
    (void)state;
    open_cache();
    put("abc", "hello", COMMIT, "config.json");
    put("def", "there", COMMIT, "sub/dir/x.json");
    hub_cache_write_ref(&cache, "main", COMMIT);
    hub_cache_write_ref(&cache, "refs/pr/1", COMMIT);
    hub_cache_note_absent(&cache, COMMIT, "a/none.json");
    expect_text(REPO "blobs/abc", "hello");
    expect_link(REPO "snapshots/" COMMIT "/config.json", "../../blobs/abc");
    expect_link(REPO "snapshots/" COMMIT "/sub/dir/x.json", "../../../../blobs/def");
    expect_text(REPO "refs/main", COMMIT);
    expect_text(REPO "refs/refs/pr/1", COMMIT);
    expect_text(REPO ".no_exist/" COMMIT "/a/none.json", "");
    assert_int_equal(strncmp("Signature: 8a477f597d28d172789f06886806bc55", "Signature: ", 11), 0);
    assert_int_equal(kind_of("CACHEDIR.TAG"), CORE_FILE);
    assert_int_equal(kind_of(".locks/models--o--m"), CORE_FOLDER);
    assert_int_equal(hub_cache_find(&cache, COMMIT, "config.json", &path), HUB_PRESENT);
    assert_string_equal(path.data, path_of(REPO "snapshots/" COMMIT "/config.json"));
    assert_int_equal(hub_cache_find(&cache, COMMIT, "a/none.json", &path), HUB_ABSENT);
    assert_int_equal(hub_cache_find(&cache, COMMIT, "unknown", &path), HUB_UNKNOWN);
    assert_int_equal(hub_cache_find(&cache, OTHER, "config.json", &path), HUB_UNKNOWN);
    assert_true(hub_cache_has_blob(&cache, "abc", 5));
    assert_false(hub_cache_has_blob(&cache, "abc", 6));
    core_text_free(&path);
    hub_cache_deinit(&cache);
}

static void a_second_commit_links_the_same_blob(void **state)
{
    (void)state;
    open_cache();
    put("abc", "hello", COMMIT, "x");
    assert_int_equal(hub_cache_link(&cache, "abc", OTHER, "x"), OCLM_OK);
    assert_int_equal(hub_cache_link(&cache, "abc", OTHER, "x"), OCLM_OK); /* it is there */
    expect_link(REPO "snapshots/" OTHER "/x", "../../blobs/abc");
    hub_cache_deinit(&cache);
}

static void without_links_files_lie_in_the_snapshots(void **state)
{
    (void)state;
    open_cache();
    settings.no_links = true;
    put("abc", "hello", COMMIT, "x");
    assert_int_equal(kind_of(REPO "snapshots/" COMMIT "/x"), CORE_FILE);
    assert_int_equal(kind_of(REPO "blobs/abc"), CORE_NOTHING);
    settings.no_links = false;
    put("def", "there", COMMIT, "y");
    settings.no_links = true; /* a blob that others link to is copied */
    assert_int_equal(hub_cache_link(&cache, "def", OTHER, "y"), OCLM_OK);
    assert_int_equal(kind_of(REPO "snapshots/" OTHER "/y"), CORE_FILE);
    expect_text(REPO "snapshots/" OTHER "/y", "there");
    expect_text(REPO "blobs/def", "there");
    hub_cache_deinit(&cache);
}

/* ---- Refs */

static void refs_are_read_with_spaces_around_but_whole(void **state)
{
    static const struct {
        const char *text;
        bool        good;
    } cases[] = { { COMMIT, true },          { COMMIT "\n", true }, { " " COMMIT "\r\n", true }, { "", false }, { "0123456789abcdef", false },
                  { COMMIT "0", false },     { "../../../../../../../../../../../../etc/pass", false }, { "0123456789ABCDEF0123456789abcdef01234567", false } };
    char commit[HUB_COMMIT_LENGTH + 1];
    (void)state;
    open_cache();
    assert_false(hub_cache_ref(&cache, "main", commit));
    assert_true(hub_cache_ref(&cache, OTHER, commit)); /* a commit means itself */
    assert_string_equal(commit, OTHER);
    hub_cache_write_ref(&cache, "main", COMMIT);
    for (size_t i = 0; i < COUNT(cases); i++) {
        scratch_write(folder, REPO "refs/main", cases[i].text, strlen(cases[i].text));
        if (hub_cache_ref(&cache, "main", commit) != cases[i].good)
            fail_msg("\"%s\"", cases[i].text);
    }
    hub_cache_write_ref(&cache, "main", OTHER);
    expect_text(REPO "refs/main", OTHER);
    hub_cache_write_ref(&cache, COMMIT, COMMIT); /* a commit gets none */
    assert_int_equal(kind_of(REPO "refs/" COMMIT), CORE_NOTHING);
    hub_cache_write_ref(&cache, "main/x", OTHER); /* in the way of each other: no failure */
    hub_cache_deinit(&cache);
}

/* ---- What somebody else put there */

static void nothing_is_written_through_a_strangers_link(void **state)
{
    (void)state;
    scratch_check(mkdir(path_of("away"), 0777) == 0, "mkdir");
    open_cache();
    put("abc", "hello", COMMIT, "x");
    scratch_check(symlink("../../../../away", path_of(REPO "snapshots/" COMMIT "/sub")) == 0, "symlink");
    assert_int_equal(hub_cache_link(&cache, "abc", COMMIT, "sub/y"), OCLM_ERR_IO);
    assert_non_null(strstr(oclm_last_error(), "a link stands where a folder"));
    assert_int_equal(kind_of("away/y"), CORE_NOTHING);
    hub_cache_deinit(&cache);

    open_cache();
    scratch_check(rename(path_of(REPO "blobs"), path_of("away/blobs")) == 0 && symlink("../away", path_of(REPO "blobs")) == 0, "symlink");
    assert_int_equal(hub_cache_open(&cache), OCLM_ERR_IO);
    assert_non_null(strstr(oclm_last_error(), "blobs: a link stands where a folder"));
    hub_cache_deinit(&cache);
}

static void a_pointer_is_an_ordinary_file_in_the_end(void **state)
{
    core_text path = CORE_TEXT_INIT;
    (void)state;
    open_cache();
    put("abc", "hello", COMMIT, "x");
    scratch_check(mkfifo(path_of(REPO "snapshots/" COMMIT "/pipe"), 0600) == 0 && mkdir(path_of(REPO "snapshots/" COMMIT "/dir"), 0777) == 0 &&
                      symlink("../../blobs/gone", path_of(REPO "snapshots/" COMMIT "/dangling")) == 0, "mkfifo");
    assert_false(hub_cache_has(&cache, COMMIT, "pipe", &path));
    assert_false(hub_cache_has(&cache, COMMIT, "dir", &path));
    assert_false(hub_cache_has(&cache, COMMIT, "dangling", &path));
    assert_int_equal(hub_cache_link(&cache, "abc", COMMIT, "dangling"), OCLM_OK); /* that one is mended */
    expect_link(REPO "snapshots/" COMMIT "/dangling", "../../blobs/abc");
    assert_int_equal(hub_cache_link(&cache, "abc", COMMIT, "dir"), OCLM_ERR_IO);
    assert_non_null(strstr(oclm_last_error(), "something stands where"));
    core_text_free(&path);
    hub_cache_deinit(&cache);
}

/* ---- Unfinished files */

static void what_an_earlier_run_left_is_taken_over_if_it_fits(void **state)
{
    static const struct {
        const char *label, *text;
        bool        link, adopted;
    } cases[] = { { "a beginning", "hel", false, true }, { "nothing", "", false, false },   { "the whole", "hello", false, false },
                  { "too long", "hello!", false, false }, { "a link", "hel", true, false } };
    char       name[HUB_TEMP_NAME];
    core_file *file;
    bool       adopted;
    (void)state;
    open_cache();
    assert_int_equal(hub_cache_open(&cache), OCLM_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)unlink(path_of(REPO "blobs/abc.incomplete"));
        scratch_write(folder, cases[i].link ? "elsewhere" : REPO "blobs/abc.incomplete", cases[i].text, strlen(cases[i].text));
        if (cases[i].link)
            scratch_check(symlink("../../elsewhere", path_of(REPO "blobs/abc.incomplete")) == 0, "symlink");
        assert_int_equal(hub_cache_temp(&cache, "abc", 5, name, &file, &adopted), OCLM_OK);
        if (adopted != cases[i].adopted || core_file_info(file).size != (adopted ? strlen(cases[i].text) : 0))
            fail_msg("%s: %d, %llu bytes", cases[i].label, adopted, (unsigned long long)core_file_info(file).size);
        assert_int_equal(core_file_close(file), OCLM_OK);
        hub_cache_drop_temp(&cache, name);
    }
    hub_cache_deinit(&cache);
}

static void a_cache_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    scratch_write(folder, ".locks", "", 0);
    open_cache();
    assert_int_equal(hub_cache_open(&cache), OCLM_ERR_IO);
    assert_non_null(strstr(oclm_last_error(), ".locks"));
    assert_non_null(strstr(oclm_last_error(), "HF_HOME or --cache-dir"));
    hub_cache_deinit(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_file_lies_where_python_looks_for_it),
        IN_SCRATCH(a_second_commit_links_the_same_blob),
        IN_SCRATCH(without_links_files_lie_in_the_snapshots),
        IN_SCRATCH(refs_are_read_with_spaces_around_but_whole),
        IN_SCRATCH(nothing_is_written_through_a_strangers_link),
        IN_SCRATCH(a_pointer_is_an_ordinary_file_in_the_end),
        IN_SCRATCH(what_an_earlier_run_left_is_taken_over_if_it_fits),
        IN_SCRATCH(a_cache_that_cannot_be_written_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
