/* run.h: the state of one rendering, its limits and its one error. */
#ifndef OCLM_TOKENIZER_CHAT_RUN_H
#define OCLM_TOKENIZER_CHAT_RUN_H

#include "tokenizer/chat/value.h"

/* What a template may take. Real ones stay below a thousandth of each; a hostile one gets an error within a second or so. */
#define JINJA_MAX_SOURCE ((size_t)4 << 20)   /* bytes of a template */
#define JINJA_MAX_MEMORY ((size_t)512 << 20) /* bytes of values */
#define JINJA_MAX_TEXT ((size_t)128 << 20)   /* bytes of the output, or of any one string */
#define JINJA_MAX_WORK ((uint64_t)50000000) /* steps: a node evaluated, a value looked at, 16 bytes of text made or compared */
#define JINJA_MAX_NESTING 100u               /* of expressions and blocks in the source; CPython's own parser stops there too */
#define JINJA_MAX_HEIGHT 400u                /* of the tree: a chain of operators is a branch as long */
#define JINJA_MAX_DEPTH 1000u                /* of evaluation: nodes in nodes, macros in macros, lists in lists */

typedef struct jinja_binding jinja_binding;

/* Names of a block; lookups go on in `parent`. A macro keeps the scope it was defined in, which sees what is set there later. */
typedef struct jinja_scope {
    struct jinja_scope *parent;
    jinja_binding      *first;
} jinja_scope;

struct jinja_run {
    jinja_arena  arena;   /* of values */
    jinja_arena  texts;   /* of their bytes: a text that grows by its end finds room behind it */
    oclm_status  status;  /* of the error, whose message is the thread's last one */
    uint64_t     work, max_work;
    uint32_t     depth;
    uint32_t     line;    /* of what is being evaluated, for messages; 0: none */
    const char  *origin;  /* names the template in messages */
    jinja_scope *scope;
    core_text   *out;     /* what {{ }} adds to */
    const jinja_dict *variables; /* the caller's, behind all scopes */
    int64_t      now;     /* strftime_now(): seconds since 1970 of the local clock, or JINJA_CLOCK */
    uint32_t     loop_depth;
    uint32_t     jump;    /* JUMP_ of exec.c: a break or continue on its way */
};

#define JINJA_CLOCK INT64_MIN

/* Sets the error, with origin and line; NULL, so that a maker can return it. The first error stays. */
void *jinja_fail(jinja_run *run, const char *format, ...) CORE_PRINTF(2, 3);
/* The same with another status than OCLM_ERR_FORMAT. */
void *jinja_fail_as(jinja_run *run, oclm_status status, const char *format, ...) CORE_PRINTF(3, 4);
/* For what the message of a lower function tells already. */
void *jinja_failed(jinja_run *run, oclm_status status);
/* The error of an operation on an undefined value. */
void *jinja_fail_undefined(jinja_run *run, jinja_ref undefined);

void *jinja_take(jinja_run *run, size_t bytes);       /* of the arena; NULL: the error is set */
char *jinja_take_bytes(jinja_run *run, size_t bytes); /* the same of the texts' */
/* Counts steps: false once there were too many. */
bool  jinja_work(jinja_run *run, uint64_t steps);
/* Goes one level down; false where that is too deep. Each true is followed by jinja_leave(). */
bool  jinja_enter(jinja_run *run);
static inline void jinja_leave(jinja_run *run)
{
    run->depth--;
}

/* ---- Scopes */
bool      jinja_scope_push(jinja_run *run);
void      jinja_scope_pop(jinja_run *run);
bool      jinja_bind(jinja_run *run, jinja_ref name, jinja_ref value); /* in the innermost scope; NULL: undefined, whatever is outside */
jinja_ref jinja_lookup(jinja_run *run, jinja_ref name);               /* never NULL without an error: undefined */

#endif
