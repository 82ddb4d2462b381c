/* lexer.h: a template's source as tokens, by the rules of Jinja2's own lexer with trim_blocks and lstrip_blocks set. */
#ifndef OCLM_TOKENIZER_CHAT_LEXER_H
#define OCLM_TOKENIZER_CHAT_LEXER_H

#include "tokenizer/chat/run.h"

typedef enum jinja_token_kind {
    JINJA_T_END,
    JINJA_T_DATA,
    JINJA_T_BLOCK_BEGIN,
    JINJA_T_BLOCK_END,
    JINJA_T_VARIABLE_BEGIN,
    JINJA_T_VARIABLE_END,
    JINJA_T_NAME,
    JINJA_T_STRING,
    JINJA_T_INT,
    JINJA_T_FLOAT,
    JINJA_T_OPERATOR
} jinja_token_kind;

typedef struct jinja_token {
    jinja_token_kind kind;
    uint32_t line;
    jinja_ref value; /* DATA, NAME, STRING, INT, FLOAT */
    char sign[3];    /* OPERATOR: "+", "**" ..., NUL-ended */
} jinja_token;

typedef struct jinja_tokens {
    jinja_token *items; /* the last is END */
    size_t count, capacity;
} jinja_tokens;

/* Tokens in the run's arena; false: the error is set. `source` is valid UTF-8 and lives as long as the run. */
bool jinja_lex(jinja_run *run, const char *source, size_t length, jinja_tokens *tokens);

/* The value of a string literal: what stands between its quotes, escapes resolved as Python does
 * (literal.c). */
jinja_ref jinja_literal(jinja_run *run, const char *text, size_t length);

#endif
