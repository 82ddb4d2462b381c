/* run.c: the one error of a rendering, its limits, its scopes. */
#include "tokenizer/chat/run.h"

#include <stdarg.h>
#include <string.h>

#include "core/platform.h"
#include "tokenizer/chat/call.h"

#define MESSAGE 1500 /* bytes of a message's own part */

static void set_error(jinja_run *run, oclm_status status, const char *format, va_list arguments)
{
    char text[MESSAGE];
    if (run->status != OCLM_OK)
        return;
    (void)core_vsnprintf(text, sizeof text, format, arguments);
    core_make_printable(text, false);
    run->status = run->line ? core_fail(status, "%s, line %u: %s", run->origin, run->line, text)
                            : core_fail(status, "%s: %s", run->origin, text);
}

void *jinja_fail(jinja_run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_error(run, OCLM_ERR_FORMAT, format, arguments);
    va_end(arguments);
    return NULL;
}

void *jinja_fail_as(jinja_run *run, oclm_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_error(run, status, format, arguments);
    va_end(arguments);
    return NULL;
}

void *jinja_failed(jinja_run *run, oclm_status status)
{
    if (run->status == OCLM_OK)
        run->status = status;
    return NULL;
}

void *jinja_fail_undefined(jinja_run *run, jinja_ref undefined)
{
    const jinja_ref name = undefined->as.undefined.name, owner = undefined->as.undefined.owner;
    jinja_ref shown;
    if (undefined->as.undefined.unsafe)
        return jinja_fail(run, "access to attribute '%.*s' of '%s' object is unsafe.", (int)name->as.text.length,
                          name->as.text.data, jinja_type(owner));
    if (undefined->as.undefined.hint)
        return jinja_fail(run, "%s", undefined->as.undefined.hint);
    if (!(shown = jinja_repr(run, name)))
        return NULL;
    if (!owner)
        return jinja_fail(run, "%.*s is undefined", (int)shown->as.text.length, shown->as.text.data);
    return jinja_fail(run, "'%s%s' has no %s %.*s", owner->kind == JINJA_NONE ? "None" : jinja_type(owner),
                      owner->kind == JINJA_NONE ? "" : " object", name->kind == JINJA_STRING ? "attribute" : "element",
                      (int)shown->as.text.length, shown->as.text.data);
}

static void *take(jinja_run *run, jinja_arena *arena, size_t bytes)
{
    void *taken;
    if (run->status != OCLM_OK || !jinja_work(run, bytes / 64))
        return NULL;
    if ((taken = jinja_arena_take(arena, bytes)))
        return taken;
    if (bytes > arena->limit || arena->limit - arena->used < bytes || arena->limit - arena->used < ((size_t)1 << 20))
        return jinja_fail(run, "needs more than %zu bytes of memory for its values, which is the limit", arena->limit);
    return jinja_failed(run, OCLM_ERR_MEMORY);
}

void *jinja_take(jinja_run *run, size_t bytes)
{
    return take(run, &run->arena, bytes);
}

char *jinja_take_bytes(jinja_run *run, size_t bytes)
{
    return take(run, &run->texts, bytes);
}

bool jinja_work(jinja_run *run, uint64_t steps)
{
    run->work += steps < run->max_work ? steps : run->max_work;
    if (run->work < run->max_work)
        return true;
    (void)jinja_fail(run, "takes more than %llu steps, which is the limit", (unsigned long long)run->max_work);
    return false;
}

bool jinja_enter(jinja_run *run)
{
    if (!jinja_work(run, 1))
        return false;
    if (run->depth >= JINJA_MAX_DEPTH) {
        (void)jinja_fail(run,
                         "goes more than %u levels deep, which is the limit: does a macro call itself without an end?",
                         JINJA_MAX_DEPTH);
        return false;
    }
    run->depth++;
    return true;
}

/* ---- Scopes */

struct jinja_binding {
    jinja_binding *next;
    jinja_ref name, value;
};

bool jinja_scope_push(jinja_run *run)
{
    jinja_scope *scope = jinja_take(run, sizeof *scope);
    if (!scope)
        return false;
    *scope = (jinja_scope){ .parent = run->scope };
    run->scope = scope;
    return true;
}

void jinja_scope_pop(jinja_run *run)
{
    run->scope = run->scope->parent;
}

static bool same(jinja_ref a, jinja_ref b)
{
    return a == b ||
           (a->as.text.length == b->as.text.length && memcmp(a->as.text.data, b->as.text.data, a->as.text.length) == 0);
}

bool jinja_bind(jinja_run *run, jinja_ref name, jinja_ref value)
{
    jinja_binding *binding;
    for (binding = run->scope->first; binding; binding = binding->next)
        if (same(binding->name, name)) {
            binding->value = value;
            return true;
        }
    if (!(binding = jinja_take(run, sizeof *binding)))
        return false;
    *binding = (jinja_binding){ run->scope->first, name, value };
    run->scope->first = binding;
    return true;
}

jinja_ref jinja_lookup(jinja_run *run, jinja_ref name)
{
    jinja_ref found;
    for (const jinja_scope *scope = run->scope; scope; scope = scope->parent)
        for (const jinja_binding *binding = scope->first; binding; binding = binding->next)
            if (!jinja_work(run, 1))
                return NULL;
            else if (same(binding->name, name))
                return binding->value ? binding->value : jinja_undefined_name(run, name, NULL);
    if ((found = jinja_dict_get(run->variables, name->as.text.data, name->as.text.length)))
        return found;
    if ((found = jinja_global(run, name)) || run->status != OCLM_OK)
        return found;
    return jinja_undefined_name(run, name, NULL);
}
