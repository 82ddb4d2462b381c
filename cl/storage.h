// storage.h: how a weight is stored and how it becomes float. Arithmetic never meets a storage type.
//
//   STORAGE          what the weights are: STORAGE_F32, STORAGE_F16, STORAGE_BF16, or STORAGE_CODES: codes of a few bits, with scales (codes.h)
//   stored           the type of one element in memory; of codes, bytes
//   PANEL_SIZE(columns)  elements of a panel of 32 rows by so many inputs
// and not of codes:
//   LOAD_W(p, n)     n (8 or 16) neighbouring elements as float8, float16
//   LOAD_W1(p)       one element as float
//   LOAD_W_PAIRS(p, n, even, odd)  2 * n neighbouring elements, every second one to `even`, the others to `odd`; defined only where that is
//                    less work than twice LOAD_W
//
// float16 has three ways, because what is one instruction on one device is a call for each lane on another:
//   clang's _Float16 vectors where the compiler has them (vcvtph2ps on x86: as fast as bfloat16); not where the code becomes SPIR first, for
//   what lies behind that may not know them,
//   vload_half() where HAS_VLOAD_HALF says that the device converts in hardware (GPUs do),
//   else integer arithmetic: the 15 bits without the sign, 13 places up, are the number divided by 2^112. Exact for all finite numbers,
//   subnormals too unless the device flushes them; infinity and NaN, which no weight should be, are patched back in.
// Test: tests/cl/test_storage.c, all three.
#ifndef OCLM_STORAGE_H
#define OCLM_STORAGE_H

#include "common.h"

#define STORAGE_F32  0
#define STORAGE_F16  1
#define STORAGE_BF16 2
#define STORAGE_CODES 3

#ifndef STORAGE
#define STORAGE STORAGE_F32
#endif

// ---- float16
#if NATIVE_CLANG && defined(__FLT16_MANT_DIG__) && !defined(HAS_VLOAD_HALF)
#if __has_builtin(__builtin_convertvector) && __has_builtin(__builtin_astype)
#define HAS_FLOAT16_VECTORS
#endif
#endif

#if defined(HAS_VLOAD_HALF)
#define F16_VECTOR(p, n) JOIN(vload_half, n)(0, (const __global half *)(p))
#define F16_ONE(p)       vload_half(0, (const __global half *)(p))
#elif defined(HAS_FLOAT16_VECTORS)
typedef _Float16 half_bits8 __attribute__((ext_vector_type(8)));
typedef _Float16 half_bits16 __attribute__((ext_vector_type(16)));
#define F16_VECTOR(p, n) __builtin_convertvector(__builtin_astype(LOAD_VECTOR(n, p), JOIN(half_bits, n)), VECTOR(float, n))
#define F16_ONE(p)       ((float)__builtin_astype(*(p), _Float16))
#else
#define DEFINE_F16_TO_FLOAT(NAME, FLOAT, UINT, INT, AS_FLOAT, AS_UINT, AS_INT)                                                 \
    static inline FLOAT NAME(const UINT bits)                                                                                  \
    {                                                                                                                          \
        const UINT magnitude = (bits & 0x7fffu) << 13;                                                                         \
        const UINT special = magnitude | 0x7f800000u;                                                                          \
        const UINT finite = AS_UINT(AS_FLOAT(magnitude) * 0x1p112f);                                                           \
        return AS_FLOAT(((bits & 0x8000u) << 16) | (magnitude >= 0x0f800000u ? special : finite));                             \
    }
DEFINE_F16_TO_FLOAT(f16_to_float1, float, uint, int, as_float, as_uint, as_int)
DEFINE_F16_TO_FLOAT(f16_to_float8, float8, uint8, int8, as_float8, as_uint8, as_int8)
DEFINE_F16_TO_FLOAT(f16_to_float16, float16, uint16, int16, as_float16, as_uint16, as_int16)
#define F16_VECTOR(p, n) JOIN(f16_to_float, n)(JOIN(convert_uint, n)(LOAD_VECTOR(n, p)))
#define F16_ONE(p)       f16_to_float1(*(p))
#endif

// ---- bfloat16: the upper half of a float
#define BF16_VECTOR(p, n) JOIN(as_float, n)(JOIN(convert_uint, n)(LOAD_VECTOR(n, p)) << 16)
#define BF16_ONE(p)       as_float((uint)*(p) << 16)
// Two in a word of 32 bits: a shift makes one a float, a mask the other, and nothing is widened.
#define BF16_PAIRS(p, n, even, odd)                                                                                            \
    do {                                                                                                                       \
        const VECTOR(uint, n) pairs = LOAD_VECTOR(n, (const __global uint *)(p));                                              \
        (even) = JOIN(as_float, n)(pairs << 16);                                                                               \
        (odd) = JOIN(as_float, n)(pairs & 0xffff0000u);                                                                        \
    } while (0)

#if STORAGE == STORAGE_F32
typedef float stored;
#define LOAD_W(p, n) LOAD_VECTOR(n, p)
#define LOAD_W1(p)   (*(p))
#elif STORAGE == STORAGE_F16
typedef ushort stored;
#define LOAD_W(p, n) F16_VECTOR(p, n)
#define LOAD_W1(p)   F16_ONE(p)
#elif STORAGE == STORAGE_BF16
typedef ushort stored;
#define LOAD_W(p, n) BF16_VECTOR(p, n)
#define LOAD_W1(p)   BF16_ONE(p)
#ifdef __ENDIAN_LITTLE__
#define LOAD_W_PAIRS(p, n, even, odd) BF16_PAIRS(p, n, even, odd)
#endif
#elif STORAGE == STORAGE_CODES
#include "code_panel.h"
typedef uchar stored;
#define PANEL_SIZE(columns) ((size_t)CODE_PANEL_BYTES(columns))
#else
#error "STORAGE is none of STORAGE_F32, STORAGE_F16, STORAGE_BF16, STORAGE_CODES"
#endif
#ifndef PANEL_SIZE
#define PANEL_SIZE(columns) ((size_t)(columns) * 32)
#endif

#endif
