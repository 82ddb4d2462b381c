/* released.h: is all given back that a driver had hold of? It lets go in its own time, from a thread of its own, a moment after the work is done: of
 * queues, and of buffers that lay over host memory, which is freed only then (host_pages.c, feed_store.c). */
#ifndef OCLM_TESTS_DEVICE_RELEASED_H
#define OCLM_TESTS_DEVICE_RELEASED_H

#include "core/memory.h"
#include "core/platform.h"
#include "device/devices.h"

enum { RELEASED_TRIES = 1000 }; /* of 10 ms */

/* Waits until no more than `*live` blocks are there; fewer, where what was let go late had been counted, are the count from now on. `label` and
 * `n` say what was done. */
static inline void assert_released(size_t *live, const char *label, size_t n)
{
    size_t now = core_memory_live();
    for (size_t i = 0; now > *live && i < RELEASED_TRIES; i++) {
        core_sleep(0.01);
        now = core_memory_live();
    }
    if (now > *live)
        fail_msg("%s, %zu: %zu blocks of memory are left", label, n, now - *live);
    *live = now;
}

/* Has the queue so many owners? */
static inline void assert_references(cl_command_queue queue, cl_uint want)
{
    cl_uint count = 0;
    for (size_t i = 0; i < RELEASED_TRIES; i++) {
        assert_int_equal(clGetCommandQueueInfo(queue, CL_QUEUE_REFERENCE_COUNT, sizeof count, &count, NULL), CL_SUCCESS);
        if (count == want)
            return;
        core_sleep(0.01);
    }
    assert_int_equal(count, want);
}

#endif
