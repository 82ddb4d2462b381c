/* ast.h: a template as a tree. One node type for all: what its fields hold stands beside each kind. */
#ifndef OCLM_TOKENIZER_CHAT_AST_H
#define OCLM_TOKENIZER_CHAT_AST_H

#include "tokenizer/chat/run.h"

typedef enum jinja_node_kind {
    /* Expressions */
    JINJA_N_CONST,     /* value */
    JINJA_N_NAME,      /* value: its name */
    JINJA_N_NSREF,     /* target n.x: value: n, other: x */
    JINJA_N_LIST,      /* items */
    JINJA_N_TUPLE,     /* items */
    JINJA_N_DICT,      /* items: key, value, key, value ... */
    JINJA_N_ATTRIBUTE, /* a . value */
    JINJA_N_ITEM,      /* a [ b ] */
    JINJA_N_SLICE,     /* a : b : c, each may be NULL */
    JINJA_N_CALL,      /* a ( items, more ), see arguments below */
    JINJA_N_FILTER,    /* a | value ( items, more ); a NULL: of a block */
    JINJA_N_TEST,      /* a is value ( items, more ) */
    JINJA_N_NOT, JINJA_N_NEGATIVE, JINJA_N_POSITIVE, /* a */
    JINJA_N_AND, JINJA_N_OR,                         /* a, b */
    JINJA_N_BINARY,    /* a sign b: + - * / // % ** */
    JINJA_N_CONCAT,    /* items, joined by ~ */
    JINJA_N_COMPARE,   /* a, then items[i] by signs[i] */
    JINJA_N_CONDITION, /* a if b else c; c may be NULL */
    /* Statements */
    JINJA_N_BLOCK,     /* items: statements one after the other */
    JINJA_N_DATA,      /* value */
    JINJA_N_PRINT,     /* items */
    JINJA_N_IF,        /* items: test, body, test, body ...; c: else, may be NULL */
    JINJA_N_FOR,       /* for a in b if filter: c; otherwise: the else; recursive: flag */
    JINJA_N_SET,       /* a = b */
    JINJA_N_SET_BLOCK, /* a = what c prints, through b (a chain of filters; NULL: none) */
    JINJA_N_MACRO,     /* value: name; items: parameters (names), more: defaults of the last ones; c: body */
    JINJA_N_CALL_BLOCK,/* a: the call; b: its caller, a MACRO */
    JINJA_N_FILTER_BLOCK, /* what c prints, through b */
    JINJA_N_WITH,      /* items: target, value, target, value ...; c: body */
    JINJA_N_SCOPE,     /* c: body with a scope of its own: {% generation %} */
    JINJA_N_BREAK, JINJA_N_CONTINUE,
    JINJA_N_REFUSE     /* value: why: what fails when it is reached, as include does without a loader */
} jinja_node_kind;

typedef enum jinja_sign {
    JINJA_ADD, JINJA_SUB, JINJA_MUL, JINJA_DIV, JINJA_FLOOR_DIV, JINJA_MOD, JINJA_POW,
    JINJA_EQ, JINJA_NE, JINJA_LT, JINJA_LE, JINJA_GT, JINJA_GE, JINJA_IN, JINJA_NOT_IN
} jinja_sign;

/* Names with a meaning in a macro: one that reads none of them takes no more arguments than it has parameters. */
enum { JINJA_USES_CALLER = 1, JINJA_USES_KWARGS = 2, JINJA_USES_VARARGS = 4 };

typedef struct jinja_node jinja_node;
struct jinja_node {
    uint8_t      kind;   /* jinja_node_kind */
    uint8_t      sign;   /* jinja_sign; of a MACRO: JINJA_USES_ */
    bool         flag;
    uint16_t     height; /* 1 + that of the highest below */
    uint32_t     line;
    jinja_ref    value, other;
    jinja_node  *a, *b, *c, *filter, *otherwise;
    jinja_node **items;
    size_t       count;
    /* Of calls: keyword arguments, name (a NAME) and value by turns. Of macros: defaults. */
    jinja_node **more;
    size_t       more_count;
    jinja_node  *star, *star_star; /* *args and **kwargs of a call */
    uint8_t     *signs;
    const jinja_ref *hidden; /* of a BLOCK with a scope of its own: names.c */
    size_t       hidden_count;
};

/* The tree of a template; NULL: the error is set. `source` is checked here and lives as long as the run. */
jinja_node *jinja_parse(jinja_run *run, const char *source, size_t length);

#endif
