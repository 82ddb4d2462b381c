/* post.c: sends copies, so that the caller's memory is free at once and the device's queue is not waited for. */
#include "model/post.h"

#include <assert.h>
#include <string.h>

#include "core/memory.h"
#include "device/health.h"

oclm_status model_post_new(uint32_t count, size_t bytes, model_post *post)
{
    assert(count <= MODEL_POST_SLOTS);
    memset(post, 0, sizeof *post);
    post->count = count;
    post->bytes = bytes;
    post->memory = core_alloc_array(count, bytes, "what goes to the device");
    return post->memory != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

static oclm_status wait_for(cl_event *sent)
{
    oclm_status status = OCLM_OK;
    if (*sent != NULL) {
        status = dev_wait(*sent, "what was sent before");
        (void)clReleaseEvent(*sent);
        *sent = NULL;
    }
    return status;
}

oclm_status model_post_send(model_post *post, cl_command_queue queue, const dev_buffer *buffer, size_t offset, const void *data, size_t bytes)
{
    const uint32_t slot = post->next;
    uint8_t       *memory = post->memory + slot * post->bytes;
    if (bytes == 0)
        return OCLM_OK;
    if (bytes > post->bytes || offset > buffer->bytes || bytes > buffer->bytes - offset)
        return core_fail(OCLM_ERR_INTERNAL, "a send of %zu bytes (at most %zu) to %zu of %zu", bytes, post->bytes, offset, buffer->bytes);
    if (post->sent[slot] != NULL)
        (void)clFlush(queue); /* nobody else may: what was sent last is waited for here */
    const oclm_status status = wait_for(&post->sent[slot]);
    if (status != OCLM_OK)
        return status;
    memcpy(memory, data, bytes);
    post->next = (slot + 1) % post->count;
    const cl_int error = clEnqueueWriteBuffer(queue, buffer->memory, CL_FALSE, offset, bytes, memory, 0, NULL, &post->sent[slot]);
    if (error == CL_SUCCESS)
        return OCLM_OK;
    post->sent[slot] = NULL;
    return dev_cl_fail(error, "sending %zu bytes to the device", bytes);
}

void model_post_free(model_post *post)
{
    bool arrived = true;
    for (uint32_t i = 0; i < post->count; i++)
        arrived = wait_for(&post->sent[i]) == OCLM_OK && arrived;
    if (arrived)
        core_free(post->memory); /* else a lost device may still read it */
    memset(post, 0, sizeof *post);
}
