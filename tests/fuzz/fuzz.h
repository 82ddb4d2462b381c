/* fuzz.h: for fuzz targets. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What a target is: takes one input, returns 0. A finding is a crash, a sanitizer's report, a leak, or a time-out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input is. */
#define FUZZ_CHECK(condition)                                                                                                          \
    do {                                                                                                                               \
        if (!(condition)) {                                                                                                            \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                                         \
            abort();                                                                                                                   \
        }                                                                                                                              \
    } while (0)

#endif
