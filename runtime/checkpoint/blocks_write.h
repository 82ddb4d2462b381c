/* blocks_write.h: floats to GGUF's block types, with the reference's rounding: equal to gguf's quants.quantize() (ggml's quantize_row_*_ref) to
 * the last bit. */
#ifndef OCLM_CHECKPOINT_BLOCKS_WRITE_H
#define OCLM_CHECKPOINT_BLOCKS_WRITE_H

#include "core/status.h"

/* ggml_type of those that are written. */
enum { CKPT_GGML_F32 = 0, CKPT_GGML_F16 = 1, CKPT_GGML_Q4_0 = 2, CKPT_GGML_Q4_1 = 3, CKPT_GGML_Q5_0 = 6, CKPT_GGML_Q5_1 = 7, CKPT_GGML_Q8_0 = 8 };

/* Values that share a block: rows of tensors must hold whole ones. 1 for plain numbers. */
size_t ckpt_block_values(uint32_t type);
/* Bytes of `count` values, whole blocks. */
size_t ckpt_block_bytes(uint32_t type, size_t count);
/* `count` finite values, whole blocks, into ckpt_block_bytes() of memory. */
void   ckpt_blocks_write(uint32_t type, const float *values, size_t count, uint8_t *blocks);

#endif
