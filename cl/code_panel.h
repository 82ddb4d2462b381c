// code_panel.h: weights that are codes of a few bits (core/storage.h): what the macros of a build say of them, and where in a panel's bytes
// what lies (matrix.h, panel.c):
//
//   planes of bits, column by column: LOW_BITS of each code in the first, the HIGH_BITS above them in the second. A column takes 4 bytes for
//                  each bit of a plane. 8 bits: byte r is row r | 4: byte j row j in its low half, row j + 16 in its high one | 2: byte j row
//                  j + 8 q in its bits 2 q | 1: 32 bits, bit r is row r
//   scales, minima [groups][32], then their float16s of two levels, [super groups][32] of scales, of minima
//
// Each begins at a multiple of 16 bytes, a panel at one of 64.
// Build     -DCODE=3..6 -DBITS=2..6|8 -DGROUP=<inputs that share a scale; 0: all of a row> -DSCALE=1..5 -DMINIMUM=0..5 -DTABLE=0..3
#ifndef OCLM_CODE_PANEL_H
#define OCLM_CODE_PANEL_H

#define CODE_INT   3
#define CODE_UINT  4
#define CODE_TABLE 5
#define CODE_E4M3  6

#define SCALE_NONE   0
#define SCALE_F32    1
#define SCALE_F16    2
#define SCALE_E8M0   3
#define SCALE_I8_F16 4
#define SCALE_U8_F16 5

#define TABLE_NF4    0
#define TABLE_FP4    1
#define TABLE_IQ4_NL 2
#define TABLE_MXFP4  3

#ifndef CODE
#define CODE CODE_INT
#endif
#ifndef BITS
#define BITS 4
#endif
#ifndef GROUP
#define GROUP 32
#endif
#ifndef SCALE
#define SCALE SCALE_F16
#endif
#ifndef MINIMUM
#define MINIMUM SCALE_NONE
#endif
#ifndef TABLE
#define TABLE TABLE_NF4
#endif

#define CODE_SPAN   (GROUP == 0 || GROUP > 64 ? 64 : GROUP) // inputs whose products are summed before the scale comes in
#ifndef SPAN // attention has spans too (decode_layers.cl)
#define SPAN CODE_SPAN
#endif
#define SUPER_GROUP 256

#define LOW_BITS  (BITS == 8 ? 8 : BITS >= 4 ? 4 : 2)
#define HIGH_BITS (BITS - LOW_BITS)

#define SCALE_HAS_LEVELS(kind) ((kind) == SCALE_I8_F16 || (kind) == SCALE_U8_F16)
#define SCALE_BYTES(kind)      ((kind) == SCALE_NONE ? 0u : (kind) == SCALE_F32 ? 4u : (kind) == SCALE_F16 ? 2u : 1u)

// Of a row of so many inputs; which of them an input is in.
#define GROUPS(columns)       (GROUP == 0 ? 1u : ((columns) + GROUP - 1) / (GROUP + (GROUP == 0)))
#define GROUP_OF(k)           (GROUP == 0 ? 0u : (k) / (GROUP + (GROUP == 0)))
#define SUPER_GROUPS(columns) (((columns) + SUPER_GROUP - 1) / SUPER_GROUP)

#define CODE_ALIGN(bytes, align) (((bytes) + ((align) - 1)) / (align) * (align))

// Where a region begins, in bytes from the panel's first on. 32 bits are enough: a row has less than 2^24 inputs.
#define HIGH_PLANE_AT(columns)   CODE_ALIGN((columns) * (4u * LOW_BITS), 16u)
#define SCALES_AT(columns)       CODE_ALIGN(HIGH_PLANE_AT(columns) + (columns) * (4u * HIGH_BITS), 16u)
#define MINIMA_AT(columns)       CODE_ALIGN(SCALES_AT(columns) + GROUPS(columns) * (32u * SCALE_BYTES(SCALE)), 16u)
#define SUPER_SCALES_AT(columns) CODE_ALIGN(MINIMA_AT(columns) + GROUPS(columns) * (32u * SCALE_BYTES(MINIMUM)), 16u)
#define SUPER_MINIMA_AT(columns) (SUPER_SCALES_AT(columns) + (SCALE_HAS_LEVELS(SCALE) ? SUPER_GROUPS(columns) * 64u : 0u))
#define CODE_PANEL_BYTES(columns) \
    CODE_ALIGN(SUPER_MINIMA_AT(columns) + (SCALE_HAS_LEVELS(MINIMUM) ? SUPER_GROUPS(columns) * 64u : 0u), 64u)

// What the 16 codes of a table stand for. Sources as in core/storage.c.
#if TABLE == TABLE_NF4
#define CODE_TABLE_VALUES                                                                                                      \
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,    \
    -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,       \
    0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f
#elif TABLE == TABLE_FP4
#define CODE_TABLE_VALUES                                                                                                      \
    0.0f, 0.0625f / 12.0f, 8.0f / 12.0f, 1.0f, 4.0f / 12.0f, 6.0f / 12.0f, 2.0f / 12.0f, 3.0f / 12.0f, -0.0f, -0.0625f / 12.0f, \
    -8.0f / 12.0f, -1.0f, -4.0f / 12.0f, -6.0f / 12.0f, -2.0f / 12.0f, -3.0f / 12.0f
#elif TABLE == TABLE_IQ4_NL
#define CODE_TABLE_VALUES                                                                                                      \
    -127.0f, -104.0f, -83.0f, -65.0f, -49.0f, -35.0f, -22.0f, -10.0f, 1.0f, 13.0f, 25.0f, 38.0f, 53.0f, 69.0f, 89.0f, 113.0f
#else
#define CODE_TABLE_VALUES                                                                                                      \
    0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f, -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f
#endif

#endif
