/* names.h: what a block hides before it runs. */
#ifndef OCLM_TOKENIZER_CHAT_NAMES_H
#define OCLM_TOKENIZER_CHAT_NAMES_H

#include "tokenizer/chat/ast.h"

/* Fills in `hidden` of every block with a scope of its own. */
bool jinja_resolve_names(jinja_run *run, jinja_node *tree);
/* Makes the names that `body` hides undefined in the innermost scope, which is its own and new. */
bool jinja_hide(jinja_run *run, const jinja_node *body);

#endif
