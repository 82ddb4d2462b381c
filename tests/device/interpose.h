/* interpose.h: an OpenCL function of a test's own in front of the driver's: a program that defines clX() itself is called by our code
 * in place of the loader's, and reaches that one by OPENCL_BEHIND(clX). So real drivers can be made to lie, refuse and hang. */
#ifndef OCLM_TESTS_DEVICE_INTERPOSE_H
#define OCLM_TESTS_DEVICE_INTERPOSE_H

#ifndef _GNU_SOURCE
#error "interpose.h: compile the test with -D_GNU_SOURCE (RTLD_NEXT)"
#endif
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "device/opencl.h"

static inline void *interpose_find(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        fprintf(stderr, "no %s behind the test's own\n", name);
        abort();
    }
    return found;
}

/* A pointer to the function that ours hides. */
#define OPENCL_BEHIND(function)                                                                                                   \
    ((union {                                                                                                                     \
        void *address;                                                                                                            \
        __typeof__(&function) call;                                                                                               \
    }){ .address = interpose_find(#function) }.call)

#endif
