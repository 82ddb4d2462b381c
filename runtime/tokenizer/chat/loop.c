/* loop.c: {% for %}, what `loop` knows in it, and loop(...) of a recursive one. */
#include "tokenizer/chat/eval.h"
#include "tokenizer/chat/names.h"

#include <string.h>

struct jinja_loop {
    const jinja_node *node;
    jinja_scope *scope; /* outside of it: where a recursive call begins */
    const jinja_ref *items;
    size_t count, index;
    uint32_t depth;    /* of recursion, from 0 */
    jinja_ref changed; /* what changed() saw last: a tuple; NULL */
};

size_t jinja_loop_length(const jinja_loop *loop)
{
    return loop->count;
}

/* ---- loop.x */

JINJA_DEFINE(loop_cycle)
{
    if (all->count == 0)
        return jinja_fail(run, "no items for cycling given");
    return all->items[self->as.loop->index % all->count];
}

JINJA_DEFINE(loop_changed)
{
    const jinja_ref now = jinja_sequence(run, JINJA_TUPLE, all->items, all->count);
    bool equal = false;
    if (!now || (self->as.loop->changed && !jinja_equal(run, self->as.loop->changed, now, &equal)))
        return NULL;
    self->as.loop->changed = now;
    return jinja_bool(!equal);
}

static const jinja_callable loop_rows[] = {
    { "cycle", NULL, 0, loop_cycle },
    { "changed", NULL, 0, loop_changed },
};
static const jinja_table loop_methods = { loop_rows, COUNT(loop_rows) };

jinja_ref jinja_loop_attribute(jinja_run *run, jinja_ref value, jinja_ref name)
{
    const jinja_loop *loop = value->as.loop;
    const jinja_callable *row = jinja_find(&loop_methods, name);
    const struct {
        const char *name;
        size_t value;
    } numbers[] = {
        { "index", loop->index + 1 },
        { "index0", loop->index },
        { "revindex", loop->count - loop->index },
        { "revindex0", loop->count - loop->index - 1 },
        { "length", loop->count },
        { "depth", loop->depth + 1u },
        { "depth0", loop->depth },
    };
    if (row)
        return jinja_method(run, row, value);
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (jinja_is_text(name, numbers[i].name))
            return jinja_int(run, (int64_t)numbers[i].value);
    if (jinja_is_text(name, "first"))
        return jinja_bool(loop->index == 0);
    if (jinja_is_text(name, "last"))
        return jinja_bool(loop->index + 1 >= loop->count);
    if (jinja_is_text(name, "previtem"))
        return loop->index > 0 ? loop->items[loop->index - 1]
                               : jinja_undefined_hint(run, "there is no previous item", NULL);
    if (jinja_is_text(name, "nextitem"))
        return loop->index + 1 < loop->count ? loop->items[loop->index + 1]
                                             : jinja_undefined_hint(run, "there is no next item", NULL);
    return NULL;
}

/* ---- The loop */

/* The items that the loop's own filter lets pass; each is tried in a scope with the target alone. */
static bool filter_items(jinja_run *run, const jinja_node *node, const jinja_ref **items, size_t *count)
{
    jinja_ref *kept = jinja_array(run, *count);
    size_t kept_count = 0;
    if (!kept)
        return false;
    for (size_t i = 0; i < *count; i++) {
        jinja_ref test = NULL;
        if (!jinja_scope_push(run))
            return false;
        if (jinja_assign(run, node->a, (*items)[i]))
            test = jinja_eval(run, node->filter);
        jinja_scope_pop(run);
        if (!test)
            return false;
        if (jinja_truth(test))
            kept[kept_count++] = (*items)[i];
    }
    *items = kept;
    *count = kept_count;
    return true;
}

static bool run_body(jinja_run *run, const jinja_node *node, jinja_ref word, jinja_ref loop)
{
    bool good;
    if (!jinja_scope_push(run))
        return false;
    good = jinja_hide(run, node->c) && jinja_bind(run, word, loop) &&
           jinja_assign(run, node->a, loop->as.loop->items[loop->as.loop->index]) && jinja_exec(run, node->c);
    jinja_scope_pop(run);
    return good;
}

static bool run_loop(jinja_run *run, const jinja_node *node, jinja_ref over, uint32_t depth)
{
    jinja_value *value = jinja_make(run, JINJA_LOOP);
    jinja_loop *loop = value ? jinja_take(run, sizeof *loop) : NULL;
    jinja_ref word = loop ? jinja_word(run, "loop") : NULL;
    bool good = true, broken = false;
    if (!word)
        return false;
    memset(loop, 0, sizeof *loop);
    value->as.loop = loop;
    loop->node = node;
    loop->scope = run->scope;
    loop->depth = depth;
    if (!jinja_items(run, over, &loop->items, &loop->count) ||
        (node->filter && !filter_items(run, node, &loop->items, &loop->count)))
        return false;
    run->loop_depth++;
    for (; good && !broken && loop->index < loop->count; loop->index++) {
        good = jinja_work(run, 1) && run_body(run, node, word, value);
        broken = run->jump == JINJA_JUMP_BREAK;
        run->jump = JINJA_JUMP_NONE;
    }
    run->loop_depth--;
    if (!good || !node->otherwise || loop->count > 0)
        return good;
    if (!jinja_scope_push(run))
        return false;
    good = jinja_hide(run, node->otherwise) && jinja_exec(run, node->otherwise);
    jinja_scope_pop(run);
    return good;
}

bool jinja_exec_for(jinja_run *run, const jinja_node *node)
{
    const jinja_ref over = jinja_eval(run, node->b);
    run->line = node->line;
    return over && run_loop(run, node, over, 0);
}

jinja_ref jinja_call_loop(jinja_run *run, jinja_loop *loop, const jinja_arguments *arguments)
{
    jinja_scope *const scope = run->scope;
    core_text *const before = run->out;
    const uint32_t loop_depth = run->loop_depth;
    core_text out = jinja_making(run);
    bool good;
    if (!loop->node->flag)
        return jinja_fail(run, "The loop must have the 'recursive' marker to be called recursively.");
    if (arguments->count != 1 || arguments->named_count != 0)
        return jinja_fail(run, "loop() takes one argument: what to go on with");
    if (!jinja_enter(run))
        return NULL;
    run->scope = loop->scope;
    run->out = &out;
    run->loop_depth = 0;
    good = run_loop(run, loop->node, arguments->items[0], loop->depth + 1);
    run->loop_depth = loop_depth;
    run->out = before;
    run->scope = scope;
    jinja_leave(run);
    return jinja_made(run, &out, good);
}
