/* regex_rewrite.h: a pattern in the syntax of the reference's engine (Oniguruma, Ruby's syntax) as one for PCRE2. */
#ifndef OCLM_TOKENIZER_REGEX_REWRITE_H
#define OCLM_TOKENIZER_REGEX_REWRITE_H

#include "core/text.h"

#define TOK_MAX_PATTERN 65536       /* bytes of a pattern in a file; the longest known has 1,200 */
#define TOK_MAX_REWRITTEN (4u << 20) /* bytes: a class may name thousands of ranges */

/* Adds to `out` the pattern for PCRE2 with UTF and MULTILINE, where line ends are LF. Every class is written out from our own
 * tables (Unicode 16.0), so PCRE2's do not matter, but for folding case. Errors: OCLM_ERR_FORMAT for what is no pattern,
 * OCLM_ERR_UNSUPPORTED for what has no equal in PCRE2; both show the pattern and the byte. */
oclm_status tok_regex_rewrite(const char *pattern, const char *where, core_text *out);

/* For the two files that do it. */
typedef struct tok_rewrite {
    const char *pattern, *p, *end;
    const char *where; /* for messages */
    core_text  *out;
    size_t      atom;  /* where in `out` the last atom begins, that a quantifier may follow; SIZE_MAX: none */
    uint32_t    depth, groups;
    bool        ignore_case;
} tok_rewrite;

struct tok_ranges;

oclm_status tok_rewrite_fail(const tok_rewrite *self, oclm_status status, const char *what);
/* regex_class.c: at the '[' of a class; writes it as ranges. */
oclm_status tok_rewrite_class(tok_rewrite *self);
/* Writes ranges as a class, or as one of all others. */
oclm_status tok_rewrite_ranges(tok_rewrite *self, const struct tok_ranges *ranges, bool invert);
/* Behind the backslash of \w, \W, \d, \D, \s, \S, \h, \H, \p{..}, \P{..}: adds the set, passes over it, and *found is true. */
oclm_status tok_rewrite_set_escape(tok_rewrite *self, bool in_class, struct tok_ranges *ranges, bool *found);
/* Behind the backslash of an escape for one character: reads it. */
oclm_status tok_rewrite_char_escape(tok_rewrite *self, bool in_class, uint32_t *code_point);

#endif
