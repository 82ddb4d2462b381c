// common.h: words that every kernel of ours uses.
//
//   VECTOR(float, 8)   float8
//   LOAD_VECTOR(8, p)  vload8(0, p); STORE_VECTOR(8, v, p) likewise; of 1 *p
//   MUL_ADD(a, b, c)   a * b + c, all of one type: float or its vectors
//   IN_ORDER           before a loop in which a float takes in one term after the other
//
// MUL_ADD is rounded once where the device has an instruction for that (the driver says FP_FAST_FMAF, or HAS_FMA has been measured:
// runtime/device/fused.c), else twice. Left to the compiler (a * b + c) it would be now
// one, now the other: PoCL 3.1 decides anew where a branch lies between, Intel's CPU runtime in a loop and in its remainder, even where
// FP_CONTRACT is OFF. So a product is added to something by MUL_ADD alone, or bits would depend on the shape of a kernel.
//
// IN_ORDER keeps the compiler from cutting such a sum into one for each lane of a vector, joined after the loop. OpenCL C does not allow
// that, but Intel's CPU runtime does it in loops long enough (tests/cl/test_sum_order.c). Sums of vectors, and fma(), it leaves alone.
//
// SEPARATE_MUL_ADD: a product and a sum are rounded one after the other on every device, instead of at once where the device has an
// instruction for that. Slower, and the last step to equal bits on unlike devices.
#ifndef OCLM_COMMON_H
#define OCLM_COMMON_H

// Wide vectors pass through built-in functions, all of which are inlined: how a call would pass them is nobody's concern.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpsabi"
#endif

#ifdef SEPARATE_MUL_ADD
#pragma OPENCL FP_CONTRACT OFF
#endif
#if !defined(SEPARATE_MUL_ADD) && (defined(HAS_FMA) || defined(FP_FAST_FMAF))
#define MUL_ADD(a, b, c) fma(a, b, c)
#else
#define MUL_ADD(a, b, c) ((a) * (b) + (c))
#endif

#ifdef __clang__
#define IN_ORDER _Pragma("clang loop vectorize(disable)")
#else
#define IN_ORDER
#endif

// Does clang compile for the processor itself, so that its builtins may be asked for? Not where the code becomes SPIR first: clang has the builtins
// there too, and the translation to SPIR-V ends the process (Mesa's, which takes back __SPIR__).
#if defined(__has_builtin) && !defined(__SPIR32__) && !defined(__SPIR64__) && !defined(__SPIRV__)
#define NATIVE_CLANG 1
#else
#define NATIVE_CLANG 0
#endif

// PREFETCH_LINE(p): asks for the cache line at p, which may lie past the end of what may be read. OpenCL's own prefetch() does nothing on
// PoCL.
#if NATIVE_CLANG
#if __has_builtin(__builtin_prefetch)
#define PREFETCH_LINE(p) __builtin_prefetch((const void *)(size_t)(p), 0, 3)
#endif
#endif
#ifndef PREFETCH_LINE
#define PREFETCH_LINE(p) ((void)(p))
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define VECTOR(type, n)       JOIN(type, n)
#define float1                float
#define LOAD_VECTOR(n, p)     JOIN(LOAD_VECTOR_, n)(p) // of names that drivers define as macros (vload), nothing can be made
#define LOAD_VECTOR_1(p)      (*(p))
#define LOAD_VECTOR_2(p)      vload2(0, p)
#define LOAD_VECTOR_4(p)      vload4(0, p)
#define LOAD_VECTOR_8(p)      vload8(0, p)
#define LOAD_VECTOR_16(p)     vload16(0, p)
#define STORE_VECTOR(n, v, p) JOIN(STORE_VECTOR_, n)(v, p)
#define STORE_VECTOR_1(v, p)  (*(p) = (v))
#define STORE_VECTOR_2(v, p)  vstore2(v, 0, p)
#define STORE_VECTOR_4(v, p)  vstore4(v, 0, p)
#define STORE_VECTOR_8(v, p)  vstore8(v, 0, p)
#define STORE_VECTOR_16(v, p) vstore16(v, 0, p)

#endif
