/* text.h: what Python's str methods do, for methods and filters. Positions are code points unless they are called
 * bytes. */
#ifndef OCLM_TOKENIZER_CHAT_TEXT_H
#define OCLM_TOKENIZER_CHAT_TEXT_H

#include "tokenizer/chat/run.h"
#include "tokenizer/unicode.h"

/* str.isspace(): White_Space and the four separators of ASCII. */
static inline bool jinja_is_space(uint32_t c)
{
    return c < 0x80 ? c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F) : (tok_class_of(c) & TOK_SPACE) != 0;
}

jinja_ref jinja_substring(jinja_run *run, jinja_ref text, size_t from,
                          size_t to);                   /* code points; from <= to <= chars */
size_t jinja_char_offset(jinja_ref text, size_t index); /* the byte where a code point begins */
size_t jinja_char_index(jinja_ref text, size_t offset); /* and back */
/* Where `what` stands at or after byte `from`: a byte, or SIZE_MAX. False: the error is set. */
bool jinja_text_find(jinja_run *run, jinja_ref text, jinja_ref what, size_t from, size_t *at);
bool jinja_text_find_last(jinja_run *run, jinja_ref text, jinja_ref what, size_t *at);
/* `chars`: which to strip; NULL or none: white space. */
jinja_ref jinja_strip(jinja_run *run, jinja_ref text, jinja_ref chars, bool left, bool right);
jinja_ref jinja_replace(jinja_run *run, jinja_ref text, jinja_ref old, jinja_ref with, int64_t count); /* < 0: all */
/* A list; `separator` NULL or none: runs of white space. `most` < 0: all. */
jinja_ref jinja_split(jinja_run *run, jinja_ref text, jinja_ref separator, int64_t most, bool from_right);
jinja_ref jinja_split_lines(jinja_run *run, jinja_ref text, bool keep_ends);
jinja_ref jinja_join(jinja_run *run, jinja_ref separator, const jinja_ref *items, size_t count); /* of texts */
jinja_ref jinja_pad(jinja_run *run, jinja_ref text, size_t width, jinja_ref fill, bool left,
                    bool right);                        /* NULL fill: spaces */
jinja_ref jinja_escape(jinja_run *run, jinja_ref text); /* & < > ' " for HTML */

typedef enum jinja_case { JINJA_LOWER, JINJA_UPPER, JINJA_TITLE, JINJA_CAPITALIZE, JINJA_SWAP } jinja_case;
jinja_ref jinja_change_case(jinja_run *run, jinja_ref text, jinja_case how); /* letter_case.c */
bool jinja_add_cased(jinja_run *run, core_text *out, uint32_t c,
                     jinja_case how); /* LOWER, UPPER, TITLE of one character */

#endif
