/* fault.c: answers of the hub, classified in the order in which Python's huggingface_hub looks, and the message of each. */
#include "hub/fault.h"

#include <string.h>

#define TOKENS_URL "https://huggingface.co/settings/tokens"
#define BAD_TOKEN "Invalid credentials in Authorization header"
#define MAX_SHOWN 300 /* bytes of the hub's own words in a message */

/* ---- What it is */

static bool is_retried_code(long code)
{
    return code == 408 || code == 429 || code == 500 || code == 502 || code == 503 || code == 504;
}

bool hub_fault_may_pass(const hub_request *request)
{
    return request->net == HUB_NET_FAILED || (request->net == HUB_NET_ANSWERED && is_retried_code(request->code));
}

bool hub_fault_leaves_cache(hub_fault fault)
{
    return fault != HUB_REVISION_NOT_FOUND && fault != HUB_ENTRY_NOT_FOUND && fault != HUB_PROXY;
}

static bool says(const core_text *headers, const char *name, const char *value)
{
    core_text  text = CORE_TEXT_INIT;
    const bool same = hub_header_get(headers, name, &text) == HUB_HEADER_ONE && strcmp(text.data, value) == 0;
    core_text_free(&text);
    return same;
}

static hub_fault fault_of_code(const hub_request *request)
{
    const core_text *const headers = &request->headers;
    if (says(headers, "x-error-code", "RevisionNotFound"))
        return HUB_REVISION_NOT_FOUND;
    if (says(headers, "x-error-code", "EntryNotFound"))
        return HUB_ENTRY_NOT_FOUND;
    if (says(headers, "x-error-code", "GatedRepo"))
        return HUB_GATED;
    if (says(headers, "x-error-message", "Access to this resource is disabled."))
        return HUB_DISABLED;
    if (says(headers, "x-error-code", "RepoNotFound") || (request->code == 401 && !says(headers, "x-error-message", BAD_TOKEN)))
        return HUB_REPO_NOT_FOUND;
    switch (request->code) {
    case 400: return HUB_BAD_REQUEST;
    case 401: return HUB_UNAUTHORIZED;
    case 403: return HUB_FORBIDDEN;
    case 416: return HUB_RANGE;
    case 429: return HUB_RATE_LIMITED;
    default: return request->code >= 500 ? HUB_SERVER_ERROR : HUB_HTTP_ERROR;
    }
}

hub_fault hub_fault_of(const hub_request *request)
{
    switch (request->net) {
    case HUB_NET_FAILED: return HUB_UNREACHABLE;
    case HUB_NET_TLS: return HUB_TLS;
    case HUB_NET_PROXY: return HUB_PROXY;
    case HUB_NET_PROTOCOL: return HUB_NO_HUB;
    default: return request->code >= 200 && request->code < 400 ? HUB_FINE : fault_of_code(request);
    }
}

/* ---- Rate limits */

static bool read_digits(const char **p, uint64_t *value)
{
    const char *begin = *p;
    *value = 0;
    while (**p >= '0' && **p <= '9' && *p - begin < 15)
        *value = *value * 10 + (uint64_t)(*(*p)++ - '0');
    return *p > begin;
}

static bool skip_word(const char **p, const char *word)
{
    const size_t length = strlen(word);
    while (**p == ' ')
        (*p)++;
    if (strncmp(*p, word, length) != 0)
        return false;
    *p += length;
    return true;
}

hub_rate hub_rate_of(const core_text *headers)
{
    hub_rate    rate = { .known = false };
    core_text   text = CORE_TEXT_INIT;
    const char *p;
    if (hub_header_get(headers, "ratelimit", &text) == HUB_HEADER_ONE && (p = text.data)[0] == '"') { /* "api";r=0;t=42 */
        const size_t length = strcspn(p + 1, "\"");
        if (length < sizeof rate.bucket && p[1 + length] == '"') {
            memcpy(rate.bucket, p + 1, length);
            rate.bucket[length] = '\0';
            p += length + 2;
            rate.known = skip_word(&p, ";") && skip_word(&p, "r=") && read_digits(&p, &rate.left) && skip_word(&p, ";") && skip_word(&p, "t=") &&
                         read_digits(&p, &rate.seconds);
        }
    }
    if (rate.known && hub_header_get(headers, "ratelimit-policy", &text) == HUB_HEADER_ONE && (p = strstr(text.data, "q=")) != NULL) {
        p += 2;
        (void)read_digits(&p, &rate.quota);
    }
    core_text_free(&text);
    return rate;
}

/* ---- What to tell */

/* ": the hub says: ..." from the header, else from a short JSON or plain body; nothing where the hub says nothing. */
static void add_words(const hub_request *request, core_text *out)
{
    core_text text = CORE_TEXT_INIT;
    core_text_clear(out);
    if (hub_header_get(&request->headers, "x-error-message", &text) == HUB_HEADER_ONE && text.length > 0)
        (void)core_text_printf(out, " The hub says: %.*s", (int)core_utf8_cut(text.data, text.length, MAX_SHOWN), text.data);
    else if (request->body.length > 0 && request->body.data[0] != '<' && memchr(request->body.data, '\0', request->body.length) == NULL)
        (void)core_text_printf(out, " The hub says: %.*s", (int)core_utf8_cut(request->body.data, request->body.length, MAX_SHOWN), request->body.data);
    if (hub_header_get(&request->headers, "x-request-id", &text) == HUB_HEADER_ONE && text.length > 0)
        (void)core_text_printf(out, " (request %.*s)", (int)core_utf8_cut(text.data, text.length, 80), text.data);
    if (out->data == NULL)
        (void)core_text_add_string(out, "");
    if (out->data != NULL)
        core_make_printable(out->data, true);
    core_text_free(&text);
}

static oclm_status tell_rate(const hub_subject *subject, const hub_request *request, const char *words)
{
    const hub_rate rate = hub_rate_of(&request->headers);
    if (rate.known && rate.left == 0)
        return core_fail(OCLM_ERR_HUB, "%s: the hub's limit of %llu \"%s\" requests is used up; it begins anew in %llu seconds: try again then, or "
                         "pass a token, which has a higher limit (HF_TOKEN).%s", subject->id, (unsigned long long)rate.quota, rate.bucket,
                         (unsigned long long)rate.seconds, words);
    return core_fail(OCLM_ERR_HUB, "%s: the hub gets too many requests from here (status 429); wait some minutes and try again, or pass a token, "
                     "which has a higher limit (HF_TOKEN).%s", subject->id, words);
}

static oclm_status tell(const hub_subject *subject, hub_fault fault, const hub_request *request, const char *words)
{
    const char *const id = subject->id, *const endpoint = subject->settings->endpoint;
    const char *const file = subject->file != NULL ? subject->file : "a file", *const reason = request->reason;
    const bool        token = subject->settings->token != NULL;
    switch (fault) {
    case HUB_REPO_NOT_FOUND:
        return core_fail(OCLM_ERR_NOT_FOUND, token ? "%s: no folder here is called so, and %s has no such model, or the token in use may not see it: check the name; a private or gated "
                         "model needs a token of an account with access, and tokens expire (" TOKENS_URL ").%s"
                         : "%s: no folder here is called so, and %s has no such model, or it is private: check the name; a private or gated model needs a token: set HF_TOKEN or "
                         "pass --token (" TOKENS_URL ").%s", id, endpoint, words);
    case HUB_GATED:
        return core_fail(OCLM_ERR_ACCESS, "%s is gated: accept its terms at %s/%s, then %s.%s", id, endpoint, id,
                         token ? "try again with a token of the same account" : "set HF_TOKEN or pass --token with a token of that account ("
                         TOKENS_URL ")", words);
    case HUB_UNAUTHORIZED:
        return core_fail(OCLM_ERR_ACCESS, "%s: %s does not accept the token in use: it is mistyped, revoked or expired; make a new one at "
                         TOKENS_URL ", or unset HF_TOKEN and remove the token file for public models.%s", id, endpoint, words);
    case HUB_FORBIDDEN:
        return core_fail(OCLM_ERR_ACCESS, "%s: %s forbids reading %s (status 403): the token in use lacks a permission, or the model is not for this "
                         "account.%s", id, endpoint, file, words);
    case HUB_DISABLED: return core_fail(OCLM_ERR_ACCESS, "%s is disabled on %s: its owner or the hub took it away; choose another model.%s", id, endpoint, words);
    case HUB_REVISION_NOT_FOUND:
        return core_fail(OCLM_ERR_NOT_FOUND, "%s has no revision \"%s\"; %s/%s lists its branches and tags (the default is main).%s", id,
                         subject->revision, endpoint, id, words);
    case HUB_ENTRY_NOT_FOUND:
        return core_fail(OCLM_ERR_NOT_FOUND, "%s has no file %s at revision %s; %s/%s/tree/%s lists its files", id, file, subject->revision, endpoint, id,
                         subject->revision);
    case HUB_RATE_LIMITED: return tell_rate(subject, request, words);
    case HUB_UNREACHABLE:
        return core_fail(OCLM_ERR_HUB, "%s cannot be reached, and %s of %s is not in the cache (%s): check the network; https_proxy names a proxy, "
                         "HF_ENDPOINT another hub", endpoint, file, id, reason);
    case HUB_TLS:
        return core_fail(OCLM_ERR_HUB, "%s: the secure connection fails (%s): a proxy that opens connections needs its certificate in SSL_CERT_FILE; "
                         "else check the clock and the system's certificates", endpoint, reason);
    case HUB_PROXY: return core_fail(OCLM_ERR_HUB, "the proxy refuses to connect to %s (%s); see https_proxy, http_proxy, all_proxy and no_proxy", endpoint, reason);
    case HUB_NO_HUB:
        return core_fail(OCLM_ERR_HUB, "%s does not answer as a hub does for %s of %s: %s; is HF_ENDPOINT right, and does a portal or a proxy answer "
                         "instead?", endpoint, file, id, reason);
    default:
        return core_fail(OCLM_ERR_HUB, "%s: %s answers with status %ld for %s%s.%s", id, endpoint, request->code, file,
                         fault == HUB_SERVER_ERROR ? "; it is the hub's trouble: try again later"
                         : fault == HUB_HTTP_ERROR && request->code == 404 ? ", as no hub does: is HF_ENDPOINT right?" : "", words);
    }
}

oclm_status hub_fault_tell(const hub_subject *subject, hub_fault fault, const hub_request *request)
{
    core_text         words = CORE_TEXT_INIT;
    add_words(request, &words);
    const oclm_status status = tell(subject, fault, request, words.data != NULL ? words.data : "");
    core_text_free(&words);
    return status;
}
