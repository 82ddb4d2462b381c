/* jinja.h: chat templates as transformers sets Jinja2 up for them: ImmutableSandboxedEnvironment with trim_blocks,
 * lstrip_blocks and loopcontrols, {% generation %}, tojson, raise_exception and strftime_now. Limits stand in run.h: a
 * hostile template gets one error. */
#ifndef OCLM_TOKENIZER_CHAT_JINJA_H
#define OCLM_TOKENIZER_CHAT_JINJA_H

#include "tokenizer/chat/run.h"

/* Begins a run; `origin` names the template in messages and must outlive it. Variables are made with it, then it
 * renders once. */
void jinja_begin(jinja_run *run, const char *origin);
/* Renders `source` with `variables` (NULL: none), adding to `out`. */
oclm_status jinja_render(jinja_run *run, const char *source, size_t length, const jinja_dict *variables,
                         core_text *out);
void jinja_end(jinja_run *run);

#endif
