/* generate.h: the host's side of generating: how many steps to enqueue ahead, when to stop, whom to tell. */
#ifndef OCLM_GENERATION_GENERATE_H
#define OCLM_GENERATION_GENERATE_H

#include "generation/sampler.h"
#include "model/forward.h"

typedef struct gen_result {
    int32_t           *ids; /* new ids; core_free */
    size_t             count;
    oclm_finish_reason finish_reason;
    oclm_timing        timing;
} gen_result;

typedef struct gen_callbacks {
    oclm_token_callback    on_tokens; /* may be NULL, as all here */
    oclm_progress_callback progress;
    void                  *user;
    const volatile int    *cancel;
} gen_callbacks;

/* Where a generation goes on: sequence 0 of a state that holds the prompt's first `held` ids, fewer than all. Afterwards `held` is
 * what it holds then: the prompt as far as it was read, and the new ids but the last. */
typedef struct gen_place {
    model_state *state;
    uint32_t     held;
} gen_place;

/* Continues one prompt. `ids` have been checked against the vocabulary. `place` NULL: in a state of its own. On failure `result` is
 * empty, and the place's sequence is cut back to what it held. */
oclm_status gen_generate(const model_model *model, const int32_t *ids, size_t count, const gen_config *config,
                         const gen_callbacks *callbacks, gen_place *place, gen_result *result);
void        gen_result_free(gen_result *result); /* leaves an empty one */

#endif
