/* memory.c: all host memory passes through request(), which a test can make fail, and core_free(). */
#include "core/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/countdown.h"
#include "core/platform.h"

#define LARGE_TABLE ((size_t)1 << 20) /* bytes; below, large pages would waste more than they save */

static atomic_size_t live;
static core_countdown failure; /* of a request */

/* Every request of the library. `memory` is NULL for a new block. 0 bytes become 1, so that NULL always means failure. */
static void *request(void *memory, size_t bytes, const char *what)
{
    void *block = core_countdown_hit(&failure) ? NULL : realloc(memory, bytes > 0 ? bytes : 1);
    if (block == NULL) {
        core_fail_memory(bytes, what);
        return NULL;
    }
    if (memory == NULL)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return block;
}

void *core_alloc(size_t bytes, const char *what)
{
    return request(NULL, bytes, what);
}

void *core_alloc_zero(size_t count, size_t size, const char *what)
{
    void *block = core_realloc_array(NULL, count, size, what);
    if (block != NULL)
        memset(block, 0, count * size);
    return block;
}

void *core_alloc_array(size_t count, size_t size, const char *what)
{
    return core_realloc_array(NULL, count, size, what);
}

void *core_realloc_array(void *memory, size_t count, size_t size, const char *what)
{
    size_t bytes;
    if (!core_mul_size(count, size, &bytes)) {
        core_fail_memory(SIZE_MAX, what);
        return NULL;
    }
    return request(memory, bytes, what);
}

void *core_grow_array(void *array, size_t count, size_t *room, size_t least, size_t size, const char *what)
{
    size_t wanted = least;
    if (count < *room)
        return array;
    if (*room > 0 && !core_mul_size(*room, 2, &wanted)) {
        core_fail_memory(SIZE_MAX, what);
        return NULL;
    }
    void *grown = core_realloc_array(array, wanted, size, what);
    if (grown != NULL)
        *room = wanted;
    return grown;
}

char *core_copy_string(const char *text, const char *what)
{
    return text != NULL ? core_copy(text, strlen(text) + 1, what) : NULL;
}

char *core_copy_part(const char *text, size_t length, const char *what)
{
    char *copy = length < SIZE_MAX ? core_alloc(length + 1, what) : NULL;
    if (copy != NULL) {
        if (length > 0)
            memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

void *core_copy(const void *data, size_t bytes, const char *what)
{
    void *block = core_alloc(bytes, what);
    if (block != NULL && bytes > 0)
        memcpy(block, data, bytes);
    return block;
}

void core_free(void *memory)
{
    if (memory == NULL)
        return;
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    free(memory);
}

void *core_table_new(size_t count, size_t size, const char *what)
{
    size_t bytes;
    if (!core_mul_size(count, size, &bytes)) {
        core_fail_memory(SIZE_MAX, what);
        return NULL;
    }
    if (bytes < LARGE_TABLE)
        return core_alloc_zero(count, size, what);
    if (core_countdown_hit(&failure)) {
        core_fail_memory(bytes, what);
        return NULL;
    }
    void *table = core_pages_new(bytes, what);
    if (table != NULL)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return table;
}

void core_table_free(void *table, size_t count, size_t size)
{
    if (table == NULL)
        return;
    if (count * size < LARGE_TABLE) {
        core_free(table);
        return;
    }
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    core_pages_free(table, count * size);
}

bool core_mul_size(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *product = a * b;
    return true;
}

bool core_add_size(size_t a, size_t b, size_t *sum)
{
    if (b > SIZE_MAX - a)
        return false;
    *sum = a + b;
    return true;
}

void core_memory_fail_at(size_t n, bool forever)
{
    (void)core_countdown_set(&failure, n, forever);
}

size_t core_memory_live(void)
{
    return atomic_load(&live);
}
