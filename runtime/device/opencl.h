/* opencl.h: the OpenCL headers, the one place that knows where they are and which version is asked for. */
#ifndef OCLM_DEVICE_OPENCL_H
#define OCLM_DEVICE_OPENCL_H

#include <oclm/opencl.h>

#include "core/status.h"

/* "CL_OUT_OF_RESOURCES (-5)"; a number without a name is told as a number. Static or per-thread storage. */
const char *dev_cl_name(cl_int error);

/* Does it tell of exhausted memory? Drivers that allocate at first use do so at an enqueue or at the end, by any of several. */
bool dev_is_memory_error(cl_int error);

/* The status for a failed OpenCL call, with the message "<what>: <error>; <way out>": memory errors become
 * OCLM_ERR_DEVICE_MEMORY, all others OCLM_ERR_DEVICE. */
oclm_status dev_cl_fail(cl_int error, const char *format, ...) CORE_PRINTF(2, 3);

#endif
