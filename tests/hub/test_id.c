/* test_id.c: repository ids, revisions, file names and URLs; many rows were taken from Python's huggingface_hub by running it. */
#include "core/unit.h"

#include <stdio.h>

#include "hub/id.h"

typedef struct name_case {
    const char *text;
    oclm_status want;
} name_case;

static void check_names(const char *what, oclm_status (*check)(const char *), const name_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const oclm_status got = check(cases[i].text);
        if (got != cases[i].want)
            fail_msg("%s \"%s\": status %d, want %d", what, cases[i].text, (int)got, (int)cases[i].want);
        if (got != OCLM_OK && strstr(oclm_last_error(), "\"") == NULL)
            fail_msg("%s \"%s\": \"%s\" does not show it", what, cases[i].text, oclm_last_error());
    }
}

#define YES OCLM_OK
#define NO OCLM_ERR_ARGUMENT

static const name_case ids[] = {
    { "123", YES }, { "foo", YES }, { "foo/bar", YES }, { "Foo-BAR_foo.bar123", YES }, { "_a", YES }, { "a_", YES }, { "_/_", YES },
    { "a.-b", YES }, { "foo.git/bar", YES }, { "FOO.GIT", YES }, { "Qwen/Qwen2.5-0.5B", YES },
    { "", NO }, { "a/", NO }, { "/a", NO }, { "a//b", NO }, { "datasets/foo/bar", NO }, { ".a", NO }, { "a.", NO }, { "-a", NO }, { "a-", NO },
    { "org-/x", NO }, { "-org/x", NO }, { "org./x", NO }, { "..", NO }, { "a/..", NO }, { "a b", NO }, { "a:b", NO }, { "a%2fb", NO },
    { "a\\b", NO }, { "foo--bar", NO }, { "foo..bar", NO }, { "foo.git", NO }, { "a/b.git", NO }, { "a\n", NO }, { "caf\xc3\xa9", NO },
    { "../../etc/passwd", NO }, { "a\x1b[31m", NO },
};

static void ids_are_accepted_or_refused_with_a_reason(void **state)
{
    char name[300];
    (void)state;
    check_names("id", hub_id_check, ids, COUNT(ids));
    memset(name, 'a', sizeof name);
    name[96] = '\0';
    assert_int_equal(hub_id_check(name), OCLM_OK);
    name[96] = 'a';
    name[97] = '\0';
    assert_int_equal(hub_id_check(name), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "97 characters, at most 96"));
    memset(name, 'n', 200);
    strcpy(name + 200, "/x"); /* an owner may be long */
    assert_int_equal(hub_id_check(name), OCLM_OK);
}

static const name_case revisions[] = {
    { "main", YES }, { "v1.0", YES }, { "refs/pr/1", YES }, { "refs/convert/parquet", YES }, { "aaaaaaa", YES },
    { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", YES }, { "feature/x-y_z", YES }, { "a..b", YES },
    { "", NO }, { "../../x", NO }, { "/abs", NO }, { "a\\b", NO }, { "..", NO }, { ".", NO }, { "a/../b", NO }, { "a//b", NO }, { "a/", NO },
    { "x.lock", NO }, { "a.lock/b", NO }, { "x.tmp", NO }, { "a b", NO }, { "a:b", NO }, { "a?b", NO }, { "a*", NO }, { "a[b", NO }, { "a~1", NO },
    { "a^", NO }, { "a@{1}", NO }, { "a\nb", NO }, { "a\x7f", NO }, { "\xff", NO },
};

static void revisions_are_paths_that_stay_below_refs(void **state)
{
    char name[300];
    (void)state;
    check_names("revision", hub_revision_check, revisions, COUNT(revisions));
    memset(name, 'a', sizeof name);
    name[250] = '\0';
    assert_int_equal(hub_revision_check(name), OCLM_OK);
    name[250] = 'a';
    name[251] = '\0';
    assert_int_equal(hub_revision_check(name), OCLM_ERR_ARGUMENT);
}

static const name_case files[] = {
    { "config.json", YES }, { "sub/dir/x.json", YES }, { "a..b", YES }, { "...", YES }, { "CON", YES }, { "caf\xc3\xa9.txt", YES },
    { "to?/awful?filename%you should,never.give", YES },
    { "", NO }, { ".", NO }, { "./a", NO }, { "a/", NO }, { "a//b", NO }, { "a\\b", NO }, { "a\tb", NO }, { "\xff", NO },
    { "../../../etc/passwd", NO }, { "folder/../../x", NO }, { "..\\..\\W", NO }, { "folder\\..\\..\\e", NO }, { "/etc/passwd", NO },
    { "C:\\x", NO }, { "C:/x", NO }, { "D:rel\\x", NO }, { "\\\\h\\s\\e", NO }, { "\\evil", NO }, { "folder/C:\\x", NO },
    { "folder/\\\\h\\s\\e", NO }, { "folder/\\evil", NO },
};

static void file_names_stay_below_their_repository(void **state)
{
    char name[1100];
    (void)state;
    check_names("file", hub_file_name_check, files, COUNT(files));
    memset(name, 'a', sizeof name);
    name[255] = '\0';
    assert_int_equal(hub_file_name_check(name), OCLM_OK);
    name[255] = 'a';
    name[256] = '\0';
    assert_int_equal(hub_file_name_check(name), OCLM_ERR_ARGUMENT);
    for (size_t i = 100; i < sizeof name; i += 100)
        name[i] = '/';
    name[256] = 'a';
    name[1024] = '\0';
    assert_int_equal(hub_file_name_check(name), OCLM_OK);
    name[1024] = 'a';
    name[1025] = '\0';
    assert_int_equal(hub_file_name_check(name), OCLM_ERR_ARGUMENT);
}

static void an_id_has_a_folder_and_the_folder_an_id(void **state)
{
    static const struct {
        const char *id, *folder;
    } cases[] = { { "gpt2", "models--gpt2" }, { "Owner/Name-1.0", "models--Owner--Name-1.0" } };
    core_text text = CORE_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        core_text_clear(&text);
        assert_int_equal(hub_id_folder(cases[i].id, &text), OCLM_OK);
        assert_string_equal(text.data, cases[i].folder);
        assert_true(hub_id_of_folder(cases[i].folder, &text));
        assert_string_equal(text.data, cases[i].id);
    }
    assert_false(hub_id_of_folder("datasets--x", &text));
    assert_false(hub_id_of_folder("models--", &text));
    core_text_free(&text);
}

static void hashes_are_told_by_their_shape(void **state)
{
    static const struct {
        const char *text;
        bool        commit, sha256, etag;
    } cases[] = {
        { "0123456789abcdef0123456789abcdef01234567", true, false, true },
        { "0123456789ABCDEF0123456789abcdef01234567", false, false, true },
        { "0123456789abcdef0123456789abcdef0123456", false, false, true },
        { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false, true, true },
        { "5f3ab-1c8.x_y", false, false, true },
        { "", false, false, false },
        { "../../../evil", false, false, false },
        { "a/b", false, false, false },
        { ".", false, false, false },
        { "..", false, false, false },
        { "_x", false, false, false },
        { "x.lock", false, false, false },
        { "x.incomplete", false, false, false },
        { "x.tmp", false, false, false },
        { "a b", false, false, false },
        { "a\001", false, false, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (hub_is_commit(cases[i].text) != cases[i].commit || hub_is_sha256(cases[i].text) != cases[i].sha256 || hub_is_etag(cases[i].text) != cases[i].etag)
            fail_msg("\"%s\"", cases[i].text);
}

static void urls_encode_all_but_the_plain(void **state)
{
    static const struct {
        const char *revision, *file, *url;
    } cases[] = {
        { "main", "config.json", "https://h/o/m/resolve/main/config.json" },
        { "refs/pr/1", "a/b", "https://h/o/m/resolve/refs%2Fpr%2F1/a/b" },
        { "a b+c~\xc3\xa9%", "x", "https://h/o/m/resolve/a%20b%2Bc~%C3%A9%25/x" },
        { "main", "sub dir/to?/awful?filename%you:should,never.give",
          "https://h/o/m/resolve/main/sub%20dir/to%3F/awful%3Ffilename%25you%3Ashould%2Cnever.give" },
    };
    core_text url = CORE_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(hub_url_file("https://h", "o/m", cases[i].revision, cases[i].file, &url), OCLM_OK);
        assert_string_equal(url.data, cases[i].url);
    }
    core_text_free(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_accepted_or_refused_with_a_reason),
        cmocka_unit_test(revisions_are_paths_that_stay_below_refs),
        cmocka_unit_test(file_names_stay_below_their_repository),
        cmocka_unit_test(an_id_has_a_folder_and_the_folder_an_id),
        cmocka_unit_test(hashes_are_told_by_their_shape),
        cmocka_unit_test(urls_encode_all_but_the_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
