/* post.c: sends copies, so that the caller's memory is free at once and the device's queue is not waited for. */
#include "model/post.h"

#include <assert.h>
#include <string.h>

#include "core/memory.h"
#include "device/launch.h"

oclm_status model_post_new(uint32_t count, size_t bytes, model_post *post)
{
    assert(count <= MODEL_POST_SLOTS);
    memset(post, 0, sizeof *post);
    post->count = count;
    post->bytes = bytes;
    post->memory = core_alloc_array(count, bytes, "what goes to the device");
    return post->memory != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

static cl_int wait_for(cl_event *sent)
{
    cl_int error = CL_SUCCESS;
    if (*sent != NULL) {
        error = clWaitForEvents(1, sent);
        (void)clReleaseEvent(*sent);
        *sent = NULL;
    }
    return error;
}

oclm_status model_post_send(model_post *post, cl_command_queue queue, const dev_buffer *buffer, size_t offset, const void *data, size_t bytes)
{
    const uint32_t slot = post->next;
    uint8_t       *memory = post->memory + slot * post->bytes;
    if (bytes == 0)
        return OCLM_OK;
    if (bytes > post->bytes || offset > buffer->bytes || bytes > buffer->bytes - offset)
        return core_fail(OCLM_ERR_INTERNAL, "a send of %zu bytes (at most %zu) to %zu of %zu", bytes, post->bytes, offset, buffer->bytes);
    cl_int error = wait_for(&post->sent[slot]);
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "waiting for what was sent before");
    memcpy(memory, data, bytes);
    post->next = (slot + 1) % post->count;
    error = clEnqueueWriteBuffer(queue, buffer->memory, CL_FALSE, offset, bytes, memory, 0, NULL, &post->sent[slot]);
    if (error == CL_SUCCESS)
        return OCLM_OK;
    post->sent[slot] = NULL;
    return dev_cl_fail(error, "sending %zu bytes to the device", bytes);
}

void model_post_free(model_post *post)
{
    for (uint32_t i = 0; i < post->count; i++)
        (void)wait_for(&post->sent[i]);
    core_free(post->memory);
    memset(post, 0, sizeof *post);
}
