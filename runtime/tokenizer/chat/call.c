/* call.c: calling, and the binding of arguments to a row's parameters. */
#include "tokenizer/chat/call.h"

#include <string.h>

const jinja_callable *jinja_find(const jinja_table *table, jinja_ref name)
{
    for (size_t i = 0; i < table->count; i++)
        if (jinja_is_text(name, table->rows[i].name))
            return &table->rows[i];
    return NULL;
}

/* The index of a name in "a b c"; `*count` of all. SIZE_MAX: none. */
static size_t parameter_index(const char *parameters, jinja_ref name, size_t *count)
{
    size_t index = 0, found = SIZE_MAX;
    for (const char *p = parameters; *p; index++) {
        const size_t length = strcspn(p, " ");
        if (name && length == name->as.text.length && memcmp(p, name->as.text.data, length) == 0)
            found = index;
        p += length + (p[length] == ' ');
    }
    *count = index;
    return found;
}

static const char *parameter_at(const char *parameters, size_t index, size_t *length)
{
    for (; index > 0; index--)
        parameters += strcspn(parameters, " ") + 1;
    *length = strcspn(parameters, " ");
    return parameters;
}

static bool take_named(jinja_run *run, const jinja_callable *row, const jinja_arguments *arguments, jinja_ref *a)
{
    size_t count;
    for (size_t i = 0; i < arguments->named_count; i++) {
        const jinja_ref name = arguments->named[i].key;
        const size_t index = parameter_index(row->parameters, name, &count);
        if (index == SIZE_MAX)
            return jinja_fail(run, "%s() got an unexpected keyword argument '%.*s'", row->name,
                              (int)name->as.text.length, name->as.text.data) != NULL;
        if (a[index])
            return jinja_fail(run, "%s() got multiple values for argument '%.*s'", row->name, (int)name->as.text.length,
                              name->as.text.data) != NULL;
        a[index] = arguments->named[i].value;
    }
    return true;
}

jinja_ref jinja_call_row(jinja_run *run, const jinja_callable *row, jinja_ref self, const jinja_arguments *arguments)
{
    jinja_ref a[JINJA_MAX_PARAMETERS] = { NULL };
    size_t count, length;
    if (!row->parameters)
        return row->call(run, self, a, arguments);
    (void)parameter_index(row->parameters, NULL, &count);
    if (arguments->count > count)
        return jinja_fail(run, "%s() takes at most %zu argument%s (%zu given)", row->name, count, count == 1 ? "" : "s",
                          arguments->count);
    for (size_t i = 0; i < arguments->count; i++)
        a[i] = arguments->items[i];
    if (!take_named(run, row, arguments, a))
        return NULL;
    for (size_t i = 0; i < row->required; i++)
        if (!a[i]) {
            const char *name = parameter_at(row->parameters, i, &length);
            return jinja_fail(run, "%s() missing 1 required positional argument: '%.*s'", row->name, (int)length, name);
        }
    return row->call(run, self, a, arguments);
}

jinja_ref jinja_method(jinja_run *run, const jinja_callable *row, jinja_ref self)
{
    jinja_value *value = jinja_make(run, self ? JINJA_METHOD : JINJA_FUNCTION);
    if (value) {
        value->as.call.row = row;
        value->as.call.self = self;
    }
    return value;
}

bool jinja_is_callable(jinja_ref value)
{
    switch (value->kind) {
    case JINJA_UNDEFINED: /* it has a __call__, which fails */
    case JINJA_MACRO:
    case JINJA_LOOP:
    case JINJA_FUNCTION:
    case JINJA_METHOD:
    case JINJA_JOINER:
        return true;
    default:
        return false;
    }
}

static jinja_ref call_joiner(jinja_ref joiner)
{
    if (*joiner->as.joiner.used)
        return joiner->as.joiner.separator;
    *joiner->as.joiner.used = true;
    return &jinja_empty;
}

jinja_ref jinja_call(jinja_run *run, jinja_ref callee, const jinja_arguments *arguments)
{
    switch (callee->kind) {
    case JINJA_UNDEFINED:
        return jinja_fail_undefined(run, callee);
    case JINJA_MACRO:
        return jinja_call_macro(run, callee->as.macro, arguments);
    case JINJA_LOOP:
        return jinja_call_loop(run, callee->as.loop, arguments);
    case JINJA_FUNCTION:
    case JINJA_METHOD:
        return jinja_call_row(run, callee->as.call.row, callee->as.call.self, arguments);
    case JINJA_JOINER:
        return call_joiner(callee);
    default:
        return jinja_fail(run, "'%s' object is not callable", jinja_type(callee));
    }
}

bool jinja_want_int(jinja_run *run, jinja_ref argument, const char *what, int64_t *value)
{
    if (!argument || argument->kind == JINJA_NONE)
        return true;
    if (argument->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, argument) != NULL;
    if (argument->kind != JINJA_INT && argument->kind != JINJA_BOOL)
        return jinja_fail(run, "%s: '%s' object cannot be interpreted as an integer", what, jinja_type(argument)) !=
               NULL;
    *value = argument->as.integer;
    return true;
}
