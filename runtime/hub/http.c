/* http.c: requests by libcurl's multi interface: what is sent, what is kept of an answer, where a redirect may lead. */
#include "hub/http.h"

#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/platform.h"

#define RECEIVE_BUFFER (512L << 10) /* bytes; libcurl's 16 KiB cost a third of the rate on a fast line */
#define KEEP_ALIVE_S 60L
#define MAX_TOPICS 16

struct hub_http {
    const hub_settings *settings;
    CURLM              *multi;
    hub_request        *active;
    uint64_t            topics[MAX_TOPICS]; /* hashes of the hub's warnings that were told */
    size_t              topic_count;
};

/* ---- Header lines */

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    hub_request *const request = user;
    const size_t length = size * count;
    size_t       name_length, value_length;
    const char  *value;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) { /* of a proxy, of 103, of the answer: the last one counts */
        core_text_clear(&request->headers);
        return length;
    }
    if (request->begun || length == 0 || line[0] == '\r' || line[0] == '\n') /* trailers; the empty line */
        return length;
    if (hub_is_blank(line[0]) || memchr(line, '\0', length) != NULL || !hub_header_cut(line, length, &name_length, &value, &value_length))
        return 0; /* a folded line or none at all: not HTTP/1.1 any more */
    if (request->headers.length + length > HUB_MAX_HEADERS) {
        request->too_long = true;
        return 0;
    }
    if (core_text_add(&request->headers, line, name_length) != OCLM_OK || core_text_add(&request->headers, ": ", 2) != OCLM_OK ||
        core_text_add(&request->headers, value, value_length) != OCLM_OK || core_text_add_char(&request->headers, '\n') != OCLM_OK) {
        request->stopped = OCLM_ERR_MEMORY;
        return 0;
    }
    return length;
}

/* ---- Bodies */

static bool is_success(long code)
{
    return code >= 200 && code < 300;
}

static oclm_status begin_body(hub_request *request)
{
    if (request->begun)
        return OCLM_OK;
    request->begun = true;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->code);
    return is_success(request->code) && request->begin != NULL ? request->begin(request, request->user) : OCLM_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    hub_request *const request = user;
    size_t             length = size * count;
    if ((request->stopped = begin_body(request)) != OCLM_OK)
        return 0;
    if (is_success(request->code) && request->data != NULL)
        return (request->stopped = request->data(bytes, length, request->user)) == OCLM_OK ? length : 0;
    const size_t limit = is_success(request->code) && request->body_limit > 0 ? request->body_limit : HUB_MAX_ERROR_BODY;
    request->cut = length > limit - request->body.length;
    if (request->cut)
        length = limit - request->body.length;
    if ((request->stopped = core_text_add(&request->body, bytes, length)) != OCLM_OK)
        return 0;
    return request->cut ? 0 : length;
}

/* ---- Redirects */

static bool has_user(CURLU *url)
{
    char      *user = NULL;
    const bool has = curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK;
    curl_free(user);
    return has;
}

static void complain(hub_request *request, const char *reason)
{
    request->net = HUB_NET_PROTOCOL;
    (void)snprintf(request->reason, sizeof request->reason, "%s", reason);
}

/* Where the answer's Location leads, absolute; "" after a complaint. */
static oclm_status resolve_location(hub_request *request, core_text *target)
{
    core_text   location = CORE_TEXT_INIT;
    char       *text = NULL;
    hub_origin      from = { NULL, NULL, NULL }, to = { NULL, NULL, NULL };
    oclm_status status = OCLM_OK;
    CURLU      *url = hub_url_parse(request->url.data);
    core_text_clear(target);
    if (hub_header_get(&request->headers, "location", &location) != HUB_HEADER_ONE)
        complain(request, "it redirects without saying where to, or to several places");
    else if (url == NULL || !hub_origin_of(url, &from) || curl_url_set(url, CURLUPART_URL, location.data, 0) != CURLUE_OK || !hub_origin_of(url, &to))
        complain(request, "it redirects to what is no URL that this protocol has");
    else if (!hub_same_text(to.scheme, "http") && !hub_same_text(to.scheme, "https"))
        complain(request, "it redirects to another protocol than HTTP");
    else if (hub_same_text(from.scheme, "https") && hub_same_text(to.scheme, "http"))
        complain(request, "it redirects from https to http, where anybody could change what arrives");
    else if (has_user(url))
        complain(request, "it redirects to a URL with a user name in it");
    else if (curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK)
        complain(request, "it redirects to what is no URL");
    else
        status = core_text_add_string(target, text);
    curl_free(text);
    hub_origin_deinit(&from);
    hub_origin_deinit(&to);
    curl_url_cleanup(url);
    core_text_free(&location);
    return status;
}

/* The hub's own hosts, which a mirror may send to. */
static bool is_hub_host(const char *url)
{
    return hub_same_origin(url, "https://huggingface.co") || hub_same_origin(url, "https://hf.co");
}

static oclm_status launch(hub_http *http, hub_request *request);

/* Follows the redirect that a request was answered with, or leaves it as the answer. True: it is under way again. */
static bool follow(hub_http *http, hub_request *request, oclm_status *status)
{
    core_text target = CORE_TEXT_INIT;
    bool      again = false;
    *status = resolve_location(request, &target);
    if (*status == OCLM_OK && target.length > 0) {
        if (request->head && !hub_same_origin(target.data, http->settings->endpoint) && !is_hub_host(target.data)) {
            *status = core_text_add(&request->location, target.data, target.length);
        } else if (++request->hops > HUB_MAX_REDIRECTS) {
            complain(request, "it redirects more than 10 times");
        } else {
            core_text_clear(&request->url);
            if ((*status = core_text_add(&request->url, target.data, target.length)) == OCLM_OK)
                *status = launch(http, request);
            again = *status == OCLM_OK;
        }
    }
    core_text_free(&target);
    return again;
}

/* ---- Sending */

static oclm_status add_line(hub_request *request, const char *line)
{
    struct curl_slist *more = curl_slist_append(request->lines, line);
    if (more == NULL)
        return core_fail_memory(strlen(line), "a header");
    request->lines = more;
    return OCLM_OK;
}

/* A new one for each request, so that the hub's operators can find it. */
static oclm_status add_trace(hub_request *request)
{
    uint8_t random[16];
    char    hex[33], line[80];
    core_random(random, sizeof random);
    random[6] = (uint8_t)((random[6] & 0x0fu) | 0x40u); /* RFC 4122, version 4 */
    random[8] = (uint8_t)((random[8] & 0x3fu) | 0x80u);
    core_hex(random, sizeof random, hex);
    (void)snprintf(line, sizeof line, "X-Amzn-Trace-Id: %.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return add_line(request, line);
}

static oclm_status add_lines(const hub_http *http, hub_request *request)
{
    core_text   line = CORE_TEXT_INIT;
    oclm_status status;
    curl_slist_free_all(request->lines);
    request->lines = NULL;
    if ((status = add_line(request, "Accept-Encoding: identity")) == OCLM_OK)
        status = add_trace(request);
    if (status == OCLM_OK && http->settings->token != NULL && hub_same_origin(request->url.data, http->settings->endpoint) &&
        (status = core_text_printf(&line, "Authorization: Bearer %s", http->settings->token)) == OCLM_OK)
        status = add_line(request, line.data);
    if (line.data != NULL)
        memset(line.data, 0, line.length);
    core_text_free(&line);
    return status;
}

/* libcurl reads only the lower-case http_proxy, because a web server's scripts get a header Proxy: as HTTP_PROXY. Python reads both
 * unless it is such a script. */
static void set_proxy(CURL *easy, const char *url)
{
    const char *proxy = core_env("HTTP_PROXY"), *none = core_env("no_proxy");
    if (strncmp(url, "http://", 7) != 0 || proxy == NULL || core_env("http_proxy") != NULL || core_env("REQUEST_METHOD") != NULL)
        return;
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
    if (none == NULL)
        none = core_env("NO_PROXY");
    if (none != NULL)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, none);
}

static void set_options(const hub_http *http, hub_request *request)
{
    const hub_settings *const settings = http->settings;
    CURL *const               easy = request->easy;
    curl_easy_setopt(easy, CURLOPT_URL, request->url.data);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEP_ALIVE_S);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->lines);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, settings->user_agent);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->reason);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)request->timeout);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    if (settings->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    if (settings->ca_folder != NULL)
        curl_easy_setopt(easy, CURLOPT_CAPATH, settings->ca_folder);
    if (request->head) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)request->timeout);
    } else {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)request->timeout);
    }
    if (request->range) {
        char from[32];
        (void)snprintf(from, sizeof from, "%llu-", (unsigned long long)request->from);
        curl_easy_setopt(easy, CURLOPT_RANGE, from);
    }
    set_proxy(easy, request->url.data);
}

static void forget_answer(hub_request *request)
{
    core_text_clear(&request->headers);
    core_text_clear(&request->body);
    core_text_clear(&request->location);
    request->done = request->begun = request->cut = request->too_long = false;
    request->net = HUB_NET_FAILED;
    request->stopped = OCLM_OK;
    request->code = 0;
    request->reason[0] = '\0';
}

/* Sends the request to request->url, as the first or as a redirect's next. */
static oclm_status launch(hub_http *http, hub_request *request)
{
    oclm_status status;
    forget_answer(request);
    if (request->easy == NULL)
        request->easy = curl_easy_init();
    else
        curl_easy_reset(request->easy);
    if (request->easy == NULL)
        return core_fail_memory(sizeof *request, "a request");
    if ((status = add_lines(http, request)) != OCLM_OK)
        return status;
    set_options(http, request);
    core_log(OCLM_LOG_DEBUG, "hub: %s %.*s", request->head ? "HEAD" : "GET", (int)strcspn(request->url.data, "?"), request->url.data);
    if (curl_multi_add_handle(http->multi, request->easy) != CURLM_OK)
        return core_fail_memory(sizeof *request, "a request");
    request->http = http;
    request->next = http->active;
    http->active = request;
    return OCLM_OK;
}

oclm_status hub_request_start(hub_http *http, hub_request *request)
{
    request->hops = 0;
    return launch(http, request);
}

/* Takes the request out of those under way. */
static void leave(hub_request *request)
{
    hub_http *const http = request->http;
    if (http == NULL)
        return;
    for (hub_request **link = &http->active; *link != NULL; link = &(*link)->next)
        if (*link == request) {
            *link = request->next;
            break;
        }
    curl_multi_remove_handle(http->multi, request->easy);
    request->http = NULL;
    request->next = NULL;
}

void hub_request_deinit(hub_request *request)
{
    leave(request);
    if (request->easy != NULL)
        curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->lines);
    core_text_free(&request->url);
    core_text_free(&request->headers);
    core_text_free(&request->body);
    core_text_free(&request->location);
    request->easy = NULL;
    request->lines = NULL;
}

/* ---- Receiving */

static hub_net net_of(hub_request *request, CURLcode result)
{
    long connect_code = 0;
    if (request->stopped != OCLM_OK)
        return HUB_NET_STOPPED;
    /* A header line past libcurl's own 100 KiB: CURLE_OUT_OF_MEMORY in older versions, CURLE_TOO_LARGE from 8.6 on. */
    if (result == CURLE_OUT_OF_MEMORY || (int)result == 100) {
        request->too_long = true;
        return HUB_NET_PROTOCOL;
    }
    switch (result) {
    case CURLE_OK: return HUB_NET_ANSWERED;
    case CURLE_WRITE_ERROR: return request->too_long || !request->cut ? HUB_NET_PROTOCOL : HUB_NET_ANSWERED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return HUB_NET_TLS;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT: return HUB_NET_PROTOCOL;
    default: break;
    }
    if (curl_easy_getinfo(request->easy, CURLINFO_HTTP_CONNECTCODE, &connect_code) == CURLE_OK && connect_code >= 300)
        return HUB_NET_PROXY;
    return HUB_NET_FAILED;
}

/* "topic; message", as the hub sends to be shown: each topic once. */
static void tell_warnings(hub_http *http, const hub_request *request)
{
    const char *line, *value;
    size_t      length, name_length, value_length;
    for (size_t at = 0; hub_header_next(&request->headers, &at, &line, &length);) {
        if (!hub_header_cut(line, length, &name_length, &value, &value_length) || !hub_same_word(line, name_length, "x-hf-warning"))
            continue;
        const char    *cut = memchr(value, ';', value_length);
        const uint64_t topic = core_hash64(value, cut != NULL ? (size_t)(cut - value) : 0, 1);
        bool           told = http->topic_count == MAX_TOPICS;
        for (size_t i = 0; i < http->topic_count; i++)
            told |= http->topics[i] == topic;
        if (told)
            continue;
        http->topics[http->topic_count++] = topic;
        core_log(OCLM_LOG_WARNING, "the hub says: %.*s", (int)(value + value_length - (cut != NULL ? cut + 1 : value)),
                 cut != NULL ? cut + 1 : value);
    }
}

static bool is_redirect(long code)
{
    return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

static oclm_status finish(hub_http *http, hub_request *request, CURLcode result)
{
    oclm_status status = OCLM_OK;
    if (result == CURLE_OK && !request->begun)
        request->stopped = begin_body(request);
    request->net = net_of(request, result);
    leave(request);
    if (request->too_long)
        (void)snprintf(request->reason, sizeof request->reason, "its header lines are too long");
    else if (request->reason[0] == '\0')
        (void)snprintf(request->reason, sizeof request->reason, "%s", curl_easy_strerror(result));
    if (request->net == HUB_NET_ANSWERED) {
        tell_warnings(http, request);
        if (is_redirect(request->code) && follow(http, request, &status))
            return OCLM_OK;
    }
    request->done = true;
    return status;
}

static oclm_status collect(hub_http *http, bool *any)
{
    const CURLMsg *message;
    int            left;
    oclm_status    status = OCLM_OK;
    *any = false;
    while (status == OCLM_OK && (message = curl_multi_info_read(http->multi, &left)) != NULL) {
        hub_request *request = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        const CURLcode result = message->data.result; /* before the message goes with its handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        status = finish(http, request, result);
        *any = true;
    }
    return status;
}

oclm_status hub_http_run(hub_http *http, double seconds)
{
    int         running = 0;
    bool        any;
    oclm_status status;
    if (curl_multi_perform(http->multi, &running) != CURLM_OK)
        return core_fail(OCLM_ERR_INTERNAL, "libcurl refuses to go on with its requests");
    if ((status = collect(http, &any)) == OCLM_OK && !any && seconds > 0)
        (void)curl_multi_poll(http->multi, NULL, 0, (int)(seconds * 1000) + 1, NULL); /* also waits where nothing is under way */
    return status;
}

/* ---- All of it */

oclm_status hub_http_new(const hub_settings *settings, hub_http **http)
{
    hub_http *made;
    *http = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) /* counts how often; libcurl 7.84 and later guard it with a lock */
        return core_fail(OCLM_ERR_INTERNAL, "libcurl does not start");
    if ((made = core_alloc_zero(1, sizeof *made, "the requests")) == NULL)
        return OCLM_ERR_MEMORY;
    made->settings = settings;
    if ((made->multi = curl_multi_init()) == NULL) {
        core_free(made);
        return core_fail_memory(sizeof *made, "the requests");
    }
    *http = made;
    return OCLM_OK;
}

void hub_http_free(hub_http *http)
{
    if (http == NULL)
        return;
    while (http->active != NULL)
        leave(http->active);
    curl_multi_cleanup(http->multi);
    core_free(http);
}
