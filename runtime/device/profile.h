/* profile.h: what the device reaches, measured now: the yardstick for every claim of speed. */
#ifndef OCLM_DEVICE_PROFILE_H
#define OCLM_DEVICE_PROFILE_H

#include "core/storage.h"
#include "device/device.h"

/* Bytes per second that a plain kernel reads from a buffer of `bytes` (larger than any cache), best of several runs. */
oclm_status dev_measure_read(dev_device *device, size_t bytes, double *bytes_per_s);

/* Floating point operations per second of the matrix product that dev_matmul_add() would use for this shape (float32 rows of x;
 * weights of a storage), best of several runs. */
oclm_status dev_measure_matmul(dev_device *device, const core_storage *storage, uint32_t rows, uint32_t n, uint32_t k, double *flops_per_s);

#endif
