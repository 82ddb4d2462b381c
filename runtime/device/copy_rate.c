/* copy_rate.c: how fast bytes come to a device and leave it; and, with read_rate.c's, all that planning asks of a device, remembered. */
#include "device/profile.h"

#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "core/text.h"
#include "device/launch.h"
#include "device/program_cache.h"

#define RUNS       4
#define READ_BYTES ((size_t)256 << 20) /* larger than a CPU's caches */
#define COPY_BYTES ((size_t)64 << 20)
#define ENOUGH     ((uint64_t)2 * COPY_BYTES) /* left of the budget: what is measured with less is not remembered */
#define LEAST      ((size_t)64)

typedef oclm_status (*transfer)(cl_command_queue queue, const dev_buffer *buffer, void *memory);

static oclm_status come(cl_command_queue queue, const dev_buffer *buffer, void *memory)
{
    return dev_buffer_write(queue, buffer, 0, memory, buffer->bytes);
}

static oclm_status go(cl_command_queue queue, const dev_buffer *buffer, void *memory)
{
    return dev_buffer_read(queue, buffer, 0, memory, buffer->bytes);
}

static oclm_status time_transfer(cl_command_queue queue, const dev_buffer *buffer, void *memory, transfer way, double *rate)
{
    double best = 0;
    for (int run = 0; run <= RUNS; run++) { /* the first run is not counted: it wakes, and pages are found */
        const double      begin = core_seconds();
        const oclm_status status = way(queue, buffer, memory);
        if (status != OCLM_OK)
            return status;
        const double seconds = core_seconds() - begin;
        if (run > 0 && (best == 0 || seconds < best))
            best = seconds;
    }
    *rate = best > 0 ? (double)buffer->bytes / best : 0;
    return OCLM_OK;
}

oclm_status dev_measure_copy(dev_device *device, size_t bytes, double *in, double *out)
{
    static const char       what[] = "measuring the copy rate";
    const oclm_device_info *info = &dev_get_traits(device)->info;
    const cl_command_queue  queue = dev_queue(device);
    dev_buffer              buffer = { NULL, 0 };
    void                   *memory = NULL;
    oclm_status             status;
    *in = *out = 0;
    if (bytes > info->max_alloc_bytes)
        bytes = (size_t)info->max_alloc_bytes;
    if (bytes > dev_memory_left(device))
        bytes = (size_t)dev_memory_left(device);
    if (bytes < LEAST)
        return core_fail(OCLM_ERR_DEVICE_MEMORY, "no memory of device \"%s\" is left to measure the copy rate on (at least %zu bytes)", info->name,
                         LEAST);
    if (!(memory = core_alloc(bytes, what)))
        return OCLM_ERR_MEMORY;
    memset(memory, 1, bytes); /* pages of its own, not one of zeros */
    if ((status = dev_buffer_new(device, bytes, what, &buffer)) == OCLM_OK &&
        (status = time_transfer(queue, &buffer, memory, come, in)) == OCLM_OK && (status = time_transfer(queue, &buffer, memory, go, out)) == OCLM_OK)
        core_log(OCLM_LOG_DEBUG, "device \"%s\" takes %.1f GB/s from the host and gives %.1f GB/s", info->name, *in * 1e-9, *out * 1e-9);
    dev_buffer_free(device, &buffer);
    core_free(memory);
    return status;
}

/* Three numbers, blanks between them. */
static bool read_fact(char *fact, dev_rates *rates)
{
    double *const to[] = { &rates->own, &rates->in, &rates->out };
    char         *number = fact;
    for (size_t i = 0; i < COUNT(to); i++) {
        char *end = strchr(number, ' ');
        if ((end == NULL) != (i + 1 == COUNT(to)))
            return false;
        if (end)
            *end = '\0';
        if (!core_parse_double(number, to[i]) || !(*to[i] > 0))
            return false;
        number = end ? end + 1 : NULL;
    }
    return true;
}

static const char fact_name[] = "rates: own in out, bytes per second";

static void remember(const dev_device *device, const dev_rates *rates)
{
    core_text fact = CORE_TEXT_INIT;
    if (core_text_printf(&fact, "%.6e %.6e %.6e", rates->own, rates->in, rates->out) == OCLM_OK)
        dev_fact_store(dev_get_traits(device), fact_name, fact.data);
    core_text_free(&fact);
}

oclm_status dev_measure_rates(dev_device *device, dev_rates *rates)
{
    core_text      fact = CORE_TEXT_INIT;
    oclm_status    status;
    const uint64_t left = dev_memory_left(device);
    *rates = (dev_rates){ 0, 0, 0 };
    const bool known = dev_fact_load(dev_get_traits(device), fact_name, &fact) && read_fact(fact.data, rates);
    core_text_free(&fact);
    if (known)
        return OCLM_OK;
    *rates = (dev_rates){ 0, 0, 0 };
    if ((status = dev_measure_copy(device, COPY_BYTES, &rates->in, &rates->out)) != OCLM_OK ||
        (status = dev_measure_read(device, READ_BYTES, &rates->own)) != OCLM_OK)
        return status;
    if (left >= ENOUGH)
        remember(device, rates);
    return OCLM_OK;
}
