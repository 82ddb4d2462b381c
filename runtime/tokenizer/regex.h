/* regex.h: patterns that no scanner serves, by PCRE2. */
#ifndef OCLM_TOKENIZER_REGEX_H
#define OCLM_TOKENIZER_REGEX_H

#include "core/text.h"

typedef struct tok_regex       tok_regex; /* immutable: shared between threads */
typedef struct tok_regex_state tok_regex_state; /* of the searches in one text: one at a time */

/* A pattern in Oniguruma's syntax (regex_rewrite.h). `where` names the component in messages. */
oclm_status tok_regex_new(const char *pattern, const char *where, tok_regex **regex);
void        tok_regex_free(tok_regex *regex); /* accepts NULL */

/* The first match at or after `from`; *begin is NULL where there is none. `*state` is NULL at the first search in a text.
 * Errors: OCLM_ERR_CAPACITY where a match would take too many steps, too much memory or too long. */
oclm_status tok_regex_find(const tok_regex *regex, tok_regex_state **state, const char *text, size_t length, size_t from,
                           const char **begin, const char **stop);
void        tok_regex_state_free(tok_regex_state *state); /* accepts NULL */

#endif
