/* latent.h: attention whose keys and values come from one short vector for each token (model_latent), recorded. Inside the model room.
 *
 *     latent = W_a norm(hidden), whose parts are a for queries, c, r
 *     queries = W_q norm(hidden), or W_qb norm(a);  [k, v] of each head = W_b norm(c);  each head's keys are [r, k], its values [v, 0]
 *     then attention as ever, of which each head's first dimensions are kept
 *
 * The cache holds the keys and values of all heads, not c and r, from which they could be made anew at each step. */
#ifndef OCLM_MODEL_LATENT_H
#define OCLM_MODEL_LATENT_H

#include "model/model.h"

/* What a state keeps for it; empty where attention is not latent. */
typedef struct model_latent_state {
    uint32_t   stride, kv_stride;
    dev_buffer rows;   /* [rows][stride]: a, c, r */
    dev_buffer kv;     /* [rows][kv_stride]: [heads][nope, value]; after attention what it made, [heads][value] */
} model_latent_state;

uint64_t    model_latent_state_bytes(const model_architecture *architecture, uint32_t max_rows);
oclm_status model_latent_state_new(dev_device *device, const model_architecture *architecture, uint32_t max_rows, model_latent_state *state);
void        model_latent_state_free(dev_device *device, model_latent_state *state);

#endif
