/* loop.h: the device's side of generating: a state, a sampler and the work of one step, recorded once.
 *
 * Everything here is enqueued; only gen_loop_prefill() and gen_loop_drain() wait. The host's side, which decides how many steps
 * to enqueue and when to stop, is generate.c (and bench.c, which only measures). */
#ifndef OCLM_GENERATION_LOOP_H
#define OCLM_GENERATION_LOOP_H

#include "generation/sampler.h"
#include "model/forward.h"

#define GEN_RING_STEPS 256u /* steps whose ids the device keeps; batches of steps are at most half of it */

typedef struct gen_loop {
    model_state *state;
    bool         borrowed; /* the state is the caller's */
    gen_rows     rows;     /* the one; its history only where processors ask for it */
    gen_processors *processors;
    gen_sampler  sampler;
    dev_work    *choose;   /* a token from the logits of a prefill */
    dev_work    *step;     /* one decoding step: forward pass, choice, next position */
    uint32_t     limit;    /* positions, prompt and new tokens */
    uint32_t     bound;    /* of what is recorded in `step`: no position reaches it */
    uint32_t     position; /* of the next token to be read by an enqueued step */
    uint32_t     chosen;   /* tokens chosen so far: the device's step counter, as the host foresees it */
} gen_loop;

/* Makes a state for one sequence of at most `limit` positions whose prompt has `prompt` of them, and records the choice. Or, where
 * `state` is not NULL, goes on in its sequence 0: `limit` is then at most its max_positions, and it must outlive the loop.
 * Errors: as model_state_new(). */
oclm_status gen_loop_new(const model_model *model, const gen_config *config, uint32_t prompt, uint32_t limit, model_state *state, gen_loop **loop);
void        gen_loop_free(gen_loop *loop); /* waits for what is enqueued; accepts NULL */

/* Reads the prompt's ids from `first` on (those before are in the state) in chunks, waiting for each but the last: `progress` and
 * `cancel` (may be NULL) are asked in between.
 * `*cancelled` says that `cancel` was set before the end. Errors: OCLM_ERR_CANCELLED if `progress` returned false. */
oclm_status gen_loop_prefill(gen_loop *loop, const int32_t *ids, uint32_t first, uint32_t count, oclm_progress_callback progress, void *user,
                             const volatile int *cancel, bool *cancelled);

/* Chooses the first token, and makes the sequence ready for steps up to `limit`. `*id` is written once `*ready` has come. */
oclm_status gen_loop_first(gen_loop *loop, int32_t *id, cl_event *ready);

/* Makes steps continue at `position`: where the prompt ended, or (for measuring) earlier steps are taken back. */
oclm_status gen_loop_begin(gen_loop *loop, uint32_t position);

/* Enqueues `steps` > 0, at most GEN_RING_STEPS / 2 and not past `limit`; their ids are written to `ids` once `*ready` has come.
 * The caller releases events and keeps `ids` until then. On failure nothing is left in flight. */
oclm_status gen_loop_steps(gen_loop *loop, uint32_t steps, int32_t *ids, cl_event *ready);

/* Waits for everything enqueued. */
oclm_status gen_loop_drain(gen_loop *loop);

#endif
