/* link.c: hands bytes from device to device, through two stagings in turn, so that the next send is read while the last is written. */
#include "device/link.h"

#include "core/memory.h"
#include "device/health.h"
#include "device/launch.h"

#define STAGINGS 2u

typedef struct staging {
    void    *memory;
    cl_mem   pinned; /* what `memory` is mapped from, or NULL */
    cl_event taken;  /* the last send has left it; NULL: it is free */
} staging;

struct dev_link {
    dev_device *from, *to;
    dev_device *pinning; /* the device that copies to and from such memory by itself; NULL: neither has memory of its own */
    size_t      most_bytes;
    uint32_t    next;
    staging     stagings[STAGINGS];
};

static oclm_status fail(const dev_link *link, cl_int error, const char *what)
{
    return dev_cl_fail(error, "from device \"%s\" to \"%s\": %s", dev_get_traits(link->from)->info.name, dev_get_traits(link->to)->info.name, what);
}

/* Memory that a driver gives for being mapped needs no copy of its own on the way to the device's. */
static oclm_status staging_init(const dev_link *link, staging *s)
{
    cl_int error;
    if (!link->pinning) {
        s->memory = core_alloc(link->most_bytes, "what goes to the next device");
        return s->memory ? OCLM_OK : OCLM_ERR_MEMORY;
    }
    s->pinned = clCreateBuffer(dev_context(link->pinning), CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, link->most_bytes, NULL, &error);
    if (error != CL_SUCCESS)
        s->pinned = NULL;
    else
        s->memory = clEnqueueMapBuffer(dev_queue(link->pinning), s->pinned, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, link->most_bytes, 0, NULL,
                                       NULL, &error);
    return error == CL_SUCCESS ? OCLM_OK : fail(link, error, "memory that both reach");
}

static void staging_deinit(const dev_link *link, staging *s)
{
    if (!s->pinned)
        core_free(s->memory);
    else if (s->memory && clEnqueueUnmapMemObject(dev_queue(link->pinning), s->pinned, s->memory, 0, NULL, NULL) == CL_SUCCESS)
        (void)dev_finish(dev_queue(link->pinning));
    if (s->pinned)
        clReleaseMemObject(s->pinned);
}

oclm_status dev_link_new(dev_device *from, dev_device *to, size_t most_bytes, dev_link **out)
{
    oclm_status status = OCLM_OK;
    *out = NULL;
    dev_link *link = core_alloc_zero(1, sizeof *link, "a link between devices");
    if (!link)
        return OCLM_ERR_MEMORY;
    link->from = from;
    link->to = to;
    link->pinning = !dev_get_traits(from)->info.host_unified ? from : !dev_get_traits(to)->info.host_unified ? to : NULL;
    link->most_bytes = most_bytes;
    for (size_t i = 0; i < STAGINGS && status == OCLM_OK; i++)
        status = staging_init(link, &link->stagings[i]);
    if (status == OCLM_OK)
        *out = link;
    else
        dev_link_free(link);
    return status;
}

/* Waits until the last send has left a staging. */
static oclm_status wait_free(staging *s)
{
    oclm_status status = OCLM_OK;
    if (s->taken && (status = dev_wait(s->taken, "what was sent to it")) == OCLM_OK) {
        clReleaseEvent(s->taken);
        s->taken = NULL;
    }
    return status;
}

oclm_status dev_link_send(dev_link *link, cl_command_queue from_queue, const dev_buffer *from, size_t from_offset, cl_command_queue to_queue,
                          const dev_buffer *to, size_t to_offset, size_t bytes)
{
    cl_int      error;
    oclm_status status;
    staging    *s = &link->stagings[link->next];
    if (bytes == 0)
        return OCLM_OK;
    if (bytes > link->most_bytes || from_offset > from->bytes || bytes > from->bytes - from_offset || to_offset > to->bytes ||
        bytes > to->bytes - to_offset)
        return core_fail(OCLM_ERR_INTERNAL, "a send of %zu bytes (at most %zu) from %zu of %zu to %zu of %zu", bytes, link->most_bytes,
                         from_offset, from->bytes, to_offset, to->bytes);
    if ((status = wait_free(s)) != OCLM_OK || (status = dev_buffer_read(from_queue, from, from_offset, s->memory, bytes)) != OCLM_OK)
        return status;
    error = clEnqueueWriteBuffer(to_queue, to->memory, CL_FALSE, to_offset, bytes, s->memory, 0, NULL, &s->taken);
    if (error == CL_SUCCESS)
        error = clFlush(to_queue);
    link->next = (link->next + 1) % STAGINGS;
    return error == CL_SUCCESS ? OCLM_OK : fail(link, error, "writing");
}

void dev_link_free(dev_link *link)
{
    if (!link)
        return;
    for (size_t i = 0; i < STAGINGS; i++) {
        if (wait_free(&link->stagings[i]) == OCLM_OK) /* else a device that was given up may still read it: it stays */
            staging_deinit(link, &link->stagings[i]);
    }
    core_free(link);
}
