/* scoring.h: how likely the ids of a text are, each given those before it.
 *
 * The logits of a part of the text at a time are made and reduced on the device (cl/log_prob.cl); two floats an id come back. */
#ifndef OCLM_GENERATION_SCORING_H
#define OCLM_GENERATION_SCORING_H

#include "generation/likeliest.h"
#include "model/forward.h"

typedef struct gen_scoring gen_scoring; /* a state and the work on its logits; one at a time */

/* Who is told how far it is, and may end it; all may be NULL or 0. */
typedef struct gen_scoring_progress {
    oclm_progress_callback callback;
    void                  *user;
    const volatile int    *cancel;
    uint64_t               done, total; /* tokens */
} gen_scoring_progress;

/* For texts of at most `positions` ids. Errors: as model_state_new(). */
oclm_status gen_scoring_new(const model_model *model, uint32_t positions, gen_scoring **scoring);
void        gen_scoring_free(gen_scoring *scoring); /* accepts NULL */
/* Reads the ids as one text, and gives the log-probabilities of those from `first` (at least 1) on: log_probs[0] is that of ids[first].
 * NAN where the logits hold one. `likeliest` (NULL: nobody asks): the tokens that might have stood there, a row for each log-probability; their
 * logits come to the host. Errors: OCLM_ERR_CANCELLED, and as model_forward(). */
oclm_status gen_scoring_run(gen_scoring *scoring, const int32_t *ids, uint32_t first, uint32_t count, gen_scoring_progress *progress, double *log_probs,
                            const gen_likeliest *likeliest);

#endif
