/* both_ways.h: for kernels that go through rows with cores or with lanes: a test runs in both ways. */
#ifndef OCLM_TESTS_CL_BOTH_WAYS_H
#define OCLM_TESTS_CL_BOTH_WAYS_H

#include <stdint.h>

/* Work-items of a group that share a part of a row: both ways are tested on every device, whichever it takes by default. */
static uint32_t sharing_group = 1;

static inline int share_parts(void **state)
{
    (void)state;
    sharing_group = 128;
    return 0;
}

static inline int share_nothing(void **state)
{
    (void)state;
    sharing_group = 1;
    return 0;
}

#define BOTH_WAYS(test)                                                                                                                \
    { #test " (a work-item a part)", test, share_nothing, NULL, NULL }, { #test " (a group of lanes a part)", test, share_parts, NULL, NULL }

#endif
