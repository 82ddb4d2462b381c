/* tests.c: what may stand behind `is`. */
#include "tokenizer/chat/ast.h"
#include "tokenizer/chat/call.h"

typedef bool (*asker)(jinja_ref value); /* of the value alone */

static bool is_defined(jinja_ref v)
{
    return v->kind != JINJA_UNDEFINED;
}
static bool is_undefined(jinja_ref v)
{
    return v->kind == JINJA_UNDEFINED;
}
static bool is_none(jinja_ref v)
{
    return v->kind == JINJA_NONE;
}
static bool is_boolean(jinja_ref v)
{
    return v->kind == JINJA_BOOL;
}
static bool is_true(jinja_ref v)
{
    return v->kind == JINJA_BOOL && v->as.integer;
}
static bool is_false(jinja_ref v)
{
    return v->kind == JINJA_BOOL && !v->as.integer;
}
static bool is_integer(jinja_ref v)
{
    return v->kind == JINJA_INT;
}
static bool is_float(jinja_ref v)
{
    return v->kind == JINJA_FLOAT;
}
static bool is_string(jinja_ref v)
{
    return v->kind == JINJA_STRING;
}
static bool is_mapping(jinja_ref v)
{
    return v->kind == JINJA_DICT;
}
static bool is_escaped(jinja_ref v)
{
    return v->kind == JINJA_STRING && v->markup;
}

/* What has a length and items. An undefined value has both: asking for an item is what fails. */
static bool is_sequence(jinja_ref v)
{
    return v->kind == JINJA_UNDEFINED || v->kind == JINJA_STRING || v->kind == JINJA_LIST || v->kind == JINJA_TUPLE ||
           v->kind == JINJA_DICT || v->kind == JINJA_RANGE;
}

static const struct {
    const char *name;
    asker ask;
} askers[] = {
    { "defined", is_defined },     { "undefined", is_undefined },     { "none", is_none },
    { "string", is_string },       { "mapping", is_mapping },         { "iterable", jinja_is_iterable },
    { "sequence", is_sequence },   { "boolean", is_boolean },         { "true", is_true },
    { "false", is_false },         { "integer", is_integer },         { "float", is_float },
    { "number", jinja_is_number }, { "callable", jinja_is_callable }, { "escaped", is_escaped },
};

static const struct {
    const char *name;
    jinja_sign sign;
} comparisons[] = {
    { "eq", JINJA_EQ },          { "equalto", JINJA_EQ }, { "==", JINJA_EQ }, { "ne", JINJA_NE },
    { "!=", JINJA_NE },          { "in", JINJA_IN },      { "lt", JINJA_LT }, { "lessthan", JINJA_LT },
    { "<", JINJA_LT },           { "le", JINJA_LE },      { "<=", JINJA_LE }, { "gt", JINJA_GT },
    { "greaterthan", JINJA_GT }, { ">", JINJA_GT },       { "ge", JINJA_GE }, { ">=", JINJA_GE },
};

/* x is odd, even, divisibleby(n): by the rest of a division. */
static bool by_rest(jinja_run *run, jinja_ref value, jinja_ref divisor, int64_t wanted, bool *result)
{
    const jinja_ref rest = divisor ? jinja_binary(run, JINJA_MOD, value, divisor) : NULL;
    const jinja_ref want = rest ? jinja_int(run, wanted) : NULL;
    return want && jinja_equal(run, rest, want, result);
}

/* x is lower, upper: of its text. */
static bool by_case(jinja_run *run, jinja_ref value, const char *method, bool *result)
{
    const jinja_arguments none = { NULL, 0, NULL, 0 };
    const jinja_ref text = jinja_str(run, value), name = jinja_word(run, method);
    const jinja_ref answer =
        text && name ? jinja_call_row(run, jinja_find(&jinja_text_methods, name), text, &none) : NULL;
    *result = answer && jinja_truth(answer);
    return answer != NULL;
}

static bool same_object(jinja_run *run, jinja_ref a, jinja_ref b, bool *result)
{
    *result = a == b;
    if (a->kind == b->kind && (a->kind == JINJA_NONE || a->kind == JINJA_BOOL || a->kind == JINJA_INT))
        return jinja_equal(run, a, b, result);
    return true;
}

static bool knows_filter(jinja_ref name)
{
    return name->kind == JINJA_STRING &&
           (jinja_find(&jinja_text_filters, name) || jinja_find(&jinja_list_filters, name) ||
            jinja_find(&jinja_select_filters, name) || jinja_find(&jinja_number_filters, name));
}

static bool knows_test(jinja_ref name)
{
    static const char *const others[] = { "odd", "even", "divisibleby", "lower", "upper", "sameas", "filter", "test" };
    if (name->kind != JINJA_STRING)
        return false;
    for (size_t i = 0; i < COUNT(askers); i++)
        if (jinja_is_text(name, askers[i].name))
            return true;
    for (size_t i = 0; i < COUNT(comparisons); i++)
        if (jinja_is_text(name, comparisons[i].name))
            return true;
    for (size_t i = 0; i < COUNT(others); i++)
        if (jinja_is_text(name, others[i]))
            return true;
    return false;
}

static bool wants(jinja_run *run, jinja_ref name, const jinja_arguments *arguments, size_t count)
{
    if (arguments->count == count && arguments->named_count == 0)
        return true;
    return jinja_fail(run, "test '%.*s' takes %zu argument%s, %zu given", (int)name->as.text.length, name->as.text.data,
                      count, count == 1 ? "" : "s", arguments->count + arguments->named_count) != NULL;
}

bool jinja_test(jinja_run *run, jinja_ref name, jinja_ref value, const jinja_arguments *arguments, bool *result)
{
    for (size_t i = 0; i < COUNT(askers); i++)
        if (jinja_is_text(name, askers[i].name)) {
            *result = askers[i].ask(value);
            return wants(run, name, arguments, 0);
        }
    for (size_t i = 0; i < COUNT(comparisons); i++)
        if (jinja_is_text(name, comparisons[i].name))
            return wants(run, name, arguments, 1) &&
                   jinja_compare(run, comparisons[i].sign, value, arguments->items[0], result);
    if (jinja_is_text(name, "odd") || jinja_is_text(name, "even"))
        return wants(run, name, arguments, 0) &&
               by_rest(run, value, jinja_int(run, 2), jinja_is_text(name, "odd"), result);
    if (jinja_is_text(name, "lower") || jinja_is_text(name, "upper"))
        return wants(run, name, arguments, 0) &&
               by_case(run, value, jinja_is_text(name, "lower") ? "islower" : "isupper", result);
    if (jinja_is_text(name, "divisibleby"))
        return wants(run, name, arguments, 1) && by_rest(run, value, arguments->items[0], 0, result);
    if (jinja_is_text(name, "sameas"))
        return wants(run, name, arguments, 1) && same_object(run, value, arguments->items[0], result);
    if (jinja_is_text(name, "filter") || jinja_is_text(name, "test")) {
        *result = jinja_is_text(name, "filter") ? knows_filter(value) : knows_test(value);
        return wants(run, name, arguments, 0);
    }
    return jinja_fail(run, "No test named '%.*s'.", (int)name->as.text.length, name->as.text.data) != NULL;
}
