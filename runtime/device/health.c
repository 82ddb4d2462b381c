/* health.c: waits with a time limit, by an event's callback and a signal.
 *
 * A queue of the driver's does not know our device, and a driver may call back long after we gave up. So what a wait needs lives here, in
 * places that are never freed while the driver may use them: one set of places for each context that is open, for as long as it is, and
 * for ever where the device was lost. */
#include "device/health.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "device/device_internal.h"

#define MAX_CONTEXTS   64u /* open at once; beyond, and where all places are taken, waits have no limit */
#define PLACES         16u /* waits for one context at the same time */
#define DEFAULT_LIMIT  600.0
#define MOST_LIMIT     1e7

typedef struct place {
    core_signal *signal; /* made when first needed by the context, kept for the next one */
    _Atomic bool taken;
    cl_int       error; /* what the event ended with */
} place;

struct dev_health {
    _Atomic(cl_context) context; /* NULL: nobody's */
    uint32_t            users;   /* devices open on it; guarded by `changing` */
    double              limit;   /* seconds; 0: none */
    _Atomic bool        lost;
    dev_device         *abandoned; /* the latest; guarded by `changing` */
    place               places[PLACES];
};

/* The only memory of this room that is the process's: see above. */
static dev_health  contexts[MAX_CONTEXTS];
static atomic_flag changing = ATOMIC_FLAG_INIT; /* while contexts come and go, which is rare and quick */

static void change_begin(void)
{
    while (atomic_flag_test_and_set(&changing))
        core_sleep(1e-5);
}

static void change_end(void) { atomic_flag_clear(&changing); }

static double limit_asked_for(void)
{
    const char *text = core_env("OCLM_DEVICE_TIMEOUT");
    double      seconds = DEFAULT_LIMIT;
    if (text && (!core_parse_double(text, &seconds) || !(seconds >= 0 && seconds <= MOST_LIMIT))) {
        core_log(OCLM_LOG_WARNING, "OCLM_DEVICE_TIMEOUT is \"%s\": not a number of seconds from 0 to %.0f; %.0f it is", text, MOST_LIMIT,
                 DEFAULT_LIMIT);
        seconds = DEFAULT_LIMIT;
    }
    return seconds;
}

static dev_health *find(cl_context context)
{
    for (size_t i = 0; context && i < MAX_CONTEXTS; i++) {
        if (atomic_load_explicit(&contexts[i].context, memory_order_acquire) == context)
            return &contexts[i];
    }
    return NULL;
}

/* The set of an open context, or an empty one for it; NULL where there is none left. Signals of an earlier user are used again. */
static dev_health *take(cl_context context)
{
    dev_health *health = find(context);
    for (size_t i = 0; i < MAX_CONTEXTS && !health; i++) {
        if (atomic_load(&contexts[i].context) == NULL)
            health = &contexts[i];
    }
    return health;
}

static oclm_status make_signals(dev_health *health)
{
    for (size_t i = 0; i < PLACES; i++) {
        const oclm_status status = health->places[i].signal ? OCLM_OK : core_signal_new(&health->places[i].signal);
        if (status != OCLM_OK)
            return status;
    }
    return OCLM_OK;
}

static void drop_signals(dev_health *health)
{
    for (size_t i = 0; i < PLACES; i++) {
        core_signal_free(health->places[i].signal);
        health->places[i].signal = NULL;
    }
}

oclm_status dev_health_begin(cl_context context, dev_health **out)
{
    const double limit = limit_asked_for();
    oclm_status  status = OCLM_OK;
    change_begin();
    dev_health *health = *out = take(context);
    if (health && health->users == 0 && (status = make_signals(health)) != OCLM_OK) {
        drop_signals(health);
        *out = NULL;
    } else if (health && health->users++ == 0) {
        health->limit = limit;
        atomic_store_explicit(&health->context, context, memory_order_release);
    }
    change_end();
    return status;
}

void dev_health_end(dev_health *health)
{
    if (!health)
        return;
    change_begin();
    if (--health->users == 0 && !atomic_load(&health->lost)) {
        atomic_store(&health->context, NULL);
        drop_signals(health);
    }
    change_end();
}

void dev_health_abandon(dev_device *device)
{
    change_begin();
    device->abandoned = device->health->abandoned;
    device->health->abandoned = device;
    change_end();
    dev_health_end(device->health);
}

bool dev_health_is_lost(const dev_health *health) { return health && atomic_load(&health->lost); }

static dev_health *of_queue(cl_command_queue queue)
{
    cl_context context = NULL;
    return clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL) == CL_SUCCESS ? find(context) : NULL;
}

bool dev_is_lost(cl_command_queue queue) { return dev_health_is_lost(of_queue(queue)); }

/* The name of a queue's device, for messages. */
static const char *name_of(cl_command_queue queue, char name[256])
{
    cl_device_id id = NULL;
    name[0] = '\0';
    if (queue && clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof id, &id, NULL) == CL_SUCCESS)
        (void)clGetDeviceInfo(id, CL_DEVICE_NAME, 255, name, NULL);
    name[255] = '\0';
    return name[0] ? name : "without a name";
}

oclm_status dev_queue_fail(cl_int error, cl_command_queue queue, const char *what)
{
    char name[256];
    return dev_cl_fail(error, "device \"%s\": waiting for %s", name_of(queue, name), what);
}

static oclm_status fail_lost(cl_command_queue queue, const char *what, double limit, bool again)
{
    char name[256];
    name_of(queue, name);
    if (again)
        return core_fail(OCLM_ERR_DEVICE,
                         "device \"%s\" did not answer within %g s and is given up: check its driver and connection, then load the model anew, "
                         "choose another device, or give it more time with OCLM_DEVICE_TIMEOUT=<seconds>",
                         name, limit);
    return core_fail(OCLM_ERR_DEVICE,
                     "device \"%s\" did not answer within %g s (waiting for %s): it hangs, or is gone; check its driver and connection, choose "
                     "another device, or give it more time with OCLM_DEVICE_TIMEOUT=<seconds>",
                     name, limit, what);
}

static place *claim(dev_health *health)
{
    for (size_t i = 0; i < PLACES; i++) {
        bool free = false;
        if (atomic_compare_exchange_strong(&health->places[i].taken, &free, true))
            return &health->places[i];
    }
    return NULL;
}

static void CL_CALLBACK on_end(cl_event event, cl_int state, void *user)
{
    place *p = user;
    (void)event;
    p->error = state < 0 ? state : CL_SUCCESS;
    core_signal_set(p->signal);
}

static cl_int wait_for_ever(cl_event event) { return clWaitForEvents(1, &event); }

/* CL_SUCCESS, the event's error, or *lost. */
static cl_int wait_limited(dev_health *health, cl_event event, bool *lost)
{
    cl_int state = CL_QUEUED;
    if (clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL) == CL_SUCCESS && state <= CL_COMPLETE)
        return wait_for_ever(event); /* there already */
    place *p = claim(health);
    if (!p)
        return wait_for_ever(event);
    p->error = CL_SUCCESS;
    if (clSetEventCallback(event, CL_COMPLETE, on_end, p) != CL_SUCCESS) {
        atomic_store(&p->taken, false);
        return wait_for_ever(event);
    }
    if (!core_signal_wait(p->signal, health->limit)) {
        atomic_store(&health->lost, true); /* the place stays taken: the driver may still call */
        *lost = true;
        return CL_SUCCESS;
    }
    const cl_int error = p->error;
    atomic_store(&p->taken, false);
    return error != CL_SUCCESS ? error : wait_for_ever(event); /* returns at once; what the specification promises, it promises for this call */
}

static oclm_status wait_for(dev_health *health, cl_command_queue queue, cl_event event, const char *what)
{
    bool lost = false;
    if (dev_health_is_lost(health))
        return fail_lost(queue, what, health->limit, true);
    const cl_int error = health && health->limit > 0 ? wait_limited(health, event, &lost) : wait_for_ever(event);
    if (lost)
        return fail_lost(queue, what, health->limit, false);
    return error == CL_SUCCESS ? OCLM_OK : dev_queue_fail(error, queue, what);
}

oclm_status dev_wait(cl_event event, const char *what)
{
    cl_command_queue queue = NULL;
    (void)clGetEventInfo(event, CL_EVENT_COMMAND_QUEUE, sizeof queue, &queue, NULL);
    return wait_for(queue ? of_queue(queue) : NULL, queue, event, what);
}

oclm_status dev_wait_queue(cl_command_queue queue, const char *what)
{
    dev_health *health = of_queue(queue);
    cl_event    end = NULL;
    if (dev_health_is_lost(health))
        return fail_lost(queue, what, health->limit, true);
    if (!health || !(health->limit > 0))
        return OCLM_OK;
    cl_int error = clEnqueueMarkerWithWaitList(queue, 0, NULL, &end);
    if (error == CL_SUCCESS)
        error = clFlush(queue);
    oclm_status status = error == CL_SUCCESS ? wait_for(health, queue, end, what) : dev_queue_fail(error, queue, what);
    if (end)
        clReleaseEvent(end);
    return status;
}
