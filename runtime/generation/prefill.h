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

/* Where so many ids are to be read that it is worth seconds of measuring, once for a device: measures (dev_matmul_tune()). */
oclm_status gen_tune_for(const model_model *model, uint64_t ids);
/* Rows of a pass, of a state that is to read so many ids: prefill_chunk_size, or model's own choice; at least `least`. */
uint32_t    gen_prefill_rows(const gen_config *config, uint64_t ids, uint32_t least);

/* Enqueues all passes, waiting for each but the last: hooks->progress and hooks->cancel are asked before each. `wanted` is MODEL_LOGITS_LAST or
 * MODEL_LOGITS_NONE. The logits behind each prompt's last id come to its row of `kept`, float32 [count][logits_stride]; of one prompt alone, where
 * `kept` is NULL, they lie in row 0 of state->logits. `*cancelled`: hooks->cancel was set before the end.
 * Errors: OCLM_ERR_CANCELLED if hooks->progress returned false; as model_forward(). */
oclm_status gen_prefill(model_state *state, const gen_reading *readings, uint32_t count, model_logits wanted, const gen_hooks *hooks,
                        const dev_buffer *kept, bool *cancelled);

/* Reads `count` texts from id `first` of each on, text i for the sequences i * each .. i * each + each - 1, as gen_prefill(): once, by the first
 * of them, whose pages the others then share. Each has the logits behind its text in its own row of state->logits. */
oclm_status gen_read_texts(model_state *state, const gen_prompt *texts, uint32_t count, uint32_t each, uint32_t first, const gen_hooks *hooks,
                           bool *cancelled);

#endif
