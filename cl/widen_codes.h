// widen_codes.h: the words of widen.h for weights that are codes (code_panel.h), and their scales and minima
//
// Codes go four at a time, a quad: four neighbouring outputs, a byte each. A lane with VEC 8 has outputs lane .. lane + 3 and 16 above them, which
// are the two halves of the same bytes of a plane of 4 bits: it loads nothing that another lane needs too.
//
// Signed codes are extended to bytes with a sign within the word; bytes are what GPUs turn into floats in one instruction. A table is
// looked up in local memory, whose 16 words lie in different banks, so that lanes which look up different ones do not wait for each other;
// in constant memory they would.
//
//   load_number4(panel, columns, k, out, kind, ..)  four neighbouring scales or minima for input k, as loaded: number4
//   number4_value(n, kind)  as floats
#ifndef OCLM_WIDEN_CODES_H
#define OCLM_WIDEN_CODES_H

#if VEC % 4 != 0
#error "codes are widened four at a time"
#endif

#define QUADS (VEC / 4)
#define LANE_OUTPUT(number) ((number) * 4) // and with VEC 8 also 16 further on

DEFINE_WIDEN_HALF(4)

// A word of the first plane, and one of the second; 8 bits, which have no second, and VEC 8: the words of both quads. No struct: in arrays
// of structs Mesa 22.3's rusticl gets lost.
typedef uint2 stored_vec;

typedef struct lane_weights {
    const __global stored *low, *high;
} lane_weights;

// Of the planes, where in a column the quad of output `out` begins, in bytes.
#define LOW_BYTE(out)  (LOW_BITS == 8 ? (out) : LOW_BITS == 4 ? (out) % 16 : (out) % 8)
#define HIGH_BYTE(out) (HIGH_BITS == 2 ? (out) % 8 : 0)

static inline lane_weights weights_of_lane(const __global stored *panel, const uint columns, const uint lane)
{
    lane_weights w;
    w.low = panel + LOW_BYTE(lane);
    w.high = panel + HIGH_PLANE_AT(columns) + HIGH_BYTE(lane);
    return w;
}

// Not by changing `w` in place: it is a copy, but Mesa 22.3's rusticl changes the caller's.
static inline lane_weights later(const lane_weights w, const uint count)
{
    lane_weights after;
    after.low = w.low + (size_t)count * (4 * LOW_BITS);
    after.high = w.high + (size_t)count * (4 * HIGH_BITS);
    return after;
}

static inline stored_vec load_stored(const lane_weights w, const size_t away, const uint k)
{
    const __global stored *const low = w.low + away + k * (4 * LOW_BITS);
    stored_vec v;
    v.x = *(const __global uint *)low;
    v.y = 0;
    if (HIGH_BITS)
        v.y = *(const __global uint *)(w.high + away + k * (4 * HIGH_BITS));
#if QUADS == 2
    else if (LOW_BITS == 8)
        v.y = *(const __global uint *)(low + 16);
#endif
    return v;
}

// The codes of outputs out .. out + 3, a byte each.
static inline uint quad_codes(const uint low, const uint high, const uint out)
{
    uint codes = LOW_BITS == 8 ? low : LOW_BITS == 4 ? low >> out / 16 * 4 & 0x0f0f0f0fu : low >> out / 8 * 2 & 0x03030303u;
    if (HIGH_BITS == 2)
        codes |= (high >> out / 8 * 2 & 0x03030303u) << LOW_BITS;
    if (HIGH_BITS == 1) // bit i to byte i
        codes |= ((high >> out & 15u) * 0x00204081u & 0x01010101u) << LOW_BITS;
    return codes;
}

static inline float4 widen_quad(const uint codes, const __local float *table)
{
#if CODE == CODE_UINT
    (void)table;
    return convert_float4(as_uchar4(codes));
#elif CODE == CODE_INT
    const uint sign = 0x01010101u << (BITS - 1), rest = 0x80808080u - sign; // in each byte: no carry leaves it
    (void)table;
    return convert_float4(as_char4(BITS == 8 ? codes : ((codes ^ sign) + rest) ^ 0x80808080u));
#elif CODE == CODE_TABLE
    return (float4)(table[codes & 255u], table[codes >> 8 & 255u], table[codes >> 16 & 255u], table[codes >> 24]);
#else
    const uint4 code = convert_uint4(as_uchar4(codes)), size = (code & 127u) << 20;
    const float4 tiny = convert_float4(code & 7u) * 0x1p-9f;
    (void)table;
    return as_float4((size < 0x00800000u ? as_uint4(tiny) : size + (120u << 23)) | (code & 128u) << 24);
#endif
}

static inline vec widen_codes(const stored_vec v, const uint lane, const __local float *table)
{
#if QUADS == 2
    return (vec)(widen_quad(quad_codes(v.x, v.y, lane), table), widen_quad(quad_codes(LOW_BITS == 8 ? v.y : v.x, v.y, lane + 16), table));
#else
    return widen_quad(quad_codes(v.x, v.y, lane), table);
#endif
}
#define WIDEN(v, lane, table) widen_codes(v, lane, table)

static inline void put_vec(__local float *to, const uint lane, const vec v)
{
#if QUADS == 2
    *(__local float4 *)(to + lane) = v.lo;
    *(__local float4 *)(to + lane + 16) = v.hi;
#else
    *(__local float4 *)(to + lane) = v;
#endif
}

// The table in local memory, by all lanes of a work-group of at least 16; a barrier must follow before it is used.
#if CODE == CODE_TABLE
static __constant float code_table_values[16] = { CODE_TABLE_VALUES };
static inline void put_table(__local float *table)
{
    if (get_local_id(0) < 16)
        table[get_local_id(0)] = code_table_values[get_local_id(0)];
}
#endif

// ---- Scales and minima

// Bits of a float32 or float16, a byte, or a byte above the float16 that it is multiplied by. A plain vector: in arrays of structs of vectors
// Mesa 22.3's rusticl gets lost.
typedef uint4 number4;

// `at`, `super_at`: where the regions begin.
static inline number4 load_number4(const __global stored *panel, const uint k, const uint out, const uint kind, const uint at, const uint super_at)
{
    const __global stored *const from = panel + at + (GROUP_OF(k) * 32 + out) * SCALE_BYTES(kind);
    if (kind == SCALE_F32)
        return *(const __global uint4 *)from;
    if (kind == SCALE_F16)
        return convert_uint4(*(const __global ushort4 *)from);
    const uint4 bytes = convert_uint4(*(const __global uchar4 *)from);
    if (!SCALE_HAS_LEVELS(kind))
        return bytes;
    return bytes << 16 | convert_uint4(*(const __global ushort4 *)(panel + super_at + (k / SUPER_GROUP * 32 + out) * 2));
}

static inline float4 number4_value(const number4 n, const uint kind)
{
    if (kind == SCALE_F32)
        return as_float4(n);
    if (kind == SCALE_F16)
        return widen_half4(convert_ushort4(n));
    if (kind == SCALE_E8M0)
        return as_float4(n == 0u ? (uint4)(0x00400000u) : n << 23);
    return (kind == SCALE_I8_F16 ? convert_float4(as_int4(n << 8) >> 24) : convert_float4(n >> 16)) * widen_half4(convert_ushort4(n & 0xffffu));
}

#define LOAD_SCALE4(panel, columns, k, out)   load_number4(panel, k, out, SCALE, SCALES_AT(columns), SUPER_SCALES_AT(columns))
#define LOAD_MINIMUM4(panel, columns, k, out) load_number4(panel, k, out, MINIMUM, MINIMA_AT(columns), SUPER_MINIMA_AT(columns))

// ---- What a minimum is multiplied by: the sum of a span's inputs

static inline float join_of_span(const float *p)
{
    return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
}

// The sum of `count` inputs, at most a span, as every kernel adds them up: eight sums, joined in a fixed order. `x` at a multiple of 16 bytes,
// a span of which is there.
static inline float sum_of_span(const __local float *x, const uint count)
{
    float p[8];
#pragma unroll
    for (uint j = 0; j < 8; j++)
        p[j] = 0.0f;
#pragma unroll 2
    for (uint k = 0; k < SPAN; k += 8)
#pragma unroll
        for (uint j = 0; j < 8; j++)
            p[j] += k + j < count ? x[k + j] : 0.0f;
    return join_of_span(p);
}

#endif
