/* settings_read.h: the files beside a vocabulary, and what the tokenizer's class in transformers adds. */
#ifndef OCLM_TOKENIZER_SETTINGS_READ_H
#define OCLM_TOKENIZER_SETTINGS_READ_H

#include "core/json.h"
#include "tokenizer/special.h"

struct tok_chain;

/* The files, read. */
typedef struct tok_settings_files {
    const char *folder;
    core_text config_path, map_path, added_path;
    cJSON *config; /* tokenizer_config.json; NULL: there is none */
    cJSON *map;    /* special_tokens_map.json, where it counts */
    cJSON *added;  /* added_tokens.json, where it counts */
} tok_settings_files;

/* Reads the folder's tokenizer_config.json and its siblings, if any. Free with tok_settings_files_free() in any case. */
oclm_status tok_settings_open(const char *folder, tok_settings_files *files);
void tok_settings_files_free(tok_settings_files *files);
/* What readers of vocabularies must know before: `legacy`, `renames`. */
oclm_status tok_settings_prepare(const tok_settings_files *files, tok_settings *settings);
/* Names and adds tokens in a tokenizer that is read but not complete yet. `from_json`: it came from a tokenizer.json,
 * whose post-processor is the last word on BOS and EOS. */
oclm_status tok_settings_apply(const tok_settings_files *files, bool from_json, tok_tokenizer *tokenizer);

/* Names and sides that the class sets which transformers would use for the folder (tokenizer_class.c). `config` may be
 * NULL. */
oclm_status tok_class_apply(const char *folder, const cJSON *config, tok_settings *settings,
                            const tok_tokenizer *tokenizer);

/* A post-processor that puts `bos` in front of each text and `eos` behind it; -1: none (template_of_two.c). */
oclm_status tok_template_of_two(struct tok_chain *chain, int32_t bos, int32_t eos);

#endif
