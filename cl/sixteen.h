// sixteen.h: sixteen scores of a row at once, for cores that run vector code
#ifndef OCLM_SIXTEEN_H
#define OCLM_SIXTEEN_H

// 16 scores from element i on; beyond `end` there are -INFINITY.
static inline float16 load16(const __global float *const x, const uint i, const uint end)
{
    if (i + 16 <= end)
        return vload16(0, x + i);
    float few[16];
    for (uint j = 0; j < 16; j++)
        few[j] = i + j < end ? x[i + j] : -INFINITY;
    return vload16(0, few);
}

// Unsigned integers that grow with the floats, as key() of sample.h.
static inline uint16 key16(const float16 x)
{
    const uint16 bits = x == 0.0f ? (uint16)(0) : as_uint16(x);
    return x != x ? (uint16)(0xFFFFFFFFu) : bits ^ (0x80000000u | as_uint16(as_int16(bits) >> 31));
}

static inline uint largest_of_16(const uint16 v)
{
    const uint8 v8 = max(v.lo, v.hi);
    const uint4 v4 = max(v8.lo, v8.hi);
    const uint2 v2 = max(v4.lo, v4.hi);
    return max(v2.x, v2.y);
}

#endif
