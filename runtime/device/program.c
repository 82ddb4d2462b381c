/* program.c: builds kernels from their embedded text, once for a device and options; of several texts, by linking them. */
#include "device/program.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "device/device_internal.h"
#include "device/program_cache.h"

#define LOG_SHOWN 1500 /* bytes of a compiler's log in a message */

static cl_program find(const dev_device *device, const char *key)
{
    for (size_t i = 0; i < device->program_count; i++) {
        if (strcmp(device->programs[i].key, key) == 0)
            return device->programs[i].program;
    }
    return NULL;
}

/* The compiler's words, cut, for the message of a failed build. */
static oclm_status fail_build(const dev_device *device, cl_program program, const char *source, const char *options, cl_int error)
{
    char             *log = dev_build_log(device, program);
    const oclm_status status = dev_cl_fail(error, "cl/%s.cl (%s) does not compile on \"%s\": %.*s", source, options, device->traits.info.name,
                                           LOG_SHOWN, log != NULL ? log : "the driver gave no reason");
    core_free(log);
    return status;
}

/* What a program is made of: its own source first. */
typedef struct recipe {
    const char *sources[1 + DEV_MAX_UNITS];
    core_text   options[1 + DEV_MAX_UNITS]; /* all that the compiler is told */
    size_t      count;
} recipe;

static void recipe_deinit(recipe *r)
{
    for (size_t i = 0; i < r->count; i++)
        core_text_free(&r->options[i]);
}

/* One source, built, or only compiled where others are to be linked to it. */
static oclm_status translate(const dev_device *device, const recipe *r, size_t index, cl_program *out)
{
    const char *source = r->sources[index], *options = r->options[index].data, *text = dev_embedded_source(source);
    oclm_status status = OCLM_OK;
    cl_int      error;
    *out = NULL;
    cl_program program = clCreateProgramWithSource(device->context, 1, &text, NULL, &error);
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "cl/%s.cl: clCreateProgramWithSource", source);
    error = r->count == 1 ? dev_build(device, program, options) : dev_compile(device, program, options);
    if (error != CL_SUCCESS) {
        status = fail_build(device, program, source, options, error);
        clReleaseProgram(program);
        return status;
    }
    *out = program;
    return OCLM_OK;
}

static oclm_status link_all(const dev_device *device, const recipe *r, const cl_program *parts, cl_program *out)
{
    cl_int      error;
    oclm_status status = OCLM_OK;
    cl_program  program = dev_link_parts(device, r->count, parts, &error);
    if (error == CL_SUCCESS) {
        *out = program;
        return OCLM_OK;
    }
    if (program == NULL)
        return dev_cl_fail(error, "cl/%s.cl: clLinkProgram", r->sources[0]);
    status = fail_build(device, program, r->sources[0], r->options[0].data, error);
    clReleaseProgram(program);
    return status;
}

static oclm_status build_from_source(const dev_device *device, const recipe *r, cl_program *out)
{
    cl_program  parts[1 + DEV_MAX_UNITS] = { NULL };
    oclm_status status = OCLM_OK;
    *out = NULL;
    for (size_t i = 0; i < r->count && status == OCLM_OK; i++)
        status = translate(device, r, i, &parts[i]);
    if (status == OCLM_OK && r->count == 1) {
        *out = parts[0];
        return OCLM_OK;
    }
    if (status == OCLM_OK)
        status = link_all(device, r, parts, out);
    for (size_t i = 0; i < r->count && parts[i] != NULL; i++)
        clReleaseProgram(parts[i]);
    return status;
}

/* NULL where the driver does not want it any more: then the source is built. */
static cl_program build_from_binary(dev_device *device, const char *data, size_t length, const char *options)
{
    const unsigned char *binary = (const unsigned char *)data;
    cl_int               taken = CL_INVALID_BINARY, error;
    size_t               kernels = 0;
    cl_program program = clCreateProgramWithBinary(device->context, 1, &device->id, &length, &binary, &taken, &error);
    if (error != CL_SUCCESS)
        return NULL;
    if (taken == CL_SUCCESS && dev_build(device, program, options) == CL_SUCCESS &&
        clGetProgramInfo(program, CL_PROGRAM_NUM_KERNELS, sizeof kernels, &kernels, NULL) == CL_SUCCESS && kernels > 0)
        return program;
    clReleaseProgram(program);
    return NULL;
}

unsigned char *dev_program_binary(cl_program program, size_t *length)
{
    cl_uint        devices = 0;
    unsigned char *binary = NULL;
    *length = 0;
    /* A caller's context may have more devices; then sizes and binaries are lists, and ours is one of them. Source it is. */
    if (clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof devices, &devices, NULL) != CL_SUCCESS || devices != 1 ||
        clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof *length, length, NULL) != CL_SUCCESS || *length == 0 ||
        (binary = core_alloc(*length, "a program's binary")) == NULL)
        return NULL;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        return binary;
    core_free(binary);
    return NULL;
}

/* ---- What to keep on disk. A binary loads in 2-8 ms, but asking for one is free with some drivers and a second compilation
 * with others (PoCL 3.1: 150 ms a kernel, doubling a cold start), which for that have a cache of their own (building from
 * source again: 40 ms). So that is measured once for a device. Where asking is dear, programs are noted only, and binaries
 * asked for when a noted program turns out slow to build again, for then the driver remembers nothing. */

#define DEAR_BINARY  0.02 /* seconds for a kernel of one line: 0.09 with PoCL 3.1, below 0.001 with all others measured */
#define SLOW_REBUILD 0.25 /* seconds */

static void store(dev_device *device, const dev_cache_key *key, dev_cached kind, const void *data, size_t length)
{
    if (device->cache_off || dev_cache_store(key, kind, data, length) == OCLM_OK)
        return;
    device->cache_off = true; /* told once; everything works without, only slower */
    core_log(OCLM_LOG_WARNING, "built programs are not kept: %s", oclm_last_error());
}

/* What was found out about a device is remembered: "yes" or "no". */
static bool recall(const dev_device *device, const char *question, dev_answer *known)
{
    core_text fact = CORE_TEXT_INIT;
    if (*known == DEV_ANSWER_UNKNOWN && dev_fact_load(&device->traits, question, &fact))
        *known = strcmp(fact.data, "yes") == 0 ? DEV_ANSWER_YES : DEV_ANSWER_NO;
    core_text_free(&fact);
    return *known != DEV_ANSWER_UNKNOWN;
}

static void note(const dev_device *device, const char *question, bool yes, dev_answer *known)
{
    *known = yes ? DEV_ANSWER_YES : DEV_ANSWER_NO;
    dev_fact_store(&device->traits, question, yes ? "yes" : "no");
}

bool dev_orders_groups(dev_device *device)
{
    static const char question[] = "do work-groups see what those before them wrote, and do programs link?";
    core_mutex_lock(device->programs_lock);
    if (!recall(device, question, &device->orders))
        note(device, question, dev_measure_ordered(device), &device->orders);
    const bool orders = device->orders == DEV_ANSWER_YES;
    core_mutex_unlock(device->programs_lock);
    return orders;
}

/* What every build has to know. One little program answers both questions. */
static void ask_first(dev_device *device)
{
    static const char fuses[] = "is a product and a sum rounded once?", dear[] = "are binaries dear?";
    double            seconds;
    const bool        known = recall(device, fuses, &device->fuses);
    if (recall(device, dear, &device->binaries_dear) && known)
        return;
    note(device, fuses, dev_measure_fused(device, &seconds), &device->fuses);
    note(device, dear, seconds > DEAR_BINARY, &device->binaries_dear);
    core_log(OCLM_LOG_DEBUG, "asking for a small binary takes %.1f ms: binaries are %s", 1e3 * seconds,
             seconds > DEAR_BINARY ? "left to the driver" : "kept");
}

/* After a build from source. */
static void remember(dev_device *device, const dev_cache_key *key, dev_cached before, cl_program program, double build_seconds)
{
    unsigned char *binary = NULL;
    size_t         length = 0;
    if (device->cache_off)
        return;
    if (device->binaries_dear == DEV_ANSWER_NO || (before == DEV_CACHED_NOTE && build_seconds > SLOW_REBUILD))
        binary = dev_program_binary(program, &length);
    if (binary)
        store(device, key, DEV_CACHED_BINARY, binary, length);
    else if (before != DEV_CACHED_NOTE)
        store(device, key, DEV_CACHED_NOTE, NULL, 0);
    core_free(binary);
}

/* The texts and options of all, in one, by which they are remembered on disk. */
static oclm_status describe(const recipe *r, core_text *texts, core_text *options)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < r->count && status == OCLM_OK; i++) {
        const char *text = dev_embedded_source(r->sources[i]);
        if (!text)
            return core_fail(OCLM_ERR_INTERNAL, "there is no kernel file cl/%s.cl in this build", r->sources[i]);
        if ((status = core_text_printf(texts, "%s", text)) == OCLM_OK)
            status = core_text_printf(options, "%s%s", i > 0 ? "\n" : "", r->options[i].data);
    }
    return status;
}

/* From disk, or else from source. */
static oclm_status build_described(dev_device *device, const recipe *r, const char *texts, const char *options, cl_program *program)
{
    dev_cache_key key;
    char         *data = NULL;
    size_t        length = 0;
    oclm_status   status = OCLM_OK;
    const double  begin = core_seconds();
    dev_cache_key_make(&device->traits, texts, options, &key);
    const dev_cached before = dev_cache_load(&key, &data, &length);
    if (before == DEV_CACHED_BINARY)
        *program = build_from_binary(device, data, length, r->options[0].data);
    core_free(data);
    const bool from_binary = *program != NULL;
    if (!from_binary && (status = build_from_source(device, r, program)) != OCLM_OK)
        return status;
    const double seconds = core_seconds() - begin;
    core_log(OCLM_LOG_DEBUG, "cl/%s.cl %s: built from %s in %.1f ms", r->sources[0], options, from_binary ? "binary" : "source", 1e3 * seconds);
    if (!from_binary)
        remember(device, &key, before, *program, seconds);
    return OCLM_OK;
}

static oclm_status build(dev_device *device, const recipe *r, cl_program *program)
{
    core_text   texts = CORE_TEXT_INIT, options = CORE_TEXT_INIT;
    oclm_status status = describe(r, &texts, &options);
    *program = NULL;
    if (status == OCLM_OK)
        status = build_described(device, r, texts.data, options.data, program);
    core_text_free(&texts);
    core_text_free(&options);
    return status;
}

/* Takes ownership of key and program, also on failure. */
static oclm_status keep(dev_device *device, char *key, cl_program program)
{
    dev_program_entry *grown = core_grow_array(device->programs, device->program_count, &device->program_capacity, 16, sizeof *grown, "the table of programs");
    if (!grown) {
        core_free(key);
        clReleaseProgram(program);
        return OCLM_ERR_MEMORY;
    }
    device->programs = grown;
    device->programs[device->program_count++] = (dev_program_entry){ key, program };
    return OCLM_OK;
}

static oclm_status add_source(const dev_device *device, recipe *r, const char *source, const char *options)
{
    const bool own_version = strncmp(options, "-cl-std=", 8) == 0;
    core_text *all = &r->options[r->count];
    r->sources[r->count++] = source;
    return core_text_printf(all, "%s%s%s%s", own_version ? "" : DEV_COMMON_OPTIONS " ", options, options[0] ? " " : "",
                            device->fuses == DEV_ANSWER_YES ? "-DHAS_FMA" : "");
}

static oclm_status make(dev_device *device, const dev_unit *units, size_t count, const char *key, cl_program *program)
{
    recipe      r = { .count = 0 };
    oclm_status status = OCLM_OK;
    char       *own_key = core_copy_string(key, "a program's name");
    *program = NULL;
    if (!own_key)
        return OCLM_ERR_MEMORY;
    ask_first(device);
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = add_source(device, &r, units[i].source, units[i].options);
    if (status == OCLM_OK && (status = build(device, &r, program)) == OCLM_OK) {
        status = keep(device, own_key, *program);
        own_key = NULL;
    }
    core_free(own_key);
    recipe_deinit(&r);
    return status;
}

oclm_status dev_program_linked(dev_device *device, const char *source, const char *options, const dev_unit *units, size_t count, cl_program *program)
{
    dev_unit    all[1 + DEV_MAX_UNITS] = { { source, options ? options : "" } };
    core_text   key = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    assert(count <= DEV_MAX_UNITS);
    *program = NULL;
    for (size_t i = 0; i < count; i++)
        all[i + 1] = units[i];
    for (size_t i = 0; i <= count && status == OCLM_OK; i++)
        status = core_text_printf(&key, "%s\n%s\n", all[i].source, all[i].options);
    if (status == OCLM_OK) {
        core_mutex_lock(device->programs_lock);
        if (!(*program = find(device, key.data)))
            status = make(device, all, count + 1, key.data, program);
        core_mutex_unlock(device->programs_lock);
    }
    core_text_free(&key);
    if (status != OCLM_OK)
        *program = NULL;
    return status;
}

oclm_status dev_program(dev_device *device, const char *source, const char *options, cl_program *program)
{
    return dev_program_linked(device, source, options, NULL, 0, program);
}

oclm_status dev_kernel_of(cl_program program, const char *source, const char *options, const char *kernel, cl_kernel *out)
{
    cl_int    error;
    cl_kernel made = clCreateKernel(program, kernel, &error);
    *out = NULL;
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "kernel %s of cl/%s.cl (%s): clCreateKernel", kernel, source, options ? options : "");
    *out = made;
    return OCLM_OK;
}

oclm_status dev_kernel(dev_device *device, const char *source, const char *options, const char *kernel, cl_kernel *out)
{
    cl_program        program;
    const oclm_status status = dev_program(device, source, options, &program);
    *out = NULL;
    return status == OCLM_OK ? dev_kernel_of(program, source, options, kernel, out) : status;
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
