/* eval.h: running the tree. */
#ifndef OCLM_TOKENIZER_CHAT_EVAL_H
#define OCLM_TOKENIZER_CHAT_EVAL_H

#include "tokenizer/chat/ast.h"
#include "tokenizer/chat/call.h"

enum { JINJA_JUMP_NONE, JINJA_JUMP_BREAK, JINJA_JUMP_CONTINUE };

jinja_ref jinja_eval(jinja_run *run, const jinja_node *node);
/* The arguments of a CALL, FILTER or TEST, evaluated. */
bool jinja_eval_arguments(jinja_run *run, const jinja_node *node, jinja_arguments *arguments);
/* Applies a chain of filters whose innermost has no value of its own (of a block) to `value`. */
jinja_ref jinja_eval_filters(jinja_run *run, const jinja_node *filter, jinja_ref value);

/* Prints to run->out; a break or continue is left in run->jump. */
bool jinja_exec(jinja_run *run, const jinja_node *node);
/* What a body prints, as a text; its scope is the caller's business. */
jinja_ref jinja_capture(jinja_run *run, const jinja_node *body);
bool jinja_assign(jinja_run *run, const jinja_node *target, jinja_ref value);

jinja_ref jinja_macro_new(jinja_run *run, const jinja_node *node, jinja_ref name); /* closes over run->scope */
bool jinja_exec_for(jinja_run *run, const jinja_node *node);

#endif
