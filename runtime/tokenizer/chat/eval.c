/* eval.c: expressions. */
#include "tokenizer/chat/eval.h"

#include <stdio.h>
#include <string.h>

/* ---- Arguments */

/* Positional ones, with those of *star behind. */
static bool eval_positional(jinja_run *run, const jinja_node *node, jinja_arguments *arguments)
{
    const jinja_ref *more = NULL;
    size_t more_count = 0;
    jinja_ref *items, star;
    if (node->count == 0 && !node->star)
        return true;
    if (node->star && (!(star = jinja_eval(run, node->star)) || !jinja_items(run, star, &more, &more_count)))
        return false;
    if (!(items = jinja_array(run, node->count + more_count)))
        return false;
    for (size_t i = 0; i < node->count; i++)
        if (!(items[i] = jinja_eval(run, node->items[i])))
            return false;
    if (more_count > 0)
        memcpy(items + node->count, more, more_count * sizeof *items);
    arguments->items = items;
    arguments->count = node->count + more_count;
    return true;
}

static bool eval_named(jinja_run *run, const jinja_node *node, jinja_arguments *arguments)
{
    jinja_pair *named;
    const jinja_dict *more = NULL;
    size_t count = node->more_count / 2;
    jinja_ref star;
    if (node->more_count == 0 && !node->star_star)
        return true;
    if (node->star_star) {
        if (!(star = jinja_eval(run, node->star_star)))
            return false;
        if (star->kind != JINJA_DICT)
            return jinja_fail(run, "argument after ** must be a mapping, not %s", jinja_type(star)) != NULL;
        more = star->as.dict;
    }
    if (!(named = jinja_take(run, (count + (more ? more->count : 0) + 1) * sizeof *named)))
        return false;
    for (size_t i = 0; i < count; i++) {
        named[i].key = node->more[2 * i]->value;
        if (!(named[i].value = jinja_eval(run, node->more[2 * i + 1])))
            return false;
    }
    for (size_t i = 0; more && i < more->count; i++) {
        if (more->pairs[i].key->kind != JINJA_STRING)
            return jinja_fail(run, "keywords must be strings") != NULL;
        named[count++] = more->pairs[i];
    }
    arguments->named = named;
    arguments->named_count = count;
    return true;
}

bool jinja_eval_arguments(jinja_run *run, const jinja_node *node, jinja_arguments *arguments)
{
    *arguments = (jinja_arguments){ NULL, 0, NULL, 0 };
    return eval_positional(run, node, arguments) && eval_named(run, node, arguments);
}

/* ---- Nodes */

static jinja_ref eval_items(jinja_run *run, const jinja_node *node, jinja_kind kind)
{
    jinja_ref *items = jinja_array(run, node->count);
    if (!items)
        return NULL;
    for (size_t i = 0; i < node->count; i++)
        if (!(items[i] = jinja_eval(run, node->items[i])))
            return NULL;
    return jinja_sequence(run, kind, items, node->count);
}

static jinja_ref eval_dict(jinja_run *run, const jinja_node *node)
{
    jinja_dict *dict = jinja_dict_new(run);
    for (size_t i = 0; dict && i < node->count; i += 2) {
        jinja_ref key = jinja_eval(run, node->items[i]), value = key ? jinja_eval(run, node->items[i + 1]) : NULL;
        if (!value || !jinja_dict_set(run, dict, key, value))
            return NULL;
    }
    return dict ? jinja_dict_value(run, JINJA_DICT, dict) : NULL;
}

static jinja_ref eval_slice(jinja_run *run, const jinja_node *node)
{
    const jinja_node *parts[3] = { node->a, node->b, node->c };
    jinja_ref *items = jinja_array(run, 3);
    if (!items)
        return NULL;
    for (size_t i = 0; i < 3; i++)
        if (!(items[i] = parts[i] ? jinja_eval(run, parts[i]) : &jinja_none))
            return NULL;
    return jinja_sequence(run, JINJA_SLICE, items, 3);
}

static jinja_ref eval_item(jinja_run *run, const jinja_node *node)
{
    const jinja_ref owner = jinja_eval(run, node->a), key = owner ? jinja_eval(run, node->b) : NULL;
    if (!key)
        return NULL;
    return node->b->kind == JINJA_N_SLICE ? jinja_get_slice(run, owner, key) : jinja_get_item(run, owner, key);
}

static jinja_ref eval_call(jinja_run *run, const jinja_node *node)
{
    const jinja_ref callee = jinja_eval(run, node->a);
    jinja_arguments arguments;
    if (!callee || !jinja_eval_arguments(run, node, &arguments))
        return NULL;
    run->line = node->line;
    return jinja_call(run, callee, &arguments);
}

static jinja_ref apply_filter(jinja_run *run, const jinja_node *node, jinja_ref value)
{
    jinja_arguments arguments;
    if (!value || !jinja_eval_arguments(run, node, &arguments))
        return NULL;
    run->line = node->line;
    return jinja_filter(run, node->value, value, &arguments);
}

jinja_ref jinja_eval_filters(jinja_run *run, const jinja_node *filter, jinja_ref value)
{
    if (!filter)
        return value;
    return apply_filter(run, filter, jinja_eval_filters(run, filter->a, value));
}

static jinja_ref eval_test(jinja_run *run, const jinja_node *node)
{
    const jinja_ref value = jinja_eval(run, node->a);
    jinja_arguments arguments;
    bool result;
    if (!value || !jinja_eval_arguments(run, node, &arguments))
        return NULL;
    return jinja_test(run, node->value, value, &arguments, &result) ? jinja_bool(result) : NULL;
}

static jinja_ref eval_concat(jinja_run *run, const jinja_node *node)
{
    core_text out = jinja_making(run);
    bool good = true;
    for (size_t i = 0; i < node->count && good; i++) {
        const jinja_ref item = jinja_eval(run, node->items[i]);
        good = item && jinja_print(run, item, &out);
    }
    return jinja_made(run, &out, good);
}

/* a < b < c: each is evaluated once, the rest not after a false one. */
static jinja_ref eval_compare(jinja_run *run, const jinja_node *node)
{
    jinja_ref left = jinja_eval(run, node->a);
    bool result = true;
    for (size_t i = 0; left && i < node->count && result; i++) {
        const jinja_ref right = jinja_eval(run, node->items[i]);
        if (!right || !jinja_compare(run, node->signs[i], left, right, &result))
            return NULL;
        left = right;
    }
    return left ? jinja_bool(result) : NULL;
}

static jinja_ref eval_condition(jinja_run *run, const jinja_node *node)
{
    const jinja_ref test = jinja_eval(run, node->b);
    char text[128];
    jinja_ref hint;
    if (!test)
        return NULL;
    if (jinja_truth(test))
        return jinja_eval(run, node->a);
    if (node->c)
        return jinja_eval(run, node->c);
    (void)snprintf(text, sizeof text,
                   "the inline if-expression on line %u evaluated to false and no else section was defined.",
                   node->line);
    if (!(hint = jinja_text(run, text, strlen(text) + 1)))
        return NULL;
    return jinja_undefined_hint(run, hint->as.text.data, NULL);
}

static jinja_ref eval_binary(jinja_run *run, const jinja_node *node)
{
    const jinja_ref a = jinja_eval(run, node->a), b = a ? jinja_eval(run, node->b) : NULL;
    if (!b)
        return NULL;
    run->line = node->line;
    return jinja_binary(run, node->sign, a, b);
}

static jinja_ref eval_inside(jinja_run *run, const jinja_node *node)
{
    jinja_ref a;
    run->line = node->line;
    switch ((jinja_node_kind)node->kind) {
    case JINJA_N_CONST:
        return node->value;
    case JINJA_N_NAME:
        return jinja_lookup(run, node->value);
    case JINJA_N_LIST:
        return eval_items(run, node, JINJA_LIST);
    case JINJA_N_TUPLE:
        return eval_items(run, node, JINJA_TUPLE);
    case JINJA_N_DICT:
        return eval_dict(run, node);
    case JINJA_N_SLICE:
        return eval_slice(run, node);
    case JINJA_N_ITEM:
        return eval_item(run, node);
    case JINJA_N_CALL:
        return eval_call(run, node);
    case JINJA_N_TEST:
        return eval_test(run, node);
    case JINJA_N_CONCAT:
        return eval_concat(run, node);
    case JINJA_N_COMPARE:
        return eval_compare(run, node);
    case JINJA_N_CONDITION:
        return eval_condition(run, node);
    case JINJA_N_BINARY:
        return eval_binary(run, node);
    default:
        break;
    }
    if (!node->a)
        return jinja_fail_as(run, OCLM_ERR_INTERNAL, "node %u is no expression", node->kind);
    if (!(a = jinja_eval(run, node->a)))
        return NULL;
    run->line = node->line;
    switch ((jinja_node_kind)node->kind) {
    case JINJA_N_ATTRIBUTE:
        return jinja_get_attribute(run, a, node->value);
    case JINJA_N_FILTER:
        return apply_filter(run, node, a);
    case JINJA_N_NOT:
        return jinja_bool(!jinja_truth(a));
    case JINJA_N_NEGATIVE:
        return jinja_negative(run, a, true);
    case JINJA_N_POSITIVE:
        return jinja_negative(run, a, false);
    case JINJA_N_AND:
        return jinja_truth(a) ? jinja_eval(run, node->b) : a;
    case JINJA_N_OR:
        return jinja_truth(a) ? a : jinja_eval(run, node->b);
    default:
        return jinja_fail_as(run, OCLM_ERR_INTERNAL, "node %u is no expression", node->kind);
    }
}

jinja_ref jinja_eval(jinja_run *run, const jinja_node *node)
{
    jinja_ref value;
    if (!jinja_enter(run))
        return NULL;
    value = eval_inside(run, node);
    jinja_leave(run);
    return value;
}
