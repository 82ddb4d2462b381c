/* config.h: which value of a generation option counts: the call's, generation_config.json's, transformers' default. */
#ifndef OCLM_GENERATION_CONFIG_H
#define OCLM_GENERATION_CONFIG_H

#include "model/architecture.h"

/* What generation_config.json says (or, only where that file is missing, config.json). Unset members are OCLM_UNSET, NAN,
 * OCLM_SWITCH_UNSET. */
typedef struct gen_defaults {
    uint32_t    max_new_tokens, max_length, min_new_tokens, min_length, top_k, num_beams;
    float       temperature, top_p;
    oclm_switch do_sample;
    int32_t     eos_token_ids[OCLM_MAX_EOS_TOKENS];
    uint32_t    eos_token_count;
    char        origin[32];                /* the file they come from, for messages */
    char        not_applied[256];          /* options set there that change the result and are not here yet: "a=1, b=2" */
    char        not_applied_sampling[256]; /* those that only matter while sampling */
} gen_defaults;

/* Reads them from a model folder. A file that is no JSON counts as missing, as in transformers, with a warning; an invalid value
 * in it is an error; keys that mean nothing are passed over.
 * Errors: OCLM_ERR_FORMAT (file, key, value), OCLM_ERR_UNSUPPORTED (too many end-of-sequence ids), OCLM_ERR_MEMORY. */
oclm_status gen_defaults_read(const char *folder, const model_architecture *architecture, gen_defaults *defaults);
void        gen_defaults_init(gen_defaults *defaults); /* all unset */

/* Everything decided, for one prompt. */
typedef struct gen_config {
    uint32_t limit;          /* prompt + new tokens, at most */
    uint32_t min_new_tokens; /* no eos before so many */
    bool     do_sample;
    float    temperature;
    uint32_t top_k;          /* 0: off */
    float    top_p;          /* 1: off */
    uint64_t seed;
    int32_t  eos_token_ids[OCLM_MAX_EOS_TOKENS];
    uint32_t eos_token_count;
} gen_config;

/* `options` is a whole struct of this version, never NULL.
 * Errors: OCLM_ERR_ARGUMENT: option, value, range; transformers' conditions and meanings.
 * OCLM_ERR_UNSUPPORTED: num_beams > 1, from the call or the file. What transformers only warns about is a warning in the log. */
oclm_status gen_config_resolve(const gen_defaults *defaults, const oclm_generate_options *options,
                               const model_architecture *architecture, uint32_t prompt_length, gen_config *config);

#endif
