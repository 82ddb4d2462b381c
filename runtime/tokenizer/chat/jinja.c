/* jinja.c: source to output. */
#include "tokenizer/chat/jinja.h"

#include <string.h>

#include "tokenizer/chat/eval.h"
#include "tokenizer/chat/names.h"

void jinja_begin(jinja_run *run, const char *origin)
{
    memset(run, 0, sizeof *run);
    run->arena.limit = JINJA_MAX_MEMORY / 2;
    run->texts.limit = JINJA_MAX_MEMORY / 2;
    run->origin = origin;
    run->now = JINJA_CLOCK;
    run->max_work = JINJA_MAX_WORK;
}

oclm_status jinja_render(jinja_run *run, const char *source, size_t length, const jinja_dict *variables, core_text *out)
{
    static const jinja_dict none = { NULL, 0, 0, NULL, 0 };
    jinja_node             *tree;
    core_text               text = jinja_making(run);
    if (run->status != OCLM_OK)
        return run->status;
    run->variables = variables ? variables : &none;
    if ((tree = jinja_parse(run, source, length)) && jinja_resolve_names(run, tree) && jinja_scope_push(run) && jinja_hide(run, tree)) {
        run->out = &text;
        if (jinja_exec(run, tree))
            run->status = core_text_add(out, text.data ? text.data : "", text.length);
    }
    core_text_free(&text);
    return run->status;
}

void jinja_end(jinja_run *run)
{
    jinja_arena_free(&run->arena);
    jinja_arena_free(&run->texts);
}
