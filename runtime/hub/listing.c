/* listing.c: the commit of a revision, and the pages of its tree: JSON of a stranger, so every name is checked and every length has an end. */
#include "hub/listing.h"

#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/platform.h"

#define POLL_S 0.1

bool hub_name_matches(const char *pattern, const char *name)
{
    core_text    all = CORE_TEXT_INIT;
    const size_t length = strlen(pattern);
    if (length == 0 || pattern[length - 1] != '/')
        return core_name_matches(pattern, name);
    const bool matches = core_text_printf(&all, "%s*", pattern) == OCLM_OK && core_name_matches(all.data, name);
    core_text_free(&all);
    return matches;
}

/* ---- One answer */

static oclm_status wait_until_done(hub_shared *shared, hub_request *request)
{
    oclm_status status;
    while (!request->done) {
        if ((status = hub_http_run(shared->http, POLL_S)) != OCLM_OK)
            return status;
        if (shared->progress != NULL && !shared->progress(NULL, 0, 0, shared->progress_user))
            return core_fail(OCLM_ERR_CANCELLED, "%s: the download was stopped", shared->id);
    }
    return OCLM_OK;
}

static oclm_status pause_for(hub_shared *shared, double seconds)
{
    if (shared->settings->wait != NULL) {
        shared->settings->wait(seconds, shared->settings->wait_user);
        return OCLM_OK;
    }
    for (const double until = core_seconds() + seconds; core_seconds() < until;) {
        core_sleep(POLL_S);
        if (shared->progress != NULL && !shared->progress(NULL, 0, 0, shared->progress_user))
            return core_fail(OCLM_ERR_CANCELLED, "%s: the download was stopped", shared->id);
    }
    return OCLM_OK;
}

/* GETs request->url; again where that may help. */
static oclm_status ask(hub_shared *shared, const char *revision, hub_request *request, cJSON **tree)
{
    const hub_subject subject = { shared->settings, shared->id, revision, "the list of files" };
    hub_retry         retry = { 0 };
    double            seconds;
    oclm_status       status;
    *tree = NULL;
    request->body_limit = HUB_MAX_JSON;
    request->timeout = shared->settings->get_timeout;
    for (;;) {
        if ((status = hub_request_start(shared->http, request)) != OCLM_OK || (status = wait_until_done(shared, request)) != OCLM_OK)
            return status;
        if (!hub_fault_may_pass(request) || !hub_retry_next(&retry, request, &seconds))
            break;
        if ((status = pause_for(shared, seconds)) != OCLM_OK)
            return status;
    }
    hub_fault fault = hub_fault_of(request);
    if (request->net == HUB_NET_STOPPED)
        return request->stopped;
    if (fault == HUB_FINE && (request->code >= 300 || request->cut)) {
        (void)snprintf(request->reason, sizeof request->reason, request->cut ? "its list of files is endless" : "status %ld where a list should come",
                       request->code);
        fault = HUB_NO_HUB;
    }
    if (fault != HUB_FINE)
        return hub_fault_tell(&subject, fault, request);
    return core_json_parse(request->body.data != NULL ? request->body.data : "", request->body.length, "the hub's list of files", tree);
}

/* ---- The commit */

static oclm_status find_commit(hub_shared *shared, const char *revision, char commit[HUB_COMMIT_LENGTH + 1])
{
    hub_request request = HUB_REQUEST_INIT;
    cJSON      *tree = NULL;
    const char *sha = NULL;
    oclm_status status = core_text_printf(&request.url, "%s/api/models/%s/revision/", shared->settings->endpoint, shared->id);
    if (status == OCLM_OK && (status = hub_url_encode(revision, false, &request.url)) == OCLM_OK &&
        (status = ask(shared, revision, &request, &tree)) == OCLM_OK &&
        (status = core_json_get_string(tree, "sha", "the hub's answer", &sha)) == OCLM_OK) {
        if (sha != NULL && hub_is_commit(sha))
            memcpy(commit, sha, HUB_COMMIT_LENGTH + 1);
        else
            status = core_fail(OCLM_ERR_HUB, "%s does not tell the commit of %s; is HF_ENDPOINT right?", shared->settings->endpoint, shared->id);
    }
    cJSON_Delete(tree);
    hub_request_deinit(&request);
    return status;
}

/* ---- The tree */

static oclm_status visit_page(const cJSON *page, oclm_status (*visit)(const char *name, void *user), void *user)
{
    const cJSON *entry;
    if (!cJSON_IsArray(page))
        return core_fail(OCLM_ERR_FORMAT, "the hub's list of files is none; is HF_ENDPOINT right?");
    cJSON_ArrayForEach(entry, page)
    {
        const char *path = NULL, *type = NULL;
        oclm_status status;
        if (!cJSON_IsObject(entry))
            return core_fail(OCLM_ERR_FORMAT, "the hub's list of files holds something that is no file");
        if ((status = core_json_get_string(entry, "path", "the hub's list of files", &path)) != OCLM_OK ||
            (status = core_json_get_string(entry, "type", "the hub's list of files", &type)) != OCLM_OK)
            return status;
        if (path == NULL || type == NULL || strcmp(type, "file") != 0)
            continue;
        if (hub_file_name_check(path) != OCLM_OK)
            return core_fail(OCLM_ERR_FORMAT, "the hub's list of files: %s", oclm_last_error());
        if ((status = visit(path, user)) != OCLM_OK)
            return status;
    }
    return OCLM_OK;
}

/* The target of <url>; rel="next" in a Link header; false where there is none. */
static bool next_page(const hub_request *request, core_text *url)
{
    core_text  link = CORE_TEXT_INIT;
    bool       found = false;
    if (hub_header_get(&request->headers, "link", &link) == HUB_HEADER_ONE) {
        for (const char *p = strchr(link.data, '<'); p != NULL && !found; p = strchr(p + 1, '<')) {
            const char *end = strchr(p, '>');
            const char *rel = end != NULL ? strstr(end, "rel=\"next\"") : NULL, *comma = end != NULL ? strchr(end, ',') : NULL;
            if (rel != NULL && (comma == NULL || rel < comma)) {
                core_text_clear(url);
                found = core_text_add(url, p + 1, (size_t)(end - p - 1)) == OCLM_OK && url->length > 0;
            }
        }
    }
    core_text_free(&link);
    return found;
}

static oclm_status walk_pages(hub_shared *shared, const char *revision, hub_request *request, oclm_status (*visit)(const char *name, void *user), void *user)
{
    core_text   next = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    for (size_t pages = 0; status == OCLM_OK; pages++) {
        cJSON *page = NULL;
        if ((status = ask(shared, revision, request, &page)) == OCLM_OK)
            status = visit_page(page, visit, user);
        cJSON_Delete(page);
        if (status != OCLM_OK || !next_page(request, &next))
            break;
        if (pages + 1 == HUB_MAX_PAGES || !hub_same_origin(next.data, shared->settings->endpoint) || strcmp(next.data, request->url.data) == 0) {
            status = core_fail(OCLM_ERR_HUB, "%s: the list of files has no end, or goes on at another server; is HF_ENDPOINT right?", shared->id);
            break;
        }
        core_text_clear(&request->url);
        status = core_text_add(&request->url, next.data, next.length);
    }
    core_text_free(&next);
    return status;
}

oclm_status hub_list_files(hub_shared *shared, const char *revision, char commit[HUB_COMMIT_LENGTH + 1],
                           oclm_status (*visit)(const char *name, void *user), void *user)
{
    hub_request request = HUB_REQUEST_INIT;
    oclm_status status = OCLM_OK;
    if (hub_is_commit(revision))
        memcpy(commit, revision, HUB_COMMIT_LENGTH + 1);
    else
        status = find_commit(shared, revision, commit);
    if (status == OCLM_OK && (status = core_text_printf(&request.url, "%s/api/models/%s/tree/%s?recursive=true&expand=false", shared->settings->endpoint,
                                                        shared->id, commit)) == OCLM_OK)
        status = walk_pages(shared, revision, &request, visit, user);
    hub_request_deinit(&request);
    return status;
}
