/* pattern.h: what Split looks for and Replace replaces: {"String": literal} or {"Regex": known pattern}. */
#ifndef OCLM_TOKENIZER_PATTERN_H
#define OCLM_TOKENIZER_PATTERN_H

#include "core/json.h"
#include "tokenizer/scanners.h"

typedef struct tok_pattern {
    tok_scanner scan;    /* of a regex; NULL: the literal */
    char       *literal; /* an empty one never matches */
    size_t      length;
} tok_pattern;

/* Reads the "pattern" of a component. Errors: OCLM_ERR_UNSUPPORTED, showing a regex that no scanner serves. */
oclm_status tok_pattern_read(tok_pattern *pattern, const cJSON *config, const char *where);
void        tok_pattern_deinit(tok_pattern *pattern);

/* The first match that begins at or after `p`: its beginning, and its end in `*stop`. NULL if there is none. Never empty. */
const char *tok_pattern_find(const tok_pattern *pattern, const char *p, const char *end, const char **stop);

#endif
