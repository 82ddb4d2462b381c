// widen.h: stored numbers that were loaded already become floats: the loads of kernels for GPUs. Floats here, codes in widen_codes.h.
//
//   vec                a vector of VEC floats: what a lane has of a column
//   lane_weights       where a lane's VEC outputs of a panel lie, from some column on
//   weights_of_lane(panel, columns, lane)  that, from column 0 on; `lane`: LANE_OUTPUT(number of the lane among the PANEL / VEC of a column)
//   later(w, count)    that many columns further on
//   stored_vec         a column as it was loaded. What lies at a multiple of its size is one load that way, while a vload, which may
//                      stand anywhere, is a load for each element on some GPUs
//   load_stored(w, away, k)  column k from w on, of the panel that lies so many elements further on
//   WIDEN(v, lane, table)  that as floats
//   put_vec(to, lane, v)   writes them where they belong among the 32 of a column in local memory
//
// float16 is converted by the hardware where the device has cl_khr_fp16 (a conversion, no arithmetic), else as storage.h tells, in integer
// arithmetic; vload_half() would need the elements in memory.
// Build     -DVEC=2|4|8 (codes: 4|8) -DHAS_FP16 where the device has cl_khr_fp16
#ifndef OCLM_WIDEN_H
#define OCLM_WIDEN_H

#include "storage.h"

#ifndef VEC
#define VEC 4
#endif

typedef VECTOR(float, VEC) vec;

#ifdef HAS_FP16
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#define DEFINE_WIDEN_HALF(n)                                                                                                   \
    static inline VECTOR(float, n) JOIN(widen_half, n)(const VECTOR(ushort, n) v)                                              \
    {                                                                                                                          \
        return JOIN(convert_float, n)(JOIN(as_half, n)(v));                                                                    \
    }
#else
#define DEFINE_WIDEN_HALF(n)                                                                                                   \
    static inline VECTOR(float, n) JOIN(widen_half, n)(const VECTOR(ushort, n) v)                                              \
    {                                                                                                                          \
        const VECTOR(uint, n) bits = JOIN(convert_uint, n)(v);                                                                 \
        const VECTOR(uint, n) magnitude = (bits & 0x7fffu) << 13;                                                              \
        const VECTOR(uint, n) special = magnitude | 0x7f800000u;                                                               \
        const VECTOR(uint, n) finite = JOIN(as_uint, n)(JOIN(as_float, n)(magnitude) * 0x1p112f);                              \
        return JOIN(as_float, n)((bits & 0x8000u) << 16 | (magnitude >= 0x0f800000u ? special : finite));                      \
    }
#endif

#if STORAGE == STORAGE_CODES
#include "widen_codes.h"
#else

#define LANE_OUTPUT(number) ((number) * VEC)

#if STORAGE == STORAGE_F32
typedef vec stored_vec;
#define WIDEN(v, lane, table) (v)
#else
typedef VECTOR(ushort, VEC) stored_vec;
#endif

#if STORAGE == STORAGE_BF16
#define WIDEN(v, lane, table) JOIN(as_float, VEC)(JOIN(convert_uint, VEC)(v) << 16)
#elif STORAGE == STORAGE_F16
DEFINE_WIDEN_HALF(VEC)
#define WIDEN(v, lane, table) JOIN(widen_half, VEC)(v)
#endif

typedef const __global stored *lane_weights;

static inline lane_weights weights_of_lane(const __global stored *panel, const uint columns, const uint lane)
{
    (void)columns;
    return panel + lane;
}

static inline lane_weights later(const lane_weights w, const uint count) { return w + (size_t)count * 32; }
static inline stored_vec load_stored(const lane_weights w, const size_t away, const uint k)
{
    return *(const __global stored_vec *)(w + away + k * 32);
}

static inline void put_vec(__local float *to, const uint lane, const vec v) { *(__local vec *)(to + lane) = v; }

#endif
#endif
