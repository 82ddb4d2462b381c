/* program_cache.h: what oclm remembers about a device on disk: built programs, and facts found by measuring and checking. A file that
 * cannot be read, or is not exactly what was written, counts as absent: drivers crash on a damaged binary (PoCL 3.1), so every
 * byte is checked before one sees it. */
#ifndef OCLM_DEVICE_PROGRAM_CACHE_H
#define OCLM_DEVICE_PROGRAM_CACHE_H

#include "core/text.h"
#include "device/device.h"

/* What is remembered under a key. */
typedef enum dev_cached {
    DEV_CACHED_NOTHING,
    DEV_CACHED_NOTE,  /* this program was built here before; its binary was not worth keeping */
    DEV_CACHED_BINARY,
    DEV_CACHED_FACT /* a text */
} dev_cached;

typedef struct dev_cache_key {
    uint8_t digest[32];
} dev_cache_key;

/* The key of a program: all that decides what the compiler makes of it. */
void        dev_cache_key_make(const dev_traits *traits, const char *text, const char *options, dev_cache_key *key);
/* `data` (core_free) and `length` are the payload, NULL and 0 where there is none. Never fails: what is odd is absent. */
dev_cached  dev_cache_load(const dev_cache_key *key, char **data, size_t *length);
/* Written beside and renamed: a reader, also of another process, sees all of it or nothing.
 * Errors: as core_write_file(), OCLM_ERR_NOT_FOUND where no cache folder can be named. */
oclm_status dev_cache_store(const dev_cache_key *key, dev_cached kind, const void *data, size_t length);

/* ---- Facts: `what` says which, and all that it depends on besides the device, oclm's version and the text of its kernels. */

/* Sets `fact`, or returns false where none is known. */
bool dev_fact_load(const dev_traits *traits, const char *what, core_text *fact);
/* Where it cannot be written, it is found again next time. */
void dev_fact_store(const dev_traits *traits, const char *what, const char *fact);

#endif
