/* observe.h: what of each step's scores the caller sees: kept for him (output_logits, output_scores, his buffers), or changed by his functions on
 * the host (on_allowed, on_logits). A mode that is observed makes its steps one by one, and asks in between:
 *
 *   the forward pass; gen_observe_logits(); GEN_STAGE_FIRST; gen_observe_allowed(); GEN_STAGE_FORCED; gen_observe_changed(); GEN_STAGE_LAST;
 *   gen_observe_scores(); the choice
 *
 * Each waits, but where scores go to a buffer of the caller's. */
#ifndef OCLM_GENERATION_OBSERVE_H
#define OCLM_GENERATION_OBSERVE_H

#include "generation/run.h"

/* Rows of scores on the device, and what stands before them. */
typedef struct gen_scene {
    cl_command_queue  queue;
    const dev_buffer *scores;    /* float32 [rows][stride] */
    uint32_t          rows, stride, rows_per_prompt;
    const gen_prompt *histories; /* [rows]: padding, prompt, new ids; ids NULL: the row has ended, and nobody is asked */
    uint32_t          step;
} gen_scene;

bool        gen_is_observed(const gen_run *run);
/* Before the first step: `rows` of each step are kept. Errors: OCLM_ERR_ARGUMENT (a buffer of the caller's that is too small: bytes). */
oclm_status gen_observe_begin(gen_run *run, uint32_t rows);
oclm_status gen_observe_logits(gen_run *run, const gen_scene *scene);
oclm_status gen_observe_scores(gen_run *run, const gen_scene *scene);
/* `*stop`: a callback said so. Errors: OCLM_ERR_ARGUMENT (no id allowed, or one outside the vocabulary). */
oclm_status gen_observe_allowed(gen_run *run, const gen_scene *scene, bool *stop);
oclm_status gen_observe_changed(gen_run *run, const gen_scene *scene, bool *stop);

#endif
