/* parser.h: what the two halves of the parser share: its state, the tokens before it, growing lists of nodes. */
#ifndef OCLM_TOKENIZER_CHAT_PARSER_H
#define OCLM_TOKENIZER_CHAT_PARSER_H

#include "tokenizer/chat/ast.h"
#include "tokenizer/chat/lexer.h"

typedef struct jinja_parser {
    jinja_run *run;
    const jinja_token *token; /* the current one */
    uint32_t nesting;
    uint8_t specials; /* JINJA_USES_ of the names read since the macro began */
} jinja_parser;

typedef struct jinja_nodes {
    jinja_node **items;
    size_t count, capacity;
} jinja_nodes;
#define JINJA_NODES_INIT                                                                                               \
    {                                                                                                                  \
        NULL, 0, 0                                                                                                     \
    }

/* ---- parser.c */
jinja_node *jinja_node_new(jinja_parser *p, jinja_node_kind kind);
/* To be called when a node is complete: sets its height; NULL where it is too high. */
jinja_node *jinja_node_done(jinja_parser *p, jinja_node *node);
/* The same of a node with these items. */
jinja_node *jinja_node_of(jinja_parser *p, jinja_node *node, const jinja_nodes *items);
bool jinja_nodes_add(jinja_parser *p, jinja_nodes *list, jinja_node *node); /* false also where `node` is NULL */
bool jinja_at_sign(const jinja_parser *p, const char *sign);
bool jinja_at_name(const jinja_parser *p, const char *name);
bool jinja_skip_sign(jinja_parser *p, const char *sign); /* true: it was there, and is passed */
bool jinja_skip_name(jinja_parser *p, const char *name);
bool jinja_expect_sign(jinja_parser *p, const char *sign);
bool jinja_expect_name(jinja_parser *p, const char *name);
jinja_ref jinja_expect_any_name(jinja_parser *p); /* NULL: another token */
/* "expected token 'x', got 'y'". */
void *jinja_unexpected(jinja_parser *p, const char *wanted);
bool jinja_deeper(jinja_parser *p); /* false: too deep; else p->nesting-- afterwards */

/* ---- parse_expression.c */
jinja_node *jinja_parse_expression(jinja_parser *p);
/* The part without "x if y": what stands after {% if and after "in". */
jinja_node *jinja_parse_or(jinja_parser *p);
/* Expressions with commas between: a tuple, or the one there is. `condition`: with "x if y"; `end`: a name that ends
 * it, or NULL. */
jinja_node *jinja_parse_tuple(jinja_parser *p, bool condition, const char *end);
/* A name, a tuple of names, n.x where `ns`: what can be assigned to. */
jinja_node *jinja_parse_target(jinja_parser *p, const char *end, bool ns);
/* "| f | g(1)" after `node`; with `inline`, the first without its bar. */
jinja_node *jinja_parse_filters(jinja_parser *p, jinja_node *node, bool inline_first);

#endif
