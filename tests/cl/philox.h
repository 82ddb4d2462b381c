/* philox.h: Philox4x32-10 on the host, from its authors' description (SC 2011), to check the device's against. */
#ifndef OCLM_TESTS_CL_PHILOX_H
#define OCLM_TESTS_CL_PHILOX_H

#include <stdint.h>

static inline void philox(uint32_t counter[4], uint32_t key0, uint32_t key1)
{
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * counter[0], b = (uint64_t)0xCD9E8D57u * counter[2];
        const uint32_t next[4] = { (uint32_t)(b >> 32) ^ counter[1] ^ key0, (uint32_t)b, (uint32_t)(a >> 32) ^ counter[3] ^ key1, (uint32_t)a };
        for (int i = 0; i < 4; i++)
            counter[i] = next[i];
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

/* The sampler's random share of a row's probabilities, in [0, 1). */
static inline double share_of(uint64_t seed, uint32_t step, uint32_t row)
{
    uint32_t counter[4] = { step, row, 0, 0 };
    philox(counter, (uint32_t)seed, (uint32_t)(seed >> 32));
    return ((double)counter[0] * 0x1p32 + counter[1]) * 0x1p-64;
}

#endif
