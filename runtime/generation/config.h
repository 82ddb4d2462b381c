/* config.h: which value of a generation option counts: the call's, generation_config.json's, transformers' default. */
#ifndef OCLM_GENERATION_CONFIG_H
#define OCLM_GENERATION_CONFIG_H

#include <cjson/cJSON.h>

#include "model/architecture.h"

/* What a file of generation options says: generation_config.json, or, only where that is missing, config.json. */
typedef struct gen_defaults {
    oclm_generate_options said;     /* what the file does not say is unset; lists are the defaults' own, each one block */
    uint32_t              refused;  /* bits: which of gen_refusals (config_fields.h) the file asks for */
    uint32_t              refusals_said; /* bits: which it mentions */
    char                 *origin;   /* the file, for messages; NULL: there is none */
} gen_defaults;

/* Reads them from a model folder, or a GGUF file. A file that is no JSON counts as missing, as in transformers, with a warning; an invalid value
 * in it is an error; keys that mean nothing are passed over. On failure there is nothing to free.
 * Errors: OCLM_ERR_FORMAT (file, key, value), OCLM_ERR_UNSUPPORTED (too many end-of-sequence ids), OCLM_ERR_MEMORY. */
oclm_status gen_defaults_read(const char *folder, const model_architecture *architecture, gen_defaults *defaults);
/* The same from a file that someone names: oclm_generate_options.generation_config. Also OCLM_ERR_NOT_FOUND. */
oclm_status gen_defaults_read_file(const char *path, gen_defaults *defaults);
oclm_status gen_defaults_tree(const cJSON *tree, const char *origin, gen_defaults *defaults);
void        gen_defaults_init(gen_defaults *defaults); /* all unset */
void        gen_defaults_free(gen_defaults *defaults); /* leaves all unset */

typedef struct gen_ids {
    int32_t *ids;
    uint32_t count;
} gen_ids;

/* Added to the score of the last id where the others stand before it; bad_words_ids are those of -INFINITY. */
typedef struct gen_bias {
    gen_ids ids;
    float   bias;
} gen_bias;

typedef enum gen_mode_kind { GEN_MODE_ROWS, GEN_MODE_BEAMS, GEN_MODE_ASSISTED } gen_mode_kind;

/* Everything decided, for one batch of prompts. Lists are its own. What is off has the value beside it, so whoever acts on a member asks for
 * that alone; what needs do_sample is off without it. */
typedef struct gen_config {
    gen_mode_kind mode;
    uint32_t prompt_length;  /* of the longest prompt: as wide as all are, padded */
    uint32_t limit;          /* prompt_length + new tokens, at most */
    uint32_t min_new_tokens; /* no eos before so many new ones, by min_new_tokens or min_length; 0 */
    uint32_t min_length;     /* the same, as the length of a row: prompt_length + min_new_tokens; 0 */
    double   max_time;       /* seconds; INFINITY */
    int32_t  eos_token_ids[OCLM_MAX_EOS_TOKENS];
    uint32_t eos_token_count;
    int32_t  pad_token_id;   /* what shorter prompts are padded with in the history; 0 where there is none */
    int32_t  fill_token_id;  /* what ends short rows of beams: pad, else the first eos, else -1 (generation.md, 4) */
    char   **stop_strings;   /* [stop_string_count] */
    uint32_t stop_string_count;
    /* Rows. */
    bool     do_sample;
    uint32_t num_beams, num_return_sequences; /* 1 */
    oclm_early_stopping early_stopping; /* OFF */
    float    length_penalty; /* 1 */
    uint32_t prefill_chunk_size; /* 0: the state's */
    bool     quantized_cache; /* false */
    /* Scores, in the order in which they are changed. */
    float    guidance_scale; /* 1 */
    gen_ids  negative_prompt;
    gen_bias *sequence_bias; uint32_t sequence_bias_count;
    float    encoder_repetition_penalty, repetition_penalty; /* 1 */
    uint32_t no_repeat_ngram_size, encoder_no_repeat_ngram_size; /* 0 */
    gen_bias *bad_words; uint32_t bad_word_count; /* without those that are an eos alone */
    int32_t  forced_bos_token_id; /* -1 */
    gen_ids  forced_eos;
    bool     remove_invalid_values;
    uint32_t exponential_decay_start; float exponential_decay_factor; /* OCLM_UNSET, 1 */
    gen_ids  suppress_tokens, begin_suppress_tokens;
    uint32_t begin_suppress_length; /* the length of a row at which the latter count */
    float    temperature;    /* 1 */
    float    top_h;          /* NAN */
    uint32_t top_k;          /* 0 */
    float    top_p;          /* 1 */
    float    min_p;          /* NAN */
    float    typical_p;      /* 1 */
    float    epsilon_cutoff, eta_cutoff; /* 0 */
    uint32_t min_keep;       /* tokens that top_k to eta_cutoff leave at least */
    bool     renormalize_logits;
    uint64_t seed;
    /* Guessing ahead. */
    uint32_t prompt_lookup_num_tokens; /* 0 */
    uint32_t max_matching_ngram_size;
    uint32_t num_assistant_tokens;
    oclm_assistant_schedule num_assistant_tokens_schedule;
    float    assistant_confidence_threshold;
    bool     token_healing;
    /* Comes back. */
    bool     output_scores, output_logits;
} gen_config;

void gen_config_init(gen_config *config); /* greedy, everything off, no limit */
void gen_config_free(gen_config *config); /* leaves an empty one */
/* Does a sequence end with this token? */
bool gen_is_eos(const gen_config *config, int32_t id);
/* Does each row have a second one beside it, without its prompt? */
static inline bool gen_is_guided(const gen_config *config) { return config->guidance_scale != 1.0f; }

/* A call, and what decides on its options. */
typedef struct gen_call {
    const gen_defaults          *defaults;  /* the model's */
    const gen_defaults          *assistant; /* the assistant model's, whose file says how to guess; NULL without one */
    const oclm_generate_options *options;   /* a whole struct of this version */
    const model_architecture    *architecture;
    uint32_t                     prompt_length; /* of the longest */
    uint32_t                     prompt_count;  /* 0 is 1 */
    bool                         has_tokenizer; /* stop_strings and token_healing need one */
} gen_call;

/* Decides everything, by transformers' rules: a call's value comes before that of options->generation_config, before the model's file's,
 * before the default. What transformers only warns about is a warning in the log. On failure `config` is empty.
 * Errors: OCLM_ERR_ARGUMENT: option, value, range, and the file it is from; OCLM_ERR_UNSUPPORTED naming the option that is not there;
 * of options->generation_config: as gen_defaults_read_file(). */
oclm_status gen_config_resolve(const gen_call *call, gen_config *config);
/* The token that stands for a prompt where none is given: bos_token_id. OCLM_ERR_ARGUMENT where there is none. */
oclm_status gen_call_bos(const gen_call *call, int32_t *id);

#endif
