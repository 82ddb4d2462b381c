/* test_hub.c: names of models and what is in the cache, through the public API and without a network. Fetching is tested in tests/hub/. */
#include "core/unit.h"

#include "hub/store.h"

static oclm_hub_options options;

static void offline_in_scratch(void)
{
    oclm_hub_options_init(&options, sizeof options);
    options.local_files_only = true;
    options.cache_dir = folder;
}

static void says(const char *part)
{
    if (strstr(oclm_last_error(), part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", oclm_last_error(), part);
}

/* ---- Names */

static void a_folder_wins_over_a_name_of_the_hub(void **state)
{
    char *found;
    (void)state;
    offline_in_scratch();
    assert_int_equal(oclm_hub_download(folder, &options, &found), OCLM_OK);
    assert_string_equal(found, folder);
    oclm_free(found);
    options.subfolder = "sub";
    assert_int_equal(oclm_hub_download(folder, &options, &found), OCLM_OK);
    assert_string_equal(found, path_of("sub"));
    oclm_free(found);
}

static void a_cached_model_needs_no_network(void **state)
{
    char *found;
    (void)state;
    offline_in_scratch();
    open_cache();
    put("abc", "{}", COMMIT, "config.json");
    put("def", "{}", COMMIT, "tokenizer.json");
    hub_cache_write_ref(&cache, "main", COMMIT);
    options.parts = OCLM_HUB_TOKENIZER;
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_OK);
    assert_string_equal(found, path_of(REPO "snapshots/" COMMIT));
    oclm_free(found);
    options.revision = COMMIT;
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_OK);
    oclm_free(found);
    options.parts = 0; /* with its weights, which are not there */
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_ERR_NOT_FOUND);
    assert_null(found);
    says("model.safetensors of o/m (revision " COMMIT ") is not in the cache");
    put("123", "{\"weight_map\": {\"w\": \"a.safetensors\", \"v\": \"b.safetensors\"}}", COMMIT, "model.safetensors.index.json");
    put("456", "x", COMMIT, "a.safetensors");
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_ERR_NOT_FOUND);
    says("b.safetensors of o/m");
    put("789", "x", COMMIT, "b.safetensors");
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_OK);
    oclm_free(found);
    hub_cache_deinit(&cache);
}

static const struct {
    const char *label, *name, *revision;
    oclm_status want;
    const char *says;
} refused[] = {
    { "no name", NULL, NULL, OCLM_ERR_ARGUMENT, "name must not be NULL" },
    { "an empty name", "", NULL, OCLM_ERR_NOT_FOUND, "no such folder" },
    { "a path", "./x", NULL, OCLM_ERR_NOT_FOUND, "./x: no such folder" },
    { "a longer path", "a/b/c", NULL, OCLM_ERR_NOT_FOUND, "a/b/c: no such folder" },
    { "no name of the hub", "o/m..x", NULL, OCLM_ERR_ARGUMENT, "\"o/m..x\" is neither a folder nor a model" },
    { "no revision", "o/m", "../x", OCLM_ERR_ARGUMENT, "\"../x\" cannot be a revision" },
    { "not in the cache", "o/m", "v1", OCLM_ERR_NOT_FOUND, "(revision v1) is not in the cache" },
};

static void what_is_no_model_is_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        char *found = folder;
        offline_in_scratch();
        options.revision = refused[i].revision;
        const oclm_status got = oclm_hub_download(refused[i].name, &options, &found);
        if (got != refused[i].want || found != NULL)
            fail_msg("%s: status %d, \"%s\"", refused[i].label, (int)got, oclm_last_error());
        says(refused[i].says);
    }
    offline_in_scratch();
    options.parts = 8;
    char *found;
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_ERR_ARGUMENT);
    says("parts is 8");
    options.parts = 0;
    options.include_count = 1;
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_ERR_ARGUMENT);
    options.include_count = 0;
    options.struct_size = sizeof options + 8;
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_ERR_ARGUMENT);
    says("newer oclm");
    assert_int_equal(oclm_hub_download("o/m", NULL, NULL), OCLM_ERR_ARGUMENT);
}

static void patterns_choose_among_what_is_cached(void **state)
{
    static const char *const json[] = { "*.json" }, *const none[] = { "*.gguf" };
    char *found;
    (void)state;
    offline_in_scratch();
    open_cache();
    put("abc", "{}", COMMIT, "sub/config.json");
    hub_cache_write_ref(&cache, "main", COMMIT);
    options.include = json;
    options.include_count = 1;
    options.local_dir = path_of("out/of/it");
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_OK);
    expect_text("out/of/it/sub/config.json", "{}");
    oclm_free(found);
    options.include = none;
    assert_int_equal(oclm_hub_download("o/m", &options, &found), OCLM_ERR_NOT_FOUND);
    hub_cache_deinit(&cache);
}

/* ---- The cache */

static void the_cache_is_listed_verified_and_emptied(void **state)
{
    oclm_cache_list *list;
    oclm_cache_entry entry = { .struct_size = sizeof entry };
    size_t           problems = 99;
    uint64_t         bytes = 0;
    (void)state;
    offline_in_scratch();
    assert_int_equal(oclm_cache_list_new(path_of("none"), &list), OCLM_OK);
    assert_int_equal(oclm_cache_list_count(list), 0);
    oclm_cache_list_free(list);
    open_cache();
    put(HELLO_SHA256, "hello", COMMIT, "x");
    hub_cache_write_ref(&cache, "main", COMMIT);
    assert_int_equal(oclm_cache_list_new(folder, &list), OCLM_OK);
    assert_int_equal(oclm_cache_list_count(list), 1);
    assert_int_equal(oclm_cache_list_bytes(list), 5);
    assert_string_equal(oclm_cache_list_path(list), folder);
    assert_int_equal(oclm_cache_list_get(list, 0, &entry), OCLM_OK);
    assert_string_equal(entry.name, "o/m");
    assert_string_equal(entry.commit, COMMIT);
    assert_string_equal(entry.refs, "main");
    assert_int_equal(entry.bytes, 5);
    assert_int_equal(oclm_cache_list_get(list, 1, &entry), OCLM_ERR_ARGUMENT);
    oclm_cache_list_free(list);
    assert_int_equal(oclm_cache_verify("o/m", &options, NULL, NULL, &problems), OCLM_OK);
    assert_int_equal(problems, 0);
    scratch_write(folder, REPO "blobs/" HELLO_SHA256, "jello", 5);
    assert_int_equal(oclm_cache_verify(NULL, &options, NULL, NULL, &problems), OCLM_OK);
    assert_int_equal(problems, 1);
    options.revision = "main";
    assert_int_equal(oclm_cache_remove("o/m", &options, &bytes), OCLM_OK);
    assert_int_equal(bytes, 5);
    options.revision = NULL;
    assert_int_equal(oclm_cache_remove("o/m", &options, NULL), OCLM_OK);
    assert_int_equal(oclm_cache_remove("o/m", &options, NULL), OCLM_ERR_NOT_FOUND);
    assert_int_equal(oclm_cache_remove(NULL, &options, NULL), OCLM_ERR_ARGUMENT);
    oclm_cache_list_free(NULL);
    assert_int_equal(oclm_cache_list_count(NULL), 0);
    hub_cache_deinit(&cache);
}

/* ---- Memory */

static oclm_status find(void *user)
{
    return oclm_hub_download("o/m", &options, user);
}

static void forget(void *user)
{
    oclm_free(*(char **)user);
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    char *found;
    (void)state;
    offline_in_scratch();
    open_cache();
    put("abc", "{}", COMMIT, "config.json");
    options.parts = OCLM_HUB_CONFIG;
    options.revision = COMMIT;
    fails_cleanly_at_every_request("a model", find, forget, &found);
    hub_cache_deinit(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_folder_wins_over_a_name_of_the_hub),
        IN_SCRATCH(a_cached_model_needs_no_network),
        IN_SCRATCH(what_is_no_model_is_refused_with_a_reason),
        IN_SCRATCH(patterns_choose_among_what_is_cached),
        IN_SCRATCH(the_cache_is_listed_verified_and_emptied),
        IN_SCRATCH(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
