/* lanes_providers.h: what tests of the kernels for lanes (runtime/device/matmul_lanes.c) ask of all of them. */
#ifndef OCLM_TESTS_CL_LANES_PROVIDERS_H
#define OCLM_TESTS_CL_LANES_PROVIDERS_H

#include "cl/matrices.h"
#include "device/provider.h"

/* Some product was computed, where groups are large enough for one. */
static inline void expect_lanes_tried(const dev_device *device, size_t tried)
{
    print_message("      %zu products\n", tried);
    if (tried == 0 && dev_get_traits(device)->max_group >= 256)
        fail_msg("no kernel for lanes took any product");
}

/* On devices of lanes, and there alone, one suits whatever the number of rows. */
static inline void expect_lanes_suit(const dev_device *device, core_storage storage, uint32_t columns)
{
    const dev_traits *traits = dev_get_traits(device);
    dev_matrix_part   part = { .storage = storage, .panels = 1 };
    const dev_matrix  weight = { .rows = 32, .columns = columns, .panels = 1, .parts = &part, .part_count = 1 };
    for (uint32_t rows = 1; rows <= 130; rows++) {
        const dev_matmul m = { .weight = &weight, .rows = rows };
        bool             any = false;
        for (size_t i = 0; i < dev_lanes_provider_count; i++)
            any |= dev_lanes_providers[i].suits(&dev_lanes_providers[i], device, &m);
        if (any != (traits->lanes_in_items && traits->max_group >= 32))
            fail_msg("%u rows: %s kernel for lanes suits", rows, any ? "a" : "no");
    }
}

#endif
