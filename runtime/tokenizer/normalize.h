/* normalize.h: the normal form of a piece of text. */
#ifndef OCLM_TOKENIZER_NORMALIZE_H
#define OCLM_TOKENIZER_NORMALIZE_H

#include "core/text.h"

struct cJSON;
struct tok_chain;
struct tok_step;

/* Adds to `out` what the chain makes of the text; the text itself where the chain is empty. */
oclm_status tok_normalize(const struct tok_chain *chain, const char *text, size_t length, core_text *out);

/* Unicode normalisation form C, with the tables of Unicode 9.0 (nfc.c). */
oclm_status tok_nfc_make(const struct cJSON *config, const char *where, struct tok_step **step);

#endif
