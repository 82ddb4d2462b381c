/* draft.h: a small model that guesses how a text goes on: its state, its step, and what it drew. */
#ifndef OCLM_GENERATION_DRAFT_H
#define OCLM_GENERATION_DRAFT_H

#include "generation/accept.h"
#include "generation/choice.h"
#include "model/forward.h"

typedef struct gen_draft {
    model_state   *state;
    gen_choice     choice;
    gen_told       told;
    dev_work      *choose; /* a token from the logits of what was read */
    dev_work      *step;   /* reads that one and chooses the next */
    uint32_t       bound;  /* of what is recorded in `step`: no position reaches it */
    dev_buffer     counter; /* uint32: tokens chosen in this round */
    dev_buffer     chances; /* gen_chance [most] of them */
    gen_score_rows kept;    /* [most] their scores, as they were drawn by; only while sampling */
    dev_buffer     kept_scores;
    gen_chance    *host_chances; /* [most] */
    int32_t       *guesses; /* [most] of the last round */
    uint32_t       made, from; /* how many, and the length of the text that they continued */
    uint32_t       most;
    const gen_config *config; /* the run's */
} gen_draft;

/* `config` is the run's, and must outlive the draft: the small model draws as the large one does, by random numbers of its own. `most`: guesses in a round; texts have at
 * most `limit` ids. Errors: as model_state_new(). */
oclm_status gen_draft_new(const model_model *model, const gen_config *config, uint32_t limit, uint32_t most, gen_draft **draft);
void        gen_draft_free(gen_draft *draft); /* accepts NULL */
/* Guesses at most `most` ids that may follow `text`, ending with an end-of-sequence id or an unlikely one: they then stand in `guesses`, their
 * chances in `chances`, on the device alone. What it has read before is kept as far as the text is the same. */
oclm_status gen_draft_guess(gen_draft *draft, const int32_t *text, uint32_t count, uint32_t most);

#endif
