// widen.h: stored numbers that were loaded already become floats: the loads of kernels for GPUs.
//
//   stored_vec     a vector of VEC stored elements. What lies at a multiple of its size is one load that way, while a vload, which may
//                  stand anywhere, is a load for each element on some GPUs
//   WIDEN(v)       such a vector as a vector of VEC floats
//   vec            that type
//
// float16 is converted by the hardware where the device has cl_khr_fp16 (a conversion, no arithmetic), else as storage.h tells, in integer
// arithmetic; vload_half() would need the elements in memory.
// Build     -DVEC=2|4|8 -DHAS_FP16 where the device has cl_khr_fp16
#ifndef OCLM_WIDEN_H
#define OCLM_WIDEN_H

#include "storage.h"

#ifndef VEC
#define VEC 4
#endif

typedef VECTOR(float, VEC) vec;

#if STORAGE == STORAGE_F32
typedef vec stored_vec;
#define WIDEN(v) (v)
#else
typedef VECTOR(ushort, VEC) stored_vec;
#endif

#if STORAGE == STORAGE_BF16
#define WIDEN(v) JOIN(as_float, VEC)(JOIN(convert_uint, VEC)(v) << 16)
#elif STORAGE == STORAGE_F16 && defined(HAS_FP16)
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#define WIDEN(v) JOIN(convert_float, VEC)(JOIN(as_half, VEC)(v))
#elif STORAGE == STORAGE_F16
static inline vec widen_half(const stored_vec v)
{
    const VECTOR(uint, VEC) bits = JOIN(convert_uint, VEC)(v);
    const VECTOR(uint, VEC) magnitude = (bits & 0x7fffu) << 13;
    const VECTOR(uint, VEC) special = magnitude | 0x7f800000u;
    const VECTOR(uint, VEC) finite = JOIN(as_uint, VEC)(JOIN(as_float, VEC)(magnitude) * 0x1p112f);
    return JOIN(as_float, VEC)((bits & 0x8000u) << 16 | (magnitude >= 0x0f800000u ? special : finite));
}
#define WIDEN(v) widen_half(v)
#endif

#endif
