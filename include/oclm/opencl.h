/* opencl.h: oclm inside an OpenCL program of your own: your context, your queue, your buffers and events.
 *
 * Everything else is as in oclm.h. OpenCL objects given to oclm are retained by it, and released with the handle.
 */
#ifndef OCLM_OPENCL_H
#define OCLM_OPENCL_H

#include <oclm/oclm.h>

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#if defined(__APPLE__)
#include <OpenCL/cl.h>
#else
#include <CL/cl.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Loads a model on the caller's context. All its work goes to `queue`, which must be an in-order queue of `context`; the
 * queue's device is the model's. `options->device`, device_map and max_memory must be NULL: max_device_bytes is the device's budget, and
 * several devices are opened by oclm_model_load() alone. Sessions of such a model share the queue, so they run
 * one after the other.
 * Errors: as oclm_model_load(); OCLM_ERR_ARGUMENT if queue and context do not belong together, or the queue is
 *         out-of-order.  Since 0.1. */
OCLM_API oclm_status oclm_model_load_on(const char *name, cl_context context, cl_command_queue queue,
                                        const oclm_model_options *options, oclm_model **model);

/* Hands out the last position's logits of the last forward pass, on the device, without waiting for it.
 *   logits   float32, [batch][stride], the first vocab_size of each row count; belongs to the session, which overwrites it
 *            in its next forward pass; retain it to keep it alive longer
 *   stride   floats from one row to the next
 *   ready    an event to wait on before reading; yours: release it with clReleaseEvent(). May be NULL if not wanted.
 * Errors: OCLM_ERR_ARGUMENT (no forward pass yet), OCLM_ERR_DEVICE.
 * Threads: as the session.  Since 0.1. */
OCLM_API oclm_status oclm_session_logits(oclm_session *session, cl_mem *logits, size_t *stride, cl_event *ready);

/* Enqueues a forward pass of ids that lie in a buffer of the caller's: row b takes `length` int32 ids from element
 * offset + b * length on. Logits as from oclm_session_logits(). Ids are not checked against the vocabulary; one that is outside
 * gives unspecified logits, but reads nothing outside the model's memory.
 *   wait     events to wait on before `ids` is read; 0 and NULL for none
 * Waits for earlier passes of the session, not for these events or this pass; an input of more than 512 ids (all rows together)
 * is cut into passes, of which each waits for the one before, so the events of such a call must not depend on its return.
 * Errors: as oclm_forward().  Since 0.1. */
OCLM_API oclm_status oclm_forward_buffer(oclm_session *session, cl_mem ids, size_t offset, size_t batch, size_t length,
                                         cl_uint wait_count, const cl_event *wait);

#ifdef __cplusplus
}
#endif
#endif
