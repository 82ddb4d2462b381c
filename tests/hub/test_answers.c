/* test_answers.c: what the hub's answers mean: headers (http.c), metadata (metadata.c), faults and their messages (fault.c), the next try
 * (retry.c). No network: answers are written down here. */
#include "core/unit.h"

#include <math.h>
#include <stdio.h>

#include "hub/fault.h"
#include "hub/metadata.h"
#include "hub/retry.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define TOKEN "hf_secret"

static void answer(hub_request *request, long code, const char *headers)
{
    *request = (hub_request)HUB_REQUEST_INIT;
    request->done = true;
    request->net = HUB_NET_ANSWERED;
    request->code = code;
    assert_int_equal(core_text_add_string(&request->headers, headers), OCLM_OK);
    assert_int_equal(core_text_add_string(&request->url, "https://h/o/m/resolve/main/f"), OCLM_OK);
}

/* ---- Headers */

static void headers_are_found_by_any_case_and_conflicts_seen(void **state)
{
    static const struct {
        const char *headers, *name;
        hub_header  want;
        const char *value;
    } cases[] = {
        { "ETag: x\n", "etag", HUB_HEADER_ONE, "x" },
        { "etag:x\n", "ETag", HUB_HEADER_ONE, "x" },
        { "a: 1\nX-Linked-ETag:   y \n", "x-linked-etag", HUB_HEADER_ONE, "y" },
        { "etags: x\nxetag: y\n", "etag", HUB_HEADER_NONE, "" },
        { "etag: x\nETAG: x\n", "etag", HUB_HEADER_ONE, "x" },
        { "etag: x\nETAG: y\n", "etag", HUB_HEADER_CONFLICT, NULL },
        { "etag:\n", "etag", HUB_HEADER_ONE, "" },
        { "", "etag", HUB_HEADER_NONE, "" },
        { "a: b: c", "a", HUB_HEADER_ONE, "b: c" },
    };
    core_text value = CORE_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        core_text headers = CORE_TEXT_INIT;
        assert_int_equal(core_text_add_string(&headers, cases[i].headers), OCLM_OK);
        const hub_header got = hub_header_get(&headers, cases[i].name, &value);
        if (got != cases[i].want || (cases[i].value != NULL && value.length != strlen(cases[i].value)) ||
            (cases[i].value != NULL && value.length > 0 && strcmp(value.data, cases[i].value) != 0))
            fail_msg("row %zu: %d, \"%s\"", i, (int)got, value.data != NULL ? value.data : "");
        core_text_free(&headers);
    }
    core_text_free(&value);
}

static void an_origin_is_scheme_host_and_port(void **state)
{
    static const struct {
        const char *a, *b;
        bool        same;
    } cases[] = {
        { "https://h/x", "https://h/y?z", true },
        { "https://H/x", "https://h:443/", true },
        { "http://h", "http://h:80/x", true },
        { "http://h:1/", "http://h:2/", false },
        { "http://h/", "https://h/", false },
        { "https://h.evil/", "https://h/", false },
        { "https://h@evil/", "https://h/", false },
        { "https://huggingface.co.evil/", "https://huggingface.co/", false },
        { "file:///etc", "file:///etc", false },
        { "", "https://h/", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (hub_same_origin(cases[i].a, cases[i].b) != cases[i].same)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
}

/* ---- Metadata */

static const struct {
    const char *label;
    long        code;
    const char *headers, *location;
    const char *etag; /* NULL: refused */
    uint64_t    size;
    const char *reason;
} answers[] = {
    { "a plain file", 200, "X-Repo-Commit: " COMMIT "\nETag: \"abc\"\nContent-Length: 5\n", "", "abc", 5, NULL },
    { "a weak etag", 200, "X-Repo-Commit: " COMMIT "\nETag: W/\"abc\"\nContent-Length: 0\n", "", "abc", 0, NULL },
    { "a bare etag", 200, "X-Repo-Commit: " COMMIT "\nETag: abc\nContent-Length: 5\n", "", "abc", 5, NULL },
    { "the linked one wins", 302, "X-Repo-Commit: " COMMIT "\nETag: \"no\"\nX-Linked-Etag: \"abc\"\nX-Linked-Size: 7\nContent-Length: 1\n", "https://cdn/x",
      "abc", 7, NULL },
    { "an empty linked one does not", 200, "X-Repo-Commit: " COMMIT "\nETag: \"abc\"\nX-Linked-Etag:\nX-Linked-Size:\nContent-Length: 5\n", "", "abc", 5, NULL },
    { "no commit", 200, "ETag: \"abc\"\nContent-Length: 5\n", "", NULL, 0, "names no commit" },
    { "a short commit", 200, "X-Repo-Commit: short\nETag: \"abc\"\nContent-Length: 5\n", "", NULL, 0, "(\"short\")" },
    { "a way out as commit", 200, "X-Repo-Commit: ../../x\nETag: \"abc\"\nContent-Length: 5\n", "", NULL, 0, "../../x" },
    { "two commits", 200, "X-Repo-Commit: " COMMIT "\nX-Repo-Commit: a" COMMIT "\nETag: x\nContent-Length: 5\n", "", NULL, 0, "names two" },
    { "no etag", 200, "X-Repo-Commit: " COMMIT "\nContent-Length: 5\n", "", NULL, 0, "no ETag" },
    { "an etag that leaves the cache", 200, "X-Repo-Commit: " COMMIT "\nETag: \"../../../evil\"\nContent-Length: 5\n", "", NULL, 0, "cannot name a file" },
    { "an etag with a slash", 200, "X-Repo-Commit: " COMMIT "\nETag: a/b\nContent-Length: 5\n", "", NULL, 0, "cannot name a file" },
    { "an etag of quotes", 200, "X-Repo-Commit: " COMMIT "\nETag: \"\"\nContent-Length: 5\n", "", NULL, 0, "cannot name a file" },
    { "no size", 200, "X-Repo-Commit: " COMMIT "\nETag: abc\n", "", NULL, 0, "does not tell the file's size" },
    { "a redirect's own length", 302, "X-Repo-Commit: " COMMIT "\nETag: abc\nContent-Length: 5\n", "https://cdn/x", NULL, 0, "does not tell the file's size" },
    { "a negative size", 200, "X-Repo-Commit: " COMMIT "\nETag: abc\nX-Linked-Size: -1\n", "", NULL, 0, "no number" },
    { "a size with an exponent", 200, "X-Repo-Commit: " COMMIT "\nETag: abc\nX-Linked-Size: 1e9\n", "", NULL, 0, "no number" },
    { "a size past 64 bits", 200, "X-Repo-Commit: " COMMIT "\nETag: abc\nX-Linked-Size: 99999999999999999999\n", "", NULL, 0, "no number" },
    { "a size past 63 bits", 200, "X-Repo-Commit: " COMMIT "\nETag: abc\nX-Linked-Size: 9223372036854775808\n", "", NULL, 0, "no number" },
    { "two sizes", 200, "X-Repo-Commit: " COMMIT "\nETag: abc\nX-Linked-Size: 1\nX-Linked-Size: 2\n", "", NULL, 0, "two different sizes" },
    { "a redirect to nowhere", 302, "X-Repo-Commit: " COMMIT "\nETag: abc\nX-Linked-Size: 1\n", "", NULL, 0, "without saying where" },
};

static void metadata_is_read_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        hub_request  request;
        hub_metadata metadata = { .size = 1 };
        oclm_status  status;
        answer(&request, answers[i].code, answers[i].headers);
        assert_int_equal(core_text_add_string(&request.location, answers[i].location), OCLM_OK);
        const bool good = hub_metadata_read(&request, &metadata, &status);
        if (good != (answers[i].etag != NULL) || status != OCLM_OK)
            fail_msg("%s: %d, \"%s\"", answers[i].label, good, request.reason);
        if (good && (strcmp(metadata.etag, answers[i].etag) != 0 || metadata.size != answers[i].size || strcmp(metadata.commit, COMMIT) != 0 ||
                     strcmp(metadata.url.data, answers[i].location[0] != '\0' ? answers[i].location : request.url.data) != 0))
            fail_msg("%s: etag %s, %llu bytes", answers[i].label, metadata.etag, (unsigned long long)metadata.size);
        if (!good && strstr(request.reason, answers[i].reason) == NULL)
            fail_msg("%s: \"%s\"", answers[i].label, request.reason);
        hub_metadata_deinit(&metadata);
        hub_request_deinit(&request);
    }
}

/* ---- Faults */

static const struct {
    long        code;
    const char *headers;
    hub_fault   want;
    bool        cached, again;
    oclm_status status;
    const char *says;
} faults[] = {
    { 404, "X-Error-Code: RevisionNotFound\n", HUB_REVISION_NOT_FOUND, false, false, OCLM_ERR_NOT_FOUND, "has no revision \"r\"" },
    { 404, "X-Error-Code: EntryNotFound\n", HUB_ENTRY_NOT_FOUND, false, false, OCLM_ERR_NOT_FOUND, "has no file f" },
    { 401, "X-Error-Code: GatedRepo\nX-Error-Message: ask nicely\n", HUB_GATED, true, false, OCLM_ERR_ACCESS, "terms at https://h/o/m|ask nicely" },
    { 403, "X-Error-Code: GatedRepo\n", HUB_GATED, true, false, OCLM_ERR_ACCESS, "gated" },
    { 403, "X-Error-Message: Access to this resource is disabled.\n", HUB_DISABLED, true, false, OCLM_ERR_ACCESS, "disabled" },
    { 404, "X-Error-Code: RepoNotFound\n", HUB_REPO_NOT_FOUND, true, false, OCLM_ERR_NOT_FOUND, "no such model|token" },
    { 401, "X-Error-Message: Invalid username or password.\n", HUB_REPO_NOT_FOUND, true, false, OCLM_ERR_NOT_FOUND, "no such model" },
    { 401, "X-Error-Message: Invalid credentials in Authorization header\n", HUB_UNAUTHORIZED, true, false, OCLM_ERR_ACCESS, "does not accept the token" },
    { 400, "", HUB_BAD_REQUEST, true, false, OCLM_ERR_HUB, "status 400" },
    { 403, "", HUB_FORBIDDEN, true, false, OCLM_ERR_ACCESS, "forbids" },
    { 404, "", HUB_HTTP_ERROR, true, false, OCLM_ERR_HUB, "is HF_ENDPOINT right" },
    { 408, "", HUB_HTTP_ERROR, true, true, OCLM_ERR_HUB, "status 408" },
    { 416, "", HUB_RANGE, true, false, OCLM_ERR_HUB, "status 416" },
    { 429, "", HUB_RATE_LIMITED, true, true, OCLM_ERR_HUB, "too many requests" },
    { 429, "RateLimit: \"api\";r=0;t=42\nRateLimit-Policy: \"fixed window\";\"api\";q=500;w=300\n", HUB_RATE_LIMITED, true, true, OCLM_ERR_HUB,
      "500 \"api\" requests|42 seconds" },
    { 500, "X-Request-Id: abc-1\n", HUB_SERVER_ERROR, true, true, OCLM_ERR_HUB, "status 500|later|request abc-1" },
    { 501, "", HUB_SERVER_ERROR, true, false, OCLM_ERR_HUB, "status 501" },
    { 504, "X-Error-Message: \x1b[31mred\x07\n", HUB_SERVER_ERROR, true, true, OCLM_ERR_HUB, "?[31mred?" },
};

static void says_all(const char *label, const char *text, const char *parts)
{
    char copy[256];
    strcpy(copy, parts);
    for (const char *part = strtok(copy, "|"); part != NULL; part = strtok(NULL, "|"))
        if (strstr(text, part) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", label, text, part);
    if (strstr(text, TOKEN) != NULL)
        fail_msg("%s: the token is shown", label);
}

static void faults_are_classified_and_told(void **state)
{
    hub_settings      settings = { .endpoint = (char[]){ "https://h" }, .token = (char[]){ TOKEN }, .cache = (char[]){ "/cache" } };
    const hub_subject subject = { &settings, "o/m", "r", "f" };
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        hub_request request;
        char        label[32];
        answer(&request, faults[i].code, faults[i].headers);
        (void)snprintf(label, sizeof label, "row %zu", i);
        const hub_fault got = hub_fault_of(&request);
        if (got != faults[i].want || hub_fault_leaves_cache(got) != faults[i].cached || hub_fault_may_pass(&request) != faults[i].again)
            fail_msg("row %zu: fault %d", i, (int)got);
        assert_int_equal(hub_fault_tell(&subject, got, &request), faults[i].status);
        says_all(label, oclm_last_error(), faults[i].says);
        hub_request_deinit(&request);
    }
}

static void a_connection_that_fails_has_a_message_too(void **state)
{
    static const struct {
        hub_net     net;
        hub_fault   want;
        bool        again;
        const char *says;
    } cases[] = {
        { HUB_NET_FAILED, HUB_UNREACHABLE, true, "cannot be reached|the reason|https_proxy" },
        { HUB_NET_TLS, HUB_TLS, false, "secure connection|the reason|SSL_CERT_FILE" },
        { HUB_NET_PROXY, HUB_PROXY, false, "proxy refuses|the reason" },
        { HUB_NET_PROTOCOL, HUB_NO_HUB, false, "as a hub does|the reason" },
    };
    hub_settings      settings = { .endpoint = (char[]){ "https://h" } };
    const hub_subject subject = { &settings, "o/m", "r", "f" };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        hub_request request = HUB_REQUEST_INIT;
        request.net = cases[i].net;
        strcpy(request.reason, "the reason");
        assert_int_equal(hub_fault_of(&request), cases[i].want);
        assert_int_equal(hub_fault_may_pass(&request), cases[i].again);
        assert_int_equal(hub_fault_tell(&subject, cases[i].want, &request), OCLM_ERR_HUB);
        says_all("a connection", oclm_last_error(), cases[i].says);
    }
}

/* ---- The next try */

static const struct {
    const char *label;
    long        code; /* 0: no answer */
    const char *headers;
    double      waits[HUB_RETRIES + 1]; /* 0: no more */
} tries[] = {
    { "no connection", 0, "", { 1, 2, 4, 8, 8 } },
    { "an error of the server", 503, "", { 1, 2, 4, 8, 8 } },
    { "it says when", 503, "Retry-After: 3\n", { 4, 4, 4, 4, 4 } },
    { "a date is not understood", 503, "Retry-After: Fri, 31 Dec 2027 23:59:59 GMT\n", { 1, 2, 4, 8, 8 } },
    { "the limit is used up", 429, "RateLimit: \"api\";r=0;t=7\n", { 8, 8, 8, 8, 8 } },
    { "the limit is not used up", 429, "RateLimit: \"api\";r=5;t=7\n", { 1, 2, 4, 8, 8 } },
    { "too many, it says when", 429, "Retry-After: 4\n", { 5, 5, 5, 5, 5 } },
    { "a limit that is malformed", 429, "RateLimit: api;r=0;t=7\n", { 1, 2, 4, 8, 8 } },
    { "longer than anybody waits", 429, "RateLimit: \"api\";r=0;t=100000\n", { 0 } },
    { "a window of limits", 429, "RateLimit: \"api\";r=0;t=304\n", { 305, 305, 305, 305, 305 } },
};

static void tries_come_later_and_later_or_when_the_hub_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(tries); i++) {
        hub_retry   retry = { 0 };
        hub_request request;
        answer(&request, tries[i].code, tries[i].headers);
        request.net = tries[i].code == 0 ? HUB_NET_FAILED : HUB_NET_ANSWERED;
        for (size_t k = 0; k <= HUB_RETRIES; k++) {
            double     seconds = 0;
            const bool more = hub_retry_next(&retry, &request, &seconds);
            if (more != (tries[i].waits[k] > 0) || (more && fabs(seconds - tries[i].waits[k]) > 1e-9))
                fail_msg("%s: wait %zu is %g, want %g", tries[i].label, k, more ? seconds : 0, tries[i].waits[k]);
            if (!more)
                break;
        }
        hub_request_deinit(&request);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_found_by_any_case_and_conflicts_seen),
        cmocka_unit_test(an_origin_is_scheme_host_and_port),
        cmocka_unit_test(metadata_is_read_strictly),
        cmocka_unit_test(faults_are_classified_and_told),
        cmocka_unit_test(a_connection_that_fails_has_a_message_too),
        cmocka_unit_test(tries_come_later_and_later_or_when_the_hub_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
