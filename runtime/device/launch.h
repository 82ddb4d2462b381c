/* launch.h: recorded work. A forward pass is recorded once for a shape and then enqueued as often as needed: arguments are set
 * when recording, so the decode loop costs an enqueue a kernel and nothing else. */
#ifndef OCLM_DEVICE_LAUNCH_H
#define OCLM_DEVICE_LAUNCH_H

#include "device/memory.h"

typedef struct dev_arg {
    enum { DEV_ARG_MEMORY, DEV_ARG_U32, DEV_ARG_I32, DEV_ARG_U64, DEV_ARG_F32, DEV_ARG_LOCAL } kind;
    union {
        cl_mem   memory; /* may be NULL: the kernel gets a null pointer */
        uint32_t u32;
        int32_t  i32;
        uint64_t u64;
        float    f32;
        size_t   local_bytes;
    } value;
} dev_arg;

static inline dev_arg dev_arg_memory(cl_mem memory) { dev_arg a = { DEV_ARG_MEMORY, { 0 } }; a.value.memory = memory; return a; }
static inline dev_arg dev_arg_buffer(const dev_buffer *buffer) { return dev_arg_memory(buffer ? buffer->memory : NULL); }
static inline dev_arg dev_arg_u32(uint32_t v) { dev_arg a = { DEV_ARG_U32, { 0 } }; a.value.u32 = v; return a; }
static inline dev_arg dev_arg_i32(int32_t v) { dev_arg a = { DEV_ARG_I32, { 0 } }; a.value.i32 = v; return a; }
static inline dev_arg dev_arg_u64(uint64_t v) { dev_arg a = { DEV_ARG_U64, { 0 } }; a.value.u64 = v; return a; }
static inline dev_arg dev_arg_f32(float v) { dev_arg a = { DEV_ARG_F32, { 0 } }; a.value.f32 = v; return a; }
static inline dev_arg dev_arg_local(size_t bytes) { dev_arg a = { DEV_ARG_LOCAL, { 0 } }; a.value.local_bytes = bytes; return a; }

#define DEV_MAX_ARGS 160

typedef struct dev_launch {
    const char    *source;  /* "norm": cl/norm.cl */
    const char    *kernel;
    const char    *options; /* -D macros */
    const struct dev_unit *units; /* [unit_count], linked to it (program.h) */
    size_t         unit_count;
    cl_uint        dims;
    size_t         global[3];
    size_t         local[3]; /* all 0: the driver chooses */
    const dev_arg *args;
    cl_uint        arg_count; /* at most DEV_MAX_ARGS */
} dev_launch;

typedef struct dev_work dev_work; /* a list of recorded launches; belongs to one thread at a time */

/* Work that is not a kernel of ours (CLBlast): called in its place each time the list is enqueued. */
typedef oclm_status (*dev_call)(cl_command_queue queue, void *payload);

oclm_status dev_work_new(dev_device *device, dev_work **work);
void        dev_work_free(dev_work *work);
/* Adds one launch: builds the program if needed, makes a kernel object of its own, sets its arguments. */
oclm_status dev_work_add(dev_work *work, const dev_launch *launch);
/* Adds a call; `payload` is freed with `free_payload` when the list is (may be NULL). */
oclm_status dev_work_add_call(dev_work *work, dev_call call, void *payload, void (*free_payload)(void *));
/* Adds a device-side copy. */
oclm_status dev_work_add_copy(dev_work *work, const dev_buffer *from, size_t from_offset, const dev_buffer *to, size_t to_offset,
                              size_t bytes);
/* Counters that launches of the list share, one after another, and leave zero: at least `bytes` of zeros. The list's own. */
oclm_status dev_work_counters(dev_work *work, size_t bytes, const dev_buffer **counters);
/* What launches of the list read: a copy of it on the device, the list's own. */
oclm_status dev_work_table(dev_work *work, const void *data, size_t bytes, const char *what, const dev_buffer **table);
size_t      dev_work_count(const dev_work *work);
dev_device *dev_work_device(const dev_work *work);
/* Enqueues all of it, in order, without waiting. Flushes now and then so the device starts early. `done` may be NULL. */
oclm_status dev_work_enqueue(const dev_work *work, cl_command_queue queue, cl_event *done);
/* For finding slow kernels: runs each launch a few times with profiling and logs time per kernel name at OCLM_LOG_DEBUG. */
oclm_status dev_work_profile(const dev_work *work);

/* Waits for everything in the queue: clFinish with the error turned into a status. */
oclm_status dev_finish(cl_command_queue queue);

#endif
