// codes_unit.h: the product of matmul_unit.h where weights are codes (codes.h): COLS codes of an input as vectors of floats, sums of spans
//
// A span is the inputs that share a scale, 64 at most. For each, first to last:
//
//   sum = MUL_ADD(x[k], code, sum) from 0, in the order of k;  total = MUL_ADD(scale, sum, total);
//   with minima total = MUL_ADD(minimum, xsum, total), xsum being x of the span summed by span_sum()'s tree
//
// the same for every ROWS, COLS and VEC, and in the kernels whose work-items are lanes (matmul_lanes.cl).
//
// A plane of bits is read where it lies, and each vector shifts the bits of its rows into place: two's complement to the top of a word,
// whose sign becomes theirs, others to its bottom. What is converted then is the code times a power of two, which costs nothing in the
// sum, and which CODE_UNIT takes back with the scale. Tables are looked up by the vectors' own elements, which LLVM makes one instruction
// (vpermps, vpshufb): of integers in bytes, of others in two halves.
//
// Included by matmul_unit.h, whose macros it uses.
#ifndef OCLM_CODES_UNIT_H
#define OCLM_CODES_UNIT_H

#include "codes.h"
#include "span_sum.h"

typedef VECTOR(uint, VEC) code_words;

// Where the rows from `lane` on have what, in a panel.
typedef struct code_rows {
    const __global uchar *low, *high, *scales, *minima;
    const __global ushort *super_scales, *super_minima;
    uint lane;
} code_rows;

static inline code_rows code_rows_of(const __global uchar *const panel, const uint columns, const uint lane)
{
    const code_rows rows = { panel, panel + HIGH_PLANE_AT(columns), panel + SCALES_AT(columns) + lane * SCALE_BYTES(SCALE),
                             panel + MINIMA_AT(columns) + lane * SCALE_BYTES(MINIMUM),
                             (const __global ushort *)(panel + SUPER_SCALES_AT(columns)) + lane,
                             (const __global ushort *)(panel + SUPER_MINIMA_AT(columns)) + lane, lane };
    return rows;
}

#if COLS == 32
#define FIRST_LANE(r) 0u // then all shifts are constants
#else
#define FIRST_LANE(r) ((r).lane)
#endif

// ---- Planes of bits: the words of VEC rows from `lane` on, a plane's bits at the bottom, above them those of other rows

#if VEC == 16
#define EIGHT_AND_EIGHT(v, of_second) (convert_uint16((uchar16)((v), (v))) >> (uint16)((uint8)(0), (uint8)(of_second)))
#define FROM_ZERO ((uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#else
#define EIGHT_AND_EIGHT(v, of_second) convert_uint8(v)
#define FROM_ZERO ((uint8)(0, 1, 2, 3, 4, 5, 6, 7))
#endif

static inline code_words plane4(const __global uchar *const plane, const uint k, const uint lane)
{
    return JOIN(convert_uint, VEC)(LOAD_VECTOR(VEC, plane + (size_t)k * 16 + lane % 16)) >> lane / 16 * 4;
}

static inline code_words plane2(const __global uchar *const plane, const uint k, const uint lane)
{
    const uchar8 bytes = vload8(0, plane + (size_t)k * 8);
    return EIGHT_AND_EIGHT(bytes, 2) >> lane / 8 * 2;
}

// In each word the bits of all rows, the first at the bottom.
static inline code_words plane1(const __global uchar *const plane, const uint k)
{
    return *(const __global uint *)(plane + (size_t)k * 4);
}

static inline code_words code_words_of(const code_rows r, const uint k, const uint lane)
{
#if LOW_BITS == 4
    code_words words = plane4(r.low, k, lane) & 15u;
#else
    code_words words = plane2(r.low, k, lane) & 3u;
#endif
#if HIGH_BITS == 2
    words |= (plane2(r.high, k, lane) & 3u) << LOW_BITS;
#elif HIGH_BITS == 1
    words |= (plane1(r.high, k) >> (FROM_ZERO + lane) & 1u) << LOW_BITS;
#endif
    return words;
}

// ---- Codes as floats

// looked_up(table, i): table[i % 16] for each element, where that is one instruction. (Indices that LLVM sees as elements are cut to four bits first.)
#if NATIVE_CLANG && VEC == 16 && defined(__AVX512F__)
#if __has_builtin(__builtin_ia32_permvarsf512)
#define LOOKS_UP 1
typedef float floats16 __attribute__((vector_size(64)));
typedef int ints16 __attribute__((vector_size(64)));
static inline float16 looked_up(const float16 table, const uint16 i)
{
    return __builtin_astype(__builtin_ia32_permvarsf512(__builtin_astype(table, floats16), __builtin_astype(i, ints16)), float16);
}
#endif
#endif
#ifndef LOOKS_UP
#define LOOKS_UP 0
#endif

#if CODE == CODE_TABLE
#define CODE_UNIT(j) 1.0f
static inline float8 of_eight(const float8 t, const uint8 i)
{
#ifdef __clang__
    return (float8)(t[i.s0], t[i.s1], t[i.s2], t[i.s3], t[i.s4], t[i.s5], t[i.s6], t[i.s7]);
#else
    return shuffle(t, i);
#endif
}
static inline float8 of_table(const uint8 i)
{
    const float16 t = (float16)(CODE_TABLE_VALUES);
#if TABLE == TABLE_NF4 || TABLE == TABLE_IQ4_NL
    return select(of_eight(t.lo, i & 7u), of_eight(t.hi, i & 7u), as_int8(i << 28));
#else
    return as_float8(as_uint8(of_eight(t.lo, i & 7u)) | (i & 8u) << 28); // the second half is the first, negative
#endif
}
static inline vec code_vector(const code_rows r, const uint k, const uint j, const uint lane)
{
#if LOOKS_UP
    return looked_up((float16)(CODE_TABLE_VALUES), plane4(r.low, k, lane));
#else
    const code_words i = code_words_of(r, k, lane);
#if VEC == 16 && defined(__clang__)
    const float16 t = (float16)(CODE_TABLE_VALUES);
    return (float16)(t[i.s0], t[i.s1], t[i.s2], t[i.s3], t[i.s4], t[i.s5], t[i.s6], t[i.s7], t[i.s8], t[i.s9], t[i.sa], t[i.sb], t[i.sc],
                     t[i.sd], t[i.se], t[i.sf]);
#elif VEC == 16
    return (float16)(of_table(i.lo), of_table(i.hi));
#else
    return of_table(i);
#endif
#endif
}
#elif CODE == CODE_E4M3
static inline vec code_vector(const code_rows r, const uint k, const uint j, const uint lane)
{
    const VECTOR(uchar, VEC) bytes = LOAD_VECTOR(VEC, r.low + (size_t)k * 32 + lane);
#ifdef HAS_FLOAT16_VECTORS
    // As float16, whose exponent counts from 15 instead of 7.
#define CODE_UNIT(j) 256.0f
    const VECTOR(short, VEC) halves = JOIN(convert_short, VEC)(JOIN(as_char, VEC)(bytes)) << (short)7 & (short)0xbfff;
    return __builtin_convertvector(__builtin_astype(halves, JOIN(half_bits, VEC)), vec);
#else
#define CODE_UNIT(j) 1.0f
    const code_words words = JOIN(convert_uint, VEC)(bytes), size = words & 0x7fu;
    const vec normal = JOIN(as_float, VEC)((size << 20) + (120u << 23)), tiny = JOIN(convert_float, VEC)(size) * 0x1p-9f;
    return JOIN(as_float, VEC)(JOIN(as_uint, VEC)(select(normal, tiny, size < 8u)) | (words & 0x80u) << 24);
#endif
}
#elif BITS == 8
#define CODE_UNIT(j) 1.0f
static inline vec code_vector(const code_rows r, const uint k, const uint j, const uint lane)
{
    const VECTOR(uchar, VEC) bytes = LOAD_VECTOR(VEC, r.low + (size_t)k * 32 + lane);
#if CODE == CODE_INT
    return JOIN(convert_float, VEC)(JOIN(as_char, VEC)(bytes));
#else
    return JOIN(convert_float, VEC)(bytes);
#endif
}
#elif LOOKS_UP && (BITS == 4 || HIGH_BITS == 1) && COLS == 32
// Codes are spared shifts: those in the low halves of bytes, and of two bits, are looked up, those in high halves converted where they stand. A bit
// above them is there at first, and taken from the rows that have none: compilers make that one instruction, as they do not when it is given to the
// others. (2 cores with AVX-512, out of caches, against shifts: 4 bits 1.14 times as fast, 3 and 5 bits 1.12.)
#define CODE_UNIT(j) (LOW_BITS == 4 && (j) == 1 ? 0.0625f : 1.0f)
static inline vec code_vector(const code_rows r, const uint k, const uint j, const uint lane)
{
    const bool is_high = LOW_BITS == 4 && j == 1;
    const int above = HIGH_BITS == 0 ? 0 : (CODE == CODE_INT ? -1 : 1) * (1 << (is_high ? 8 : LOW_BITS));
#if BITS == 4 && CODE == CODE_INT
    const int16 codes = convert_int16(as_char16(vload16(0, r.low + (size_t)k * 16)));
    const float16 values = (float16)(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1);
#elif LOW_BITS == 4
    const int16 codes = convert_int16(vload16(0, r.low + (size_t)k * 16));
    const float16 values = (float16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    const int16 codes = as_int16(plane2(r.low, k, lane));
    const float16 values = (float16)(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
#endif
    const float16 v = is_high ? convert_float16((codes & ~15) + above) : looked_up(values + above, as_uint16(codes));
#if HIGH_BITS == 1
    return select(v - above, v, (plane1(r.high, k) & (uint16)(1u) << (FROM_ZERO + lane)) != (uint16)(0u));
#else
    (void)lane;
    return v;
#endif
}
#elif CODE == CODE_UINT
#define CODE_UNIT(j) 1.0f
static inline vec code_vector(const code_rows r, const uint k, const uint j, const uint lane)
{
    return JOIN(convert_float, VEC)(JOIN(as_int, VEC)(code_words_of(r, k, lane)));
}
#elif BITS == 4 && COLS == 32
// A byte with its sign: the high half has it already.
#define CODE_UNIT(j) ((j) < VECTORS / 2 ? 0x1p-28f : 1.0f)
static inline vec code_vector(const code_rows r, const uint k, const uint j, const uint lane)
{
    const VECTOR(uchar, VEC) bytes = LOAD_VECTOR(VEC, r.low + (size_t)k * 16 + lane % 16);
    const VECTOR(int, VEC) both = JOIN(convert_int, VEC)(JOIN(as_char, VEC)(bytes));
    return JOIN(convert_float, VEC)(j < VECTORS / 2 ? both << 28 : both >> 4);
}
#else
#define CODE_UNIT(j) (1.0f / (float)(1u << (32 - BITS)))
static inline vec code_vector(const code_rows r, const uint k, const uint j, const uint lane)
{
    return JOIN(convert_float, VEC)(JOIN(as_int, VEC)(code_words_of(r, k, lane) << (32 - BITS)));
}
#endif

// 32 codes of a table at once: each of the four bytes of the floats is looked up for all of them (vpshufb: 16 entries, where vpermps has 8 and
// takes twice as long), and the bytes are interleaved within halves of vectors, which leaves the rows in an order of their own: 4 j .. 4 j + 3
// and 16 above them in the j-th vector. Sums stay so until the product's end. nf4, one row: 2.3 times as fast (AVX2).
#if NATIVE_CLANG && CODE == CODE_TABLE && COLS == 32 && VEC == 8 && defined(__AVX2__)
#if __has_builtin(__builtin_ia32_pshufb256) && __has_builtin(__builtin_shufflevector)
#define BY_BYTES 1
#endif
#endif
#ifndef BY_BYTES
#define BY_BYTES 0
#endif

#if BY_BYTES
typedef char bytes32 __attribute__((vector_size(32)));
typedef char bytes64 __attribute__((vector_size(64)));
typedef short shorts16 __attribute__((vector_size(32)));

// Byte n of each value of the table, twice.
#define TABLE_BYTES(t, n)                                                                                                          \
    __builtin_shufflevector(t, t, n, n + 4, n + 8, n + 12, n + 16, n + 20, n + 24, n + 28, n + 32, n + 36, n + 40, n + 44, n + 48, n + 52,  \
                            n + 56, n + 60, n, n + 4, n + 8, n + 12, n + 16, n + 20, n + 24, n + 28, n + 32, n + 36, n + 40, n + 44, n + 48, \
                            n + 52, n + 56, n + 60)
#define LOW_BYTES(a, b)                                                                                                            \
    __builtin_shufflevector(a, b, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, \
                            54, 23, 55)
#define HIGH_BYTES(a, b)                                                                                                           \
    __builtin_shufflevector(a, b, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29,   \
                            61, 30, 62, 31, 63)
#define LOW_SHORTS(a, b)  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 8, 24, 9, 25, 10, 26, 11, 27)
#define HIGH_SHORTS(a, b) __builtin_shufflevector(a, b, 4, 20, 5, 21, 6, 22, 7, 23, 12, 28, 13, 29, 14, 30, 15, 31)

static inline void code_column(vec *const b, const code_rows r, const uint k)
{
    const bytes64 table = __builtin_astype((float16)(CODE_TABLE_VALUES), bytes64);
    const ulong2 column = vload2(0, (const __global ulong *)(r.low + (size_t)k * 16));
    const ulong4 codes = (ulong4)(column, column) >> (ulong4)(0, 0, 4, 4) & (ulong4)(0x0f0f0f0f0f0f0f0ful);
    const bytes32 i = __builtin_astype(codes, bytes32);
    const bytes32 b0 = __builtin_ia32_pshufb256(TABLE_BYTES(table, 0), i), b1 = __builtin_ia32_pshufb256(TABLE_BYTES(table, 1), i);
    const bytes32 b2 = __builtin_ia32_pshufb256(TABLE_BYTES(table, 2), i), b3 = __builtin_ia32_pshufb256(TABLE_BYTES(table, 3), i);
    const shorts16 low_10 = __builtin_astype(LOW_BYTES(b0, b1), shorts16), high_10 = __builtin_astype(HIGH_BYTES(b0, b1), shorts16);
    const shorts16 low_32 = __builtin_astype(LOW_BYTES(b2, b3), shorts16), high_32 = __builtin_astype(HIGH_BYTES(b2, b3), shorts16);
    b[0] = __builtin_astype(LOW_SHORTS(low_10, low_32), float8);
    b[1] = __builtin_astype(HIGH_SHORTS(low_10, low_32), float8);
    b[2] = __builtin_astype(LOW_SHORTS(high_10, high_32), float8);
    b[3] = __builtin_astype(HIGH_SHORTS(high_10, high_32), float8);
}

// From the rows' order to that of the sums, and back.
static inline void order_as_sums(vec *const v)
{
    const vec a = v[0], b = v[1], c = v[2], d = v[3];
    v[0] = (vec)(a.lo, c.lo);
    v[1] = (vec)(a.hi, c.hi);
    v[2] = (vec)(b.lo, d.lo);
    v[3] = (vec)(b.hi, d.hi);
}
static inline void order_as_rows(vec *const v)
{
    const vec a = v[0], b = v[1], c = v[2], d = v[3];
    v[0] = (vec)(a.lo, b.lo);
    v[1] = (vec)(c.lo, d.lo);
    v[2] = (vec)(a.hi, b.hi);
    v[3] = (vec)(c.hi, d.hi);
}
#else
#define order_as_sums(v) ((void)(v))
#define order_as_rows(v) ((void)(v))

static inline void code_column(vec *const b, const code_rows r, const uint k)
{
#pragma unroll
    for (uint j = 0; j < VECTORS; j++)
        b[j] = code_vector(r, k, j, FIRST_LANE(r) + j * VEC);
}
#endif

// ---- Scales and minima

// VEC of a region, from the j-th vector on, for input k.
static inline vec code_numbers(const __global uchar *const numbers, const uint kind, const __global ushort *const super, const uint k,
                               const uint j)
{
    const uint i = GROUP_OF(k) * 32 + j * VEC;
    if (kind == SCALE_F32)
        return LOAD_VECTOR(VEC, (const __global float *)numbers + i);
    if (kind == SCALE_F16)
        return F16_VECTOR((const __global ushort *)numbers + i, VEC);
    const VECTOR(uchar, VEC) bytes = LOAD_VECTOR(VEC, numbers + i);
    if (kind == SCALE_E8M0)
        return JOIN(as_float, VEC)(max(JOIN(convert_uint, VEC)(bytes) << 23, (code_words)(0x00400000u)));
    const vec of_all = F16_VECTOR(super + k / SUPER_GROUP * 32 + j * VEC, VEC);
    return (kind == SCALE_I8_F16 ? JOIN(convert_float, VEC)(JOIN(as_char, VEC)(bytes)) : JOIN(convert_float, VEC)(bytes)) * of_all;
}

// ---- Sums

// The scales of the span that begins with input `first`, and its minima.
static inline void span_numbers(vec *const scale, vec *const minimum, const code_rows r, const uint first)
{
#pragma unroll
    for (uint j = 0; j < VECTORS; j++)
        scale[j] = code_numbers(r.scales, SCALE, r.super_scales, first, j) * CODE_UNIT(j);
    order_as_sums(scale);
#if MINIMUM
#pragma unroll
    for (uint j = 0; j < VECTORS; j++)
        minimum[j] = code_numbers(r.minima, MINIMUM, r.super_minima, first, j);
    order_as_sums(minimum);
#else
    (void)minimum;
#endif
}

// What a span's sums add to the totals. xsum: of each row, span_sum(); only with minima.
static inline void add_sums(vec *const total, const vec *const sum, const vec *const scale, const vec *const minimum, const float *const xsum)
{
#pragma unroll
    for (uint i = 0; i < ROWS; i++)
#pragma unroll
        for (uint j = 0; j < VECTORS; j++) {
            vec t = MUL_ADD(scale[j], sum[i * VECTORS + j], total[i * VECTORS + j]);
#if MINIMUM
            t = MUL_ADD(minimum[j], (vec)(xsum[i]), t);
#endif
            total[i * VECTORS + j] = t;
        }
}

// A span's share of all that a panel holds, but for what two levels of scales share at its end.
#define SPAN_BYTES                                                                                                                 \
    CODE_ALIGN(CODE_SPAN * 4u * BITS +                                                                                             \
               (GROUP == 0 ? 0u : 32u * (SCALE_BYTES(SCALE) + SCALE_BYTES(MINIMUM)) * CODE_SPAN / (GROUP + (GROUP == 0))), 64u)

// With one row the sums of a span are too few to keep a core busy: each waits for the one before. Not more than a line for each input can ask for.
#define SPANS_AT_ONCE (ROWS > 1 ? 1 : VEC == 16 && 3 * SPAN_BYTES <= 68 * CODE_SPAN ? 3 : 2)

// What the sums of the span that begins with input `first` add to the totals.
static inline void add_span(vec *const total, const vec *const sum, const X_SPACE float *const *const x, const code_rows r, const uint first,
                            const uint count)
{
    vec scale[VECTORS], minimum[VECTORS];
    float xsum[ROWS];
    span_numbers(scale, minimum, r, first);
#if MINIMUM
#pragma unroll
    for (uint i = 0; i < ROWS; i++)
        xsum[i] = span_sum(x[i] + first, count);
#else
    (void)x, (void)count;
#endif
    add_sums(total, sum, scale, minimum, xsum);
}

// Adds so many spans, `spans` of `count` inputs each. Meanwhile asks for their share of what is read behind this panel, planes, scales and minima
// alike: each place that is not asked for is waited for in every span. Each input asks for a little: all at once, before the sums, they wait for each
// other (2 cores with AVX-512, q8_0: 50 GB/s instead of 43). Only the last panel before a longer one asks for `more`, in pieces as large as its own.
__attribute__((always_inline)) static inline void add_spans(vec *const total, const X_SPACE float *const *const x, const code_rows r, const uint first,
                                                            const uint spans, const uint count, const __global uchar *const next, const uint more)
{
    const __global uchar *const ahead = next ? next + (size_t)(first / CODE_SPAN * SPAN_BYTES) * (1 + more) : r.low;
    vec sum[SPANS_AT_ONCE * ROWS * VECTORS];
#pragma unroll
    for (uint i = 0; i < SPANS_AT_ONCE * ROWS * VECTORS; i++)
        sum[i] = 0.0f;
#if PREFETCH
#pragma unroll 1
    for (uint i = spans * SPAN_BYTES; i < spans * SPAN_BYTES * (1 + more); i += 64)
        PREFETCH_LINE(ahead + i);
#else
    (void)ahead, (void)more;
#endif
    for (uint k = 0; k < count; k++) {
#if PREFETCH
        PREFETCH_LINE(ahead + k * (spans * SPAN_BYTES / CODE_SPAN));
#endif
#pragma unroll
        for (uint s = 0; s < spans; s++) {
            vec b[VECTORS];
            code_column(b, r, first + s * CODE_SPAN + k);
            add_column(sum + s * ROWS * VECTORS, x, first + s * CODE_SPAN + k, b);
        }
    }
#pragma unroll
    for (uint s = 0; s < spans; s++)
        add_span(total, sum + s * ROWS * VECTORS, x, r, first + s * CODE_SPAN, count);
}

// `next`: what is read behind the panel, or null; of that not as much as the panel is long, but so many times `more`.
static inline void product(vec *const total, const X_SPACE float *const *const x, const __global stored *const panel, const uint columns,
                           const uint lane, const __global stored *const next, const uint more)
{
    const code_rows r = code_rows_of(panel, columns, lane);
    uint k = 0;
#pragma unroll
    for (uint i = 0; i < ROWS * VECTORS; i++)
        total[i] = 0.0f;
#if SPANS_AT_ONCE > 1
#pragma unroll 1
    for (; k + SPANS_AT_ONCE * CODE_SPAN <= columns; k += SPANS_AT_ONCE * CODE_SPAN)
        add_spans(total, x, r, k, SPANS_AT_ONCE, CODE_SPAN, next, more);
#endif
#pragma unroll 1
    for (; k < columns; k += CODE_SPAN) // the last span by the same code: that compiles in half the time
        add_spans(total, x, r, k, 1, min((uint)CODE_SPAN, columns - k), next, more);
#pragma unroll
    for (uint i = 0; i < ROWS; i++)
        order_as_rows(total + i * VECTORS);
}

#endif
