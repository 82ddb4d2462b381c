/* loop.h: the device's side of generating: a state, a sampler and the work of one step for all rows, recorded once.
 *
 * Everything here is enqueued; only gen_loop_prefill() and gen_loop_drain() wait. The host's side, which decides how many steps
 * to enqueue and when to stop, is rows.c (and bench.c, which only measures). */
#ifndef OCLM_GENERATION_LOOP_H
#define OCLM_GENERATION_LOOP_H

#include "generation/prefill.h"
#include "generation/sampler.h"
#include "model/forward.h"

#define GEN_RING_STEPS 256u /* steps whose ids the device keeps; batches of steps are at most half of it */

typedef struct gen_loop {
    model_state *state;
    bool         borrowed; /* the state is the caller's */
    uint32_t     rows;     /* sequences 0 .. rows - 1 of the state: prompt * each + which */
    uint32_t     each;     /* rows that continue one prompt */
    uint32_t     texts;    /* that are read: the prompts; with guidance after them as many that stand for none */
    uint32_t     sequences; /* texts * each: of the state */
    float        guidance_scale;
    bool         observed; /* `step` ends with the logits */
    gen_rows     scored;   /* those rows of scores; a history only where processors ask for it */
    gen_processors *processors;
    gen_sampler  sampler;
    dev_work    *choose;   /* a token from the logits of a prefill */
    dev_work    *step;     /* one decoding step: forward pass, choice, next position */
    int32_t      pad_token_id;
    uint32_t     limit;    /* positions of the longest row, prompt and new tokens */
    uint32_t     bound;    /* of what is recorded in `step`: no position reaches it */
    uint32_t     position; /* of the longest row's next token, to be read by an enqueued step */
    uint32_t     chosen;   /* tokens of a row chosen so far: the device's step counter, as the host foresees it */
} gen_loop;

/* What is to be generated: how many prompts, the ids of all texts together, positions of the longest row. */
typedef struct gen_loop_size {
    uint32_t prompts;
    uint64_t ids;
    uint32_t limit;
    bool     observed; /* steps are made one by one, by observe.h */
} gen_loop_size;

/* Makes a state for num_return_sequences rows of each prompt, with guidance twice as many, and records the choice. Or, where `state` is not NULL,
 * goes on in its sequence 0, one row for one prompt: `limit` is then at most its max_positions, and it must outlive the loop.
 * Errors: as model_state_new(). */
oclm_status gen_loop_new(const model_model *model, const gen_config *config, const gen_loop_size *size, model_state *state, gen_loop **loop);
void        gen_loop_free(gen_loop *loop); /* waits for what is enqueued; accepts NULL */

/* loop_read.c. Reads the texts from id `first` of each on (those before are in the state; 0 where there are several), as gen_prefill() does. The
 * rows that continue one text then share its pages. */
oclm_status gen_loop_prefill(gen_loop *loop, const gen_prompt *texts, uint32_t first, const gen_hooks *hooks, bool *cancelled);
/* Reads all sequences anew, one text each: [sequences]. */
oclm_status gen_loop_read_anew(gen_loop *loop, const gen_prompt *texts);

/* Chooses the first tokens; `ids` [rows] are written once `*ready` has come. */
oclm_status gen_loop_first(gen_loop *loop, int32_t *ids, cl_event *ready);

/* Makes steps up to `limit` continue where the sequences of the state end. */
oclm_status gen_loop_begin(gen_loop *loop);

/* Enqueues `steps` > 0, at most GEN_RING_STEPS / 2 and not past `limit`; their ids are written to `ids` [steps][rows] once `*ready` has come.
 * The caller releases events and keeps `ids` until then. On failure nothing is left in flight. */
oclm_status gen_loop_steps(gen_loop *loop, uint32_t steps, int32_t *ids, cl_event *ready);

/* The pieces of a step, for whoever looks on: the forward pass alone; what then changes the logits; the choice; its ids, as gen_loop_first(). */
oclm_status gen_loop_step_alone(gen_loop *loop);
oclm_status gen_loop_add_stage(const gen_loop *loop, dev_work *work, gen_stage stage);
oclm_status gen_loop_add_choice(const gen_loop *loop, dev_work *work, bool advance);
oclm_status gen_loop_chosen(gen_loop *loop, int32_t *ids, cl_event *ready);

/* Waits for everything enqueued. */
oclm_status gen_loop_drain(gen_loop *loop);

#endif
