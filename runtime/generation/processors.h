/* processors.h: records what changes the scores of the next token before it is chosen, in transformers' order, on the device.
 *
 * A processor is added only where the configuration asks for it: greedy search adds none. All work on a row in place and write -INFINITY
 * where a token is out. What they need to know of a row lies on the device, where the choice keeps it up to date: so a step is recorded
 * once. Rules: processors of GenerationMixin._get_logits_processor(). */
#ifndef OCLM_GENERATION_PROCESSORS_H
#define OCLM_GENERATION_PROCESSORS_H

#include "generation/config.h"
#include "generation/parts.h"

/* Rows of scores, and what stands before them. */
typedef struct gen_rows {
    uint32_t   rows, vocab, stride;  /* scores: float32 [rows][stride] */
    uint32_t   history_stride;
    bool       one_history;          /* all rows continue row 0 of the history, `lengths` of it each: checking a draft */
    uint32_t   rows_per_prompt;      /* rows that continue the same prompt: num_return_sequences, or num_beams */
    dev_buffer history;              /* int32 [rows or 1][history_stride]: padding, prompt, new ids; empty where nothing asks for it */
    dev_buffer lengths;              /* uint32 [rows]: ids of the history that stand before the row's scores, padding included */
    dev_buffer begins;               /* uint32 [rows]: padding before the prompt; empty: none anywhere */
} gen_rows;

/* Which part of the order: a caller's callbacks come in between, on the host. */
typedef enum gen_stage {
    GEN_STAGE_FIRST,  /* sequence_bias to min_new_tokens; then on_allowed */
    GEN_STAGE_FORCED, /* forced_bos to begin_suppress_tokens; then on_logits */
    GEN_STAGE_LAST    /* temperature to renormalize_logits */
} gen_stage;

typedef struct gen_processors gen_processors; /* lists on the device, workspace */

/* `config` is copied as far as it is needed, `rows` by value: its buffers must outlive the processors. The lists of `config` hold ids of the
 * vocabulary (others are passed over) and, but for sequence_bias and bad_words, may name an id twice.
 * Errors: OCLM_ERR_MEMORY, OCLM_ERR_DEVICE_MEMORY, OCLM_ERR_DEVICE. */
oclm_status gen_processors_new(dev_device *device, cl_command_queue queue, const gen_config *config, const gen_rows *rows, gen_processors **processors);
void        gen_processors_free(gen_processors *processors); /* accepts NULL */
/* Does the configuration ask for `history` and `lengths`? */
bool        gen_processors_need_history(const gen_config *config);
/* Records the processors of a stage that are on, for rows [0, rows) of `scores`. */
oclm_status gen_processors_add(const gen_processors *processors, dev_work *work, gen_stage stage, const dev_buffer *scores);
/* Records score = log(softmax(score)) for each row: what beams begin with. */
oclm_status gen_log_softmax_add(const gen_processors *processors, dev_work *work, const dev_buffer *scores);
/* Records classifier-free guidance: rows r of `scores` with prompt and rows `rows` + r without: both as log-probabilities, u + g (s - u) into the
 * former. For processors whose configuration had a guidance_scale other than 1. */
oclm_status gen_guidance_add(const gen_processors *processors, dev_work *work, const dev_buffer *scores, float guidance_scale);
/* How rows are cut, and the workspace: what makes the choice goes on with it. */
gen_parts  *gen_processors_parts(const gen_processors *processors);

#endif
