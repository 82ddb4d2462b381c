/* filters_select.c: map, select, reject, selectattr and rejectattr: filters that apply a filter or a test to each item.
 */
#include "tokenizer/chat/call.h"

/* The arguments behind the first `skip` ones. */
static jinja_arguments behind(const jinja_arguments *all, size_t skip)
{
    jinja_arguments rest = *all;
    rest.count -= skip;
    rest.items = rest.count > 0 ? rest.items + skip : NULL;
    return rest;
}

/* map(attribute='a.b', default=x) */
static jinja_ref map_attribute(jinja_run *run, jinja_ref self, const jinja_arguments *all)
{
    const jinja_ref *items;
    jinja_ref *made, path = NULL, otherwise = NULL;
    size_t count;
    for (size_t i = 0; i < all->named_count; i++)
        if (jinja_is_text(all->named[i].key, "attribute"))
            path = all->named[i].value;
        else if (jinja_is_text(all->named[i].key, "default"))
            otherwise = all->named[i].value->kind == JINJA_NONE ? NULL : all->named[i].value;
        else
            return jinja_fail(run, "Unexpected keyword argument '%.*s'", (int)all->named[i].key->as.text.length,
                              all->named[i].key->as.text.data);
    if (!path)
        return jinja_fail(run, "map requires a filter argument");
    if (!jinja_items(run, self, &items, &count) || !(made = jinja_array(run, count)))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!(made[i] = jinja_follow(run, items[i], path, otherwise)))
            return NULL;
    return jinja_iterator(run, made, count, "generator");
}

JINJA_DEFINE(filter_map)
{
    const jinja_ref *items;
    jinja_ref *made;
    size_t count;
    if (!jinja_truth(self))
        return jinja_iterator(run, NULL, 0, "generator");
    if (all->count == 0)
        return map_attribute(run, self, all);
    const jinja_arguments rest = behind(all, 1);
    if (all->items[0]->kind != JINJA_STRING)
        return jinja_fail(run, "map: the name of a filter must be a string");
    if (!jinja_items(run, self, &items, &count) || !(made = jinja_array(run, count)))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!jinja_work(run, 1) || !(made[i] = jinja_filter(run, all->items[0], items[i], &rest)))
            return NULL;
    return jinja_iterator(run, made, count, "generator");
}

static jinja_ref choose(jinja_run *run, jinja_ref self, const jinja_arguments *all, bool by_attribute, bool wanted)
{
    const size_t skip = by_attribute ? 1 : 0;
    const jinja_ref *items;
    jinja_ref *kept;
    size_t count, kept_count = 0;
    if (!jinja_truth(self))
        return jinja_iterator(run, NULL, 0, "generator");
    if (all->count < skip)
        return jinja_fail(run, "Missing parameter for attribute name");
    const jinja_ref path = by_attribute ? all->items[0] : NULL, test = all->count > skip ? all->items[skip] : NULL;
    const jinja_arguments rest = behind(all, all->count > skip ? skip + 1 : skip);
    if (test && test->kind != JINJA_STRING)
        return jinja_fail(run, "the name of a test must be a string");
    if (!jinja_items(run, self, &items, &count) || !(kept = jinja_array(run, count)))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const jinja_ref value = jinja_follow(run, items[i], path, NULL);
        bool result;
        if (!value || !jinja_work(run, 1))
            return NULL;
        result = jinja_truth(value);
        if (test && !jinja_test(run, test, value, &rest, &result))
            return NULL;
        if (result == wanted)
            kept[kept_count++] = items[i];
    }
    return jinja_iterator(run, kept, kept_count, "generator");
}

JINJA_DEFINE(filter_select)
{
    return choose(run, self, all, false, true);
}
JINJA_DEFINE(filter_reject)
{
    return choose(run, self, all, false, false);
}
JINJA_DEFINE(filter_selectattr)
{
    return choose(run, self, all, true, true);
}
JINJA_DEFINE(filter_rejectattr)
{
    return choose(run, self, all, true, false);
}

static const jinja_callable rows[] = {
    { "map", NULL, 0, filter_map },
    { "select", NULL, 0, filter_select },
    { "reject", NULL, 0, filter_reject },
    { "selectattr", NULL, 0, filter_selectattr },
    { "rejectattr", NULL, 0, filter_rejectattr },
};
const jinja_table jinja_select_filters = { rows, COUNT(rows) };
