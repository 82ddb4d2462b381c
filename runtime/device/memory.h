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

#endif
