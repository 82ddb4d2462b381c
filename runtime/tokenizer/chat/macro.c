/* macro.c: {% macro %} and the callers of {% call %}: a body, the scope it was defined in, and how arguments meet
 * parameters. */
#include "tokenizer/chat/eval.h"
#include "tokenizer/chat/names.h"

#include <stdio.h>
#include <string.h>

struct jinja_macro {
    const jinja_node *node;
    jinja_scope *scope;
    jinja_ref name;
};

jinja_ref jinja_macro_name(const jinja_macro *macro)
{
    return macro->name;
}

jinja_ref jinja_macro_new(jinja_run *run, const jinja_node *node, jinja_ref name)
{
    jinja_value *value = jinja_make(run, JINJA_MACRO);
    jinja_macro *macro = value ? jinja_take(run, sizeof *macro) : NULL;
    if (!macro)
        return NULL;
    *macro = (jinja_macro){ node, run->scope, name };
    value->as.macro = macro;
    return value;
}

static int name_length(const jinja_macro *macro)
{
    return macro->name ? (int)macro->name->as.text.length : 4;
}

static const char *name_text(const jinja_macro *macro)
{
    return macro->name ? macro->name->as.text.data : "None";
}

static bool has_parameter(const jinja_node *node, const char *name)
{
    for (size_t i = 0; i < node->count; i++)
        if (jinja_is_text(node->items[i]->value, name))
            return true;
    return false;
}

static jinja_ref take_named(const jinja_arguments *arguments, jinja_ref name, bool *used)
{
    for (size_t i = 0; i < arguments->named_count; i++) {
        const jinja_ref key = arguments->named[i].key;
        if (!used[i] && key->as.text.length == name->as.text.length &&
            memcmp(key->as.text.data, name->as.text.data, name->as.text.length) == 0) {
            used[i] = true;
            return arguments->named[i].value;
        }
    }
    return NULL;
}

/* What a parameter has that was not given: its default, which may use those before it, or undefined. */
static jinja_ref default_of(jinja_run *run, const jinja_node *node, size_t index)
{
    const size_t first = node->count - node->more_count;
    const jinja_ref name = node->items[index]->value;
    core_text out;
    jinja_ref hint;
    if (index >= first)
        return jinja_eval(run, node->more[index - first]);
    out = jinja_making(run);
    const bool good = jinja_add_word(run, &out, "parameter '") && jinja_print(run, name, &out) &&
                      jinja_add(run, &out, "' was not provided", sizeof "' was not provided");
    if (!(hint = jinja_made(run, &out, good)))
        return NULL;
    return jinja_undefined_hint(run, hint->as.text.data, name);
}

static bool bind_parameters(jinja_run *run, const jinja_node *node, const jinja_arguments *arguments, bool *used)
{
    for (size_t i = 0; i < node->count; i++) {
        const jinja_ref name = node->items[i]->value;
        jinja_ref value = i < arguments->count ? arguments->items[i] : take_named(arguments, name, used);
        if (!value)
            value = default_of(run, node, i);
        if (!value || !jinja_bind(run, name, value))
            return false;
    }
    return true;
}

static bool bind_word(jinja_run *run, const char *word, jinja_ref value)
{
    const jinja_ref name = value ? jinja_word(run, word) : NULL;
    return name && jinja_bind(run, name, value);
}

static bool bind_caller(jinja_run *run, const jinja_arguments *arguments, bool *used)
{
    const jinja_ref word = jinja_word(run, "caller");
    jinja_ref caller = word ? take_named(arguments, word, used) : NULL;
    if (word && (!caller || caller->kind == JINJA_NONE))
        caller = jinja_undefined_hint(run, "No caller defined", word);
    return bind_word(run, "caller", caller);
}

static bool bind_kwargs(jinja_run *run, const jinja_arguments *arguments, const bool *used)
{
    jinja_dict *rest = jinja_dict_new(run);
    for (size_t i = 0; rest && i < arguments->named_count; i++)
        if (!used[i] && !jinja_dict_set(run, rest, arguments->named[i].key, arguments->named[i].value))
            return false;
    return rest && bind_word(run, "kwargs", jinja_dict_value(run, JINJA_DICT, rest));
}

static bool bind_varargs(jinja_run *run, const jinja_node *node, const jinja_arguments *arguments)
{
    const size_t taken = arguments->count < node->count ? arguments->count : node->count;
    const size_t left = arguments->count - taken;
    return bind_word(run, "varargs", jinja_sequence(run, JINJA_TUPLE, left ? arguments->items + taken : NULL, left));
}

/* What is left over must be wanted. */
static bool check_rest(jinja_run *run, const jinja_macro *macro, const jinja_arguments *arguments, const bool *used)
{
    for (size_t i = 0; i < arguments->named_count && !(macro->node->sign & JINJA_USES_KWARGS); i++)
        if (!used[i])
            return jinja_fail(run, "macro '%.*s' takes no keyword argument '%.*s'", name_length(macro),
                              name_text(macro), (int)arguments->named[i].key->as.text.length,
                              arguments->named[i].key->as.text.data) != NULL;
    if (arguments->count > macro->node->count && !(macro->node->sign & JINJA_USES_VARARGS))
        return jinja_fail(run, "macro '%.*s' takes not more than %zu argument(s)", name_length(macro), name_text(macro),
                          macro->node->count) != NULL;
    return true;
}

static jinja_ref run_macro(jinja_run *run, const jinja_macro *macro, const jinja_arguments *arguments)
{
    const jinja_node *node = macro->node;
    bool *used = jinja_take(run, arguments->named_count);
    if (!used)
        return NULL;
    memset(used, 0, arguments->named_count);
    if (!jinja_hide(run, node->c) || !bind_parameters(run, node, arguments, used))
        return NULL;
    if ((node->sign & JINJA_USES_CALLER) && !has_parameter(node, "caller") && !bind_caller(run, arguments, used))
        return NULL;
    if (!check_rest(run, macro, arguments, used))
        return NULL;
    if ((node->sign & JINJA_USES_KWARGS) && !has_parameter(node, "kwargs") && !bind_kwargs(run, arguments, used))
        return NULL;
    if ((node->sign & JINJA_USES_VARARGS) && !has_parameter(node, "varargs") && !bind_varargs(run, node, arguments))
        return NULL;
    return jinja_capture(run, node->c);
}

jinja_ref jinja_call_macro(jinja_run *run, const jinja_macro *macro, const jinja_arguments *arguments)
{
    jinja_scope *const scope = run->scope;
    const uint32_t line = run->line, loop_depth = run->loop_depth;
    jinja_ref result = NULL;
    if (!jinja_enter(run))
        return NULL;
    run->scope = macro->scope;
    run->loop_depth = 0; /* a break in here ends no loop out there */
    if (jinja_scope_push(run))
        result = run_macro(run, macro, arguments);
    run->scope = scope;
    run->loop_depth = loop_depth;
    run->line = line;
    jinja_leave(run);
    return result;
}
