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

/* "behavior"; absent: stays. */
oclm_status tok_json_behavior(const cJSON *config, const char *where, tok_behavior *behavior);
/* A required member that is one character; `*text` lives as the tree. */
oclm_status tok_json_char(const cJSON *config, const char *name, const char *where, const char **text, size_t *length);

/* Each makes its pre-tokenizer (the component of that name in tokenizer.json). */
oclm_status tok_bert_split_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_char_delimiter_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_metaspace_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_whitespace_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_whitespace_split_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_split_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_punctuation_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_digits_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_unicode_scripts_make(const cJSON *config, const char *where, struct tok_step **step);
oclm_status tok_fixed_length_make(const cJSON *config, const char *where, struct tok_step **step);

/* Metaspace that asks where in the original text a piece begins ("first"). */
bool tok_metaspace_looks_back(const struct tok_step *step);

#endif
