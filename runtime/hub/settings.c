/* settings.c: the environment and the caller's options become settings. An empty variable counts as unset (Python would take an empty
 * folder as the one it is started in). */
#include "hub/settings.h"

#include <string.h>

#include <curl/curl.h>

#include "core/log.h"
#include "core/platform.h"
#include "core/dir.h"

#define DEFAULT_ENDPOINT "https://huggingface.co"
#define STAGING_ENDPOINT "https://hub-ci.huggingface.co"
#define MAX_TOKEN_FILE 65536u

/* ---- Words */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool hub_is_true(const char *text)
{
    static const char *const words[] = { "1", "on", "yes", "true" };
    for (size_t i = 0; text != NULL && i < COUNT(words); i++) {
        size_t n = 0;
        while (words[i][n] != '\0' && lower(text[n]) == words[i][n])
            n++;
        if (words[i][n] == '\0' && text[n] == '\0')
            return true;
    }
    return false;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static oclm_status add_variable(const char *name, size_t length, const char *as_written, size_t written, core_text *out)
{
    char        copy[256];
    const char *value = NULL;
    if (length > 0 && length < sizeof copy) {
        memcpy(copy, name, length);
        copy[length] = '\0';
        value = core_env(copy);
        if (value == NULL && core_env_is_empty(copy))
            value = "";
    }
    return value != NULL ? core_text_add_string(out, value) : core_text_add(out, as_written, written);
}

/* What stands before the first slash of "~user/x" is a user. An unknown one leaves the text as it is. */
static oclm_status expand_home(const char *text, core_text *out, const char **rest)
{
    char         user[128];
    const size_t length = strcspn(text, "/");
    *rest = text;
    core_text_clear(out);
    if (text[0] != '~' || length > sizeof user)
        return OCLM_OK;
    memcpy(user, text + 1, length - 1);
    user[length - 1] = '\0';
    const oclm_status status = core_home_folder(user, out);
    if (status == OCLM_OK)
        *rest = text + length;
    return status == OCLM_ERR_NOT_FOUND ? OCLM_OK : status;
}

oclm_status hub_expand(const char *text, core_text *out)
{
    const char *p;
    oclm_status status = expand_home(text, out, &p);
    while (status == OCLM_OK && *p != '\0') {
        const bool   braces = p[0] == '$' && p[1] == '{';
        const char  *name = p + 1 + braces;
        const char  *end = name;
        if (p[0] == '$') {
            while (braces ? *end != '\0' && *end != '}' : is_name(*end))
                end++;
        }
        if (p[0] != '$' || end == name || (braces && *end != '}')) {
            status = core_text_add_char(out, *p++);
            continue;
        }
        status = add_variable(name, (size_t)(end - name), p, (size_t)(end + braces - p), out);
        p = end + braces;
    }
    return status == OCLM_OK && out->data == NULL ? core_text_add_string(out, "") : status;
}

/* ---- Folders */

/* A variable that names a place; one that is set to nothing counts as unset, and that is told. */
static const char *place(const char *name)
{
    if (core_env_is_empty(name))
        core_log(OCLM_LOG_WARNING, "%s is set to nothing and counts as unset; unset it, or name a folder", name);
    return core_env(name);
}

oclm_status hub_home(core_text *out)
{
    core_text   raw = CORE_TEXT_INIT;
    const char *value = place("HF_HOME");
    oclm_status status;
    if (value != NULL)
        status = core_text_add_string(&raw, value);
    else
        status = core_path_join(&raw, (value = place("XDG_CACHE_HOME")) != NULL ? value : "~/.cache", "huggingface");
    if (status == OCLM_OK)
        status = hub_expand(raw.data, out);
    core_text_free(&raw);
    return status;
}

static oclm_status cache_folder(const char *given, core_text *out)
{
    core_text   home = CORE_TEXT_INIT;
    oclm_status status;
    const char *value = given != NULL ? given : place("HF_HUB_CACHE");
    if (value == NULL)
        value = place("HUGGINGFACE_HUB_CACHE");
    if (value != NULL)
        return given != NULL ? core_text_add_string(out, given) : hub_expand(value, out);
    if ((status = hub_home(&home)) == OCLM_OK)
        status = core_path_join(out, home.data, "hub");
    core_text_free(&home);
    return status;
}

oclm_status hub_cache_path(const char *given, char **path)
{
    core_text   folder = CORE_TEXT_INIT, resolved = CORE_TEXT_INIT;
    oclm_status status = cache_folder(given, &folder);
    if (status == OCLM_OK) {
        const bool there = core_path_resolve(folder.data, &resolved) == OCLM_OK;
        *path = core_copy_string(there ? resolved.data : folder.data, "the cache's path");
        if (*path == NULL)
            status = OCLM_ERR_MEMORY;
    }
    if (core_env("TRANSFORMERS_CACHE") != NULL && given == NULL)
        core_log(OCLM_LOG_WARNING, "TRANSFORMERS_CACHE is set; transformers 5 does not read it, nor does oclm: use HF_HOME or HF_HUB_CACHE");
    core_text_free(&folder);
    core_text_free(&resolved);
    return status;
}

/* ---- Token */

/* Without line ends, and without spaces around it; NULL where nothing is left. */
static oclm_status clean_token(const char *text, char **token)
{
    core_text   out = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    while (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n')
        text++;
    for (; *text != '\0' && status == OCLM_OK; text++)
        if (*text != '\r' && *text != '\n')
            status = core_text_add_char(&out, *text);
    while (out.length > 0 && (out.data[out.length - 1] == ' ' || out.data[out.length - 1] == '\t'))
        out.length--;
    if (out.data != NULL)
        out.data[out.length] = '\0';
    if (status == OCLM_OK && out.length > 0 && (*token = core_text_take(&out, NULL)) == NULL)
        status = OCLM_ERR_MEMORY;
    core_text_free(&out);
    return status;
}

static oclm_status token_from_file(char **token)
{
    core_text   path = CORE_TEXT_INIT, home = CORE_TEXT_INIT;
    char       *text = NULL;
    size_t      length;
    const char *named = place("HF_TOKEN_PATH");
    oclm_status status = named != NULL ? hub_expand(named, &path) : hub_home(&home);
    if (status == OCLM_OK && named == NULL)
        status = core_path_join(&path, home.data, "token");
    if (status == OCLM_OK) {
        const core_info info = core_path_info(path.data, true);
        if (info.kind == CORE_FILE) {
            if (info.mode & 0077u)
                core_log(OCLM_LOG_WARNING, "%s: others may read your token; chmod 600 %s", path.data, path.data);
            if ((status = core_read_file(path.data, MAX_TOKEN_FILE, &text, &length)) == OCLM_OK)
                status = clean_token(text, token);
        }
    }
    core_free(text);
    core_text_free(&path);
    core_text_free(&home);
    return status;
}

static oclm_status read_token(hub_settings *settings, const char *given)
{
    const char *value;
    oclm_status status = OCLM_OK;
    if (given != NULL) {
        if (given[0] == '\0') /* "no token" */
            return OCLM_OK;
        settings->token = core_copy_string(given, "a token");
        status = settings->token != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    } else if (!hub_is_true(core_env("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) {
        if ((value = core_env("HF_TOKEN")) == NULL)
            value = core_env("HUGGING_FACE_HUB_TOKEN");
        status = value != NULL ? clean_token(value, &settings->token) : OCLM_OK;
        if (status == OCLM_OK && settings->token == NULL)
            status = token_from_file(&settings->token);
    }
    for (const char *p = settings->token; p != NULL && *p != '\0'; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return core_fail(OCLM_ERR_ARGUMENT, "the hub's token holds a space, a line end or another character that no token has; copy it again "
                             "from https://huggingface.co/settings/tokens (HF_TOKEN, the token file, or --token)");
    return status;
}

/* ---- Endpoint, numbers */

static oclm_status read_endpoint(hub_settings *settings)
{
    const char *value = place("HF_ENDPOINT");
    if (value == NULL)
        value = hub_is_true(core_env("HUGGINGFACE_CO_STAGING")) ? STAGING_ENDPOINT : DEFAULT_ENDPOINT;
    size_t length = strlen(value);
    while (length > 0 && value[length - 1] == '/')
        length--;
    if (strncmp(value, "http://", 7) != 0 && strncmp(value, "https://", 8) != 0)
        return core_fail(OCLM_ERR_ARGUMENT, "HF_ENDPOINT is \"%s\"; it must be a URL, such as " DEFAULT_ENDPOINT, value);
    if ((settings->endpoint = core_alloc(length + 1, "the endpoint")) == NULL)
        return OCLM_ERR_MEMORY;
    memcpy(settings->endpoint, value, length);
    settings->endpoint[length] = '\0';
    return OCLM_OK;
}

/* A token over plain http is anybody's on the way, but for this machine itself. */
static void warn_of_plain_http(const hub_settings *settings)
{
    static const char *const here[] = { "http://localhost", "http://127.", "http://[::1]" };
    bool                     local = false;
    for (size_t i = 0; i < COUNT(here); i++)
        local |= strncmp(settings->endpoint, here[i], strlen(here[i])) == 0;
    if (settings->token != NULL && !local && strncmp(settings->endpoint, "http://", 7) == 0)
        core_log(OCLM_LOG_WARNING, "your token goes to %s unencrypted; use https", settings->endpoint);
}

static uint32_t read_timeout(const char *name)
{
    const char *value = core_env(name);
    uint64_t    seconds = 0;
    if (value != NULL && (!core_parse_u64(value, &seconds) || seconds > 86400)) {
        core_log(OCLM_LOG_WARNING, "%s is \"%s\", which is no whole number of seconds; %d is used", name, value, HUB_TIMEOUT);
        seconds = 0;
    }
    return seconds > 0 ? (uint32_t)seconds : HUB_TIMEOUT;
}

static oclm_status read_user_agent(hub_settings *settings)
{
    core_text   text = CORE_TEXT_INIT;
    const char *origin = core_env("HF_HUB_USER_AGENT_ORIGIN");
    oclm_status status = core_text_printf(&text, "oclm/%s; libcurl/%s; os/%s", oclm_version(), curl_version_info(CURLVERSION_NOW)->version,
                                          core_system_name());
    if (status == OCLM_OK && origin != NULL && strpbrk(origin, "\r\n") == NULL)
        status = core_text_printf(&text, "; origin/%s", origin);
    if (status == OCLM_OK && (settings->user_agent = core_text_take(&text, NULL)) == NULL)
        status = OCLM_ERR_MEMORY;
    core_text_free(&text);
    return status;
}

static oclm_status copy_first(const char *const *names, size_t count, char **value)
{
    for (size_t i = 0; i < count; i++)
        if (core_env(names[i]) != NULL)
            return (*value = core_copy_string(core_env(names[i]), "a path of certificates")) != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    return OCLM_OK;
}

static oclm_status read_certificates(hub_settings *settings)
{
    static const char *const files[] = { "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE" };
    static const char *const folders[] = { "SSL_CERT_DIR" };
    oclm_status status = copy_first(files, COUNT(files), &settings->ca_file);
    return status == OCLM_OK ? copy_first(folders, COUNT(folders), &settings->ca_folder) : status;
}

/* ---- All of it */

static bool offline_by_environment(void)
{
    const char *value = core_env("HF_HUB_OFFLINE");
    return hub_is_true(value != NULL ? value : core_env("TRANSFORMERS_OFFLINE"));
}

oclm_status hub_settings_init(hub_settings *settings, const oclm_hub_options *options)
{
    oclm_status status;
    memset(settings, 0, sizeof *settings);
    settings->asked_offline = (options != NULL && options->local_files_only) || offline_by_environment();
    settings->offline = settings->asked_offline;
    settings->force = options != NULL && options->force_download;
    settings->no_links = hub_is_true(core_env("HF_HUB_DISABLE_SYMLINKS"));
    settings->head_timeout = read_timeout("HF_HUB_ETAG_TIMEOUT");
    settings->get_timeout = read_timeout("HF_HUB_DOWNLOAD_TIMEOUT");
    if (hub_is_true(core_env("HF_HUB_ENABLE_HF_TRANSFER")))
        core_log(OCLM_LOG_WARNING, "HF_HUB_ENABLE_HF_TRANSFER is of no effect here; files are fetched side by side anyway");
    if (settings->force && settings->offline)
        return core_fail(OCLM_ERR_ARGUMENT, "to download again and to stay offline contradict each other; choose one (HF_HUB_OFFLINE and "
                         "TRANSFORMERS_OFFLINE mean offline too)");
    if ((status = hub_cache_path(options != NULL ? options->cache_dir : NULL, &settings->cache)) != OCLM_OK || (status = read_endpoint(settings)) != OCLM_OK)
        return status;
    if (settings->offline)
        return OCLM_OK; /* nobody to show a token to */
    if ((status = read_token(settings, options != NULL ? options->token : NULL)) != OCLM_OK || (status = read_user_agent(settings)) != OCLM_OK)
        return status;
    warn_of_plain_http(settings);
    return read_certificates(settings);
}

void hub_settings_deinit(hub_settings *settings)
{
    if (settings->token != NULL) {
        volatile char *p = settings->token; /* volatile: a write that nobody reads is made all the same */
        while (*p != '\0')
            *p++ = '\0';
    }
    core_free(settings->cache);
    core_free(settings->endpoint);
    core_free(settings->token);
    core_free(settings->user_agent);
    core_free(settings->ca_file);
    core_free(settings->ca_folder);
    memset(settings, 0, sizeof *settings);
}
