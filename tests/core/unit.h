/* unit.h: cmocka with what it needs before it, and what most tests of oclm use. */
#ifndef OCLM_TESTS_CORE_UNIT_H
#define OCLM_TESTS_CORE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/memory.h"

/* A block of exactly `length` bytes, so that a sanitizer sees a read behind it. For free(). */
static inline char *exact_copy(const void *data, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    if (copy == NULL)
        abort();
    if (length > 0)
        memcpy(copy, data, length);
    return copy;
}

/* Runs `call` with its first, second, third, ... request for memory failing, until it succeeds. Each failure must be
 * reported as such and leave nothing behind; the successful result is given back by `undo`. */
static inline void fails_cleanly_at_every_request(const char *label, oclm_status (*call)(void *), void (*undo)(void *), void *user)
{
    const size_t live = core_memory_live();
    size_t       n = 0;
    oclm_status  status;
    do {
        core_memory_fail_at(++n, false);
        status = call(user);
        core_memory_fail_at(0, false);
        if (status != OCLM_OK) {
            if (status != OCLM_ERR_MEMORY || strstr(oclm_last_error(), "memory") == NULL)
                fail_msg("%s, request %zu failing: status %d, \"%s\"", label, n, (int)status, oclm_last_error());
            if (core_memory_live() != live)
                fail_msg("%s, request %zu failing: %zu blocks lost", label, n, core_memory_live() - live);
        }
    } while (status != OCLM_OK && n < 100000);
    assert_int_equal(status, OCLM_OK);
    undo(user);
    if (n < 2)
        fail_msg("%s asked for no memory", label);
    if (core_memory_live() != live)
        fail_msg("%s: %zu blocks lost", label, core_memory_live() - live);
}

#endif
