/* generation.h: a generation that a caller holds: the run, and the texts that come of its ids. */
#ifndef OCLM_API_GENERATION_H
#define OCLM_API_GENERATION_H

#include "api/api.h"
#include "tokenizer/words.h"

/* The text of one sequence as its ids come. */
typedef struct api_text {
    tok_stream *stream;
    tok_words  *words;    /* NULL: on_text receives the stream's text */
    core_text   new_text;
    core_text   heard;    /* what on_text receives, if that comes in words */
    char       *whole;    /* prompt and new; made at the end */
    bool        flushed;  /* nothing more comes */
} api_text;

struct oclm_generation {
    const oclm_model     *model;
    const oclm_tokenizer *tokenizer; /* NULL: without texts */
    oclm_generate_options options;   /* callbacks and switches of it; lists may be gone */
    gen_run              *run;
    gen_stop_strings     *stop;
    api_text             *texts;     /* [sequence_count]; NULL without a tokenizer */
    oclm_status           status;    /* why a callback here stopped the run, if not for the caller */
    /* For oclm_generation_next(). */
    size_t               *told, *told_text; /* [sequence_count]: ids and bytes handed out */
    uint32_t              turn;      /* the sequence to look at first */
};

/* What is to be generated, from checked pointers. */
typedef struct api_call {
    const char                  *function; /* for messages */
    const oclm_model            *model;
    const oclm_tokenizer        *tokenizer; /* NULL: without text */
    const gen_prompt            *prompts;
    uint32_t                     count;
    const oclm_generate_options *options; /* a whole struct */
    gen_place                   *place;   /* NULL: in a state of its own */
} api_call;

/* Checks everything and makes the run; nothing is read yet. The prompts are copied. */
oclm_status api_generation_new(const api_call *call, oclm_generation **generation);
/* heal.c: the same with token_healing: the last token of each prompt is made anew first. */
oclm_status api_generation_new_healed(const api_call *call, oclm_generation **generation);
/* Goes on until new tokens have come, or `*more` is false: then all texts are whole. */
oclm_status api_generation_next(oclm_generation *generation, bool *more);
/* The same to the end; a generation that fails is freed. */
oclm_status api_generation_finish(oclm_generation **generation);
/* Both: new and finish. */
oclm_status api_generate(const api_call *call, oclm_generation **generation);

/* The prompt that a sequence continues. */
const gen_prompt *api_prompt_of(const oclm_generation *generation, size_t sequence);
/* Does the generation have such a sequence? */
bool api_has_sequence(const oclm_generation *generation, size_t sequence);

/* generation_text.c: one text each for all sequences; new ids of one on their way: false where the caller says stop, or generation->status has
 * an error; the rest of them, and the whole texts. */
oclm_status api_texts_begin(oclm_generation *generation);
bool        api_texts_push(oclm_generation *generation, size_t sequence, const int32_t *ids, size_t count);
oclm_status api_texts_end(oclm_generation *generation);
void        api_texts_free(oclm_generation *generation);
/* What on_text received of a sequence so far. */
const core_text *api_text_heard(const oclm_generation *generation, size_t sequence);

#endif
