/* added_tokens.h: tokens that are found in the text before anything else looks at it: special tokens, and others.
 *
 * Two sets: those matched on the raw text, and those with "normalized": true, whose normalised contents are matched on
 * normalised text. In both the leftmost match wins, among those the longest. */
#ifndef OCLM_TOKENIZER_ADDED_TOKENS_H
#define OCLM_TOKENIZER_ADDED_TOKENS_H

#include "core/json.h"
#include "tokenizer/vocab.h"

struct tok_chain;
struct tok_run;

typedef struct tok_added_token {
    char    *content;           /* as the file writes it; NUL-ended, may hold NULs */
    size_t   content_length;
    char    *text;              /* what is searched and what it decodes to: `content`, normalised if `normalized` */
    size_t   length;
    int32_t  id;
    bool     single_word, lstrip, rstrip, normalized, special;
} tok_added_token;

/* What is searched at once: tokens sorted by text, so a search narrows a range byte by byte. */
typedef struct tok_added_set {
    const tok_added_token **sorted; /* [count] no two with one text */
    size_t   count;
    uint32_t first[257];            /* those whose text begins with byte b: sorted[first[b]] up to sorted[first[b + 1]] */
} tok_added_set;

typedef struct tok_added {
    tok_added_token *tokens;
    size_t           count, capacity;
    tok_vocab        by_content;    /* content to index in `tokens` */
    uint32_t        *by_id;         /* [id_count] index + 1; the later token of two with one id */
    size_t           id_count;
    tok_added_set    raw, normal;
} tok_added;

/* Reads the "added_tokens" array. Ids are given as the reference gives them: contents known to the model keep their id,
 * others take the next free one. */
oclm_status tok_added_read(tok_added *added, core_json_reader *reader, const tok_vocab *vocab);
/* A token to add, with no flag set but `special`; it borrows the text. */
tok_added_token tok_added_of(const char *text, size_t length, int32_t id, bool special);
/* One token with its flags set; `content` is copied, `id` is what the file says, or -1. */
oclm_status tok_added_add(tok_added *added, const tok_added_token *token, const tok_vocab *vocab, const char *origin);
/* What a token gets that the model does not know. */
int32_t     tok_added_next_id(const tok_added *added, const tok_vocab *vocab);
/* After the last token: normalises, sorts. */
oclm_status tok_added_finish(tok_added *added, const struct tok_chain *normalizer);
void        tok_added_deinit(tok_added *added);

const tok_added_token *tok_added_by_id(const tok_added *added, int32_t id); /* NULL if it is none */

/* Receives the parts of a text in order: id -1 is text between tokens, never empty. */
typedef oclm_status (*tok_added_sink)(struct tok_run *run, const char *text, size_t length, int32_t id);
/* The longest token of the set that begins at `p` < `end`, or NULL. */
const tok_added_token *tok_added_longest_at(const tok_added_set *set, const char *p, const char *end);
/* `split_special`: special tokens are text like any other. */
oclm_status tok_added_split(const tok_added_set *set, const char *text, size_t length, bool split_special, tok_added_sink sink,
                            struct tok_run *run);

#endif
