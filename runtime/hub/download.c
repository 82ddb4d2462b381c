/* download.c: the stages of one file. What each failure of the HEAD does follows Python's huggingface_hub, so that both sides fall back to
 * the cache at the same times; what a failure of the GET does is more patient than that. */
#include "hub/download.h"

#include <math.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"

#define LOCK_POLL_S 0.05
#define LOCK_TELL_S 10.0
#define PROGRESS_RENEWS (1u << 20) /* bytes after which the tries begin anew */

oclm_status hub_download_init(hub_download *d, hub_shared *shared, const char *file, const char *revision)
{
    memset(d, 0, sizeof *d);
    d->request = (hub_request)HUB_REQUEST_INIT;
    d->shared = shared;
    d->file = core_copy_string(file, "a file's name");
    d->revision = core_copy_string(revision, "a revision");
    return d->file != NULL && d->revision != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

static void let_go(hub_download *d, bool keep)
{
    if (d->body.file != NULL && hub_body_abandon(&d->body, &d->shared->cache, keep))
        core_log(OCLM_LOG_INFO, "%s: what has come is kept; the next download goes on from there", d->file);
    core_dir_lock_release(d->lock);
    d->lock = NULL;
}

void hub_download_stop(hub_download *d)
{
    hub_request_deinit(&d->request);
    let_go(d, true);
}

void hub_download_deinit(hub_download *d)
{
    hub_download_stop(d);
    hub_metadata_deinit(&d->metadata);
    core_text_free(&d->path);
    core_free(d->file);
    core_free(d->revision);
    core_free(d->message);
}

/* ---- Ends */

static void end(hub_download *d, hub_outcome outcome)
{
    d->outcome = outcome;
    d->stage = HUB_DONE;
}

/* The message is this thread's last error. */
static void fail(hub_download *d, oclm_status status)
{
    let_go(d, status != OCLM_ERR_IO); /* a disk that is full needs the room */
    d->status = status;
    core_free(d->message);
    d->message = core_copy_string(oclm_last_error(), "a message");
    end(d, HUB_FAILED);
}

static void fail_fault(hub_download *d, hub_fault fault)
{
    const hub_subject subject = { d->shared->settings, d->shared->id, d->revision, d->file };
    fail(d, hub_fault_tell(&subject, fault, &d->request));
}

static bool force(const hub_download *d)
{
    return d->shared->settings->force;
}

static void ready(hub_download *d)
{
    core_dir_lock_release(d->lock);
    d->lock = NULL;
    if (!d->probe && !hub_cache_has(&d->shared->cache, d->commit, d->file, &d->path)) {
        fail(d, core_fail(OCLM_ERR_IO, "%s: was put there, but is no file: is another program changing the cache?", d->path.data));
        return;
    }
    end(d, HUB_READY);
}

/* Waits before another try, or lets a test do that. */
static void wait_for(hub_download *d, hub_stage stage, double seconds)
{
    const hub_settings *const settings = d->shared->settings;
    d->stage = stage;
    d->due = core_seconds() + seconds;
    if (settings->wait != NULL) {
        settings->wait(seconds, settings->wait_user);
        d->due = 0;
    }
}

/* ---- HEAD */

static void start_head(hub_download *d)
{
    hub_request *const request = &d->request;
    oclm_status        status;
    request->head = true;
    request->range = false;
    request->begin = NULL;
    request->data = NULL;
    request->timeout = d->heads == 0 ? d->shared->settings->head_timeout : HUB_TIMEOUT_PATIENT;
    d->heads++;
    if ((status = hub_url_file(d->shared->settings->endpoint, d->shared->id, d->revision, d->file, &request->url)) != OCLM_OK ||
        (status = hub_request_start(d->shared->http, request)) != OCLM_OK) {
        fail(d, status);
        return;
    }
    d->stage = HUB_HEAD;
}

/* From the cache, without asking. */
static void look_locally(hub_download *d)
{
    hub_cache *const cache = &d->shared->cache;
    if (!hub_cache_ref(cache, d->revision, d->commit)) {
        d->commit[0] = '\0';
        end(d, HUB_NOT_CACHED);
        return;
    }
    switch (hub_cache_find(cache, d->commit, d->file, &d->path)) {
    case HUB_PRESENT: end(d, HUB_READY); break;
    case HUB_ABSENT: end(d, HUB_NO_SUCH_FILE); break;
    case HUB_UNKNOWN: end(d, HUB_NOT_CACHED); break;
    }
}

static void start(hub_download *d)
{
    if (d->shared->settings->offline || d->shared->down) {
        look_locally(d);
        return;
    }
    if (!force(d) && hub_is_commit(d->revision)) {
        memcpy(d->commit, d->revision, sizeof d->commit);
        switch (hub_cache_find(&d->shared->cache, d->commit, d->file, &d->path)) {
        case HUB_PRESENT: end(d, HUB_READY); return;
        case HUB_ABSENT: end(d, HUB_NO_SUCH_FILE); return;
        case HUB_UNKNOWN: break;
        }
    }
    start_head(d);
}

static void warn_of_hub(const hub_download *d, hub_fault fault)
{
    const hub_shared *const shared = d->shared;
    const hub_subject subject = { shared->settings, shared->id, d->revision, d->file };
    (void)hub_fault_tell(&subject, fault, &d->request);
    if (fault == HUB_UNREACHABLE)
        core_log(OCLM_LOG_WARNING, "%s: %s cannot be reached (%s); what is in the cache is used", shared->id, shared->settings->endpoint, d->request.reason);
    else
        core_log(OCLM_LOG_WARNING, "what is in the cache is used: %s", oclm_last_error());
}

static void use_cache_instead(hub_download *d, hub_fault fault)
{
    hub_shared *const shared = d->shared;
    warn_of_hub(d, fault);
    shared->down = shared->warned = true;
    shared->down_fault = fault;
    (void)snprintf(shared->down_reason, sizeof shared->down_reason, "%s", d->request.reason);
    end(d, HUB_READY);
}

static void head_failed(hub_download *d, hub_fault fault)
{
    hub_cache *const cache = &d->shared->cache;
    double           seconds = 0;
    if (!force(d) && d->optional && !d->shared->answered && hub_fault_leaves_cache(fault)) {
        if (!d->shared->warned)
            warn_of_hub(d, fault);
        d->shared->warned = true;
        end(d, HUB_NOT_CACHED); /* all that was needed so far came from the cache: so may the rest */
    } else if (!force(d) && !d->renewing && hub_fault_leaves_cache(fault) && hub_cache_ref(cache, d->revision, d->commit) &&
        hub_cache_has(cache, d->commit, d->file, &d->path)) {
        use_cache_instead(d, fault);
    } else if (!force(d) && hub_fault_may_pass(&d->request) && d->heads == 1) {
        start_head(d); /* nothing to fall back to: once more, with more patience */
    } else if (!force(d) && hub_fault_may_pass(&d->request) && hub_retry_next(&d->retry, &d->request, &seconds)) {
        core_log(OCLM_LOG_WARNING, "%s: %s; trying again in %.0f s", d->shared->settings->endpoint,
                 d->request.net == HUB_NET_ANSWERED ? "is busy" : d->request.reason, seconds);
        wait_for(d, HUB_HEAD_WAIT, seconds);
    } else {
        fail_fault(d, fault);
    }
}

static void no_such_file(hub_download *d)
{
    hub_cache *const cache = &d->shared->cache;
    char             known[HUB_COMMIT_LENGTH + 1];
    if (hub_metadata_commit(&d->request.headers, d->commit)) {
        hub_cache_note_absent(cache, d->commit, d->file);
        if (!hub_cache_ref(cache, d->revision, known)) /* else it would lead away from files that are there */
            hub_cache_write_ref(cache, d->revision, d->commit);
    }
    end(d, HUB_NO_SUCH_FILE);
}

static void start_get(hub_download *d);

/* What the HEAD says is known: is the file there already, or whose lock is needed? */
static void metadata_known(hub_download *d)
{
    hub_shared *const shared = d->shared;
    oclm_status       status;
    memcpy(d->commit, d->metadata.commit, sizeof d->commit);
    if (d->probe || (!force(d) && hub_cache_has(&shared->cache, d->commit, d->file, &d->path))) {
        ready(d);
        return;
    }
    if ((status = hub_cache_open(&shared->cache)) != OCLM_OK) {
        fail(d, status);
        return;
    }
    d->stage = HUB_LOCK;
    d->due = 0;
    d->waiting_since = d->told_at = core_seconds();
}

/* The address of the bytes had expired; the file itself must still be the one that was begun. */
static void renewed(hub_download *d, const char *etag, uint64_t size)
{
    d->renewing = false;
    if (strcmp(etag, d->metadata.etag) == 0 && size == d->metadata.size) {
        start_get(d);
        return;
    }
    let_go(d, false);
    metadata_known(d);
}

static void head_done(hub_download *d)
{
    char           etag[HUB_MAX_ETAG + 1];
    const uint64_t size = d->metadata.size;
    oclm_status    status = OCLM_OK;
    hub_fault      fault = hub_fault_of(&d->request);
    memcpy(etag, d->metadata.etag, sizeof etag);
    if (d->request.net == HUB_NET_STOPPED) {
        fail(d, d->request.stopped);
        return;
    }
    if (fault == HUB_FINE && !hub_metadata_read(&d->request, &d->metadata, &status)) {
        fault = HUB_NO_HUB;
    } else if (fault == HUB_FINE && hub_is_commit(d->revision) && strcmp(d->revision, d->metadata.commit) != 0) {
        (void)snprintf(d->request.reason, sizeof d->request.reason, "it answers with another commit than was asked for");
        fault = HUB_NO_HUB;
    }
    d->shared->answered |= fault == HUB_FINE || fault == HUB_ENTRY_NOT_FOUND;
    if (status != OCLM_OK)
        fail(d, status);
    else if (fault == HUB_ENTRY_NOT_FOUND)
        no_such_file(d);
    else if (fault != HUB_FINE)
        head_failed(d, fault);
    else if (d->renewing)
        renewed(d, etag, size);
    else {
        d->retry.used = 0;
        metadata_known(d);
    }
}

/* ---- GET */

static void start_get(hub_download *d)
{
    hub_request *const request = &d->request;
    oclm_status        status;
    request->head = false;
    request->begin = hub_body_begin;
    request->data = hub_body_data;
    request->user = &d->body;
    request->timeout = d->shared->settings->get_timeout;
    request->range = d->body.have > 0;
    request->from = d->body.have;
    d->body.fault = HUB_BODY_FINE;
    d->have_at_retry = d->body.have;
    core_text_clear(&request->url);
    if ((status = core_text_add(&request->url, d->metadata.url.data, d->metadata.url.length)) != OCLM_OK ||
        (status = hub_request_start(d->shared->http, request)) != OCLM_OK) {
        fail(d, status);
        return;
    }
    d->stage = HUB_GET;
}

/* From nothing, once for each of two reasons. */
static bool get_again(hub_download *d, bool *used)
{
    oclm_status status;
    if (*used)
        return false;
    *used = true;
    if ((status = hub_body_restart(&d->body)) != OCLM_OK)
        fail(d, status);
    else
        start_get(d);
    return true;
}

static void body_complete(hub_download *d)
{
    oclm_status status;
    if (!hub_body_is_right(&d->body)) {
        if (get_again(d, &d->hashed_again))
            return;
        (void)hub_body_abandon(&d->body, &d->shared->cache, false);
        fail(d, core_fail(OCLM_ERR_FORMAT, "%s of %s arrives damaged: its checksum is not %s, twice; it was thrown away. Something between here and %s "
                          "changes what passes, or the hub's copy is broken: try another network, or later", d->file, d->shared->id, d->metadata.etag,
                          d->shared->settings->endpoint));
        return;
    }
    if ((status = hub_body_publish(&d->body, &d->shared->cache, d->commit, d->file)) != OCLM_OK) {
        fail(d, status);
        return;
    }
    ready(d);
}

static void locked(hub_download *d)
{
    hub_cache *const cache = &d->shared->cache;
    oclm_status      status;
    if (!force(d) && hub_cache_has(cache, d->commit, d->file, &d->path)) { /* another process was faster */
        ready(d);
        return;
    }
    if (!force(d) && hub_cache_has_blob(cache, d->metadata.etag, d->metadata.size)) {
        if ((status = hub_cache_link(cache, d->metadata.etag, d->commit, d->file)) != OCLM_OK)
            fail(d, status);
        else
            ready(d);
        return;
    }
    const uint64_t room = core_disk_free(d->shared->settings->cache);
    if (room > 0 && room < d->metadata.size)
        core_log(OCLM_LOG_WARNING, "%s has %llu bytes, %s has room for %llu", d->file, (unsigned long long)d->metadata.size, d->shared->settings->cache,
                 (unsigned long long)room);
    if ((status = hub_body_open(&d->body, cache, d->metadata.etag, d->metadata.size)) != OCLM_OK) {
        fail(d, status);
        return;
    }
    d->received = true;
    if (d->body.have > 0)
        core_log(OCLM_LOG_INFO, "%s: goes on after %llu bytes of an earlier download", d->file, (unsigned long long)d->body.have);
    if (d->body.have == d->body.size)
        body_complete(d);
    else
        start_get(d);
}

static void try_lock(hub_download *d)
{
    bool              unsupported;
    const double      now = core_seconds();
    const oclm_status status = hub_cache_lock_try(&d->shared->cache, d->metadata.etag, &d->lock, &unsupported);
    if (status != OCLM_OK) {
        fail(d, status);
    } else if (d->lock != NULL || unsupported) { /* without locks, two may fetch the same; neither breaks the other's */
        locked(d);
    } else {
        d->due = now + LOCK_POLL_S;
        if (now - d->told_at >= LOCK_TELL_S) {
            core_log(OCLM_LOG_WARNING, "%s: another process is fetching it; waiting since %.0f s", d->file, now - d->waiting_since);
            d->told_at = now;
        }
    }
}

static void get_stopped(hub_download *d)
{
    switch (d->body.fault) {
    case HUB_BODY_WRONG_PART:
        if (get_again(d, &d->restarted))
            return;
        fail(d, core_fail(OCLM_ERR_HUB, "%s of %s: the server sends another part of the file than was asked for; try again later", d->file, d->shared->id));
        break;
    case HUB_BODY_TOO_LONG:
        (void)hub_body_abandon(&d->body, &d->shared->cache, false);
        fail(d, core_fail(OCLM_ERR_FORMAT, "%s of %s: more than its %llu bytes arrive; it was thrown away. Try again later, or another network", d->file,
                          d->shared->id, (unsigned long long)d->metadata.size));
        break;
    case HUB_BODY_ENCODED:
        fail(d, core_fail(OCLM_ERR_HUB, "%s of %s: the server sends it compressed, though it was asked not to; try another network or another HF_ENDPOINT",
                          d->file, d->shared->id));
        break;
    default: fail(d, d->request.stopped);
    }
}

static void get_later(hub_download *d, hub_fault fault)
{
    double seconds = 0;
    if (d->body.have >= d->have_at_retry + PROGRESS_RENEWS)
        d->retry.used = 0;
    if (hub_retry_next(&d->retry, &d->request, &seconds)) {
        core_log(OCLM_LOG_INFO, "%s: broke off after %llu of %llu bytes (%s); trying again in %.0f s", d->file, (unsigned long long)d->body.have,
                 (unsigned long long)d->body.size, d->request.reason, seconds);
        wait_for(d, HUB_GET_WAIT, seconds);
    } else if (fault == HUB_UNREACHABLE || fault == HUB_FINE) {
        fail(d, core_fail(OCLM_ERR_HUB, "%s of %s breaks off again and again, last after %llu of %llu bytes (%s): check the network and try again", d->file,
                          d->shared->id, (unsigned long long)d->body.have, (unsigned long long)d->body.size, d->request.reason));
    } else {
        fail_fault(d, fault);
    }
}

/* A signed address of a CDN is good for about an hour. */
static bool has_expired(const hub_download *d)
{
    const long code = d->request.code;
    return d->request.net == HUB_NET_ANSWERED && (code == 401 || code == 403 || code == 404 || code == 410) && d->renewals < HUB_RETRIES &&
           !hub_same_origin(d->request.url.data, d->shared->settings->endpoint);
}

static void get_done(hub_download *d)
{
    const hub_request *const request = &d->request;
    const hub_fault          fault = hub_fault_of(request);
    if (request->net == HUB_NET_STOPPED) {
        get_stopped(d);
    } else if (fault == HUB_FINE && request->code < 300 && d->body.have == d->body.size) {
        body_complete(d);
    } else if (fault == HUB_FINE && request->code < 300) {
        (void)snprintf(d->request.reason, sizeof d->request.reason, "the file ends early");
        get_later(d, HUB_FINE);
    } else if (has_expired(d)) {
        d->renewals++;
        d->renewing = true;
        start_head(d);
    } else if (fault == HUB_RANGE && request->range && get_again(d, &d->restarted)) {
        return;
    } else if (hub_fault_may_pass(request)) {
        get_later(d, fault);
    } else {
        if (fault == HUB_FINE) /* a redirect without a target */
            (void)snprintf(d->request.reason, sizeof d->request.reason, "status %ld where a file should come", request->code);
        fail_fault(d, fault == HUB_FINE ? HUB_NO_HUB : fault);
    }
}

/* ---- A step */

static bool is_due(const hub_download *d)
{
    return core_seconds() >= d->due;
}

void hub_download_step(hub_download *d)
{
    switch (d->stage) {
    case HUB_START: start(d); break;
    case HUB_HEAD:
        if (d->request.done)
            head_done(d);
        break;
    case HUB_HEAD_WAIT:
        if (is_due(d))
            start_head(d);
        break;
    case HUB_LOCK:
        if (is_due(d))
            try_lock(d);
        break;
    case HUB_GET:
        if (d->request.done)
            get_done(d);
        break;
    case HUB_GET_WAIT:
        if (is_due(d))
            start_get(d);
        break;
    case HUB_DONE: break;
    }
}
