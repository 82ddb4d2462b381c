/* quantize.h: floats to codes by bitsandbytes' rules, bit for bit; and a tensor of floats that is read as if it were held so, which is how a
 * model is quantised while it loads: a few rows at a time, never a copy of the model. */
#ifndef OCLM_CHECKPOINT_QUANTIZE_H
#define OCLM_CHECKPOINT_QUANTIZE_H

#include "checkpoint/checkpoint.h"

#define CKPT_QUANTIZE_BLOCK 64u         /* weights that share an absmax */
#define CKPT_QUANTIZE_NESTED_BLOCK 256u /* of those, which share one of their own where they are quantised too */

typedef enum ckpt_quantize_kind { CKPT_QUANTIZE_NONE, CKPT_QUANTIZE_INT8, CKPT_QUANTIZE_NF4, CKPT_QUANTIZE_FP4 } ckpt_quantize_kind;

/* A row in 8 bits: *absmax (SCB) of the values as float16, codes = round(value * 127 / absmax), half to even. */
void         ckpt_quantize_row8(const float *values, size_t count, float *absmax, int8_t *codes);
/* A block of up to 64 in 4 bits (NF4 or FP4), a byte for each code: nearest to value / absmax, in the middle the lower one. A block that is
 * not full is the last of its tensor. */
void         ckpt_quantize_block4(ckpt_quantize_kind kind, const float *values, size_t count, float *absmax, uint8_t *codes);
/* Absmax of blocks in 8 bits ("double quantisation"): absmax = map[code] * nested_absmax[i / 256] + offset. `nested_absmax` has one for each
 * 256 or part of them. */
void         ckpt_quantize_absmax(const float *absmax, size_t count, uint8_t *codes, float *nested_absmax, float *offset);
/* The mean of at least one number as torch computes it, to the last bit. */
float        ckpt_quantize_mean(const float *values, size_t count);
const float *ckpt_dynamic_map(void); /* 256 values, rising */

/* A plain tensor as a quantised one. */
typedef struct ckpt_quantizer {
    ckpt_tensor        tensor; /* hand this to readers: its `quantized` is the next member */
    ckpt_quantized     quantized;
    const ckpt_tensor *plain;
    ckpt_quantize_kind kind;
    bool               nested, transposed;
    core_dtype         through; /* values are rounded to this type first, as a model of that type holds them */
    uint64_t           rows, columns;
    float             *absmax; /* [blocks], with `nested` only: what is left of them after double quantisation */
} ckpt_quantizer;

/* What a weight with so many inputs becomes: codes, or float32 where rows do not consist of whole groups. */
core_storage ckpt_quantize_storage(ckpt_quantize_kind kind, uint64_t columns);
/* `plain` is [rows][columns] or, transposed, [columns][rows], F32, F16 or BF16. Reads all of it where absmax are quantised too (`nested`, of
 * 4 bits only). The quantizer must not move. OCLM_ERR_MEMORY. */
oclm_status  ckpt_quantizer_open(const ckpt_tensor *plain, bool transposed, ckpt_quantize_kind kind, bool nested, core_dtype through,
                                 ckpt_quantizer *quantizer);
void         ckpt_quantizer_close(ckpt_quantizer *quantizer);

#endif
