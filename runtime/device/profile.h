/* profile.h: what the device reaches, measured now: the yardstick for every claim of speed. */
#ifndef OCLM_DEVICE_PROFILE_H
#define OCLM_DEVICE_PROFILE_H

#include "core/storage.h"
#include "device/device.h"

/* Bytes per second that a plain kernel reads from a buffer of `bytes` (larger than any cache), mean of several runs in a row. */
oclm_status dev_measure_read(dev_device *device, size_t bytes, double *bytes_per_s);

/* Bytes per second that come from ordinary host memory into a buffer of the device's, and go the other way, best of several runs over
 * `bytes` (less where less is left of the budget). */
oclm_status dev_measure_copy(dev_device *device, size_t bytes, double *in, double *out);

/* What planning needs: how fast the device reads what it has, and how fast it gets what it has not. In bytes per second. */
typedef struct dev_rates {
    double own; /* as dev_measure_read() */
    double in;  /* from the host's memory */
    double out; /* to the host's memory */
} dev_rates;

/* Measured in about half a second when first asked, then remembered on disk. Where too little of the budget is left to measure on, what
 * there is serves, and is not remembered. Errors: OCLM_ERR_DEVICE_MEMORY (nothing is left), OCLM_ERR_DEVICE, OCLM_ERR_MEMORY. */
oclm_status dev_measure_rates(dev_device *device, dev_rates *rates);

/* Floating point operations per second of the matrix product that dev_matmul_add() would use for this shape (float32 rows of x;
 * weights of a storage), best of several runs. */
oclm_status dev_measure_matmul(dev_device *device, const core_storage *storage, uint32_t rows, uint32_t n, uint32_t k, double *flops_per_s);

#endif
