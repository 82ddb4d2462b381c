/* spm.h: steps that only SentencePiece's models need. Both work in linear time, where the patterns that say the same do
 * not. */
#ifndef OCLM_TOKENIZER_SPM_H
#define OCLM_TOKENIZER_SPM_H

#include "tokenizer/added_tokens.h"

struct tok_chain;

typedef struct tok_spm_spaces {
    bool trim;         /* no spaces at both ends, one where there are more: remove_extra_whitespaces */
    bool escape;       /* U+0020 becomes U+2581: escape_whitespaces */
    bool double_first; /* a text that begins with U+2581 gets another: Metaspace adds none to it, SentencePiece does */
} tok_spm_spaces;

/* A normaliser (spm_spaces.c). */
oclm_status tok_spm_spaces_add(struct tok_chain *chain, const tok_spm_spaces *what);

/* A pre-tokenizer that makes each of these pieces a piece of its own (spm_symbols.c). It takes `symbols`, read but not
 * finished, and leaves it empty. */
oclm_status tok_spm_symbols_add(struct tok_chain *chain, tok_added *symbols);

#endif
