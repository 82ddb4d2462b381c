/* metadata.c: X-Repo-Commit, X-Linked-Etag, X-Linked-Size and their plain cousins, strictly. */
#include "hub/metadata.h"

#include <stdio.h>
#include <string.h>

#include "core/platform.h"

static bool wrong(hub_request *request, const char *what, const core_text *value)
{
    if (value != NULL && value->length > 0)
        (void)snprintf(request->reason, sizeof request->reason, "%s (\"%.*s\")", what, (int)core_utf8_cut(value->data, value->length, 80), value->data);
    else
        (void)snprintf(request->reason, sizeof request->reason, "%s", what);
    return false;
}

bool hub_metadata_commit(const core_text *headers, char commit[HUB_COMMIT_LENGTH + 1])
{
    core_text  text = CORE_TEXT_INIT;
    const bool good = hub_header_get(headers, "x-repo-commit", &text) == HUB_HEADER_ONE && text.length == HUB_COMMIT_LENGTH && hub_is_commit(text.data);
    if (good)
        memcpy(commit, text.data, HUB_COMMIT_LENGTH + 1);
    core_text_free(&text);
    return good;
}

/* W/"x", "x" and x all are x. */
static void strip_quotes(core_text *etag)
{
    const char  *begin = etag->data;
    const char  *end = etag->data + etag->length;
    while (*begin == 'W' || *begin == '/')
        begin++;
    while (*begin == '"')
        begin++;
    while (end > begin && end[-1] == '"')
        end--;
    etag->length = (size_t)(end - begin);
    memmove(etag->data, begin, etag->length);
    etag->data[etag->length] = '\0';
}

static bool read_etag(hub_request *request, core_text *text, hub_metadata *metadata)
{
    hub_header found = hub_header_get(&request->headers, "x-linked-etag", text);
    if (found == HUB_HEADER_NONE || (found == HUB_HEADER_ONE && text->length == 0))
        found = hub_header_get(&request->headers, "etag", text);
    if (found != HUB_HEADER_ONE || text->length == 0)
        return wrong(request, found == HUB_HEADER_CONFLICT ? "it gives two different ETags" : "it gives no ETag", NULL);
    strip_quotes(text);
    if (strlen(text->data) != text->length || !hub_is_etag(text->data))
        return wrong(request, "its ETag cannot name a file", text);
    memcpy(metadata->etag, text->data, text->length + 1);
    return true;
}

static bool read_size(hub_request *request, core_text *text, hub_metadata *metadata)
{
    hub_header found = hub_header_get(&request->headers, "x-linked-size", text);
    const bool linked = found == HUB_HEADER_CONFLICT || (found == HUB_HEADER_ONE && text->length > 0);
    if (!linked && request->code >= 200 && request->code < 300) /* a redirect's Content-Length is that of its own body */
        found = hub_header_get(&request->headers, "content-length", text);
    else if (!linked)
        found = HUB_HEADER_NONE;
    if (found == HUB_HEADER_NONE || (found == HUB_HEADER_ONE && text->length == 0))
        return wrong(request, "it does not tell the file's size", NULL);
    if (found == HUB_HEADER_CONFLICT)
        return wrong(request, "it gives two different sizes", NULL);
    if (strspn(text->data, "0123456789") != text->length || !core_parse_u64(text->data, &metadata->size) || metadata->size > INT64_MAX)
        return wrong(request, "the file's size is no number", text);
    return true;
}

bool hub_metadata_read(hub_request *request, hub_metadata *metadata, oclm_status *status)
{
    core_text        text = CORE_TEXT_INIT;
    const core_text *url = request->location.length > 0 ? &request->location : &request->url;
    bool             good = false;
    *status = OCLM_OK;
    if (hub_header_get(&request->headers, "x-repo-commit", &text) == HUB_HEADER_NONE)
        (void)wrong(request, "it names no commit", NULL);
    else if (!hub_metadata_commit(&request->headers, metadata->commit))
        (void)wrong(request, "the commit it names is none, or it names two", &text);
    else if (request->code >= 300 && request->location.length == 0)
        (void)wrong(request, "it redirects without saying where to", NULL);
    else
        good = read_etag(request, &text, metadata) && read_size(request, &text, metadata);
    core_text_free(&text);
    if (!good)
        return false;
    core_text_clear(&metadata->url);
    *status = core_text_add(&metadata->url, url->data, url->length);
    return *status == OCLM_OK;
}

void hub_metadata_deinit(hub_metadata *metadata)
{
    core_text_free(&metadata->url);
}
