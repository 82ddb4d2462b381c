/* normalize.h: the normal form of a piece of text, and the normalisers. */
#ifndef OCLM_TOKENIZER_NORMALIZE_H
#define OCLM_TOKENIZER_NORMALIZE_H

#include "tokenizer/normal.h"

struct cJSON;
struct tok_chain;
struct tok_step;

/* Adds to `out` what the chain makes of the text; the text itself where the chain is empty. */
oclm_status tok_normalize(const struct tok_chain *chain, const char *text, size_t length, core_text *out);
/* The same; `out` is empty, and traced if it says so. */
oclm_status tok_normalize_traced(const struct tok_chain *chain, const char *text, size_t length, tok_normal *out);

/* Each makes its normaliser (the component of that name in tokenizer.json). */
oclm_status tok_bert_normal_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_strip_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_strip_accents_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_nfc_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_nfd_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_nfkc_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_nfkd_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_lowercase_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_nmt_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_precompiled_make(const struct cJSON *config, const char *where, struct tok_step **step);
/* The same from the bytes that a tokenizer.json has in base64. */
oclm_status tok_precompiled_of(const char *blob, size_t length, const char *where, struct tok_step **step);
oclm_status tok_replace_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_prepend_make(const struct cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_byte_level_normal_make(const struct cJSON *config, const char *where, struct tok_step **step);

#endif
