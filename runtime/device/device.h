/* device.h: an open device: a context, a queue, and what is known and kept about both.
 *
 * Threads: a dev_device is shared; its tables are locked. Queues, launch lists and buffers belong to whoever made them. */
#ifndef OCLM_DEVICE_DEVICE_H
#define OCLM_DEVICE_DEVICE_H

#include "core/platform.h"
#include "device/discovery.h"

typedef struct dev_device dev_device;

/* Measured or asked once; constant after opening. */
typedef struct dev_traits {
    oclm_device_info info;             /* strings belong to the device; info.index is 0 for a caller's own context */
    uint64_t         budget_bytes;     /* the most oclm allocates here */
    size_t           max_group;        /* work-items of a group */
    size_t           base_align_bytes; /* of sub-buffers */
    uint32_t         vector_width;     /* floats of a native vector: 8 on CPUs with AVX2, 16 with AVX-512; at least 8 */
    bool             lanes_in_items;   /* work-items are SIMD lanes (GPUs): neighbours should read neighbouring bytes.
                                          False where one work-item runs vector code (CPUs). From the device's type, preferred
                                          vector width and work-group multiple; kernels for both exist, so it is only a
                                          default until matmul tuning has measured */
    char             key[65];          /* SHA-256 of platform, device, driver, versions: names what is remembered on disk */
} dev_traits;

typedef struct dev_open_options {
    const char *spec;         /* as dev_list_choose() */
    uint64_t    budget_bytes; /* 0: 90 % of what the device reports (less where that is nonsense) */
    oclm_matmul matmul;
} dev_open_options;

/* Opens a device with a context and an in-order queue of its own. */
oclm_status dev_open(const dev_open_options *options, dev_device **device);
/* Opens what each of `count` options names, each with a context of its own (link.h says why): all of them, or none. Where budgets are
 * left to us (0), devices that compute in the host's memory share it in equal parts.
 * Errors: OCLM_ERR_ARGUMENT (one device is named twice), OCLM_ERR_NO_DEVICE, as dev_open(). */
oclm_status dev_open_several(const dev_open_options *options, size_t count, dev_device **devices);
/* On the caller's context and queue, which are retained. */
oclm_status dev_open_on(cl_context context, cl_command_queue queue, const dev_open_options *options, dev_device **device);
void        dev_close(dev_device *device); /* all buffers, lists and programs must be gone */

const dev_traits *dev_get_traits(const dev_device *device);
cl_context        dev_context(const dev_device *device);
cl_device_id      dev_id(const dev_device *device);
bool              dev_has_extension(const dev_device *device, const char *name); /* "cl_khr_fp16" */
oclm_matmul       dev_matmul_choice(const dev_device *device);
/* The device's own queue, for loading and measuring. */
cl_command_queue  dev_queue(const dev_device *device);
/* A queue for one thread's work: a new in-order queue, or the caller's queue again where the device was opened on one.
 * Release with clReleaseCommandQueue(). */
oclm_status       dev_queue_new(dev_device *device, cl_command_queue *queue);
/* May a work-group wait for what groups of the same launch write that took their work earlier (cl/decode_layers.cl)? Measured once. */
bool              dev_orders_groups(dev_device *device);
bool              dev_is_callers(const dev_device *device); /* opened with dev_open_on() */

#endif
