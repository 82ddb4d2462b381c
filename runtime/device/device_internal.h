/* device_internal.h: what the files of this room share about an open device. No other room includes it.
 *
 * Slots: a file that keeps something per device (staging buffers, tuning results, what CLBlast needs to be told at the end) has
 * a slot with a lock of its own. The thing is made at first use and dropped by dev_close(), slot 0 first, while context and
 * queue still live. A slot's maker may use programs, buffers and slots of a lower number, never its own slot. */
#ifndef OCLM_DEVICE_DEVICE_INTERNAL_H
#define OCLM_DEVICE_DEVICE_INTERNAL_H

#include <stdatomic.h>

#include "device/counter.h"
#include "device/device.h"

typedef enum dev_slot { DEV_SLOT_PAGES, DEV_SLOT_STAGING, DEV_SLOT_CLBLAST, DEV_SLOT_CHECKS, DEV_SLOT_TUNING, DEV_SLOT_COUNT } dev_slot;

typedef oclm_status (*dev_slot_make)(dev_device *device, void **value);
typedef void (*dev_slot_drop)(dev_device *device, void *value);

/* The slot's value; where there is none yet, what `make` hands out, to be given to `drop` when the device closes.
 * Takes the slot's lock while it works: not to be called between dev_slot_lock() and dev_slot_unlock() of the same slot. */
oclm_status dev_slot_get(dev_device *device, dev_slot slot, dev_slot_make make, dev_slot_drop drop, void **value);
/* For changing what the value holds. */
void        dev_slot_lock(dev_device *device, dev_slot slot);
void        dev_slot_unlock(dev_device *device, dev_slot slot);

/* What every kernel is built with. 1.2 is what all drivers take: PoCL refuses CL2.0, Apple knows nothing later. */
#define DEV_COMMON_OPTIONS "-cl-std=CL1.2"

/* A question to a device that is answered once, by measuring. */
typedef enum dev_answer { DEV_ANSWER_UNKNOWN, DEV_ANSWER_NO, DEV_ANSWER_YES } dev_answer;

/* health.c: what waits for a context need while it is open. `health` may stay NULL: then they have no time limit. */
typedef struct dev_health dev_health;
oclm_status dev_health_begin(cl_context context, dev_health **health);
void        dev_health_end(dev_health *health); /* accepts NULL */
bool        dev_health_is_lost(const dev_health *health);
/* In place of dev_health_end(), of a device that is lost: it is never freed, and never out of sight (of leak checkers, of debuggers). */
void        dev_health_abandon(dev_device *device);
/* Waits for all that is in the queue, where waits have a limit; where they have none, it is the next call that waits for ever. */
oclm_status dev_wait_queue(cl_command_queue queue, const char *what);
/* dev_cl_fail() with the name of the queue's device. */
oclm_status dev_queue_fail(cl_int error, cl_command_queue queue, const char *what);

/* One built program. */
typedef struct dev_program_entry {
    char      *key; /* source name, '\n', options */
    cl_program program;
} dev_program_entry;

struct dev_device {
    dev_traits       traits;
    char            *strings;    /* what traits.info and extensions point at */
    const char      *extensions;
    cl_device_id     id;
    cl_context       context;
    cl_command_queue queue;
    bool             callers; /* context and queue came from outside */
    oclm_matmul      matmul;
    dev_health      *health;
    dev_device      *abandoned; /* the one that was given up before, once this one is */

    dev_counter      memory; /* of the device, in bytes */
    _Atomic uint64_t refused_at; /* dev_memory_refused_at() */

    core_mutex        *programs_lock; /* guards the seven below; held while a program is built */
    dev_program_entry *programs;
    size_t             program_count, program_capacity;
    bool               cache_off; /* the cache folder cannot be written: told once */
    dev_answer         binaries_dear; /* program.c: what to keep on disk */
    dev_answer         fuses;         /* dev_measure_fused() */
    dev_answer         orders;        /* dev_measure_ordered() */

    struct {
        core_mutex   *lock; /* guards value and what it holds */
        void         *value;
        dev_slot_drop drop;
    } slots[DEV_SLOT_COUNT];
};

/* host_pages.c: a buffer's memory in large pages of the host's, for devices that compute there. NULL where the device does not, the
 * buffer is too small to gain, or there is none: then the driver finds its own. On success the buffer must be created with
 * CL_MEM_USE_HOST_PTR and given to dev_host_pages_attach(), or the memory to dev_host_pages_drop(). */
typedef struct dev_host_pages dev_host_pages;
void *dev_host_pages_new(dev_device *device, size_t bytes, dev_host_pages **owner);
/* The memory goes when the driver is done with the buffer. */
cl_int dev_host_pages_attach(dev_host_pages *owner, cl_mem buffer);
void   dev_host_pages_drop(dev_host_pages *owner);

/* Releases all programs; for dev_close(). */
void dev_programs_drop(dev_device *device);
/* build.c: as clBuildProgram(), clCompileProgram() and clLinkProgram(), once more where they fail and name no error. */
cl_int     dev_build(const dev_device *device, cl_program program, const char *options);
cl_int     dev_compile(const dev_device *device, cl_program program, const char *options);
cl_program dev_link_parts(const dev_device *device, size_t count, const cl_program *parts, cl_int *error);
/* The compiler's words (core_free), or NULL where it has none. */
char      *dev_build_log(const dev_device *device, cl_program program);
/* probe.c: a small program that finds something out about a device. Whatever failed, dev_probe_free() frees what there is. */
#define DEV_PROBE_BUFFERS 3u
#define DEV_PROBE_KERNELS 2u
typedef struct dev_probe {
    const dev_device *device;
    cl_command_queue  queue; /* in-order */
    cl_program        program;
    cl_mem            buffers[DEV_PROBE_BUFFERS];
    cl_kernel         kernels[DEV_PROBE_KERNELS];
} dev_probe;
cl_int dev_probe_new(const dev_device *device, const char *text, const char *options, dev_probe *probe);
cl_int dev_probe_buffer(dev_probe *probe, size_t which, size_t bytes, const void *contents);
/* Its arguments: `count` buffers from `first_buffer` on. */
cl_int dev_probe_kernel(dev_probe *probe, size_t which, const char *name, size_t first_buffer, size_t count);
void   dev_probe_free(dev_probe *probe);
/* A program's binary (core_free), or NULL where the driver gives none. */
unsigned char *dev_program_binary(cl_program program, size_t *length);
/* Does the device multiply and add with one rounding? dev_program() asks it once and builds with -DHAS_FMA where it does. Also tells how long
 * the driver took for the binary of a small program, INFINITY where it gave none. */
bool dev_measure_fused(const dev_device *device, double *binary_seconds);
/* May a work-group wait for what groups that started earlier write, in programs that are linked (ordered.c)? dev_orders_groups() asks it once. */
bool dev_measure_ordered(const dev_device *device);

/* Fills `info` (all but its indexes) from a device, and `strings`, the one allocation its text and `extensions` lie in. */
oclm_status dev_info_read(cl_platform_id platform, cl_device_id id, oclm_device_info *info, char **strings,
                          const char **extensions);
void        dev_identity_read(cl_device_id id, const char *extensions, dev_identity *identity);
/* A number a driver tells: cl_uint, cl_bool, cl_ulong, bit field or size_t; 0 where it does not know the question. */
uint64_t    dev_ask(cl_device_id id, cl_uint what);
/* Does it compute in the host's memory? CPUs do, whether they say so or not. */
bool        dev_is_in_host(const oclm_device_info *info);
/* The most oclm allocates where nobody says how much: 90 % of the device's memory, or of what the host has left where that is the host's own,
 * divided among the `sharing` devices that take from it. */
uint64_t    dev_default_budget(const oclm_device_info *info, size_t sharing);

#endif
