/* status.h: the message of the last error, one per thread. Whoever detects a fault writes it, once; callers pass it on.
 * status.c also holds the public oclm_last_error() and oclm_status_name(). */
#ifndef OCLM_CORE_STATUS_H
#define OCLM_CORE_STATUS_H

#include <oclm/oclm.h>

#define CORE_UNUSED __attribute__((__unused__)) /* a parameter that some functions of a kind do without */
#define CORE_PRINTF(string, first) __attribute__((__format__(__printf__, string, first)))

/* Sets this thread's message and returns `status`: `return core_fail(OCLM_ERR_FORMAT, "%s: ...", path, ...);`
 * The message tells what, where, value, limit and way out. Longer than 2047 bytes it is cut. */
oclm_status core_fail(oclm_status status, const char *format, ...) CORE_PRINTF(2, 3);

/* Puts `prefix: ` before this thread's message, for a caller that knows where it happened. Returns `status`. */
oclm_status core_fail_in(oclm_status status, const char *format, ...) CORE_PRINTF(2, 3);

/* The out-of-memory case: says how many bytes, for what. Returns OCLM_ERR_MEMORY. */
oclm_status core_fail_memory(size_t bytes, const char *what);

#endif
