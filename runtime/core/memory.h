/* memory.h: all host memory passes through here, so that a test can fail the n-th request. */
#ifndef OCLM_CORE_MEMORY_H
#define OCLM_CORE_MEMORY_H

#include "core/status.h"

/* NULL, with the message set (core_fail_memory), where there is none. `what` names the thing in that message.
 * A count or size of 0 gives a pointer that may be freed, never NULL. */
void *core_alloc(size_t bytes, const char *what);
void *core_alloc_zero(size_t count, size_t size, const char *what); /* checks count * size */
void *core_alloc_array(size_t count, size_t size, const char *what);
void *core_realloc_array(void *memory, size_t count, size_t size, const char *what); /* on failure `memory` stays */
/* An array that has `count` elements, with room for one more: itself, or with twice the room, which is `least` at first. *room is how many it has room
 * for, 0 where `array` is NULL. NULL: no memory; then both stay. */
void *core_grow_array(void *array, size_t count, size_t *room, size_t least, size_t size, const char *what);
char *core_copy_string(const char *text, const char *what);         /* NULL in, NULL out */
char *core_copy_part(const char *text, size_t length, const char *what); /* its first bytes, NUL-ended */
void *core_copy(const void *data, size_t bytes, const char *what);
void  core_free(void *memory); /* accepts NULL */

/* A zeroed table that is visited here and there, as hash tables are: from a megabyte on in pages as large as the system gives, where
 * most visits find their page known and the first ones cost no page fault each. Freed with the same count and size; accepts NULL. */
void *core_table_new(size_t count, size_t size, const char *what);
void  core_table_free(void *table, size_t count, size_t size);

/* a * b, or false where it does not fit. */
bool core_mul_size(size_t a, size_t b, size_t *product);
bool core_add_size(size_t a, size_t b, size_t *sum);

/* For tests: lets the n-th request from now on fail (1 is the next), and all after it if `forever`; 0 stops that. */
void   core_memory_fail_at(size_t n, bool forever);
size_t core_memory_live(void); /* requests not freed yet, for leak tests; all threads */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
