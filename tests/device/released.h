/* released.h: is all host memory given back, where buffers lay over some of it? A driver says that it has let go of such a buffer in its own time,
 * from a thread of its own, and the memory goes only then (host_pages.c, feed_store.c). */
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

#endif
