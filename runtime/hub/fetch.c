/* fetch.c: the loop that steps all files on and sleeps while only the network or a clock can bring news. */
#include "hub/fetch.h"

#include "core/platform.h"

#define PROGRESS_S 0.1 /* between two reports; also how soon a wish to cancel is heard */

static bool report(const hub_download *d)
{
    const hub_shared *const shared = d->shared;
    const uint64_t total = d->body.size;
    return shared->progress == NULL || shared->progress(d->file, d->body.have < total ? d->body.have : total, total, shared->progress_user);
}

/* One whose bytes are wanted: it is told about. */
static bool is_fetching(const hub_download *d)
{
    return d->stage == HUB_GET || d->stage == HUB_GET_WAIT || d->stage == HUB_LOCK;
}

static bool report_all(hub_shared *shared, const hub_download *downloads, size_t count)
{
    size_t told = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_fetching(&downloads[i]))
            continue;
        if (!report(&downloads[i]))
            return false;
        told++;
    }
    return told > 0 || shared->progress == NULL || shared->progress(NULL, 0, 0, shared->progress_user);
}

/* Steps the first HUB_PARALLEL that are not done. `*left`: not done yet; `*changed`: one went on to another stage. */
static hub_download *step_all(hub_download *downloads, size_t count, size_t *left, bool *changed, bool *stopped)
{
    size_t under_way = 0;
    *left = 0;
    for (size_t i = 0; i < count; i++) {
        hub_download *const d = &downloads[i];
        if (d->stage == HUB_DONE)
            continue;
        if (under_way < HUB_PARALLEL) {
            const hub_stage before = d->stage;
            hub_download_step(d);
            *changed |= d->stage != before;
            if (d->stage == HUB_DONE && d->outcome == HUB_FAILED)
                return d;
            if (d->stage == HUB_DONE && d->received && !report(d))
                *stopped = true;
        }
        under_way += d->stage != HUB_DONE;
        *left += d->stage != HUB_DONE;
    }
    return NULL;
}

/* Seconds until a clock wakes one of them. */
static double until_due(const hub_download *downloads, size_t count)
{
    const double now = core_seconds();
    double       least = PROGRESS_S;
    for (size_t i = 0; i < count; i++) {
        const hub_stage stage = downloads[i].stage;
        if ((stage == HUB_LOCK || stage == HUB_GET_WAIT || stage == HUB_HEAD_WAIT) && downloads[i].due - now < least)
            least = downloads[i].due > now ? downloads[i].due - now : 0;
    }
    return least;
}

static oclm_status stop_all(hub_download *downloads, size_t count, oclm_status status)
{
    for (size_t i = 0; i < count; i++)
        if (downloads[i].stage != HUB_DONE)
            hub_download_stop(&downloads[i]);
    return status;
}

oclm_status hub_fetch(hub_shared *shared, hub_download *downloads, size_t count)
{
    double told = core_seconds();
    for (;;) {
        size_t        left;
        bool          changed = false, stopped = false;
        oclm_status   status;
        hub_download *failed = step_all(downloads, count, &left, &changed, &stopped);
        if (failed != NULL) {
            (void)stop_all(downloads, count, OCLM_OK);
            return core_fail(failed->status, "%s", failed->message != NULL ? failed->message : "out of memory");
        }
        if (!stopped && core_seconds() - told >= PROGRESS_S) {
            stopped = !report_all(shared, downloads, count);
            told = core_seconds();
        }
        if (stopped)
            return stop_all(downloads, count, core_fail(OCLM_ERR_CANCELLED, "%s: the download was stopped; the next one goes on from there", shared->id));
        if (left == 0)
            return OCLM_OK;
        if (shared->http != NULL && (status = hub_http_run(shared->http, changed ? 0 : until_due(downloads, count))) != OCLM_OK)
            return stop_all(downloads, count, status);
    }
}
