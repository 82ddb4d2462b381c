/* hash.h: SHA-256 for files that must be what they say; a fast 64-bit hash for tables. */
#ifndef OCLM_CORE_HASH_H
#define OCLM_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct core_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t  block[64];
} core_sha256;

void core_sha256_init(core_sha256 *sha);
void core_sha256_add(core_sha256 *sha, const void *data, size_t bytes);
void core_sha256_end(core_sha256 *sha, uint8_t digest[32]);
void core_sha256_hex(const uint8_t digest[32], char hex[65]);

/* Not for adversaries: mix in a per-table seed where keys are hostile. */
uint64_t core_hash64(const void *data, size_t bytes, uint64_t seed);

#endif
