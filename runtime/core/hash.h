/* hash.h: SHA-256, and SHA-1 as git uses it, for files that must be what they say; a fast 64-bit hash for tables. */
#ifndef OCLM_CORE_HASH_H
#define OCLM_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Room for libcrypto's state. */
typedef struct core_sha256 {
    uint64_t inside[16];
} core_sha256;

typedef struct core_sha1 {
    uint64_t inside[16];
} core_sha1;

void core_sha256_init(core_sha256 *sha);
void core_sha256_add(core_sha256 *sha, const void *data, size_t bytes);
void core_sha256_end(core_sha256 *sha, uint8_t digest[32]);
void core_sha256_hex(const uint8_t digest[32], char hex[65]);

/* Against accidents only: SHA-1 is broken for adversaries. */
void core_sha1_init(core_sha1 *sha);
void core_sha1_add(core_sha1 *sha, const void *data, size_t bytes);
void core_sha1_end(core_sha1 *sha, uint8_t digest[20]);

/* `count` bytes as 2 * count lower-case digits and a NUL. */
void core_hex(const uint8_t *bytes, size_t count, char *hex);

/* Not for adversaries: mix in a per-table seed where keys are hostile. */
uint64_t core_hash64(const void *data, size_t bytes, uint64_t seed);

#endif
