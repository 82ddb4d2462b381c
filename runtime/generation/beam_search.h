/* beam_search.h: a beam search in progress: what beam_search.c, which drives it, and beam_host.c, which asks the caller, share. */
#ifndef OCLM_GENERATION_BEAM_SEARCH_H
#define OCLM_GENERATION_BEAM_SEARCH_H

#include "generation/beams.h"
#include "generation/prefill.h"
#include "generation/run.h"

/* What only the host knows of each row: asked for where the caller wants to look at every token. */
typedef struct gen_beam_host {
    int32_t *rows, *next;    /* [rows][limit]: padding, prompt, new ids of the running beams; and as they will be */
    int32_t *numbers;        /* [prompts][count] continuations */
    int32_t *stops;          /* [prompts][count] */
    gen_note *notes;         /* [rows] of a step */
    gen_prompt *histories;   /* [rows]: the running beams, for gen_scene */
} gen_beam_host;

typedef struct gen_beam_search {
    gen_run        *run;
    model_state    *state;
    gen_beams       beams;
    gen_processors *processors;
    dev_buffer      history, lengths, begins; /* of gen_rows; empty where nothing asks for them */
    dev_work       *stages[3];    /* on scores: log-probabilities, guidance and the first processors; the forced ones; the last */
    dev_work       *choice;
    dev_work       *first, *step; /* what becomes of it: where rows have been read whole; behind a pass */
    dev_work       *reorder;      /* of the cache */
    dev_work       *pass;
    uint32_t        pass_rows;    /* copies * rows */
    uint32_t        bound;        /* of what is recorded in `pass`: no position reaches it */
    uint32_t        width;        /* positions of the longest row, with its new tokens */
    uint32_t        position;     /* that the next pass reads, of the longest row */
    uint32_t        enqueued;     /* steps */
    uint32_t        turning;      /* position at which all rows are read anew; UINT32_MAX: never */
    bool            fresh;        /* scores of the next step are there: no pass comes before it */
    bool            asked;        /* the host is, in each step */
    oclm_finish_reason forced;    /* why all finished with the last step; OCLM_FINISH_NONE */
    gen_beam_host   host;
} gen_beam_search;

/* Is the host to be asked in each step? */
bool        gen_beam_host_asked(const gen_run *run);
oclm_status gen_beam_host_new(gen_beam_search *search);
void        gen_beam_host_free(gen_beam_host *host);
/* Enqueues all stages of a step's scores, and asks in between. `*stop`: the caller wants no more. */
oclm_status gen_beam_host_score(gen_beam_search *search, bool *stop);
/* Says which continuations have finished. */
oclm_status gen_beam_host_stop(gen_beam_search *search);
/* Takes in what a step noted. */
oclm_status gen_beam_host_follow(gen_beam_search *search, uint32_t step);

#endif
