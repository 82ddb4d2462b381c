/* devices.h: runs a test on every OpenCL device present. Each test says on which device it runs, so a failure names it; no
 * usable device at all is a failure, never a skip. Which devices are present is the loader's business (OCL_ICD_VENDORS). */
#ifndef OCLM_TESTS_DEVICE_DEVICES_H
#define OCLM_TESTS_DEVICE_DEVICES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "device/device.h"

#define assert_ok(call)                                                                                                           \
    do {                                                                                                                          \
        const oclm_status assert_status = (call);                                                                                 \
        if (assert_status != OCLM_OK)                                                                                             \
            fail_msg("%s: %s: %s", #call, oclm_status_name(assert_status), oclm_last_error());                                     \
    } while (0)

#define assert_status(call, want)                                                                                                 \
    do {                                                                                                                          \
        const oclm_status assert_got = (call);                                                                                    \
        if (assert_got != (want))                                                                                                 \
            fail_msg("%s: %s, want %s", #call, oclm_status_name(assert_got), oclm_status_name(want));                              \
    } while (0)

/* Are there so many devices, all of them usable, from the first on? */
static inline bool devices_has(size_t count)
{
    dev_list *list = NULL;
    assert_ok(dev_list_new(&list));
    bool all = list->count >= count;
    for (size_t i = 0; i < count && all; i++)
        all = !list->entries[i].info.unusable;
    dev_list_free(list);
    return all;
}

typedef void (*devices_visit)(dev_device *device, void *user);

static inline void devices_each_with(devices_visit visit, void *user, uint64_t budget_bytes)
{
    dev_list *list = NULL;
    size_t    visited = 0;
    assert_ok(dev_list_new(&list));
    for (size_t i = 0; i < list->count; i++) {
        dev_device *device = NULL;
        char        index[24];
        if (list->entries[i].info.unusable)
            continue;
        snprintf(index, sizeof index, "%zu", i);
        print_message("    on %s: %s\n", list->entries[i].info.platform_name, list->entries[i].info.name);
        const dev_open_options options = { .spec = index, .budget_bytes = budget_bytes };
        assert_ok(dev_open(&options, &device));
        visit(device, user);
        dev_close(device);
        visited++;
    }
    dev_list_free(list);
    if (visited == 0)
        fail_msg("no usable OpenCL device: a test needs one (apt install pocl-opencl-icd)");
}

/* Opens every usable device, one after the other, and hands it to `visit`. */
static inline void devices_each(devices_visit visit, void *user) { devices_each_with(visit, user, 0); }

/* True where a test should keep to its smallest cases: a launch costs much (software renderers: 320 us), or kernels are
 * interpreted (OCLM_TEST_QUICK is set: tests/oclgrind.sh). */
static inline bool devices_is_slow(const dev_device *device)
{
    return dev_get_traits(device)->info.software || getenv("OCLM_TEST_QUICK") != NULL;
}

#endif
