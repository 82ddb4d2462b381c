// row_vectors.h: how many scores a work-item takes at once: 16 where it is a core that runs vector code, 1 where it is a lane (row_parts.h)
//
//   for (uint i = begin + LANE * W; i < end; i += LANES * W) {
//       floats v = load_floats(x, i, end);      beyond `end` there are -INFINITY
//       store_floats(v, x, i, end);
#ifndef OCLM_ROW_VECTORS_H
#define OCLM_ROW_VECTORS_H

#include "row_parts.h"

#if WG > 1

#define W 1u
typedef float floats;
typedef uint uints;
#define EXP                  exp_f1
#define KEYS                 key
#define TO_UINTS             (uint)
#define TO_FLOATS            (float)
#define ANY(condition)       (condition)
#define SPREAD(v, elements)  ((elements)[0] = (v))
#define LARGEST_OF(v)        (v)

static inline float load_floats(const __global float *const x, const uint i, const uint end) { return i < end ? x[i] : -INFINITY; }

static inline void store_floats(const float v, __global float *const x, const uint i, const uint end)
{
    if (i < end)
        x[i] = v;
}

#else

#include "sixteen.h"

#define W 16u
typedef float16 floats;
typedef uint16 uints;
#define EXP                  exp_f16
#define KEYS                 key16
#define TO_UINTS             convert_uint16
#define TO_FLOATS            convert_float16
#define ANY(condition)       any(condition)
#define SPREAD(v, elements)  vstore16(v, 0, elements)
#define LARGEST_OF(v)        largest_of_16(v)
#define load_floats          load16

static inline void store_floats(const float16 v, __global float *const x, const uint i, const uint end)
{
    if (i + 16 <= end) {
        vstore16(v, 0, x + i);
        return;
    }
    float few[16];
    vstore16(v, 0, few);
    for (uint j = 0; j < 16; j++)
        if (i + j < end)
            x[i + j] = few[j];
}

#endif
#endif
