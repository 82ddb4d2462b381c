/* methods.c: the methods of dict, list, tuple, float and cycler. What would change them in place is refused in
 * lookup.c. */
#include <math.h>

#include "tokenizer/chat/call.h"

enum { KEYS, VALUES, ITEMS };

static jinja_ref view(jinja_run *run, jinja_ref self, int what)
{
    static const char *const names[] = { "dict_keys", "dict_values", "dict_items" };
    const jinja_dict *dict = self->as.dict;
    jinja_ref *items = jinja_array(run, dict->count);
    jinja_value *value = jinja_make(run, JINJA_VIEW);
    if (!items || !value)
        return NULL;
    for (size_t i = 0; i < dict->count; i++)
        if (!(items[i] = what == KEYS     ? dict->pairs[i].key
                         : what == VALUES ? dict->pairs[i].value
                                          : jinja_pair_of(run, dict->pairs[i].key, dict->pairs[i].value)))
            return NULL;
    value->as.view.items = items;
    value->as.view.count = dict->count;
    value->as.view.type = names[what];
    return value;
}

JINJA_DEFINE(dict_items)
{
    return view(run, self, ITEMS);
}
JINJA_DEFINE(dict_keys)
{
    return view(run, self, KEYS);
}
JINJA_DEFINE(dict_values)
{
    return view(run, self, VALUES);
}
JINJA_DEFINE(copy)
{
    return self;
}

JINJA_DEFINE(dict_get)
{
    jinja_ref found;
    if (!jinja_dict_find(run, self->as.dict, a[0], &found))
        return NULL;
    return found ? found : a[1] ? a[1] : &jinja_none;
}

JINJA_DEFINE(list_index)
{
    int64_t start = 0, end = (int64_t)self->as.list.count;
    if (!jinja_want_int(run, a[1], "start", &start) || !jinja_want_int(run, a[2], "end", &end))
        return NULL;
    const int64_t count = (int64_t)self->as.list.count;
    start = start < 0 ? (start + count > 0 ? start + count : 0) : start;
    end = end < 0 ? end + count : end > count ? count : end;
    for (int64_t i = start; i < end; i++) {
        bool equal;
        if (!jinja_work(run, 1) || !jinja_equal(run, self->as.list.items[i], a[0], &equal))
            return NULL;
        if (equal)
            return jinja_int(run, i);
    }
    const jinja_ref shown = jinja_repr(run, a[0]);
    return shown
               ? jinja_fail(run, "%.*s is not in %s", (int)shown->as.text.length, shown->as.text.data, jinja_type(self))
               : NULL;
}

JINJA_DEFINE(list_count)
{
    int64_t count = 0;
    for (size_t i = 0; i < self->as.list.count; i++) {
        bool equal;
        if (!jinja_work(run, 1) || !jinja_equal(run, self->as.list.items[i], a[0], &equal))
            return NULL;
        count += equal;
    }
    return jinja_int(run, count);
}

JINJA_DEFINE(float_is_integer)
{
    return jinja_bool(isfinite(self->as.real) && self->as.real == floor(self->as.real));
}

JINJA_DEFINE(cycler_next)
{
    const jinja_ref now = self->as.cycler.items[*self->as.cycler.position];
    *self->as.cycler.position = (*self->as.cycler.position + 1) % self->as.cycler.count;
    return now;
}

JINJA_DEFINE(cycler_reset)
{
    *self->as.cycler.position = 0;
    return &jinja_none;
}

static const jinja_callable dict_rows[] = {
    { "items", "", 0, dict_items },        { "keys", "", 0, dict_keys }, { "values", "", 0, dict_values },
    { "get", "key default", 1, dict_get }, { "copy", "", 0, copy },
};
static const jinja_callable list_rows[] = { { "index", "value start stop", 1, list_index },
                                            { "count", "value", 1, list_count },
                                            { "copy", "", 0, copy } };
static const jinja_callable tuple_rows[] = { { "index", "value start stop", 1, list_index },
                                             { "count", "value", 1, list_count } };
static const jinja_callable float_rows[] = { { "is_integer", "", 0, float_is_integer } };
static const jinja_callable cycler_rows[] = { { "next", "", 0, cycler_next }, { "reset", "", 0, cycler_reset } };

static const jinja_table dict_table = { dict_rows, COUNT(dict_rows) }, list_table = { list_rows, COUNT(list_rows) },
                         tuple_table = { tuple_rows, COUNT(tuple_rows) },
                         float_table = { float_rows, COUNT(float_rows) },
                         cycler_table = { cycler_rows, COUNT(cycler_rows) };

const jinja_callable *jinja_find_method(jinja_ref owner, jinja_ref name)
{
    switch (owner->kind) {
    case JINJA_STRING:
        return jinja_find(&jinja_text_methods, name);
    case JINJA_DICT:
        return jinja_find(&dict_table, name);
    case JINJA_LIST:
        return jinja_find(&list_table, name);
    case JINJA_TUPLE:
    case JINJA_RANGE:
        return jinja_find(&tuple_table, name);
    case JINJA_FLOAT:
        return jinja_find(&float_table, name);
    case JINJA_CYCLER:
        return jinja_find(&cycler_table, name);
    default:
        return NULL;
    }
}
