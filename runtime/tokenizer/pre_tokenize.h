/* pre_tokenize.h: the pre-tokenizers that have a file of their own. */
#ifndef OCLM_TOKENIZER_PRE_TOKENIZE_H
#define OCLM_TOKENIZER_PRE_TOKENIZE_H

#include "core/json.h"
#include "tokenizer/pattern.h"

struct tok_run;
struct tok_step;

typedef enum tok_behavior {
    TOK_REMOVED, TOK_ISOLATED, TOK_MERGED_WITH_PREVIOUS, TOK_MERGED_WITH_NEXT, TOK_CONTIGUOUS
} tok_behavior;

/* Joins matches and gaps, told one after the other, to pieces. The reference's SplitDelimiterBehavior. */
typedef struct tok_splitter {
    struct tok_run *run;
    size_t          next;     /* the step that gets the pieces */
    tok_behavior    behavior;
    const char     *begin;    /* of the piece being made; NULL if none */
    const char     *end;
    bool            match;    /* the last part was a match */
} tok_splitter;

oclm_status tok_splitter_part(tok_splitter *splitter, const char *begin, const char *end, bool match);
oclm_status tok_splitter_finish(tok_splitter *splitter);

oclm_status tok_split_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_digits_make(const cJSON *config, const char *where, struct tok_step **step);

#endif
