/* exec.c: statements. */
#include "tokenizer/chat/eval.h"
#include "tokenizer/chat/names.h"

#include <stdio.h>

jinja_ref jinja_capture(jinja_run *run, const jinja_node *body)
{
    core_text out = jinja_making(run);
    core_text *const before = run->out;
    run->out = &out;
    const bool good = jinja_exec(run, body);
    run->out = before;
    return jinja_made(run, &out, good);
}

/* ---- Assigning */

static bool assign_namespace(jinja_run *run, const jinja_node *target, jinja_ref value)
{
    const jinja_ref owner = jinja_lookup(run, target->value);
    if (!owner)
        return false;
    if (owner->kind != JINJA_NAMESPACE)
        return jinja_fail(run, "cannot assign attribute on non-namespace object") != NULL;
    return jinja_may_store(run, target->other) && jinja_dict_set(run, owner->as.dict, target->other, value);
}

bool jinja_assign(jinja_run *run, const jinja_node *target, jinja_ref value)
{
    const jinja_ref *items;
    size_t count;
    if (target->kind == JINJA_N_NAME)
        return jinja_bind(run, target->value, value);
    if (target->kind == JINJA_N_NSREF)
        return assign_namespace(run, target, value);
    if (!jinja_is_iterable(value))
        return jinja_fail(run, "cannot unpack non-iterable %s object", jinja_type(value)) != NULL;
    if (!jinja_items(run, value, &items, &count))
        return false;
    if (count > target->count)
        return jinja_fail(run, "too many values to unpack (expected %zu)", target->count) != NULL;
    if (count < target->count)
        return jinja_fail(run, "not enough values to unpack (expected %zu, got %zu)", target->count, count) != NULL;
    for (size_t i = 0; i < count; i++)
        if (!jinja_assign(run, target->items[i], items[i]))
            return false;
    return true;
}

/* ---- Statements */

static bool print_items(jinja_run *run, const jinja_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        const jinja_ref value = jinja_eval(run, node->items[i]);
        if (!value || !jinja_print(run, value, run->out))
            return false;
    }
    return true;
}

static bool exec_if(jinja_run *run, const jinja_node *node)
{
    for (size_t i = 0; i < node->count; i += 2) {
        const jinja_ref test = jinja_eval(run, node->items[i]);
        if (!test)
            return false;
        if (jinja_truth(test))
            return jinja_exec(run, node->items[i + 1]);
    }
    return !node->c || jinja_exec(run, node->c);
}

static bool exec_set(jinja_run *run, const jinja_node *node)
{
    const jinja_ref value = jinja_eval(run, node->b);
    run->line = node->line;
    return value && jinja_assign(run, node->a, value);
}

/* What a body prints in a scope of its own. */
static jinja_ref capture_in_scope(jinja_run *run, const jinja_node *body)
{
    jinja_ref text;
    if (!jinja_scope_push(run))
        return NULL;
    text = jinja_hide(run, body) ? jinja_capture(run, body) : NULL;
    jinja_scope_pop(run);
    return text;
}

static bool exec_set_block(jinja_run *run, const jinja_node *node)
{
    const jinja_ref text = capture_in_scope(run, node->c), value = text ? jinja_eval_filters(run, node->b, text) : NULL;
    return value && jinja_assign(run, node->a, value);
}

static bool exec_filter_block(jinja_run *run, const jinja_node *node)
{
    const jinja_ref text = capture_in_scope(run, node->c), value = text ? jinja_eval_filters(run, node->b, text) : NULL;
    return value && jinja_print(run, value, run->out);
}

static bool exec_scope(jinja_run *run, const jinja_node *body)
{
    bool good;
    if (!jinja_scope_push(run))
        return false;
    good = jinja_hide(run, body) && jinja_exec(run, body);
    jinja_scope_pop(run);
    return good;
}

/* All values are evaluated outside, then assigned inside. */
static bool exec_with(jinja_run *run, const jinja_node *node)
{
    jinja_ref *values = jinja_array(run, node->count);
    bool good = values != NULL;
    for (size_t i = 1; good && i < node->count; i += 2)
        good = (values[i] = jinja_eval(run, node->items[i])) != NULL;
    if (!good || !jinja_scope_push(run))
        return false;
    good = jinja_hide(run, node->c);
    for (size_t i = 1; good && i < node->count; i += 2)
        good = jinja_assign(run, node->items[i - 1], values[i]);
    good = good && jinja_exec(run, node->c);
    jinja_scope_pop(run);
    return good;
}

static bool exec_macro(jinja_run *run, const jinja_node *node)
{
    const jinja_ref macro = jinja_macro_new(run, node, node->value);
    return macro && jinja_bind(run, node->value, macro);
}

/* The call gets one more argument: caller, a macro of the body. */
static bool exec_call_block(jinja_run *run, const jinja_node *node)
{
    const jinja_ref caller = jinja_macro_new(run, node->b, NULL), word = jinja_word(run, "caller");
    const jinja_ref callee = caller && word ? jinja_eval(run, node->a->a) : NULL;
    jinja_arguments arguments;
    jinja_pair *named;
    jinja_ref result;
    if (!callee || !jinja_eval_arguments(run, node->a, &arguments) ||
        !(named = jinja_take(run, (arguments.named_count + 1) * sizeof *named)))
        return false;
    for (size_t i = 0; i < arguments.named_count; i++)
        named[i] = arguments.named[i];
    named[arguments.named_count++] = (jinja_pair){ word, caller };
    arguments.named = named;
    result = jinja_call(run, callee, &arguments);
    return result && jinja_print(run, result, run->out);
}

static bool exec_block(jinja_run *run, const jinja_node *node)
{
    for (size_t i = 0; i < node->count && run->jump == JINJA_JUMP_NONE; i++)
        if (!jinja_exec(run, node->items[i]))
            return false;
    return true;
}

static bool jump(jinja_run *run, uint32_t where)
{
    if (run->loop_depth == 0)
        return jinja_fail(run, "'%s' outside loop", where == JINJA_JUMP_BREAK ? "break" : "continue") != NULL;
    run->jump = where;
    return true;
}

static bool exec_inside(jinja_run *run, const jinja_node *node)
{
    run->line = node->line;
    switch ((jinja_node_kind)node->kind) {
    case JINJA_N_BLOCK:
        return exec_block(run, node);
    case JINJA_N_DATA:
        return jinja_add(run, run->out, node->value->as.text.data, node->value->as.text.length);
    case JINJA_N_PRINT:
        return print_items(run, node);
    case JINJA_N_IF:
        return exec_if(run, node);
    case JINJA_N_FOR:
        return jinja_exec_for(run, node);
    case JINJA_N_SET:
        return exec_set(run, node);
    case JINJA_N_SET_BLOCK:
        return exec_set_block(run, node);
    case JINJA_N_MACRO:
        return exec_macro(run, node);
    case JINJA_N_CALL_BLOCK:
        return exec_call_block(run, node);
    case JINJA_N_FILTER_BLOCK:
        return exec_filter_block(run, node);
    case JINJA_N_WITH:
        return exec_with(run, node);
    case JINJA_N_SCOPE:
        return exec_scope(run, node->c);
    case JINJA_N_BREAK:
        return jump(run, JINJA_JUMP_BREAK);
    case JINJA_N_CONTINUE:
        return jump(run, JINJA_JUMP_CONTINUE);
    case JINJA_N_REFUSE:
        return jinja_fail(run, "%.*s", (int)node->value->as.text.length, node->value->as.text.data) != NULL;
    default:
        return jinja_fail_as(run, OCLM_ERR_INTERNAL, "node %u is no statement", node->kind) != NULL;
    }
}

bool jinja_exec(jinja_run *run, const jinja_node *node)
{
    bool good;
    if (!jinja_enter(run))
        return false;
    good = exec_inside(run, node);
    jinja_leave(run);
    return good;
}
