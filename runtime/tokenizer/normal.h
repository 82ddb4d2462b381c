/* normal.h: what a normaliser writes: text and, where offsets are wanted, the byte of its input that each byte came
 * from.
 *
 * Tracing follows the reference's NormalizedString: a character that replaces another comes from that one, an inserted
 * one from the character before it. Untraced, nothing but the text is kept. */
#ifndef OCLM_TOKENIZER_NORMAL_H
#define OCLM_TOKENIZER_NORMAL_H

#include "core/text.h"

/* Set in a source: the byte was inserted before all of its input, and covers nothing of it. */
#define TOK_SOURCE_EMPTY 0x80000000u

typedef struct tok_normal {
    core_text text;
    bool traced;
    uint32_t *sources; /* [text.length] if `traced`: places in the input, never descending */
    size_t capacity;   /* of `sources` */
} tok_normal;

#define TOK_NORMAL_INIT                                                                                                \
    {                                                                                                                  \
        CORE_TEXT_INIT, false, NULL, 0                                                                                 \
    }

/* Input that stays: `text` stands in the input at `source`. */
oclm_status tok_normal_keep(tok_normal *normal, const char *text, size_t length, size_t source);
/* Text that comes from the one byte at `source`. */
oclm_status tok_normal_put(tok_normal *normal, const char *text, size_t length, size_t source);
oclm_status tok_normal_put_char(tok_normal *normal, uint32_t code_point, size_t source);

/* Writing character by character with the reference's counts of change, for forms in which characters join and part. */
typedef struct tok_rewriter {
    tok_normal *out;
    const char *text, *at, *end; /* the input, and the character that comes next */
} tok_rewriter;

/* `change` 0: in place of the next character of the input; 1: inserted behind the last one; -n: in place of the next
 * one, and n more are left out. */
oclm_status tok_rewriter_put(tok_rewriter *rewriter, uint32_t code_point, int change);

void tok_normal_clear(tok_normal *normal); /* keeps the memory */
void tok_normal_free(tok_normal *normal);

#endif
