/* beams.h: the device's side of beam search: records what is done with the scores of all beams once a pass has made them.
 *
 * Rows r of a pass are beam r % beams of prompt r / beams. A step chooses the best continuations of each prompt (or draws them), takes those that
 * have finished out, and says for each row which one it goes on from: cl/beam_top.cl, cl/beam_step.cl. Nothing waits for the host, which may
 * enqueue steps ahead: those that come after the search has stopped change nothing. */
#ifndef OCLM_GENERATION_BEAMS_H
#define OCLM_GENERATION_BEAMS_H

#include "device/launch.h"
#include "generation/config.h"

#define GEN_MAX_BEAMS 256u /* kernels hold one number for each in registers */

/* A sequence that has finished, as cl/beam_step.cl writes it. */
typedef struct gen_finished {
    float    value;  /* its sum of log-probabilities / length ^ length_penalty; -1e9: none */
    int32_t  token;  /* the last */
    int32_t  beam;   /* before it */
    uint32_t length; /* new tokens; 0: none */
} gen_finished;

/* What a step notes for a row: the token it takes in, and the beam it goes on from. */
typedef struct gen_note {
    int32_t token, beam;
} gen_note;

typedef struct gen_beams_control {
    uint32_t steps;   /* done */
    uint32_t stopped;
    uint32_t forced;  /* set by the host: all finish with the next step */
    uint32_t fault;   /* a score was no number, or nothing could be drawn */
} gen_beams_control;

typedef struct gen_beams {
    uint32_t   prompts, beams, rows; /* rows: prompts * beams */
    uint32_t   copies;               /* 2: rows that run without the prompt stand behind the others (guidance_scale) */
    uint32_t   vocab, stride;        /* of a row of scores */
    uint32_t   count;                /* continuations looked at for each prompt: as many as are left where all others end */
    uint32_t   new_limit;            /* tokens */
    uint32_t   end_count, parts, part, group;
    oclm_early_stopping early_stopping;
    bool       by_limit;             /* what may still come is judged by the longest possible length */
    bool       sample;
    uint64_t   seed;
    dev_buffer sums;                 /* float [rows] of the running beams */
    dev_buffer lists, numbers, totals; /* of cl/beam_top.cl; int32, float [prompts][count] */
    dev_buffer stops;                /* int32 [prompts][count]: the host says which have finished; empty where it is not asked */
    dev_buffer ends, powers, control, flags;
    dev_buffer notes;                /* gen_note [new_limit][rows] */
    dev_buffer done;                 /* gen_finished [rows]: num_beams of each prompt, the best first */
    dev_buffer origins;              /* int32 [copies * rows]: the row that each goes on from */
} gen_beams;

/* What the next pass reads, and what stands before it. */
typedef struct gen_beams_rows {
    const dev_buffer *ids, *positions; /* int32 [copies * rows] */
    const dev_buffer *history, *lengths; /* as in gen_rows; NULL or empty where nothing asks for them */
    uint32_t          history_stride;
} gen_beams_rows;

/* Errors: OCLM_ERR_ARGUMENT (a vocabulary with fewer tokens than there are continuations to choose), OCLM_ERR_UNSUPPORTED (too many beams),
 * OCLM_ERR_DEVICE_MEMORY. `asked`: the host will be asked which continuations have finished. */
oclm_status gen_beams_new(dev_device *device, cl_command_queue queue, const gen_config *config, uint32_t prompts, uint32_t vocab, uint32_t stride,
                          bool asked, gen_beams *beams);
void        gen_beams_free(dev_device *device, gen_beams *beams);
/* Records the choice of continuations: `numbers` and `totals`. */
oclm_status gen_beams_add_choice(const gen_beams *beams, dev_work *work, const dev_buffer *scores);
/* Records what becomes of them: ids, positions (plus one where `advance`), history and lengths, `origins`. */
oclm_status gen_beams_add_step(const gen_beams *beams, dev_work *work, const gen_beams_rows *rows, bool advance);

#endif
