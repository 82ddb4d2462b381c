/* pattern.h: what Split looks for and Replace replaces: {"String": literal} or {"Regex": pattern}. */
#ifndef OCLM_TOKENIZER_PATTERN_H
#define OCLM_TOKENIZER_PATTERN_H

#include "core/json.h"
#include "tokenizer/regex.h"
#include "tokenizer/scanners.h"

/* A regex that is known has a scanner; any other goes to the regex engine. */
typedef struct tok_pattern {
    tok_scanner scan;    /* NULL: none */
    tok_regex  *regex;   /* NULL: none */
    char       *literal; /* if neither; an empty one matches everywhere, as an empty regex does */
    size_t      length;
} tok_pattern;

/* Reads the "pattern" of a component. Errors: OCLM_ERR_FORMAT or OCLM_ERR_UNSUPPORTED, showing a regex that cannot be used. */
oclm_status tok_pattern_read(tok_pattern *pattern, const cJSON *config, const char *where);
void        tok_pattern_deinit(tok_pattern *pattern);

/* What Replace does, the normaliser and the decoder: every match becomes `content`. */
typedef struct tok_replacement {
    tok_pattern pattern;
    char       *content;
    size_t      content_length;
} tok_replacement;

/* Reads "pattern" and "content" of a component. On failure there is nothing to deinitialise. */
oclm_status tok_replacement_read(tok_replacement *replacement, const cJSON *config, const char *where);
void        tok_replacement_deinit(tok_replacement *replacement);

/* The matches in a piece, one after the other, as the reference's find_iter tells them: some may be empty, but none right
 * behind another match. */
typedef struct tok_matches {
    const tok_pattern *pattern;
    const char        *text, *end;
    const char        *from;        /* the search goes on here; beyond `end`: it is over */
    const char        *last;        /* where the last match ended; NULL: none yet */
    const char        *begin, *stop; /* the match found; `begin` is NULL after the last one */
    tok_regex_state   *state;
} tok_matches;

void        tok_matches_begin(tok_matches *matches, const tok_pattern *pattern, const char *text, size_t length);
oclm_status tok_matches_next(tok_matches *matches);
void        tok_matches_end(tok_matches *matches);

#endif
