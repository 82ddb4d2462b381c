/* generate.h: generation: the options of transformers' generate(), the calls, and what comes back. Part of oclm.h, which includes it. */
#ifndef OCLM_GENERATE_H
#define OCLM_GENERATE_H

#ifndef OCLM_OCLM_H
#error "include <oclm/oclm.h>"
#endif

#define OCLM_MAX_EOS_TOKENS 16
#define OCLM_UNSET UINT32_MAX /* a number that was not given: generation_config.json decides, else transformers' default */
#define OCLM_NO_TOKEN (-1)    /* a token id that was not given */
#define OCLM_TOKEN_OFF (-2)   /* no token, also where generation_config.json has one: Python's None */

/* Receives new ids as they are made, in order; several at once where the device ran ahead. The token that ended
 * generation is among them. `sequence` is its index in the result. With beams only the finished sequences arrive, at the end.
 * Return false to stop, all sequences: the result then holds what was made so far. Must not call oclm. */
typedef bool (*oclm_token_callback)(size_t sequence, const int32_t *ids, size_t count, void *user);

/* Receives text as it is made, whole characters only; the calls with a tokenizer only. Return false to stop. */
typedef bool (*oclm_text_callback)(size_t sequence, const char *text, size_t length, void *user);

/* Changes the scores of a row's next token in place, behind all processors but those of sampling: a LogitsProcessor of the caller's.
 *   row       of the batch: a sequence, or with beams prompt * num_beams + beam
 *   ids       [count] prompt (left-padded in a batch) and new ids so far
 *   scores    [vocab_size] float32; -INFINITY: never
 * Return false to stop. */
typedef bool (*oclm_logits_callback)(size_t row, const int32_t *ids, size_t count, float *scores, size_t vocab_size, void *user);

/* Tells which tokens may come next: prefix_allowed_tokens_fn.
 *   prompt          index of the prompt in the batch
 *   allowed, count_allowed   the callee's list, at least one id; must live until the next call. Return false to stop. */
typedef bool (*oclm_allowed_callback)(size_t prompt, const int32_t *ids, size_t count, const int32_t **allowed, size_t *count_allowed, void *user);

/* A StoppingCriteria of the caller's: true ends the sequence, whose last id is the newest. */
typedef bool (*oclm_stopping_callback)(size_t row, const int32_t *ids, size_t count, void *user);

typedef enum oclm_early_stopping {
    OCLM_EARLY_STOPPING_UNSET = 0,
    OCLM_EARLY_STOPPING_OFF = 1,  /* False: a heuristic decides that better beams are unlikely */
    OCLM_EARLY_STOPPING_ON = 2,   /* True: as soon as num_beams have finished */
    OCLM_EARLY_STOPPING_NEVER = 3 /* "never": when no better beam is possible */
} oclm_early_stopping;

typedef enum oclm_assistant_schedule {
    OCLM_ASSISTANT_SCHEDULE_UNSET = 0,
    OCLM_ASSISTANT_SCHEDULE_CONSTANT = 1,
    OCLM_ASSISTANT_SCHEDULE_HEURISTIC = 2, /* two more after all were right, one less after one was wrong */
    OCLM_ASSISTANT_SCHEDULE_HEURISTIC_TRANSIENT = 3 /* the same, from the start again for each call */
} oclm_assistant_schedule;

/* Token ids that belong together, and what is added to the score of the last where the others stand before it. */
typedef struct oclm_token_ids {
    const int32_t *ids;
    size_t         count;
} oclm_token_ids;

typedef struct oclm_sequence_bias {
    const int32_t *ids;
    size_t         count;
    float          bias;
} oclm_sequence_bias;

/* Names, meanings, order and defaults are those of transformers' GenerationConfig: an option given here wins over the file that
 * `generation_config` names, which wins over generation_config.json of the model, which wins over the default beside it. Floats are NAN
 * where unset. Lists: NULL and 0 are unset. All lists are read before the call returns.
 * Python's None, which switches off what a file sets, is the value that has no effect: a penalty or scale of 1, a number, cutoff, top_h or
 * min_p of 0, a switch OFF, a list that is not NULL with 0 entries, OCLM_TOKEN_OFF for a token, an infinite max_time, use_eos_token OFF,
 * an exponential_decay_factor of 1 with any start. */
typedef struct oclm_generate_options {
    size_t      struct_size;       /* set by oclm_generate_options_init() */
    /* Lengths and ends. */
    uint32_t    max_new_tokens;    /* OCLM_UNSET; > 0: beats max_length */
    uint32_t    max_length;        /* OCLM_UNSET, then prompt + 20; counts the prompt too (the longest of a batch, as all are padded to it) */
    uint32_t    min_new_tokens;    /* OCLM_UNSET; no end-of-sequence token before so many */
    uint32_t    min_length;        /* OCLM_UNSET, then 0; the same, counting the prompt */
    double      max_time;          /* NAN, then none; seconds from the call on; the step that passes them is the last */
    const char *const *stop_strings; /* NULL; a sequence ends with the token that completes one of them; needs a tokenizer */
    size_t      stop_string_count;
    oclm_switch use_eos_token;     /* unset, then on. OFF: eos_token_id=None, never stop at an end-of-sequence token */
    const int32_t *eos_token_ids;  /* NULL: those of generation_config.json */
    size_t      eos_token_count;   /* 0 to OCLM_MAX_EOS_TOKENS */
    int32_t     pad_token_id;      /* OCLM_NO_TOKEN, then the file's, then the first eos_token_id; 0 pads where there is none. With beams, as in
                                      transformers, 0 counts as none too */
    int32_t     bos_token_id;      /* OCLM_NO_TOKEN, then the file's; the prompt, where none is given */
    /* How. */
    oclm_switch do_sample;         /* unset, then off: greedy */
    uint32_t    num_beams;         /* OCLM_UNSET, then 1; more, up to 256: beam search, with do_sample beam sampling */
    uint32_t    num_return_sequences; /* OCLM_UNSET, then 1; for each prompt; sampling, or at most num_beams */
    oclm_early_stopping early_stopping; /* unset, then off; beams */
    float       length_penalty;    /* 1.0; beams: scores are divided by length ^ this */
    oclm_switch use_cache;         /* unset, then on. The cache changes speed only, so OFF is passed over */
    uint32_t    prefill_chunk_size; /* OCLM_UNSET: oclm's choice; tokens of the prompt read at once. Changes no result */
    const char *cache_implementation; /* NULL, then "dynamic": 32 bits. "quantized": 8 bits. "static", "offloaded" and others of
                                      transformers mean "dynamic", since they change no result */
    /* What changes scores, in any mode. */
    float       guidance_scale;    /* unset: off; classifier-free guidance against negative_prompt_ids, or the prompt's last token alone */
    const int32_t *negative_prompt_ids; /* NULL */
    size_t      negative_prompt_count;
    const oclm_sequence_bias *sequence_bias; /* NULL */
    size_t      sequence_bias_count;
    float       encoder_repetition_penalty; /* 1.0; > 0; above 1: tokens of the prompt become likelier */
    float       repetition_penalty; /* 1.0; > 0; above 1: tokens that stand already become less likely */
    uint32_t    no_repeat_ngram_size; /* OCLM_UNSET, then 0; no group of so many tokens comes twice */
    uint32_t    encoder_no_repeat_ngram_size; /* OCLM_UNSET, then 0; no group of so many tokens of the prompt comes again */
    const oclm_token_ids *bad_words_ids; /* NULL */
    size_t      bad_words_count;
    oclm_allowed_callback on_allowed; /* NULL; prefix_allowed_tokens_fn */
    int32_t     forced_bos_token_id; /* OCLM_NO_TOKEN; the token after a prompt of one */
    const int32_t *forced_eos_token_ids; /* NULL; the token at the length limit */
    size_t      forced_eos_token_count; /* 0 to OCLM_MAX_EOS_TOKENS */
    oclm_switch remove_invalid_values; /* unset, then off; NaN becomes 0, infinities become the largest floats */
    uint32_t    exponential_decay_start; /* OCLM_UNSET: off; exponential_decay_length_penalty: new tokens after which ends become likelier */
    float       exponential_decay_factor; /* unset */
    const int32_t *suppress_tokens; /* NULL; never */
    size_t      suppress_token_count;
    const int32_t *begin_suppress_tokens; /* NULL; not as the first new token */
    size_t      begin_suppress_token_count;
    oclm_logits_callback on_logits; /* NULL */
    /* What changes scores while sampling. */
    float       temperature;       /* 1.0; > 0 */
    float       top_h;             /* NAN, then off; above 0, at most 1 */
    uint32_t    top_k;             /* OCLM_UNSET, then 50; 0 switches it off */
    float       top_p;             /* 1.0; 0 to 1 */
    float       min_p;             /* NAN, then off; 0 to 1 */
    float       typical_p;         /* 1.0: off; 0 to 1, neither included */
    float       epsilon_cutoff;    /* 0.0: off; 0 to 1, neither included */
    float       eta_cutoff;        /* 0.0: off; 0 to 1, neither included */
    oclm_switch renormalize_logits; /* unset, then off */
    uint64_t    seed;              /* 0; the same seed means the same tokens on every device whose logits agree, alone or in a batch: so equal prompts of a
                                      batch get equal tokens, and num_return_sequences is for different ones */
    /* Guessing ahead: a pass checks several guesses, and on_tokens receives what was right at once. Greedy ids are those without guesses; sampled
     * ones too where the text guesses, while an assistant's have the same distribution. All ends are honoured within a round, where transformers
     * looks at its end alone. Nothing is guessed where something looks at scores (output_*, *_buffer, on_allowed, on_logits) or guidance_scale
     * is on. One prompt, one sequence; not for models whose layers keep states that cannot go back. */
    uint32_t    prompt_lookup_num_tokens; /* OCLM_UNSET, then 0: off; try so many tokens that followed the last ones earlier */
    uint32_t    max_matching_ngram_size; /* OCLM_UNSET, then 2; > 0 */
    const struct oclm_model *assistant_model; /* NULL; a small model with the same vocabulary that guesses; must outlive the call */
    uint32_t    num_assistant_tokens; /* OCLM_UNSET, then as the assistant's generation_config.json says, as the next two, then 20; guesses at once */
    oclm_assistant_schedule num_assistant_tokens_schedule; /* unset, then constant; each call begins with num_assistant_tokens */
    float       assistant_confidence_threshold; /* NAN, then 0.4; 0 to 1: a less likely guess is the last of its round; 0: off */
    oclm_switch token_healing;     /* unset, then off; the prompt's last token is made anew, with the text it had; needs a tokenizer */
    /* What comes back. */
    bool        skip_special_tokens; /* true: for the text, not for the ids */
    bool        stream_words;      /* false; true: on_text receives whole words, as transformers' TextStreamer prints them */
    bool        output_scores;     /* false; keep each step's processed scores: oclm_generation_scores() */
    bool        output_logits;     /* false; keep each step's logits as the model made them: oclm_generation_logits() */
    void       *scores_buffer;     /* NULL; a cl_mem of the model's context that receives the scores instead: opencl.h */
    void       *logits_buffer;     /* NULL; likewise */
    oclm_token_callback on_tokens; /* NULL */
    oclm_text_callback  on_text;   /* NULL */
    oclm_stopping_callback on_stopping; /* NULL; asked after each token of each row */
    void       *user;              /* handed to all of them */
    oclm_progress_callback progress; /* NULL; prefill, in tokens */
    const volatile int *cancel;    /* NULL; set it to non-zero from a signal handler or another thread to stop early:
                                      the result then holds what was made so far */
    const char *generation_config; /* NULL; a file of options like the model's generation_config.json: what it sets comes before that */
} oclm_generate_options;

OCLM_API void oclm_generate_options_init(oclm_generate_options *options, size_t struct_size);

typedef enum oclm_finish_reason {
    OCLM_FINISH_LENGTH = 0,      /* the length limit */
    OCLM_FINISH_EOS_TOKEN = 1,   /* an end-of-sequence token, which is the last id */
    OCLM_FINISH_CANCELLED = 2,   /* a callback or the cancel flag asked to stop */
    OCLM_FINISH_STOP_STRING = 3, /* one of stop_strings is complete with the last id */
    OCLM_FINISH_MAX_TIME = 4,
    OCLM_FINISH_STOPPING = 5,    /* on_stopping said so */
    OCLM_FINISH_NONE = 6         /* still being made: oclm_generation_next() */
} oclm_finish_reason;

typedef struct oclm_generation oclm_generation;

typedef struct oclm_timing {
    size_t   struct_size;    /* set by the caller: sizeof(oclm_timing) */
    uint64_t prefill_tokens;
    double   prefill_s;      /* until the first new token was chosen */
    uint64_t decode_tokens;  /* new tokens after the first */
    double   decode_s;
    uint64_t guessed_tokens; /* by a prompt lookup or an assistant; 0 without */
    uint64_t accepted_tokens; /* of them */
} oclm_timing;

/* Continues a prompt of ids. The default is greedy.
 *   ids, count   the prompt, at least one id; NULL and 0: none, then bos_token_id is the prompt
 * Errors: OCLM_ERR_ARGUMENT (which option, value and range; an id outside the vocabulary; an empty prompt; a prompt not
 *         shorter than the length limit or longer than the model allows), OCLM_ERR_DEVICE, OCLM_ERR_DEVICE_MEMORY,
 *         OCLM_ERR_MEMORY.
 * Threads: several threads may generate with one model at once.  Since 0.1. */
OCLM_API oclm_status oclm_generate(const oclm_model *model, const int32_t *ids, size_t count,
                                   const oclm_generate_options *options, oclm_generation **generation);

/* The same from text, NUL-ended: encodes the prompt with special tokens, decodes the result, streams text.
 * Errors: as oclm_generate() and oclm_tokenizer_encode().  Since 0.1. */
OCLM_API oclm_status oclm_generate_text(const oclm_model *model, const oclm_tokenizer *tokenizer, const char *prompt,
                                        const oclm_generate_options *options, oclm_generation **generation);

/* Continues several prompts side by side, num_return_sequences times each: sequence i belongs to prompt i / num_return_sequences. Each row gets
 * the tokens it would get alone (seeds are of the row); lengths count from the longest prompt on, as transformers' padded batches do. Rotary positions
 * of the types "dynamic" and "longrope" turn all rows by the longest prompt, as there: such a row alone may get others.
 *   tokenizer   NULL: ids only. With one there are texts, stop_strings and token_healing
 * Errors: as oclm_generate(), with the prompt's index.  Since 0.1. */
OCLM_API oclm_status oclm_generate_batch(const oclm_model *model, const oclm_tokenizer *tokenizer, const oclm_token_ids *prompts, size_t count,
                                         const oclm_generate_options *options, oclm_generation **generation);

/* The same, for callers who pull: checks everything and reads nothing yet. Each oclm_generation_next() then waits for the next tokens.
 * The model, the tokenizer and the assistant must outlive the generation. Callbacks are called from within oclm_generation_next().
 * Errors: as oclm_generate_batch().  Since 0.1. */
OCLM_API oclm_status oclm_generation_begin(const oclm_model *model, const oclm_tokenizer *tokenizer, const oclm_token_ids *prompts, size_t count,
                                           const oclm_generate_options *options, oclm_generation **generation);

typedef struct oclm_new_tokens {
    size_t         struct_size; /* set by the caller: sizeof(oclm_new_tokens) */
    size_t         sequence;
    const int32_t *ids;         /* [count] */
    size_t         count;
    const char    *text;        /* what they complete, "" if nothing yet; NULL without a tokenizer; as on_text receives it */
    size_t         text_length;
} oclm_new_tokens;

/* Waits for the next new tokens of a sequence. `*more` false: there are no more, and `tokens` is empty. What `tokens` points to lives until the
 * next call. A call that fails ends the generation. Threads: one at a time per generation.
 * Errors: OCLM_ERR_DEVICE, OCLM_ERR_MEMORY, OCLM_ERR_UNSUPPORTED (no token can be drawn).  Since 0.1. */
OCLM_API oclm_status oclm_generation_next(oclm_generation *generation, oclm_new_tokens *tokens, bool *more);

OCLM_API void   oclm_generation_free(oclm_generation *generation);
OCLM_API size_t oclm_generation_count(const oclm_generation *generation); /* number of sequences */
/* The new ids of a sequence, without the prompt's and without padding.  Since 0.1. */
OCLM_API const int32_t *oclm_generation_ids(const oclm_generation *generation, size_t sequence, size_t *count);
/* The prompt's ids of the first prompt, and of the prompt that a sequence continues.  Since 0.1. */
OCLM_API const int32_t *oclm_generation_prompt_ids(const oclm_generation *generation, size_t *count);
OCLM_API const int32_t *oclm_generation_prompt_of(const oclm_generation *generation, size_t sequence, size_t *count);
/* The whole text, prompt and new; NULL if it was made from ids.  Since 0.1. */
OCLM_API const char *oclm_generation_text(const oclm_generation *generation, size_t sequence);
/* The new text alone; NULL if it was made from ids.  Since 0.1. */
OCLM_API const char *oclm_generation_new_text(const oclm_generation *generation, size_t sequence);
OCLM_API oclm_finish_reason oclm_generation_finish_reason(const oclm_generation *generation, size_t sequence);
/* sequences_scores: the sum of a beam's log-probabilities / length ^ length_penalty. NAN without beams.  Since 0.1. */
OCLM_API float oclm_generation_score(const oclm_generation *generation, size_t sequence);
/* Scores as they were chosen by (output_scores), and logits as the model made them (output_logits): [steps][rows][vocab_size] float32; NULL
 * where they were not asked for, or went to a buffer. Rows are sequences, or with beams prompt * num_beams + beam; those of a sequence that has ended
 * mean nothing.  Since 0.1. */
OCLM_API const float *oclm_generation_scores(const oclm_generation *generation, size_t *steps, size_t *rows, size_t *vocab_size);
OCLM_API const float *oclm_generation_logits(const oclm_generation *generation, size_t *steps, size_t *rows, size_t *vocab_size);
/* Which row each new id of a sequence was chosen in: [count of ids]; NULL without beams.  Since 0.1. */
OCLM_API const int32_t *oclm_generation_beam_indices(const oclm_generation *generation, size_t sequence, size_t *count);
/* compute_transition_scores(): the score of each new id of a sequence, from output_scores; `normalize_logits`: as log-probabilities.
 *   scores   [count of ids]; caller's memory, room for `capacity` floats
 * Errors: OCLM_ERR_ARGUMENT (no such sequence; output_scores was off), OCLM_ERR_CAPACITY.  Since 0.1. */
OCLM_API oclm_status oclm_generation_transition_scores(const oclm_generation *generation, size_t sequence, bool normalize_logits, float *scores,
                                                       size_t capacity);
OCLM_API void oclm_generation_get_timing(const oclm_generation *generation, oclm_timing *timing);

#endif
