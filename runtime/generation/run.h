/* run.h: a generation in progress: sequences that grow, and the way in which they do.
 *
 * A way of generating (a gen_mode: rows side by side, beams, guessing ahead) makes tokens; the run knows what has come out so far, when a
 * sequence ends, and whom to tell. It can be pulled, a handful of tokens at a time: gen_run_next(). */
#ifndef OCLM_GENERATION_RUN_H
#define OCLM_GENERATION_RUN_H

#include "generation/processors.h"
#include "generation/stop_strings.h"
#include "model/forward.h"

typedef struct gen_run gen_run;

typedef struct gen_prompt {
    const int32_t *ids;
    uint32_t       count;
} gen_prompt;

/* Writes a prompt to `row` [length], `length` >= its own, behind padding; how much of that. */
uint32_t gen_prompt_pad(const gen_prompt *prompt, uint32_t length, int32_t pad_token_id, int32_t *row);

typedef struct gen_hooks {
    oclm_token_callback    on_tokens; /* may be NULL, as all here */
    oclm_allowed_callback  on_allowed;
    oclm_logits_callback   on_logits;
    oclm_stopping_callback on_stopping;
    oclm_progress_callback progress;
    void                  *user;
    const volatile int    *cancel;
    cl_mem                 scores_buffer, logits_buffer;
} gen_hooks;

/* Where a generation of one row goes on: sequence 0 of a state that holds the prompt's first `held` ids, fewer than all. Afterwards `held` is
 * what it holds then: the prompt as far as it was read, and the new ids but the last. */
typedef struct gen_place {
    model_state *state;
    uint32_t     held;
} gen_place;

/* From where the prompt is read: from what the place holds on, or, where the state cannot go back there, from its start: it then holds nothing. */
uint32_t gen_place_go_on(gen_place *place);

typedef struct gen_sequence {
    int32_t           *history;      /* padding to the longest prompt, prompt, new ids; the run's */
    int32_t           *ids;          /* [count] new ones: in `history`, behind prompt_length others */
    int32_t           *beam_indices; /* [count]; NULL without beams */
    uint32_t           count, capacity; /* of new ids */
    float              score;        /* of a beam; NAN */
    oclm_finish_reason finish_reason; /* OCLM_FINISH_NONE while it grows */
} gen_sequence;

/* One way of generating. All three may use everything in the run. */
typedef struct gen_mode {
    oclm_status (*begin)(gen_run *run);                 /* allocates and records: what it makes is run->work of the mode */
    oclm_status (*next)(gen_run *run, bool *more);      /* waits for the next tokens and hands them to gen_run_deliver(); the first call reads the prompts.
                                                           `*more` false: the mode has nothing more to make */
    void        (*end)(gen_run *run);                   /* waits for what is in flight and frees; also after a failure in begin(); called once, as soon
                                                           as nothing more comes */
} gen_mode;

extern const gen_mode gen_mode_rows, gen_mode_beams, gen_mode_assisted;

struct gen_run {
    const model_model *model, *assistant; /* the latter NULL without one */
    gen_config         config;            /* the run's own from gen_run_new() on */
    gen_prompt        *prompts;           /* [prompt_count]; ids are the run's */
    uint32_t           prompt_count;
    gen_hooks          hooks;
    gen_place         *place;             /* NULL: a state of its own */
    const gen_stop_strings *stop;         /* NULL: none */
    gen_sequence      *sequences;         /* [sequence_count] */
    uint32_t           sequence_count;    /* prompt_count * num_return_sequences */
    uint32_t           ended;             /* sequences */
    float             *scores, *logits;   /* [steps][rows][vocab]; NULL where not asked for */
    uint32_t           steps, rows;
    double             started;           /* core_seconds() at gen_run_new() */
    oclm_timing        timing;            /* a mode sets prefill_tokens, and of guessing ahead what it knows; the run the rest */
    void              *work;              /* the mode's */
    const gen_mode    *mode;              /* NULL once it has ended */
    bool               failed;            /* something did: what the place holds is as before */
};

/* Takes `config`, also where it fails (it is then freed). Checks nothing that gen_config_resolve() has checked. `stop` is borrowed.
 * Errors: OCLM_ERR_MEMORY, OCLM_ERR_DEVICE_MEMORY, OCLM_ERR_DEVICE. */
oclm_status gen_run_new(const model_model *model, const model_model *assistant, const gen_prompt *prompts, uint32_t count, gen_config *config,
                        const gen_hooks *hooks, gen_place *place, const gen_stop_strings *stop, gen_run **run);
/* Waits for the next tokens, which then stand in the sequences. `*more` false: all sequences have ended, as they had before the call. What lies on
 * the device is given back as soon as they have, or with the first failure, after which there is no more. */
oclm_status gen_run_next(gen_run *run, bool *more);
void        gen_run_free(gen_run *run); /* waits for what is in flight; accepts NULL */

/* For modes: new ids of a sequence, in order. As many as count are kept (`*taken`): the sequence may end at one of them, by an eos, the limit, a stop
 * string or the caller's on_stopping; on_tokens is told, and may end all. Errors: OCLM_ERR_UNSUPPORTED (an id below 0: none could be drawn), OCLM_ERR_MEMORY. */
oclm_status gen_run_deliver(gen_run *run, uint32_t sequence, const int32_t *ids, uint32_t count, uint32_t *taken);
/* For modes that make whole sequences: one of `count` ids, which the caller keeps, and the rows they were chosen in. on_tokens is told. */
oclm_status gen_run_deliver_whole(gen_run *run, uint32_t sequence, const int32_t *ids, const int32_t *beam_indices, uint32_t count, float score,
                                  oclm_finish_reason reason);
/* For modes, to be asked after each step: OCLM_FINISH_CANCELLED or OCLM_FINISH_MAX_TIME where all shall end now; else OCLM_FINISH_NONE. */
oclm_finish_reason gen_run_interrupted(const gen_run *run);
/* Ends what has not ended yet. */
void        gen_run_end_all(gen_run *run, oclm_finish_reason reason);
/* With guidance, what a prompt's second rows begin with: the negative prompt, or the prompt's last id. */
gen_prompt  gen_run_without(const gen_run *run, uint32_t prompt);
/* New tokens of a row at most: the same for all of a batch. */
uint32_t    gen_run_most_new(const gen_run *run);

#endif
