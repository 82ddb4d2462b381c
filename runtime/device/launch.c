/* launch.c: records launches, each with a kernel object of its own whose arguments never change again, and plays them.
 *
 * A kernel object belongs to one thread, and its arguments are state: sharing one between launches would mean setting them
 * anew each time (measured: five clSetKernelArg cost PoCL about a third of an enqueue), sharing one between threads crashes
 * three drivers out of three. */
#include "device/launch.h"

#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "device/device_internal.h"
#include "device/program.h"

#define FLUSH_EVERY 32 /* launches: the device starts while the host still enqueues */

typedef enum step_kind { STEP_LAUNCH, STEP_CALL, STEP_COPY } step_kind;

typedef struct step {
    step_kind kind;
    char     *name; /* "norm/rmsnorm", for messages and profiles */
    /* STEP_LAUNCH */
    cl_kernel kernel;
    cl_uint   dims;
    size_t    global[3], local[3];
    bool      has_local;
    /* STEP_CALL */
    dev_call call;
    void    *payload;
    void (*free_payload)(void *);
    /* STEP_COPY */
    cl_mem from, to;
    size_t from_offset, to_offset, bytes;
} step;

struct dev_work {
    dev_device *device;
    step       *steps;
    size_t      count, capacity;
    dev_buffer  counters;
    dev_buffer **tables; /* [table_count] */
    size_t      table_count;
};

oclm_status dev_work_new(dev_device *device, dev_work **work)
{
    if (!(*work = core_alloc_zero(1, sizeof **work, "a list of launches")))
        return OCLM_ERR_MEMORY;
    (*work)->device = device;
    return OCLM_OK;
}

static void step_deinit(step *s)
{
    if (s->kernel)
        clReleaseKernel(s->kernel);
    if (s->free_payload)
        s->free_payload(s->payload);
    core_free(s->name);
}

void dev_work_free(dev_work *work)
{
    if (!work)
        return;
    for (size_t i = 0; i < work->count; i++)
        step_deinit(&work->steps[i]);
    dev_buffer_free(work->device, &work->counters);
    for (size_t i = 0; i < work->table_count; i++) {
        dev_buffer_free(work->device, work->tables[i]);
        core_free(work->tables[i]);
    }
    core_free(work->tables);
    core_free(work->steps);
    core_free(work);
}

/* A new step at the end, all zero but its name, or NULL. It counts only once `work->count` is raised. */
static step *next_step(dev_work *work, step_kind kind, const char *folder, const char *name)
{
    core_text text = CORE_TEXT_INIT;
    step *grown = core_grow_array(work->steps, work->count, &work->capacity, 64, sizeof *grown, "a list of launches");
    if (!grown)
        return NULL;
    work->steps = grown;
    if (core_text_printf(&text, "%s/%s", folder, name) != OCLM_OK)
        return NULL;
    step *s = &work->steps[work->count];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    if (!(s->name = core_text_take(&text, NULL)))
        core_text_free(&text);
    return s->name ? s : NULL;
}

static oclm_status set_arguments(const step *s, const dev_launch *launch)
{
    for (cl_uint i = 0; i < launch->arg_count; i++) {
        const dev_arg *arg = &launch->args[i];
        const void    *value = &arg->value;
        size_t         size = 0;
        switch (arg->kind) {
        case DEV_ARG_MEMORY: size = sizeof arg->value.memory; break;
        case DEV_ARG_U32: size = sizeof arg->value.u32; break;
        case DEV_ARG_I32: size = sizeof arg->value.i32; break;
        case DEV_ARG_U64: size = sizeof arg->value.u64; break;
        case DEV_ARG_F32: size = sizeof arg->value.f32; break;
        case DEV_ARG_LOCAL: size = arg->value.local_bytes, value = NULL; break;
        }
        const cl_int error = clSetKernelArg(s->kernel, i, size, value);
        if (error != CL_SUCCESS)
            return dev_cl_fail(error, "kernel %s: argument %u", s->name, i);
    }
    return OCLM_OK;
}

/* Copies the sizes; what OpenCL would refuse at every enqueue is refused here, once, with the numbers. */
static oclm_status set_sizes(step *s, const dev_launch *launch)
{
    s->dims = launch->dims;
    s->has_local = launch->local[0] != 0;
    if (launch->dims < 1 || launch->dims > 3)
        return core_fail(OCLM_ERR_INTERNAL, "kernel %s: %u dimensions", s->name, launch->dims);
    for (cl_uint i = 0; i < launch->dims; i++) {
        s->global[i] = launch->global[i];
        s->local[i] = launch->local[i];
        if (s->global[i] == 0 || (s->has_local && (s->local[i] == 0 || s->global[i] % s->local[i] != 0)))
            return core_fail(OCLM_ERR_INTERNAL, "kernel %s: %zu work-items in groups of %zu in dimension %u", s->name, s->global[i],
                             s->local[i], i);
    }
    return OCLM_OK;
}

oclm_status dev_work_add(dev_work *work, const dev_launch *launch)
{
    oclm_status status;
    cl_uint     arguments = 0;
    cl_program  program;
    step       *s = next_step(work, STEP_LAUNCH, launch->source, launch->kernel);
    if (!s)
        return OCLM_ERR_MEMORY;
    if ((status = set_sizes(s, launch)) != OCLM_OK ||
        (status = dev_program_linked(work->device, launch->source, launch->options, launch->units, launch->unit_count, &program)) != OCLM_OK ||
        (status = dev_kernel_of(program, launch->source, launch->options, launch->kernel, &s->kernel)) != OCLM_OK)
        goto done;
    if (clGetKernelInfo(s->kernel, CL_KERNEL_NUM_ARGS, sizeof arguments, &arguments, NULL) == CL_SUCCESS &&
        (arguments != launch->arg_count || arguments > DEV_MAX_ARGS)) {
        status = core_fail(OCLM_ERR_INTERNAL, "kernel %s takes %u arguments, %u are given", s->name, arguments, launch->arg_count);
        goto done;
    }
    if ((status = set_arguments(s, launch)) == OCLM_OK)
        work->count++;
done:
    if (status != OCLM_OK)
        step_deinit(s);
    return status;
}

oclm_status dev_work_add_call(dev_work *work, dev_call call, void *payload, void (*free_payload)(void *))
{
    step *s = next_step(work, STEP_CALL, "host", "call");
    if (!s) {
        if (free_payload)
            free_payload(payload);
        return OCLM_ERR_MEMORY;
    }
    s->call = call;
    s->payload = payload;
    s->free_payload = free_payload;
    work->count++;
    return OCLM_OK;
}

oclm_status dev_work_add_copy(dev_work *work, const dev_buffer *from, size_t from_offset, const dev_buffer *to, size_t to_offset,
                              size_t bytes)
{
    if (bytes == 0)
        return OCLM_OK;
    if (from_offset > from->bytes || bytes > from->bytes - from_offset || to_offset > to->bytes || bytes > to->bytes - to_offset)
        return core_fail(OCLM_ERR_INTERNAL, "a copy of %zu bytes from %zu of %zu to %zu of %zu", bytes, from_offset, from->bytes,
                         to_offset, to->bytes);
    step *s = next_step(work, STEP_COPY, "host", "copy");
    if (!s)
        return OCLM_ERR_MEMORY;
    s->from = from->memory;
    s->to = to->memory;
    s->from_offset = from_offset;
    s->to_offset = to_offset;
    s->bytes = bytes;
    work->count++;
    return OCLM_OK;
}

oclm_status dev_work_counters(dev_work *work, size_t bytes, const dev_buffer **counters)
{
    *counters = &work->counters;
    if (work->counters.bytes >= bytes)
        return OCLM_OK;
    if (work->counters.memory) /* launches are recorded with it already */
        return core_fail(OCLM_ERR_INTERNAL, "a list of launches has %zu bytes of counters, %zu are asked for", work->counters.bytes, bytes);
    /* Zeros for every queue: the list may be played on another than the device's own. */
    return dev_buffer_new_zero(work->device, dev_queue(work->device), bytes, "counters of launches", &work->counters);
}

oclm_status dev_work_table(dev_work *work, const void *data, size_t bytes, const char *what, const dev_buffer **table)
{
    dev_buffer **grown = core_realloc_array(work->tables, work->table_count + 1, sizeof *grown, what);
    dev_buffer  *made = grown != NULL ? core_alloc_zero(1, sizeof *made, what) : NULL;
    oclm_status  status = made != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    if (grown != NULL)
        work->tables = grown;
    if (status == OCLM_OK && (status = dev_buffer_new(work->device, bytes, what, made)) == OCLM_OK &&
        (status = dev_buffer_write(dev_queue(work->device), made, 0, data, bytes)) != OCLM_OK)
        dev_buffer_free(work->device, made);
    if (status != OCLM_OK) {
        core_free(made);
        return status;
    }
    *table = work->tables[work->table_count++] = made;
    return OCLM_OK;
}

size_t      dev_work_count(const dev_work *work) { return work->count; }
dev_device *dev_work_device(const dev_work *work) { return work->device; }

/* One step. `event` may be NULL; calls leave it as it is. */
static oclm_status play(const step *s, cl_command_queue queue, cl_event *event)
{
    cl_int error = CL_SUCCESS;
    switch (s->kind) {
    case STEP_LAUNCH:
        error = clEnqueueNDRangeKernel(queue, s->kernel, s->dims, NULL, s->global, s->has_local ? s->local : NULL, 0, NULL, event);
        break;
    case STEP_COPY:
        error = clEnqueueCopyBuffer(queue, s->from, s->to, s->from_offset, s->to_offset, s->bytes, 0, NULL, event);
        break;
    case STEP_CALL: return s->call(queue, s->payload);
    }
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "enqueueing %s", s->name);
}

oclm_status dev_work_enqueue(const dev_work *work, cl_command_queue queue, cl_event *done)
{
    oclm_status status;
    cl_event   *last = NULL;
    if (done)
        *done = NULL;
    for (size_t i = 0; i < work->count; i++) {
        if (i + 1 == work->count && work->steps[i].kind != STEP_CALL)
            last = done; /* a call has no event to hand out: a marker follows it */
        if ((status = play(&work->steps[i], queue, last)) != OCLM_OK)
            return status;
        if (i % FLUSH_EVERY == FLUSH_EVERY - 1)
            clFlush(queue);
    }
    cl_int error = CL_SUCCESS;
    if (done && !last)
        error = clEnqueueMarkerWithWaitList(queue, 0, NULL, done);
    if (error == CL_SUCCESS)
        error = clFlush(queue);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "starting %zu launches", work->count);
}

/* The marker is for drivers that wait for what is not flushed yet and for nothing else (rusticl of Mesa 22.3: clFinish after
 * clFlush returns at once). */
oclm_status dev_finish(cl_command_queue queue)
{
    const oclm_status status = dev_wait_queue(queue, "its work");
    if (status != OCLM_OK)
        return status;
    cl_int error = clEnqueueMarkerWithWaitList(queue, 0, NULL, NULL);
    if (error == CL_SUCCESS)
        error = clFinish(queue);
    return error == CL_SUCCESS ? OCLM_OK : dev_queue_fail(error, queue, "its work");
}

/* ---- Profiling: one step at a time, times summed by name. */

#define PROFILE_RUNS 3 /* of which the best counts */

typedef struct share {
    const char *name;
    double      seconds;
    size_t      launches;
} share;

static void add_share(share *shares, size_t *count, const char *name, double seconds)
{
    size_t i = 0;
    while (i < *count && strcmp(shares[i].name, name) != 0)
        i++;
    if (i == *count)
        shares[(*count)++] = (share){ name, 0, 0 };
    shares[i].seconds += seconds;
    shares[i].launches++;
}

/* Runs a step and waits for it. On the device's clock where there is an event, on the host's where there is none. */
static oclm_status measure(const step *s, cl_command_queue queue, double *seconds)
{
    cl_event    event = NULL;
    cl_ulong    begin = 0, end = 0;
    oclm_status status;
    const double start = core_seconds();
    if ((status = play(s, queue, &event)) != OCLM_OK || (status = dev_finish(queue)) != OCLM_OK)
        goto done;
    *seconds = core_seconds() - start;
    if (event && clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL) == CL_SUCCESS &&
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) == CL_SUCCESS && end >= begin)
        *seconds = (double)(end - begin) * 1e-9;
done:
    if (event)
        clReleaseEvent(event);
    return status;
}

static void log_shares(const share *shares, size_t count, size_t launches)
{
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total += shares[i].seconds;
    core_log(OCLM_LOG_DEBUG, "%zu launches in %.3f ms:", launches, 1e3 * total);
    for (size_t i = 0; i < count; i++)
        core_log(OCLM_LOG_DEBUG, "  %9.3f ms  %5.1f %%  %5zu x %9.1f us  %s", 1e3 * shares[i].seconds,
                 total > 0 ? 100 * shares[i].seconds / total : 0, shares[i].launches,
                 1e6 * shares[i].seconds / (double)shares[i].launches, shares[i].name);
}

oclm_status dev_work_profile(const dev_work *work)
{
    oclm_status      status = OCLM_OK;
    cl_int           error;
    size_t           count = 0;
    dev_device      *device = work->device;
    cl_command_queue queue = clCreateCommandQueue(dev_context(device), dev_id(device), CL_QUEUE_PROFILING_ENABLE, &error);
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "a queue for profiling");
    share *shares = core_alloc_array(work->count, sizeof *shares, "a profile");
    if (!shares) {
        status = OCLM_ERR_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < work->count; i++) {
        double best = 0;
        for (int run = 0; run < PROFILE_RUNS; run++) {
            double seconds = 0;
            if ((status = measure(&work->steps[i], queue, &seconds)) != OCLM_OK)
                goto done;
            best = run == 0 || seconds < best ? seconds : best;
        }
        add_share(shares, &count, work->steps[i].name, best);
    }
    log_shares(shares, count, work->count);
done:
    core_free(shares);
    clReleaseCommandQueue(queue);
    return status;
}
