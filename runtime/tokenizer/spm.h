/* spm.h: what a SentencePiece model is, wherever it was read from, and the tokenizer made of it; and the steps that
 * only such tokenizers need. Both work in linear time, where the patterns that say the same do not. */
#ifndef OCLM_TOKENIZER_SPM_H
#define OCLM_TOKENIZER_SPM_H

#include "tokenizer/added_tokens.h"

#define TOK_VISIBLE_SPACE "\xE2\x96\x81" /* U+2581, which stands for a space in a piece */

struct tok_chain;

enum { TOK_SPM_NORMAL = 1, TOK_SPM_UNKNOWN, TOK_SPM_CONTROL, TOK_SPM_USER_DEFINED, TOK_SPM_UNUSED, TOK_SPM_BYTE, TOK_SPM_ADDED };
enum { TOK_SPM_UNIGRAM = 1, TOK_SPM_BPE = 2 };

typedef struct tok_spm_string {
    const char *text; /* in the file */
    size_t length;
} tok_spm_string;

typedef struct tok_spm_piece {
    tok_spm_string text;
    float score;
    int32_t type, id;
} tok_spm_piece;

typedef struct tok_spm_model {
    const char *path;
    tok_spm_piece *pieces;
    size_t count, capacity;
    int32_t model_type, unk_id, bos_id, eos_id;
    tok_spm_string unk_piece, bos_piece, eos_piece, charsmap;
    bool byte_fallback, add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
    bool legacy;             /* a space in front of every text between added tokens, not of the first alone */
    bool merges_by_id;       /* Gemma: pieces merge in the order of their ids, not of their scores */
    bool has_merges;         /* the caller adds them */
    bool all_merge;          /* of a GGUF: user-defined, added and unused pieces take part in merges */
} tok_spm_model;

/* What the format takes where it says nothing. */
void tok_spm_defaults(tok_spm_model *model, const char *path);
/* Adds a piece; checks its text. */
oclm_status tok_spm_add(tok_spm_model *model, tok_spm_string text, float score, int32_t type);
/* Makes the tokenizer, all but what follows from tokenizer_config.json. */
oclm_status tok_spm_build(const tok_spm_model *model, tok_tokenizer *tokenizer);
void tok_spm_free(tok_spm_model *model);

/* ---- Steps */

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
