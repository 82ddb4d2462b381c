/* link.c: hands bytes from device to device, through two stagings in turn, so that the next send is read while the last is written. */
#include "device/link.h"

#include "core/memory.h"
#include "device/health.h"
#include "device/pinned.h"

#define STAGINGS 2u

typedef struct staging {
    void      *memory;
    dev_pinned pinned; /* that is the memory; empty: it is ours */
    cl_event   taken;  /* the last send has left it; NULL: it is free */
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

static oclm_status staging_init(const dev_link *link, staging *s)
{
    if (!link->pinning) {
        s->memory = core_alloc(link->most_bytes, "what goes to the next device");
        return s->memory ? OCLM_OK : OCLM_ERR_MEMORY;
    }
    const cl_int error = dev_pinned_new(link->pinning, link->most_bytes, &s->pinned);
    s->memory = s->pinned.memory;
    return error == CL_SUCCESS ? OCLM_OK : fail(link, error, "memory that both reach");
}

static void staging_deinit(const dev_link *link, staging *s)
{
    if (link->pinning)
        dev_pinned_free(link->pinning, &s->pinned);
    else
        core_free(s->memory);
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
