/* build.c: the driver's compiler and linker, asked again where they fail and name no error.
 *
 * A driver may keep what it compiles in a cache of its own, which processes that build the same at once disturb for each other: PoCL 3.1 removes a
 * file that another process has just removed, and then fails the build with no word of the source (one of forty such starts). The same again
 * succeeds. What the compiler does find wrong is not asked twice. */
#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "device/device_internal.h"

#define ATTEMPTS 4

char *dev_build_log(const dev_device *device, cl_program program)
{
    size_t size = 0;
    char  *log = NULL;
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS && size > 1 &&
        (log = core_alloc_zero(size + 1, 1, "a compiler's log")) != NULL &&
        clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL) == CL_SUCCESS && log[0] != '\0')
        return log;
    core_free(log);
    return NULL;
}

/* After so many attempts, is it worth another? */
static bool is_unexplained(const dev_device *device, cl_program program, cl_int error, int attempts)
{
    if (attempts == ATTEMPTS ||
        (error != CL_BUILD_PROGRAM_FAILURE && error != CL_COMPILE_PROGRAM_FAILURE && error != CL_LINK_PROGRAM_FAILURE))
        return false;
    char      *log = program != NULL ? dev_build_log(device, program) : NULL;
    const bool unexplained = log == NULL || strstr(log, "error") == NULL;
    core_free(log);
    if (unexplained)
        core_log(OCLM_LOG_DEBUG, "a build failed without a reason (%s): once more", dev_cl_name(error));
    return unexplained;
}

cl_int dev_build(const dev_device *device, cl_program program, const char *options)
{
    cl_int error;
    int    attempts = 0;
    do
        error = clBuildProgram(program, 1, &device->id, options, NULL, NULL);
    while (is_unexplained(device, program, error, ++attempts));
    return error;
}

cl_int dev_compile(const dev_device *device, cl_program program, const char *options)
{
    cl_int error;
    int    attempts = 0;
    do
        error = clCompileProgram(program, 1, &device->id, options, 0, NULL, NULL, NULL, NULL);
    while (is_unexplained(device, program, error, ++attempts));
    return error;
}

cl_program dev_link_parts(const dev_device *device, size_t count, const cl_program *parts, cl_int *error)
{
    cl_program linked = NULL;
    int        attempts = 0;
    do {
        if (linked != NULL)
            clReleaseProgram(linked);
        linked = clLinkProgram(device->context, 1, &device->id, "", (cl_uint)count, parts, NULL, NULL, error);
    } while (is_unexplained(device, linked, *error, ++attempts));
    return linked;
}
