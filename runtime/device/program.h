/* program.h: kernels, built once for a device and options, remembered in memory and on disk.
 *
 * On disk a program is a file named by the hash of source, options, device, driver and oclm's version; it carries its own
 * SHA-256 and length, is written beside and renamed, and anything odd about it means building from source again. */
#ifndef OCLM_DEVICE_PROGRAM_H
#define OCLM_DEVICE_PROGRAM_H

#include "device/device.h"

/* The program of cl/<source>.cl built with `options` ("-DWG=64 -DSTORAGE=1"). The device keeps it: do not release.
 * Errors: OCLM_ERR_DEVICE with the compiler's log (its first 1,500 bytes). Threads: safe. */
oclm_status dev_program(dev_device *device, const char *source, const char *options, cl_program *program);

/* A source that is compiled by itself, with options of its own, and linked to others: functions that a kernel calls. So a kernel may have the
 * same code several times, each built differently. */
typedef struct dev_unit {
    const char *source, *options; /* options: a whole list, with -cl-std where that of others is not DEV_COMMON_OPTIONS */
} dev_unit;
#define DEV_MAX_UNITS 8u

/* As dev_program(), of cl/<source>.cl and `count` units linked to it, at most DEV_MAX_UNITS. */
oclm_status dev_program_linked(dev_device *device, const char *source, const char *options, const dev_unit *units, size_t count, cl_program *program);

/* A kernel of it; belongs to one thread at a time; release with clReleaseKernel(). */
oclm_status dev_kernel(dev_device *device, const char *source, const char *options, const char *kernel, cl_kernel *out);
oclm_status dev_kernel_of(cl_program program, const char *source, const char *options, const char *kernel, cl_kernel *out);

/* The embedded text of cl/<name>.cl with its headers put in, or NULL. Made by scripts/embed_kernels.cmake. */
const char *dev_embedded_source(const char *name);
/* SHA-256 of all of them. */
const char *dev_embedded_digest(void);

#endif
