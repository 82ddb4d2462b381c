/* lookup.c: x.name, x[key], x[a:b:c]. Names reach methods first, brackets items first; what is missing is undefined,
 * not an error. */
#include <string.h>

#include "tokenizer/chat/call.h"
#include "tokenizer/chat/text.h"

static bool is_dunder(jinja_ref name)
{
    const size_t length = name->as.text.length;
    return length > 4 && memcmp(name->as.text.data, "__", 2) == 0 &&
           memcmp(name->as.text.data + length - 2, "__", 2) == 0;
}

static jinja_ref unsafe(jinja_run *run, jinja_ref owner, jinja_ref name)
{
    jinja_ref undefined = jinja_undefined_name(run, name, owner);
    if (undefined)
        ((jinja_value *)(uintptr_t)undefined)->as.undefined.unsafe = true; /* just made: nobody else has it */
    return undefined;
}

/* What would change a list or dict in place. */
static bool is_mutation(jinja_ref owner, jinja_ref name)
{
    static const char *const of_list[] = { "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove" };
    static const char *const of_dict[] = { "clear", "pop", "popitem", "setdefault", "update" };
    const char *const *names = owner->kind == JINJA_LIST ? of_list : of_dict;
    const size_t count = owner->kind == JINJA_LIST ? COUNT(of_list) : COUNT(of_dict);
    if (owner->kind != JINJA_LIST && owner->kind != JINJA_DICT)
        return false;
    for (size_t i = 0; i < count; i++)
        if (jinja_is_text(name, names[i]))
            return true;
    return false;
}

/* Python's getattr(): NULL without an error: there is none of that name. */
static jinja_ref attribute(jinja_run *run, jinja_ref owner, jinja_ref name)
{
    const jinja_callable *row;
    if (owner->kind == JINJA_NAMESPACE)
        return is_dunder(name) && !jinja_dict_get(owner->as.dict, name->as.text.data, name->as.text.length)
                   ? NULL
                   : jinja_dict_get(owner->as.dict, name->as.text.data, name->as.text.length);
    if (is_dunder(name) || is_mutation(owner, name))
        return unsafe(run, owner, name);
    if (owner->kind == JINJA_LOOP)
        return jinja_loop_attribute(run, owner, name);
    if (owner->kind == JINJA_TUPLE && owner->is_group &&
        (jinja_is_text(name, "grouper") || jinja_is_text(name, "list")))
        return owner->as.list.items[jinja_is_text(name, "list")];
    if (owner->kind == JINJA_CYCLER && jinja_is_text(name, "current"))
        return owner->as.cycler.items[*owner->as.cycler.position];
    if (owner->kind == JINJA_MACRO && jinja_is_text(name, "name"))
        return jinja_macro_name(owner->as.macro) ? jinja_macro_name(owner->as.macro) : &jinja_none;
    return (row = jinja_find_method(owner, name)) ? jinja_method(run, row, owner) : NULL;
}

/* A position from the end where it is negative; false: out of range. */
static bool position(jinja_ref key, size_t count, size_t *index)
{
    int64_t at = key->as.integer;
    if (at < 0)
        at += (int64_t)count;
    if (at < 0 || (uint64_t)at >= count)
        return false;
    *index = (size_t)at;
    return true;
}

/* Python's x[key]: NULL without an error: no such item, or nothing that has items. */
static jinja_ref item(jinja_run *run, jinja_ref owner, jinja_ref key)
{
    const bool is_int = key->kind == JINJA_INT || key->kind == JINJA_BOOL;
    size_t index;
    switch (owner->kind) {
    case JINJA_UNDEFINED:
        return jinja_fail_undefined(run, owner);
    case JINJA_DICT: {
        jinja_ref found;
        if (key->kind == JINJA_LIST || key->kind == JINJA_DICT || key->kind == JINJA_SLICE)
            return NULL; /* cannot be a key */
        return jinja_dict_find(run, owner->as.dict, key, &found) ? found : NULL;
    }
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
        return is_int && position(key, owner->as.list.count, &index) ? owner->as.list.items[index] : NULL;
    case JINJA_STRING:
        return is_int && position(key, owner->as.text.chars, &index) ? jinja_substring(run, owner, index, index + 1)
                                                                     : NULL;
    default:
        return NULL;
    }
}

jinja_ref jinja_get_attribute(jinja_run *run, jinja_ref owner, jinja_ref name)
{
    jinja_ref found;
    if (owner->kind == JINJA_UNDEFINED && !jinja_is_text(name, "__class__")) /* which everything has */
        return jinja_fail_undefined(run, owner);
    if ((found = attribute(run, owner, name)) || run->status != OCLM_OK)
        return found;
    if ((found = item(run, owner, name)) || run->status != OCLM_OK)
        return found;
    return jinja_undefined_name(run, name, owner);
}

jinja_ref jinja_get_item(jinja_run *run, jinja_ref owner, jinja_ref key)
{
    jinja_ref found;
    if (key->kind == JINJA_SLICE &&
        (owner->kind == JINJA_STRING || owner->kind == JINJA_LIST || owner->kind == JINJA_TUPLE))
        return jinja_get_slice(run, owner, key);
    if ((found = item(run, owner, key)) || run->status != OCLM_OK)
        return found;
    if (key->kind == JINJA_STRING && ((found = attribute(run, owner, key)) || run->status != OCLM_OK))
        return found;
    return jinja_undefined_name(run, key, owner);
}

/* ---- Slices */

typedef struct span {
    int64_t start, step;
    size_t count;
} span;

static bool bound(jinja_run *run, jinja_ref part, int64_t absent, int64_t low, int64_t high, int64_t count,
                  int64_t *value)
{
    if (part->kind == JINJA_NONE) {
        *value = absent;
        return true;
    }
    if (part->kind == JINJA_UNDEFINED || (part->kind != JINJA_INT && part->kind != JINJA_BOOL))
        return jinja_fail(run, "slice indices must be integers or None or have an __index__ method") != NULL;
    *value = part->as.integer;
    if (*value < 0)
        *value = *value < -count ? low : *value + count;
    if (*value < low)
        *value = low;
    if (*value > high)
        *value = high;
    return true;
}

/* Python's slice.indices(). */
static bool indices(jinja_run *run, jinja_ref slice, size_t length, span *out)
{
    const jinja_ref *parts = slice->as.list.items;
    const int64_t count = (int64_t)length;
    int64_t stop = 0;
    out->step = 1;
    if (parts[2]->kind != JINJA_NONE) {
        if (parts[2]->kind != JINJA_INT && parts[2]->kind != JINJA_BOOL)
            return jinja_fail(run, "slice indices must be integers or None or have an __index__ method") != NULL;
        out->step = parts[2]->as.integer;
    }
    if (out->step == 0)
        return jinja_fail(run, "slice step cannot be zero") != NULL;
    if (out->step < -count - 1)
        out->step = -count - 1; /* as good as any larger step, and safe to add */
    if (out->step > count + 1)
        out->step = count + 1;
    const bool back = out->step < 0;
    if (!bound(run, parts[0], back ? count - 1 : 0, back ? -1 : 0, back ? count - 1 : count, count, &out->start) ||
        !bound(run, parts[1], back ? -1 : count, back ? -1 : 0, back ? count - 1 : count, count, &stop))
        return false;
    out->count = back ? (stop < out->start ? (size_t)((out->start - stop - 1) / -out->step) + 1 : 0)
                      : (out->start < stop ? (size_t)((stop - out->start - 1) / out->step) + 1 : 0);
    return true;
}

static jinja_ref slice_text(jinja_run *run, jinja_ref owner, const span *of)
{
    const jinja_ref *chars;
    size_t count;
    core_text out;
    bool good = true;
    if (of->count == 0)
        return &jinja_empty;
    if (of->step == 1)
        return jinja_substring(run, owner, (size_t)of->start, (size_t)of->start + of->count);
    if (!jinja_items(run, owner, &chars, &count))
        return NULL;
    out = jinja_making(run);
    for (size_t i = 0; i < of->count && good; i++)
        good = jinja_print(run, chars[of->start + (int64_t)i * of->step], &out);
    return jinja_made(run, &out, good);
}

jinja_ref jinja_get_slice(jinja_run *run, jinja_ref owner, jinja_ref slice)
{
    span of = { 0, 1, 0 };
    size_t length;
    switch (owner->kind) {
    case JINJA_UNDEFINED:
        return jinja_fail_undefined(run, owner);
    case JINJA_STRING:
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_RANGE:
        break;
    case JINJA_DICT:
        return jinja_fail(run, "unhashable type: 'slice'");
    default:
        return jinja_fail(run, "'%s' object is not subscriptable", jinja_type(owner));
    }
    (void)jinja_length(owner, &length);
    if (!indices(run, slice, length, &of))
        return NULL;
    if (owner->kind == JINJA_STRING)
        return slice_text(run, owner, &of);
    jinja_ref *items = jinja_array(run, of.count);
    if (!items)
        return NULL;
    for (size_t i = 0; i < of.count; i++)
        items[i] = owner->as.list.items[of.start + (int64_t)i * of.step];
    return jinja_sequence(run, owner->kind == JINJA_RANGE ? JINJA_LIST : owner->kind, items, of.count);
}

/* ---- Paths */

/* A part of a path: digits are an index. */
static jinja_ref path_part(jinja_run *run, const char *text, size_t length)
{
    int64_t number = 0;
    if (length == 0 || length > 9)
        return jinja_part(run, text, length);
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return jinja_part(run, text, length);
        number = number * 10 + (text[i] - '0');
    }
    return jinja_int(run, number);
}

jinja_ref jinja_follow(jinja_run *run, jinja_ref value, jinja_ref path, jinja_ref otherwise)
{
    const char *p, *end;
    if (!path || path->kind == JINJA_NONE)
        return value;
    if (path->kind != JINJA_STRING) {
        value = jinja_get_item(run, value, path);
        return value && value->kind == JINJA_UNDEFINED && otherwise ? otherwise : value;
    }
    p = path->as.text.data;
    end = p + path->as.text.length;
    for (;;) {
        const char *dot = p < end ? memchr(p, '.', (size_t)(end - p)) : NULL;
        const jinja_ref part = path_part(run, p, (size_t)((dot ? dot : end) - p));
        if (!part || !(value = jinja_get_item(run, value, part)))
            return NULL;
        if (value->kind == JINJA_UNDEFINED && otherwise)
            value = otherwise;
        if (!dot)
            return value;
        p = dot + 1;
    }
}
