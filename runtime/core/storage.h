/* storage.h: how a weight's numbers are kept: as floats, or as codes of a few bits with scales and minima for groups of inputs. In core
 * because checkpoints, which hold them, and devices, which multiply by them, both speak of it.
 *
 *     value(r, k) = scale(r, k / group) * code(r, k) + minimum(r, k / group)
 *
 * A format of a file (GGUF's Q4_K, bitsandbytes' nf4, ..) is read into one such description without rounding: what a code stands for, a
 * scale and a minimum are exactly those of the file. So few kernels serve all formats, and what they multiply by is what the format's own
 * decoder gives. */
#ifndef OCLM_CORE_STORAGE_H
#define OCLM_CORE_STORAGE_H

#include "core/dtype.h"

/* What a code stands for. The first three are floats themselves, without scales, and number as core_dtype does. */
typedef enum core_code {
    CORE_CODE_F32, CORE_CODE_F16, CORE_CODE_BF16,
    CORE_CODE_INT,   /* two's complement in the low `bits` */
    CORE_CODE_UINT,  /* 0 .. 2^bits - 1 */
    CORE_CODE_TABLE, /* 4 bits: core_storage_table(table)[code] */
    CORE_CODE_E4M3   /* 8 bits: float8_e4m3fn */
} core_code;

/* Scales and minima, one for each row and group. The two-level kinds are a byte for each group times a float16 for each CORE_SUPER_GROUP
 * inputs of the row. */
typedef enum core_scale {
    CORE_SCALE_NONE, CORE_SCALE_F32, CORE_SCALE_F16,
    CORE_SCALE_E8M0,   /* a byte e: 2^(e - 127); scales only */
    CORE_SCALE_I8_F16, /* two levels, the byte signed; scales only */
    CORE_SCALE_U8_F16, /* two levels, the byte unsigned */
    CORE_SCALE_COUNT
} core_scale;

typedef enum core_table { CORE_TABLE_NF4, CORE_TABLE_FP4, CORE_TABLE_IQ4_NL, CORE_TABLE_MXFP4, CORE_TABLE_COUNT } core_table;

#define CORE_SUPER_GROUP 256u
#define CORE_WHOLE_ROW 0u /* as a group */

typedef struct core_storage {
    uint8_t  code;    /* core_code */
    uint8_t  bits;    /* of a code: 2, 3, 4, 5, 6 or 8; floats: 16, 32 */
    uint8_t  scale, minimum; /* core_scale */
    uint8_t  table;   /* core_table, with CORE_CODE_TABLE; else 0 */
    uint16_t group;   /* inputs that share a scale: 16, 32, or a multiple of 64; CORE_WHOLE_ROW: all. Floats: 0 */
} core_storage;

core_storage core_storage_of(core_dtype dtype); /* CORE_F32, CORE_F16 or CORE_BF16 */
static inline bool core_storage_is_float(const core_storage *s) { return s->code <= CORE_CODE_BF16; }
bool         core_storage_equal(const core_storage *a, const core_storage *b);
/* One that kernels are built for: groups, bits and kinds that go together. */
bool         core_storage_is_valid(const core_storage *storage);
/* A name for messages and for what is remembered on disk: "float32", "4-bit signed, 32 to a float16 scale". */
const char  *core_storage_name(const core_storage *storage, char into[96]);
const float *core_storage_table(core_table table); /* 16 values */

/* Groups in a row of so many inputs, and super groups. */
static inline uint64_t core_storage_groups(const core_storage *s, uint64_t columns)
{
    return s->scale == CORE_SCALE_NONE ? 0 : s->group == CORE_WHOLE_ROW ? 1 : (columns + s->group - 1) / s->group;
}
static inline uint64_t core_storage_super_groups(uint64_t columns) { return (columns + CORE_SUPER_GROUP - 1) / CORE_SUPER_GROUP; }
static inline bool     core_scale_has_levels(core_scale scale) { return scale == CORE_SCALE_I8_F16 || scale == CORE_SCALE_U8_F16; }
size_t core_scale_size(core_scale scale); /* bytes of one, of a group's byte with two levels; 0 for none */

/* Bits that a weight takes with its share of scales and minima, for rows of so many inputs. */
double core_storage_bits_per_weight(const core_storage *storage, uint64_t columns);

/* Some rows on their way from a checkpoint to a device: row by row, a byte for each code, its unused bits 0. Members that the storage has no
 * use for are NULL. */
typedef struct core_codes {
    uint8_t  *codes;                        /* [rows][columns] */
    void     *scales, *minima;              /* [rows][groups] of core_scale_size() */
    uint16_t *super_scales, *super_minima;  /* [rows][super groups], float16 */
} core_codes;

/* Memory for so many rows, zeroed, in one piece: free with core_codes_free(). OCLM_ERR_MEMORY. */
oclm_status core_codes_new(const core_storage *storage, uint64_t rows, uint64_t columns, core_codes *codes);
void        core_codes_free(core_codes *codes);
/* What they stand for, as the reference decoders compute it: scale and minimum in float32, the product rounded, then the sum. */
void        core_codes_values(const core_storage *storage, const core_codes *codes, uint64_t rows, uint64_t columns, float *values);

#endif
