/* memory.h: device memory, every byte of it counted against the device's budget. */
#ifndef OCLM_DEVICE_MEMORY_H
#define OCLM_DEVICE_MEMORY_H

#include "device/device.h"

/* One OpenCL buffer. Empty: { NULL, 0 }. */
typedef struct dev_buffer {
    cl_mem memory;
    size_t bytes;
} dev_buffer;

/* Makes a buffer of `bytes` > 0, at most the device's max_alloc_bytes (split by rows what may be larger: matrix.h).
 * `what` names it in messages ("the KV cache of layer 3"). Contents are unspecified; dev_buffer_new_zero() clears them.
 * Errors: OCLM_ERR_DEVICE_MEMORY (needed, in use, budget, and which way out), OCLM_ERR_DEVICE. */
oclm_status dev_buffer_new(dev_device *device, size_t bytes, const char *what, dev_buffer *buffer);
oclm_status dev_buffer_new_zero(dev_device *device, cl_command_queue queue, size_t bytes, const char *what, dev_buffer *buffer);
void        dev_buffer_free(dev_device *device, dev_buffer *buffer); /* accepts an empty one; leaves an empty one */

/* Blocking transfers of `bytes` at `offset`; bytes 0 does nothing. */
oclm_status dev_buffer_write(cl_command_queue queue, const dev_buffer *buffer, size_t offset, const void *data, size_t bytes);
oclm_status dev_buffer_read(cl_command_queue queue, const dev_buffer *buffer, size_t offset, void *data, size_t bytes);

uint64_t dev_memory_used(const dev_device *device); /* now, in bytes, by oclm */
uint64_t dev_memory_peak(const dev_device *device);
/* What is left of the budget. */
uint64_t dev_memory_left(const dev_device *device);

/* Asks the driver for `bytes` more, which the budget has, and gives them back: what it would refuse later, it refuses now. Nothing is counted;
 * for that moment whoever else asks the same driver finds as much less.
 * Errors: OCLM_ERR_DEVICE_MEMORY (and dev_memory_refused_at() tells what it would give), OCLM_ERR_MEMORY, OCLM_ERR_DEVICE. */
oclm_status dev_memory_try(dev_device *device, uint64_t bytes, const char *what);

/* What oclm had in use when the driver last refused a buffer that the budget allowed: that much it can have. UINT64_MAX: it never did.
 * Whoever plans lowers the budget to it and tries again with less on this device. */
uint64_t dev_memory_refused_at(const dev_device *device);
/* From now on `bytes` are the most; what is in use stays. While nobody else uses the device. */
void     dev_memory_lower(dev_device *device, uint64_t bytes);

/* For tests: the n-th buffer from now on (1 is the next; of any device), and all after it if `forever`, is refused as drivers refuse:
 * although the budget allows it. 0 stops that. Returns how many were still to come until the one of the call before; 0: it came. */
size_t dev_memory_fail_at(size_t n, bool forever);

#endif
