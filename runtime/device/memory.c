/* memory.c: buffers within a budget of our own. Drivers do not keep one: PoCL gives out more than there is, others allocate
 * at first use and fail in the middle of a launch. So every byte is counted before the driver is asked, and on devices with
 * memory of their own a new buffer is touched at both ends, so that it fails here or not at all. */
#include "device/memory.h"

#include <inttypes.h>

#include "core/countdown.h"
#include "core/log.h"
#include "core/text.h"
#include "device/device_internal.h"

#define LEAST_PIECE ((uint64_t)64 << 10) /* of memory that is tried: less is not worth asking for */
#define MOST_PIECES ((size_t)4096)

static oclm_status fail_budget(const dev_device *device, size_t bytes, const char *what, uint64_t used)
{
    const dev_traits *traits = &device->traits;
    char              need[32], in_use[32], left[32], budget[32];
    const uint64_t    rest = used < traits->budget_bytes ? traits->budget_bytes - used : 0;
    return core_fail(OCLM_ERR_DEVICE_MEMORY,
                     "device \"%s\" has too little memory for %s: needed %s, available %s (%s of %s in use by oclm); choose a "
                     "smaller dtype, a shorter context or a device with more memory",
                     traits->info.name, what, core_format_bytes(bytes, need), core_format_bytes(rest, left),
                     core_format_bytes(used, in_use), core_format_bytes(traits->budget_bytes, budget));
}

static oclm_status reserve(dev_device *device, size_t bytes, const char *what)
{
    uint64_t used;
    return dev_counter_take(&device->memory, device->traits.budget_bytes, bytes, &used) ? OCLM_OK : fail_budget(device, bytes, what, used);
}

static core_countdown failure; /* of a buffer */

size_t dev_memory_fail_at(size_t n, bool forever) { return core_countdown_set(&failure, n, forever); }

/* Writes the first and the last byte. */
static cl_int touch(cl_command_queue queue, cl_mem memory, size_t bytes)
{
    const unsigned char zero = 0;
    const cl_int error = clEnqueueWriteBuffer(queue, memory, CL_TRUE, 0, 1, &zero, 0, NULL, NULL);
    return error != CL_SUCCESS ? error : clEnqueueWriteBuffer(queue, memory, CL_TRUE, bytes - 1, 1, &zero, 0, NULL, NULL);
}

/* With a copy of `contents`, unless that is NULL. */
static cl_mem create(dev_device *device, size_t bytes, void *contents, cl_int *error)
{
    dev_host_pages *owner = NULL;
    if (core_countdown_hit(&failure)) {
        *error = CL_MEM_OBJECT_ALLOCATION_FAILURE;
        return NULL;
    }
    if (contents)
        return clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, bytes, contents, error);
    void *pages = dev_host_pages_new(device, bytes, &owner);
    cl_mem memory = clCreateBuffer(device->context, pages ? CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR : CL_MEM_READ_WRITE, bytes, pages, error);
    if (pages && *error == CL_SUCCESS && (*error = dev_host_pages_attach(owner, memory)) != CL_SUCCESS)
        clReleaseMemObject(memory);
    if (pages && *error != CL_SUCCESS)
        dev_host_pages_drop(owner);
    return memory;
}

static cl_mem create_touched(dev_device *device, size_t bytes, void *contents, cl_int *error)
{
    const cl_mem memory = create(device, bytes, contents, error);
    if (*error != CL_SUCCESS || contents || device->traits.info.host_unified || (*error = touch(device->queue, memory, bytes)) == CL_SUCCESS)
        return memory;
    clReleaseMemObject(memory);
    return NULL;
}

static oclm_status new_from(dev_device *device, size_t bytes, void *contents, const char *what, dev_buffer *buffer)
{
    const oclm_device_info *info = &device->traits.info;
    oclm_status             status;
    cl_int                  error;
    char                    need[32], most[32];
    *buffer = (dev_buffer){ NULL, 0 };
    if (bytes == 0)
        return core_fail(OCLM_ERR_INTERNAL, "%s: a buffer of no bytes was asked for", what);
    if (bytes > info->max_alloc_bytes)
        return core_fail(OCLM_ERR_DEVICE_MEMORY,
                         "device \"%s\" takes no buffer larger than %s, %s needs %s; choose a smaller dtype, a shorter context or "
                         "another device",
                         info->name, core_format_bytes(info->max_alloc_bytes, most), what, core_format_bytes(bytes, need));
    if ((status = reserve(device, bytes, what)) != OCLM_OK)
        return status;
    cl_mem memory = create_touched(device, bytes, contents, &error);
    if (error != CL_SUCCESS) {
        dev_counter_give(&device->memory, bytes);
        atomic_store(&device->refused_at, dev_memory_used(device));
        return dev_cl_fail(error, "device \"%s\": a buffer of %s for %s", info->name, core_format_bytes(bytes, need), what);
    }
    *buffer = (dev_buffer){ memory, bytes };
    return OCLM_OK;
}

oclm_status dev_buffer_new(dev_device *device, size_t bytes, const char *what, dev_buffer *buffer)
{
    return new_from(device, bytes, NULL, what, buffer);
}

/* Takes pieces, smaller and smaller ones where the driver refuses. What is given of `bytes`. */
static uint64_t try_pieces(dev_device *device, uint64_t bytes, cl_mem *pieces, size_t *count, cl_int *error)
{
    uint64_t piece = device->traits.info.max_alloc_bytes, given = 0;
    *count = 0;
    *error = CL_SUCCESS;
    while (given < bytes && *count < MOST_PIECES && piece >= LEAST_PIECE) {
        cl_int         refused;
        const uint64_t size = piece < bytes - given ? piece : bytes - given;
        const cl_mem   memory = create_touched(device, (size_t)size, NULL, &refused);
        if (refused == CL_SUCCESS) {
            pieces[(*count)++] = memory;
            given += size;
        } else {
            *error = refused;
            piece = dev_is_memory_error(refused) ? size / 2 : 0;
        }
    }
    return given;
}

oclm_status dev_memory_try(dev_device *device, uint64_t bytes, const char *what)
{
    size_t  count;
    cl_int  error;
    char    need[32], told[32];
    cl_mem *pieces = core_alloc_array(MOST_PIECES, sizeof *pieces, what);
    if (!pieces)
        return OCLM_ERR_MEMORY;
    const uint64_t given = try_pieces(device, bytes, pieces, &count, &error);
    for (size_t i = 0; i < count; i++)
        clReleaseMemObject(pieces[i]);
    core_free(pieces);
    if (given >= bytes)
        return OCLM_OK;
    atomic_store(&device->refused_at, dev_memory_used(device) + given);
    return dev_cl_fail(error != CL_SUCCESS ? error : CL_MEM_OBJECT_ALLOCATION_FAILURE, "device \"%s\": %s for %s, of which it gives %s",
                       device->traits.info.name, core_format_bytes(bytes, need), what, core_format_bytes(given, told));
}

static oclm_status fill(cl_command_queue queue, const dev_buffer *buffer, const char *what)
{
    const cl_uint zero = 0;
    const size_t  pattern = buffer->bytes % sizeof zero ? 1 : sizeof zero; /* a fill's size is a multiple of its pattern's */
    const cl_int  error = clEnqueueFillBuffer(queue, buffer->memory, &zero, pattern, 0, buffer->bytes, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "clearing %s", what);
}

/* Small buffers are made of zeros. What a fill wrote oclgrind (21.10) takes for uninitialised; and what a blocking write put down on one
 * queue, kernels of another do not always find on Intel's CPU runtime. From the heap: some drivers refuse to read constant memory. */
oclm_status dev_buffer_new_zero(dev_device *device, cl_command_queue queue, size_t bytes, const char *what, dev_buffer *buffer)
{
    enum { SMALL = 1 << 20 };
    oclm_status status;
    void       *zeros = NULL;
    *buffer = (dev_buffer){ NULL, 0 };
    if (bytes > 0 && bytes <= SMALL && !(zeros = core_alloc_zero(bytes, 1, what)))
        return OCLM_ERR_MEMORY;
    status = new_from(device, bytes, zeros, what, buffer);
    core_free(zeros);
    if (status == OCLM_OK && bytes > SMALL && (status = fill(queue, buffer, what)) != OCLM_OK)
        dev_buffer_free(device, buffer);
    return status;
}

void dev_buffer_free(dev_device *device, dev_buffer *buffer)
{
    if (!buffer->memory)
        return;
    clReleaseMemObject(buffer->memory);
    dev_counter_give(&device->memory, buffer->bytes);
    *buffer = (dev_buffer){ NULL, 0 };
}

/* The range lies in the buffer; a range that does not is a bug of ours. */
static oclm_status check_range(const dev_buffer *buffer, size_t offset, size_t bytes, const char *what)
{
    if (buffer->memory && offset <= buffer->bytes && bytes <= buffer->bytes - offset)
        return OCLM_OK;
    return core_fail(OCLM_ERR_INTERNAL, "%s %zu bytes at %zu of a buffer of %zu", what, bytes, offset, buffer->bytes);
}

oclm_status dev_buffer_write(cl_command_queue queue, const dev_buffer *buffer, size_t offset, const void *data, size_t bytes)
{
    oclm_status status;
    if (bytes == 0)
        return OCLM_OK;
    if ((status = check_range(buffer, offset, bytes, "writing")) != OCLM_OK)
        return status;
    if ((status = dev_wait_queue(queue, "its turn to be written to")) != OCLM_OK)
        return status;
    const cl_int error = clEnqueueWriteBuffer(queue, buffer->memory, CL_TRUE, offset, bytes, data, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_queue_fail(error, queue, "bytes to be written to it");
}

oclm_status dev_buffer_read(cl_command_queue queue, const dev_buffer *buffer, size_t offset, void *data, size_t bytes)
{
    oclm_status status;
    if (bytes == 0)
        return OCLM_OK;
    if ((status = check_range(buffer, offset, bytes, "reading")) != OCLM_OK)
        return status;
    /* First what is before it, which may hang: a read that was given up could still write to `data` when its owner is gone. */
    if ((status = dev_wait_queue(queue, "its turn to be read")) != OCLM_OK)
        return status;
    const cl_int error = clEnqueueReadBuffer(queue, buffer->memory, CL_TRUE, offset, bytes, data, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_queue_fail(error, queue, "bytes to be read from it");
}

uint64_t dev_memory_refused_at(const dev_device *device) { return atomic_load(&device->refused_at); }

void dev_memory_lower(dev_device *device, uint64_t bytes)
{
    if (bytes < device->traits.budget_bytes)
        device->traits.budget_bytes = bytes;
    atomic_store(&device->refused_at, UINT64_MAX);
}

uint64_t dev_memory_used(const dev_device *device) { return atomic_load(&device->memory.used); }
uint64_t dev_memory_peak(const dev_device *device) { return atomic_load(&device->memory.peak); }

uint64_t dev_memory_left(const dev_device *device)
{
    const uint64_t used = dev_memory_used(device);
    return used < device->traits.budget_bytes ? device->traits.budget_bytes - used : 0;
}
