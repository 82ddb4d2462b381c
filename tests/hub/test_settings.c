/* test_settings.c: the environment becomes settings; the rows of folders were taken from Python's huggingface_hub by running it. */
#include "core/unit.h"

#include <stdio.h>
#include <sys/stat.h>

#include "core/folder.h"
#include "hub/settings.h"

static const char *const variables[] = {
    "HF_HOME", "XDG_CACHE_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT",
    "HUGGINGFACE_CO_STAGING", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_DISABLE_SYMLINKS",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_USER_AGENT_ORIGIN", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
    "TRANSFORMERS_CACHE", "HF_HUB_ENABLE_HF_TRANSFER",
};

static void set_all(const char *const *pairs)
{
    for (size_t i = 0; i < COUNT(variables); i++)
        unsetenv(variables[i]);
    setenv("HOME", "/h/u", 1);
    for (; *pairs != NULL; pairs++) {
        char pair[256];
        strcpy(pair, *pairs);
        char *const equals = strchr(pair, '=');
        *equals = '\0';
        setenv(pair, equals + 1, 1);
    }
}

#define MOST 4

static void folders_are_those_of_python(void **state)
{
    static const struct {
        const char *set[MOST], *home, *cache;
    } cases[] = {
        { { NULL }, "/h/u/.cache/huggingface", "/h/u/.cache/huggingface/hub" },
        { { "XDG_CACHE_HOME=/x", NULL }, "/x/huggingface", "/x/huggingface/hub" },
        { { "XDG_CACHE_HOME=~/c", NULL }, "/h/u/c/huggingface", "/h/u/c/huggingface/hub" },
        { { "HF_HOME=~/hf", "XDG_CACHE_HOME=/x", NULL }, "/h/u/hf", "/h/u/hf/hub" },
        { { "HF_HOME=$HOME/q", NULL }, "/h/u/q", "/h/u/q/hub" },
        { { "HF_HOME=${HOME}/q", NULL }, "/h/u/q", "/h/u/q/hub" },
        { { "HF_HOME=/a/$NOBODY_SETS_THIS", NULL }, "/a/$NOBODY_SETS_THIS", "/a/$NOBODY_SETS_THIS/hub" },
        { { "HF_HUB_CACHE=~/z", "HF_HOME=/a", NULL }, "/a", "/h/u/z" },
        { { "HUGGINGFACE_HUB_CACHE=/leg", "HF_HOME=/a", NULL }, "/a", "/leg" },
        { { "HUGGINGFACE_HUB_CACHE=/leg", "HF_HUB_CACHE=/new", NULL }, "/h/u/.cache/huggingface", "/new" },
        { { "HF_HOME=rel", NULL }, "rel", "rel/hub" },
        /* Empty is unset here (Python: relative to where it is started). */
        { { "HF_HOME=", NULL }, "/h/u/.cache/huggingface", "/h/u/.cache/huggingface/hub" },
        { { "XDG_CACHE_HOME=", NULL }, "/h/u/.cache/huggingface", "/h/u/.cache/huggingface/hub" },
        { { "HF_HUB_CACHE=", NULL }, "/h/u/.cache/huggingface", "/h/u/.cache/huggingface/hub" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        core_text home = CORE_TEXT_INIT;
        char     *cache;
        set_all(cases[i].set);
        assert_int_equal(hub_home(&home), OCLM_OK);
        assert_int_equal(hub_cache_path(NULL, &cache), OCLM_OK);
        if (strcmp(home.data, cases[i].home) != 0 || strcmp(cache, cases[i].cache) != 0)
            fail_msg("row %zu: home %s, cache %s", i, home.data, cache);
        core_text_free(&home);
        core_free(cache);
    }
}

static void an_existing_cache_is_told_without_links(void **state)
{
    char *cache;
    (void)state;
    scratch_check(mkdir(path_of("real"), 0777) == 0 && symlink("real", path_of("link")) == 0, "symlink");
    assert_int_equal(hub_cache_path(path_of("link"), &cache), OCLM_OK);
    assert_non_null(strstr(cache, "/real"));
    core_free(cache);
}

static void words_are_true_or_not(void **state)
{
    static const struct {
        const char *text;
        bool        want;
    } cases[] = { { "1", true }, { "on", true }, { "ON", true }, { "yes", true }, { "Yes", true }, { "TRUE", true }, { "tRue", true }, { "0", false },
                  { "2", false }, { "", false }, { "no", false }, { "y", false }, { "truely", false }, { " 1", false }, { NULL, false } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (hub_is_true(cases[i].text) != cases[i].want)
            fail_msg("\"%s\"", cases[i].text);
}

typedef struct settings_case {
    const char *set[MOST];
    const char *token, *endpoint;
    bool        offline;
    uint32_t    head_timeout, get_timeout;
} settings_case;

static void the_rest_comes_from_the_environment_too(void **state)
{
    static const char hub[] = "https://huggingface.co";
    static const settings_case cases[] = {
        { { NULL }, NULL, hub, false, 10, 10 },
        { { "HF_TOKEN= hf_a\r\nb \n", NULL }, "hf_ab", hub, false, 10, 10 },
        { { "HF_TOKEN=hf_new", "HUGGING_FACE_HUB_TOKEN=hf_old", NULL }, "hf_new", hub, false, 10, 10 },
        { { "HF_TOKEN=", "HUGGING_FACE_HUB_TOKEN=hf_old", NULL }, "hf_old", hub, false, 10, 10 },
        { { "HF_TOKEN=hf_x", "HF_HUB_DISABLE_IMPLICIT_TOKEN=1", NULL }, NULL, hub, false, 10, 10 },
        { { "HF_ENDPOINT=http://m:1/p//", NULL }, NULL, "http://m:1/p", false, 10, 10 },
        { { "HUGGINGFACE_CO_STAGING=true", NULL }, NULL, "https://hub-ci.huggingface.co", false, 10, 10 },
        { { "HF_HUB_OFFLINE=1", NULL }, NULL, hub, true, 10, 10 },
        { { "TRANSFORMERS_OFFLINE=yes", NULL }, NULL, hub, true, 10, 10 },
        { { "HF_HUB_OFFLINE=0", "TRANSFORMERS_OFFLINE=1", NULL }, NULL, hub, false, 10, 10 },
        { { "HF_HUB_OFFLINE=2", NULL }, NULL, hub, false, 10, 10 },
        { { "HF_HUB_ETAG_TIMEOUT=3", "HF_HUB_DOWNLOAD_TIMEOUT=7", NULL }, NULL, hub, false, 3, 7 },
        { { "HF_HUB_ETAG_TIMEOUT=0", "HF_HUB_DOWNLOAD_TIMEOUT=2.5", NULL }, NULL, hub, false, 10, 10 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const settings_case *const c = &cases[i];
        hub_settings settings;
        set_all(c->set);
        assert_int_equal(hub_settings_init(&settings, NULL), OCLM_OK);
        if ((c->token == NULL) != (settings.token == NULL) || (c->token != NULL && strcmp(c->token, settings.token) != 0) ||
            strcmp(settings.endpoint, c->endpoint) != 0 || settings.offline != c->offline || settings.head_timeout != c->head_timeout ||
            settings.get_timeout != c->get_timeout)
            fail_msg("row %zu: token %s, endpoint %s, offline %d, timeouts %u %u", i, settings.token != NULL ? settings.token : "none", settings.endpoint,
                     settings.offline, settings.head_timeout, settings.get_timeout);
        hub_settings_deinit(&settings);
    }
}

static void a_token_may_lie_in_a_file(void **state)
{
    char         set[2][3 * SCRATCH_PATH];
    hub_settings settings;
    (void)state;
    scratch_write(folder, "token", "  hf_from_file\n", 15);
    snprintf(set[0], sizeof set[0], "HF_HOME=%s", folder);
    char *const home = strchr(set[0], '=') + 1;
    set_all((const char *const[]){ NULL });
    setenv("HF_HOME", home, 1);
    assert_int_equal(hub_settings_init(&settings, NULL), OCLM_OK);
    assert_string_equal(settings.token, "hf_from_file");
    hub_settings_deinit(&settings);
    setenv("HF_TOKEN_PATH", path_of("none"), 1);
    assert_int_equal(hub_settings_init(&settings, NULL), OCLM_OK);
    assert_null(settings.token);
    hub_settings_deinit(&settings);
}

static void options_win_and_contradictions_are_told(void **state)
{
    oclm_hub_options options = { .struct_size = sizeof options, .cache_dir = "/mine", .token = "hf_mine", .local_files_only = false };
    hub_settings     settings;
    (void)state;
    set_all((const char *const[]){ "HF_TOKEN=hf_theirs", "HF_HUB_CACHE=/theirs", NULL });
    assert_int_equal(hub_settings_init(&settings, &options), OCLM_OK);
    assert_string_equal(settings.cache, "/mine");
    assert_string_equal(settings.token, "hf_mine");
    hub_settings_deinit(&settings);
    options.token = "";
    assert_int_equal(hub_settings_init(&settings, &options), OCLM_OK);
    assert_null(settings.token);
    hub_settings_deinit(&settings);
    options.force_download = options.local_files_only = true;
    assert_int_equal(hub_settings_init(&settings, &options), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "contradict"));
    hub_settings_deinit(&settings);
}

static void a_token_or_an_endpoint_that_is_none_is_refused_unseen(void **state)
{
    static const char *const tokens[] = { "hf_secret with space", "hf_secret\x01", "hf_secret\xc3\xa9" };
    hub_settings settings;
    (void)state;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        set_all((const char *const[]){ NULL });
        setenv("HF_TOKEN", tokens[i], 1);
        assert_int_equal(hub_settings_init(&settings, NULL), OCLM_ERR_ARGUMENT);
        assert_null(strstr(oclm_last_error(), "hf_secret"));
        hub_settings_deinit(&settings);
    }
    set_all((const char *const[]){ "HF_ENDPOINT=file:///etc", NULL });
    assert_int_equal(hub_settings_init(&settings, NULL), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "HF_ENDPOINT is \"file:///etc\""));
    hub_settings_deinit(&settings);
}

static oclm_status init(void *user)
{
    const oclm_status status = hub_settings_init(user, NULL);
    if (status != OCLM_OK)
        hub_settings_deinit(user);
    return status;
}

static void undo(void *user)
{
    hub_settings_deinit(user);
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    hub_settings settings;
    (void)state;
    set_all((const char *const[]){ "HF_TOKEN=hf_x", "SSL_CERT_FILE=/x", "HF_HOME=~/$HOME/x", NULL });
    fails_cleanly_at_every_request("settings", init, undo, &settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_those_of_python),
        IN_SCRATCH(an_existing_cache_is_told_without_links),
        cmocka_unit_test(words_are_true_or_not),
        cmocka_unit_test(the_rest_comes_from_the_environment_too),
        IN_SCRATCH(a_token_may_lie_in_a_file),
        cmocka_unit_test(options_win_and_contradictions_are_told),
        cmocka_unit_test(a_token_or_an_endpoint_that_is_none_is_refused_unseen),
        cmocka_unit_test(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
