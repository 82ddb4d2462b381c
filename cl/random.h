// random.h: counter-based random numbers: the same bits for the same (seed, step, row) on every device, in any order.
//
// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011): ten rounds of
// multiplying two of four 32-bit words into 64 bits and mixing in the key. Checked against the known answers of its authors'
// Random123 (tests/cl/test_random.c).
#ifndef OCLM_RANDOM_H
#define OCLM_RANDOM_H

static inline uint4 philox4x32(uint4 counter, uint2 key)
{
    for (int round = 0; round < 10; round++) {
        const uint high0 = mul_hi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
        const uint high1 = mul_hi(0xCD9E8D57u, counter.z), low1 = 0xCD9E8D57u * counter.z;
        counter = (uint4)(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
        key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}

// 64 random bits for a step and a row.
static inline ulong random_bits(const ulong seed, const uint step, const uint row)
{
    const uint4 r = philox4x32((uint4)(step, row, 0, 0), (uint2)((uint)seed, (uint)(seed >> 32)));
    return (ulong)r.x << 32 | r.y;
}

#endif
