/* blocks.h: the number types of GGUF's tensors: plain numbers, and blocks of quantised ones. Inside the room. */
#ifndef OCLM_CHECKPOINT_BLOCKS_H
#define OCLM_CHECKPOINT_BLOCKS_H

#include "checkpoint/checkpoint.h"

/* Where the codes, scales and minima of one block go; members that its storage has no use for are NULL. */
typedef struct ckpt_block {
    uint8_t  *codes;
    uint8_t  *scales, *minima; /* bytes, or two for a float16 in the host's order */
    uint16_t *super_scale, *super_minimum;
} ckpt_block;

typedef struct ckpt_block_type {
    uint32_t     id;       /* ggml_type */
    const char  *name;
    uint16_t     elements; /* in a block, of one row */
    uint16_t     bytes;    /* of a block */
    core_dtype   dtype;    /* of plain numbers; of quantised ones what the reference makes of them: float32 */
    core_storage storage;  /* with `unpack` */
    void       (*unpack)(const uint8_t *data, const ckpt_block *to); /* NULL: plain numbers */
} ckpt_block_type;

/* NULL for an id that oclm does not read. */
const ckpt_block_type *ckpt_block_type_of(uint32_t id);
/* "IQ2_XS", "of id 77": for messages about those. */
const char            *ckpt_block_type_name(uint32_t id, char into[24]);
#define CKPT_BLOCK_TYPES_READ "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K, IQ4_NL, IQ4_XS and MXFP4"

/* The read() of a ckpt_quantized whose `source` is its ckpt_block_type: rows are whole blocks, one after another. */
oclm_status ckpt_blocks_read(const ckpt_tensor *tensor, uint64_t first_row, uint64_t rows, const core_codes *codes);

#endif
