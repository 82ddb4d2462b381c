/* health.h: waiting for a device, but not for ever. A device that hangs, or is gone, fails a wait with its name; all later waits for its context
 * fail at once. The process goes on: the device may be opened anew, with a context that knows nothing of the old one.
 *
 * The limit is OCLM_DEVICE_TIMEOUT, in seconds (fractions too), read when a device is opened; 0: wait for ever. Without it 600: the longest
 * that a pass over a long prompt takes on a slow CPU is some minutes. Nobody polls: the driver calls when an event is complete.
 *
 * No limit helps where a driver computes in the thread that calls it: PoCL's "basic" device runs a command inside clFlush() or the enqueueing call, and
 * rusticl of Mesa 22.3 inside clFlush(). There is then nothing to wait for, and nobody left to give up; a thread of ours would not help either, for
 * it would be stuck in the driver with locks that the next call needs. Whoever must go on runs such a device in a process of its own. */
#ifndef OCLM_DEVICE_HEALTH_H
#define OCLM_DEVICE_HEALTH_H

#include "device/opencl.h"

/* Waits until an event, which was flushed or will be by another, is complete. `what` as in "waiting for <what>".
 * Errors: OCLM_ERR_DEVICE (names the device: it hangs, it is gone), OCLM_ERR_DEVICE_MEMORY. */
oclm_status dev_wait(cl_event event, const char *what);

/* True once a wait has failed for its time limit: what is in the queue may still run, or never. Memory that it reads or writes must stay. */
bool dev_is_lost(cl_command_queue queue);

#endif
