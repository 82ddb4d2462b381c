/* slow_link.h: a link between host and device as cards have: slower than memory, and it copies by itself while the device computes.
 *
 * Writes that nobody waits for (a feed's) go to a thread while a rate is set. It does them in order, each once what it waits for is done, with the
 * driver, and tells that one is complete when the link would have brought its bytes. What is not simulated: on a CPU device the driver's copy takes the
 * time of a core that computes, and memory that it reads, for a part of the time that the link takes. */
#ifndef OCLM_BENCH_SLOW_LINK_H
#define OCLM_BENCH_SLOW_LINK_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "core/platform.h"
#include "device/interpose.h"

#define SLOW_LINK_JOBS 256
#define SLOW_LINK_WAITS 8

typedef struct slow_link_job {
    cl_command_queue queue;
    cl_mem           buffer;
    size_t           offset, bytes;
    const void      *data;
    cl_uint          waits;
    cl_event         wait_list[SLOW_LINK_WAITS], done;
} slow_link_job;

static struct {
    double          rate; /* bytes a second; 0: writes go to the driver */
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    slow_link_job   jobs[SLOW_LINK_JOBS];
    size_t          begun, given; /* jobs, ever */
    bool            running;
} slow_link = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static inline void slow_link_sleep_until(double then)
{
    const double left = then - core_seconds();
    if (left > 0)
        (void)nanosleep(&(struct timespec){ (time_t)left, (long)((left - (double)(time_t)left) * 1e9) }, NULL);
}

static inline cl_int slow_link_do(const slow_link_job *job, double rate)
{
    cl_int error = job->waits > 0 ? clWaitForEvents(job->waits, job->wait_list) : CL_SUCCESS;
    const double begin = core_seconds();
    if (error == CL_SUCCESS)
        error = OPENCL_BEHIND(clEnqueueWriteBuffer)(job->queue, job->buffer, CL_TRUE, job->offset, job->bytes, job->data, 0, NULL, NULL);
    slow_link_sleep_until(begin + (double)job->bytes / rate);
    return error;
}

static inline void *slow_link_run(void *unused)
{
    for (;;) {
        (void)pthread_mutex_lock(&slow_link.lock);
        while (slow_link.begun == slow_link.given)
            (void)pthread_cond_wait(&slow_link.changed, &slow_link.lock);
        const slow_link_job job = slow_link.jobs[slow_link.begun % SLOW_LINK_JOBS];
        const double        rate = slow_link.rate;
        (void)pthread_mutex_unlock(&slow_link.lock);
        (void)clSetUserEventStatus(job.done, slow_link_do(&job, rate) == CL_SUCCESS ? CL_COMPLETE : -1);
        for (cl_uint i = 0; i < job.waits; i++)
            (void)clReleaseEvent(job.wait_list[i]);
        (void)clReleaseEvent(job.done);
        (void)pthread_mutex_lock(&slow_link.lock);
        slow_link.begun++;
        (void)pthread_cond_broadcast(&slow_link.changed);
        (void)pthread_mutex_unlock(&slow_link.lock);
    }
    return unused;
}

static inline void slow_link_give(const slow_link_job *job)
{
    pthread_t thread;
    (void)pthread_mutex_lock(&slow_link.lock);
    if (!slow_link.running && pthread_create(&thread, NULL, slow_link_run, NULL) == 0)
        slow_link.running = pthread_detach(thread) == 0;
    while (slow_link.given - slow_link.begun == SLOW_LINK_JOBS)
        (void)pthread_cond_wait(&slow_link.changed, &slow_link.lock);
    slow_link.jobs[slow_link.given++ % SLOW_LINK_JOBS] = *job;
    (void)pthread_cond_broadcast(&slow_link.changed);
    (void)pthread_mutex_unlock(&slow_link.lock);
}

/* While no copies are on their way. */
static inline void slow_link_set(double bytes_per_second)
{
    (void)pthread_mutex_lock(&slow_link.lock);
    while (slow_link.begun != slow_link.given)
        (void)pthread_cond_wait(&slow_link.changed, &slow_link.lock);
    slow_link.rate = bytes_per_second;
    (void)pthread_mutex_unlock(&slow_link.lock);
}

cl_int CL_API_CALL clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t bytes, const void *data,
                                        cl_uint waits, const cl_event *wait_list, cl_event *event)
{
    slow_link_job job = { queue, buffer, offset, bytes, data, waits, { NULL }, NULL };
    cl_context    context = NULL;
    cl_int        error;
    if (blocking || slow_link.rate <= 0 || waits > SLOW_LINK_WAITS)
        return OPENCL_BEHIND(clEnqueueWriteBuffer)(queue, buffer, blocking, offset, bytes, data, waits, wait_list, event);
    if ((error = clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof(context), &context, NULL)) != CL_SUCCESS)
        return error;
    job.done = clCreateUserEvent(context, &error);
    if (error != CL_SUCCESS)
        return error;
    for (cl_uint i = 0; i < waits; i++) {
        job.wait_list[i] = wait_list[i];
        (void)clRetainEvent(wait_list[i]);
    }
    if (event != NULL) {
        *event = job.done;
        (void)clRetainEvent(job.done);
    }
    slow_link_give(&job);
    return CL_SUCCESS;
}

#endif
