/* hash.c: SHA-256 and SHA-1 (FIPS 180-4) by OpenSSL's libcrypto, and a fast 64-bit hash for tables. */
#define OPENSSL_API_COMPAT 10101 /* SHA256_Init() and its like are called old from 3.0 on */

#include "core/hash.h"

#include <string.h>

#include <openssl/sha.h>

/* ---- SHA-256 and SHA-1

 * libcrypto's, which use the processor's instructions for them: 1.5 GB/s where plain C reaches 0.25. Its older functions: they need no
 * memory and cannot fail, so a digest may lie on the stack. */

_Static_assert(sizeof(SHA256_CTX) <= sizeof(core_sha256) && sizeof(SHA_CTX) <= sizeof(core_sha1), "room for libcrypto's state");

void core_sha256_init(core_sha256 *sha)
{
    (void)SHA256_Init((SHA256_CTX *)sha);
}

void core_sha256_add(core_sha256 *sha, const void *data, size_t bytes)
{
    (void)SHA256_Update((SHA256_CTX *)sha, data, bytes);
}

void core_sha256_end(core_sha256 *sha, uint8_t digest[32])
{
    (void)SHA256_Final(digest, (SHA256_CTX *)sha);
}

void core_sha1_init(core_sha1 *sha)
{
    (void)SHA1_Init((SHA_CTX *)sha);
}

void core_sha1_add(core_sha1 *sha, const void *data, size_t bytes)
{
    (void)SHA1_Update((SHA_CTX *)sha, data, bytes);
}

void core_sha1_end(core_sha1 *sha, uint8_t digest[20])
{
    (void)SHA1_Final(digest, (SHA_CTX *)sha);
}

void core_hex(const uint8_t *bytes, size_t count, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * count] = '\0';
}

void core_sha256_hex(const uint8_t digest[32], char hex[65])
{
    core_hex(digest, 32, hex);
}

/* ---- A hash for tables */

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014): every bit of `x` reaches every bit of the result. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t core_hash64(const void *data, size_t bytes, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t             hash = mix(seed + 0x9e3779b97f4a7c15u + bytes);
    for (; bytes >= 8; p += 8, bytes -= 8) {
        uint64_t word;
        memcpy(&word, p, 8); /* byte order does not matter: the hash never leaves the process */
        hash = mix(hash ^ word) + 0x9e3779b97f4a7c15u;
    }
    if (bytes > 0) {
        uint64_t word = 0;
        memcpy(&word, p, bytes);
        hash = mix(hash ^ word);
    }
    return hash;
}
