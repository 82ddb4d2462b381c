/* settings_read.h: the files beside a vocabulary, and what the tokenizer's class in transformers adds. */
#ifndef OCLM_TOKENIZER_SETTINGS_READ_H
#define OCLM_TOKENIZER_SETTINGS_READ_H

#include "core/json.h"
#include "tokenizer/special.h"

struct tok_chain;

/* Reads the folder's tokenizer_config.json and its siblings, if any, into a tokenizer that is read but not complete
 * yet. `from_json`: it came from a tokenizer.json, whose post-processor is the last word on BOS and EOS. */
oclm_status tok_settings_read(const char *folder, bool from_json, tok_tokenizer *tokenizer);

/* Names and sides that the class sets which transformers would use for the folder (tokenizer_class.c). `config` may be
 * NULL. */
oclm_status tok_class_apply(const char *folder, const cJSON *config, tok_settings *settings,
                            const tok_tokenizer *tokenizer);

/* A post-processor that puts `bos` in front of each text and `eos` behind it; -1: none (template_of_two.c). */
oclm_status tok_template_of_two(struct tok_chain *chain, int32_t bos, int32_t eos);

#endif
