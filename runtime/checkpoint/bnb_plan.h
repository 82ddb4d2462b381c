/* bnb_plan.h: what a folder for bitsandbytes holds: which tensors are quantised, the parts that each becomes, the file of each. */
#ifndef OCLM_CHECKPOINT_BNB_PLAN_H
#define OCLM_CHECKPOINT_BNB_PLAN_H

#include "checkpoint/bnb_write.h"
#include "core/text.h"

typedef enum ckpt_bnb_part_kind {
    CKPT_BNB_AS_IS,
    CKPT_BNB_CODES,        /* P.weight */
    CKPT_BNB_ABSMAX,       /* P.weight.absmax, float32 or, nested, bytes */
    CKPT_BNB_MAP,          /* P.weight.quant_map */
    CKPT_BNB_NESTED_ABSMAX, CKPT_BNB_NESTED_MAP,
    CKPT_BNB_STATE,        /* P.weight.quant_state.bitsandbytes__nf4: JSON as bytes */
    CKPT_BNB_SCB,          /* 8 bits: P.SCB */
    CKPT_BNB_FORMAT        /* 8 bits: P.weight_format: 0, rows as they are */
} ckpt_bnb_part_kind;

#define CKPT_BNB_STATE_BYTES 384u /* blanks behind it: its length must be known before its numbers */

typedef struct ckpt_bnb_part {
    const ckpt_tensor *from;
    ckpt_bnb_part_kind kind;
    bool               transposed; /* of a quantised tensor */
    char              *name;       /* owned */
    core_dtype         dtype;
    uint32_t           dims;
    uint64_t           shape[CKPT_MAX_DIMS];
    uint64_t           bytes, order;
    uint32_t           shard;
} ckpt_bnb_part;

typedef struct ckpt_bnb_plan {
    ckpt_bnb_part *parts;
    size_t         count, capacity;
    uint32_t       shards;
    size_t         quantized; /* tensors */
    core_text      skipped;   /* JSON: the modules that stay as they are, with commas between */
    core_text      last_skipped;
} ckpt_bnb_plan;

/* `conv1d`: GPT-2's matrices, which are transposed. Free in any case. */
oclm_status ckpt_bnb_plan_make(const ckpt_checkpoint *checkpoint, const ckpt_bnb_options *options, bool conv1d, ckpt_bnb_plan *plan);
void        ckpt_bnb_plan_free(ckpt_bnb_plan *plan);

#endif
