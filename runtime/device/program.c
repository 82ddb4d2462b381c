/* program.c: builds kernels from their embedded text, once for a device and options. */
#include "device/program.h"

#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "device/device_internal.h"

#define LOG_SHOWN 1500 /* bytes of a compiler's log in a message */

/* What every kernel is built with. 1.2 is what all drivers take: PoCL refuses CL2.0, Apple knows nothing later. */
#define COMMON_OPTIONS "-cl-std=CL1.2"

static cl_program find(const dev_device *device, const char *key)
{
    for (size_t i = 0; i < device->program_count; i++) {
        if (strcmp(device->programs[i].key, key) == 0)
            return device->programs[i].program;
    }
    return NULL;
}

/* The compiler's words, cut, for the message of a failed build. */
static oclm_status fail_build(dev_device *device, cl_program program, const char *source, const char *options, cl_int error)
{
    char   shown[LOG_SHOWN + 1];
    size_t size = 0;
    char  *log = NULL;
    shown[0] = '\0';
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS && size > 1 &&
        (log = core_alloc_zero(size + 1, 1, "a compiler's log")) != NULL &&
        clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL) == CL_SUCCESS) {
        size = strlen(log);
        if (size > LOG_SHOWN)
            size = LOG_SHOWN;
        memcpy(shown, log, size);
        shown[size] = '\0';
    }
    core_free(log);
    return dev_cl_fail(error, "cl/%s.cl (%s) does not compile on \"%s\": %s", source, options, device->traits.info.name,
                       shown[0] ? shown : "the driver gave no reason");
}

static oclm_status build_from_source(dev_device *device, const char *source, const char *text, const char *options,
                                     cl_program *out)
{
    oclm_status status = OCLM_OK;
    cl_int      error;
    *out = NULL;
    cl_program program = clCreateProgramWithSource(device->context, 1, &text, NULL, &error);
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "cl/%s.cl: clCreateProgramWithSource", source);
    if ((error = clBuildProgram(program, 1, &device->id, options, NULL, NULL)) != CL_SUCCESS) {
        status = fail_build(device, program, source, options, error);
        clReleaseProgram(program);
        return status;
    }
    *out = program;
    return OCLM_OK;
}

/* Takes ownership of key and program, also on failure. */
static oclm_status keep(dev_device *device, char *key, cl_program program)
{
    if (device->program_count == device->program_capacity) {
        const size_t       capacity = device->program_capacity ? 2 * device->program_capacity : 16;
        dev_program_entry *grown = core_realloc_array(device->programs, capacity, sizeof *grown, "the table of programs");
        if (!grown) {
            core_free(key);
            clReleaseProgram(program);
            return OCLM_ERR_MEMORY;
        }
        device->programs = grown;
        device->program_capacity = capacity;
    }
    device->programs[device->program_count++] = (dev_program_entry){ key, program };
    return OCLM_OK;
}

static oclm_status make(dev_device *device, const char *source, const char *options, const char *key, cl_program *program)
{
    core_text   all = CORE_TEXT_INIT;
    oclm_status status;
    const char *text = dev_embedded_source(source);
    *program = NULL;
    if (!text)
        return core_fail(OCLM_ERR_INTERNAL, "there is no kernel file cl/%s.cl in this build", source);
    if ((status = core_text_printf(&all, "%s%s%s", COMMON_OPTIONS, options[0] ? " " : "", options)) != OCLM_OK)
        return status;
    const double begin = core_seconds();
    char        *own_key = core_copy_string(key, "a program's name");
    status = own_key ? build_from_source(device, source, text, all.data, program) : OCLM_ERR_MEMORY;
    if (status == OCLM_OK) {
        core_log(OCLM_LOG_DEBUG, "cl/%s.cl %s: built in %.0f ms", source, options, 1e3 * (core_seconds() - begin));
        status = keep(device, own_key, *program);
        own_key = NULL;
    }
    core_free(own_key);
    core_text_free(&all);
    return status;
}

oclm_status dev_program(dev_device *device, const char *source, const char *options, cl_program *program)
{
    core_text   key = CORE_TEXT_INIT;
    oclm_status status;
    *program = NULL;
    if (!options)
        options = "";
    if ((status = core_text_printf(&key, "%s\n%s", source, options)) != OCLM_OK)
        return status;
    core_mutex_lock(device->programs_lock);
    if (!(*program = find(device, key.data)))
        status = make(device, source, options, key.data, program);
    core_mutex_unlock(device->programs_lock);
    core_text_free(&key);
    if (status != OCLM_OK)
        *program = NULL;
    return status;
}

oclm_status dev_kernel(dev_device *device, const char *source, const char *options, const char *kernel, cl_kernel *out)
{
    cl_program  program;
    oclm_status status;
    cl_int      error;
    *out = NULL;
    if ((status = dev_program(device, source, options, &program)) != OCLM_OK)
        return status;
    cl_kernel made = clCreateKernel(program, kernel, &error);
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "kernel %s of cl/%s.cl (%s): clCreateKernel", kernel, source, options ? options : "");
    *out = made;
    return OCLM_OK;
}

void dev_programs_drop(dev_device *device)
{
    for (size_t i = 0; i < device->program_count; i++) {
        clReleaseProgram(device->programs[i].program);
        core_free(device->programs[i].key);
    }
    core_free(device->programs);
    device->programs = NULL;
    device->program_count = device->program_capacity = 0;
}
