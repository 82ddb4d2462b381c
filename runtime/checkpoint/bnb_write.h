/* bnb_write.h: a checkpoint as a folder that bitsandbytes' users load: quantised while it is written, a few rows at a time. */
#ifndef OCLM_CHECKPOINT_BNB_WRITE_H
#define OCLM_CHECKPOINT_BNB_WRITE_H

#include "checkpoint/quantize.h"

typedef struct ckpt_bnb_options {
    ckpt_quantize_kind     kind;
    bool                   nested; /* scales in 8 bits too; of 4 bits only */
    oclm_progress_callback progress; /* NULL; bytes of the checkpoint */
    void                  *user;
} ckpt_bnb_options;

/* Writes `out`, which must not exist, from the weights of `checkpoint` and the other files of `folder`. It is there whole or not at all.
 * Errors: OCLM_ERR_UNSUPPORTED (nothing to quantise), OCLM_ERR_FORMAT, OCLM_ERR_CANCELLED, OCLM_ERR_IO, OCLM_ERR_NOT_FOUND, OCLM_ERR_MEMORY. */
oclm_status ckpt_bnb_write(const ckpt_checkpoint *checkpoint, const char *folder, const char *out, const ckpt_bnb_options *options);

#endif
