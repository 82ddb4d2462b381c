/* hash.h: a hash of short strings for the tables on the hot path: two loads and two multiplications for up to 16 bytes. */
#ifndef OCLM_TOKENIZER_HASH_H
#define OCLM_TOKENIZER_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TOK_HASH_ODD 0x9E3779B97F4A7C15u

static inline uint64_t tok_hash_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= TOK_HASH_ODD;
    return x ^ x >> 29;
}

/* Asks for memory that is read soon: several look-ups side by side wait once. */
static inline void tok_prefetch(const void *memory)
{
#if defined(__GNUC__)
    __builtin_prefetch(memory);
#else
    (void)memory;
#endif
}

/* Reads no byte outside the string. Up to 16 bytes are covered by a first and a last word that may overlap. */
static inline uint64_t tok_hash(const char *text, size_t length)
{
    uint64_t first = 0, last = 0;
    uint64_t hash = length * TOK_HASH_ODD;
    for (; length > 16; text += 8, length -= 8) {
        memcpy(&first, text, 8);
        hash = tok_hash_mix(hash ^ first);
    }
    if (length >= 8) {
        memcpy(&first, text, 8);
        memcpy(&last, text + length - 8, 8);
    } else if (length >= 4) {
        uint32_t low, high;
        memcpy(&low, text, 4);
        memcpy(&high, text + length - 4, 4);
        first = low;
        last = high;
    } else if (length > 0) {
        first = (unsigned char)text[0] | (uint64_t)(unsigned char)text[length / 2] << 8 |
                (uint64_t)(unsigned char)text[length - 1] << 16;
    }
    return tok_hash_mix(tok_hash_mix(hash ^ first) ^ (last << 32 | last >> 32));
}

#endif
