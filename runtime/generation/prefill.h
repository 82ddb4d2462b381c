/* prefill.h: reads prompts into sequences of a state, several side by side, in passes as large as the state takes. */
#ifndef OCLM_GENERATION_PREFILL_H
#define OCLM_GENERATION_PREFILL_H

#include "generation/run.h"

typedef struct gen_reading {
    uint32_t       sequence;
    const int32_t *ids;
    uint32_t       first, count; /* of `ids`; those before `first` < count are in the sequence */
    uint32_t       more;         /* ids of the same prompt that the caller reads next, in a pass of its own; 0 */
} gen_reading;

/* Enqueues all passes, waiting for each but the last: hooks->progress and hooks->cancel are asked before each. `wanted` is MODEL_LOGITS_LAST or
 * MODEL_LOGITS_NONE. The logits behind each prompt's last id come to its row of `kept`, float32 [count][logits_stride]; of one prompt alone, where
 * `kept` is NULL, they lie in row 0 of state->logits. `*cancelled`: hooks->cancel was set before the end.
 * Errors: OCLM_ERR_CANCELLED if hooks->progress returned false; as model_forward(). */
oclm_status gen_prefill(model_state *state, const gen_reading *readings, uint32_t count, model_logits wanted, const gen_hooks *hooks,
                        const dev_buffer *kept, bool *cancelled);

#endif
