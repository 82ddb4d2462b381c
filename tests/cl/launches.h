/* launches.h: for tests of one kernel: a launch, played once and waited for. */
#ifndef OCLM_TESTS_CL_LAUNCHES_H
#define OCLM_TESTS_CL_LAUNCHES_H

#include "cl/matrices.h"

static inline void run_launch(dev_device *device, const dev_launch *launch)
{
    dev_work *work = NULL;
    assert_ok(dev_work_new(device, &work));
    if (dev_work_add(work, launch) != OCLM_OK)
        fail_msg("%s %s: %s", launch->kernel, launch->options, oclm_last_error());
    run_work(device, work);
    dev_work_free(work);
}

static inline dev_buffer new_bytes(dev_device *device, const void *data, size_t bytes)
{
    dev_buffer buffer = { NULL, 0 };
    assert_ok(dev_buffer_new(device, bytes, "a test's buffer", &buffer));
    assert_ok(dev_buffer_write(dev_queue(device), &buffer, 0, data, bytes));
    return buffer;
}

#endif
