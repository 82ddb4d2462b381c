/* filters_list.c: filters of lists and dicts. Where Python gives a generator, these give an iterator, which is read
 * once. */
#include "tokenizer/chat/call.h"
#include "tokenizer/chat/text.h"

static bool truth(jinja_ref argument)
{
    return argument && jinja_truth(argument);
}

JINJA_DEFINE(filter_length)
{
    size_t length;
    if (!jinja_length(self, &length))
        return jinja_fail(run, "object of type '%s' has no len()", jinja_type(self));
    return jinja_int(run, (int64_t)length);
}

JINJA_DEFINE(filter_first)
{
    const jinja_ref *items;
    size_t count;
    if (self->kind == JINJA_ITERATOR) { /* takes one, leaves the rest */
        size_t *next = self->as.iterator.next;
        return *next < self->as.iterator.count ? self->as.iterator.items[(*next)++]
                                               : jinja_undefined_hint(run, "No first item, sequence was empty.", NULL);
    }
    if (!jinja_items(run, self, &items, &count))
        return NULL;
    return count > 0 ? items[0] : jinja_undefined_hint(run, "No first item, sequence was empty.", NULL);
}

JINJA_DEFINE(filter_last)
{
    const jinja_ref *items;
    size_t count;
    if (self->kind == JINJA_ITERATOR || !jinja_is_iterable(self))
        return jinja_fail(run, "'%s' object is not reversible", jinja_type(self));
    if (!jinja_items(run, self, &items, &count))
        return NULL;
    return count > 0 ? items[count - 1] : jinja_undefined_hint(run, "No last item, sequence was empty.", NULL);
}

JINJA_DEFINE(filter_join)
{
    const jinja_ref separator = a[0] ? jinja_str(run, a[0]) : &jinja_empty;
    const jinja_ref *items;
    jinja_ref *found;
    size_t count;
    if (!separator || !jinja_items(run, self, &items, &count))
        return NULL;
    if (!a[1] || a[1]->kind == JINJA_NONE)
        return jinja_join(run, separator, items, count);
    if (!(found = jinja_array(run, count)))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!(found[i] = jinja_follow(run, items[i], a[1], NULL)))
            return NULL;
    return jinja_join(run, separator, found, count);
}

JINJA_DEFINE(filter_list)
{
    const jinja_ref *items;
    size_t count;
    return jinja_items(run, self, &items, &count) ? jinja_sequence(run, JINJA_LIST, items, count) : NULL;
}

JINJA_DEFINE(filter_reverse)
{
    const jinja_ref *items;
    jinja_ref *turned, list;
    size_t count;
    if (!jinja_is_iterable(self))
        return jinja_fail(run, "argument must be iterable");
    if (!jinja_items(run, self, &items, &count) || !(turned = jinja_array(run, count)))
        return NULL;
    for (size_t i = 0; i < count; i++)
        turned[i] = items[count - 1 - i];
    if (self->kind == JINJA_STRING)
        return jinja_join(run, &jinja_empty, turned, count);
    list = jinja_sequence(run, JINJA_LIST, turned, count);
    return self->kind == JINJA_ITERATOR || !list ? list : jinja_iterator(run, turned, count, "list_reverseiterator");
}

/* ---- Order */

JINJA_DEFINE(filter_sort)
{
    const jinja_sort_order order = { .attribute = a[2], .lower = !truth(a[1]), .reverse = truth(a[0]), .listed = true };
    const jinja_ref *items;
    size_t count;
    if (!jinja_items(run, self, &items, &count) || !(items = jinja_sorted(run, items, count, &order)))
        return NULL;
    return jinja_sequence(run, JINJA_LIST, items, count);
}

static jinja_ref items_of(jinja_run *run, jinja_ref dict)
{
    const jinja_arguments none = { NULL, 0, NULL, 0 };
    const jinja_ref name = jinja_word(run, "items");
    return name ? jinja_call_row(run, jinja_find_method(dict, name), dict, &none) : NULL;
}

JINJA_DEFINE(filter_dictsort)
{
    const bool by_value = a[1] && jinja_is_text(a[1], "value");
    jinja_sort_order order = { .lower = !truth(a[0]), .reverse = truth(a[2]) };
    jinja_ref pairs;
    const jinja_ref *items;
    if (a[1] && !by_value && !jinja_is_text(a[1], "key"))
        return jinja_fail(run, "You can only sort by either \"key\" or \"value\"");
    if (self->kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(run, self);
    if (self->kind != JINJA_DICT)
        return jinja_fail(run, "'%s' object has no attribute 'items'", jinja_type(self));
    if (!(order.attribute = jinja_int(run, by_value)) || !(pairs = items_of(run, self)) ||
        !(items = jinja_sorted(run, pairs->as.view.items, pairs->as.view.count, &order)))
        return NULL;
    return jinja_sequence(run, JINJA_LIST, items, pairs->as.view.count);
}

JINJA_DEFINE(filter_items)
{
    jinja_ref pairs;
    if (self->kind == JINJA_UNDEFINED)
        return jinja_iterator(run, NULL, 0, "generator");
    if (self->kind != JINJA_DICT)
        return jinja_fail(run, "Can only get item pairs from a mapping.");
    return (pairs = items_of(run, self)) ? jinja_iterator(run, pairs->as.view.items, pairs->as.view.count, "generator")
                                         : NULL;
}

static jinja_ref key_of(jinja_run *run, jinja_ref item, jinja_ref attribute, jinja_ref otherwise, bool case_sensitive)
{
    const jinja_ref key = jinja_follow(run, item, attribute, otherwise);
    return case_sensitive ? key : jinja_lowered(run, key);
}

static jinja_ref extreme(jinja_run *run, jinja_ref self, const jinja_ref *a, bool largest)
{
    const jinja_ref *items;
    jinja_ref best = NULL, best_key = NULL;
    size_t count;
    if (!jinja_items(run, self, &items, &count))
        return NULL;
    if (count == 0)
        return jinja_undefined_hint(run, "No aggregated item, sequence was empty.", NULL);
    for (size_t i = 0; i < count; i++) {
        const jinja_ref key = key_of(run, items[i], a[1], NULL, truth(a[0]));
        bool better = true;
        if (!key)
            return NULL;
        if (best &&
            !(largest ? jinja_less(run, best_key, key, ">", &better) : jinja_less(run, key, best_key, "<", &better)))
            return NULL;
        if (better) {
            best = items[i];
            best_key = key;
        }
    }
    return best;
}

JINJA_DEFINE(filter_min)
{
    return extreme(run, self, a, false);
}
JINJA_DEFINE(filter_max)
{
    return extreme(run, self, a, true);
}

JINJA_DEFINE(filter_unique)
{
    const jinja_ref *items;
    jinja_ref *kept;
    jinja_dict *seen = jinja_dict_new(run);
    size_t count, kept_count = 0;
    if (!seen || !jinja_items(run, self, &items, &count) || !(kept = jinja_array(run, count)))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const jinja_ref key = key_of(run, items[i], a[1], NULL, truth(a[0]));
        const size_t before = seen->count;
        if (!key || !jinja_dict_set(run, seen, key, &jinja_none))
            return NULL;
        if (seen->count > before)
            kept[kept_count++] = items[i];
    }
    return jinja_iterator(run, kept, kept_count, "generator");
}

/* ---- Parts */

static jinja_ref group_of(jinja_run *run, jinja_ref key, const jinja_ref *items, size_t count)
{
    jinja_ref *two = jinja_array(run, 2);
    jinja_value *group = jinja_make(run, JINJA_TUPLE);
    if (!two || !group || !(two[1] = jinja_sequence(run, JINJA_LIST, items, count)))
        return NULL;
    two[0] = key;
    group->is_group = true;
    group->as.list.items = two;
    group->as.list.count = 2;
    return group;
}

JINJA_DEFINE(filter_groupby)
{
    const bool exact = truth(a[2]);
    jinja_sort_order order = { .lower = !exact };
    const jinja_ref *items, *sorted;
    jinja_ref *keyed, *groups;
    size_t count, group_count = 0, begin = 0;
    if (!jinja_items(run, self, &items, &count) || !(keyed = jinja_array(run, count)) ||
        !(groups = jinja_array(run, count)))
        return NULL;
    for (size_t i = 0; i < count; i++) { /* pairs of key and item, sorted by their first */
        const jinja_ref key = jinja_follow(run, items[i], a[0], a[1] && a[1]->kind != JINJA_NONE ? a[1] : NULL);
        if (!key || !(keyed[i] = jinja_pair_of(run, key, items[i])))
            return NULL;
    }
    if (!(order.attribute = jinja_int(run, 0)) || !(sorted = jinja_sorted(run, keyed, count, &order)))
        return NULL;
    for (size_t i = 1; i <= count; i++) {
        bool equal = false;
        jinja_ref *members;
        if (i < count) {
            const jinja_ref one = key_of(run, sorted[begin]->as.list.items[0], NULL, NULL, exact);
            const jinja_ref two = key_of(run, sorted[i]->as.list.items[0], NULL, NULL, exact);
            if (!one || !two || !jinja_equal(run, one, two, &equal))
                return NULL;
        }
        if (equal)
            continue;
        if (!(members = jinja_array(run, i - begin)))
            return NULL;
        for (size_t k = begin; k < i; k++)
            members[k - begin] = sorted[k]->as.list.items[1];
        if (!(groups[group_count++] = group_of(run, sorted[begin]->as.list.items[0], members, i - begin)))
            return NULL;
        begin = i;
    }
    return jinja_sequence(run, JINJA_LIST, groups, group_count);
}

/* Items from..to as a list, with `fill` behind up to `width`. */
static jinja_ref part_of(jinja_run *run, const jinja_ref *items, size_t count, size_t width, jinja_ref fill)
{
    jinja_ref *part;
    if (!fill || fill->kind == JINJA_NONE || count >= width)
        return jinja_sequence(run, JINJA_LIST, items, count);
    if (!(part = jinja_array(run, width)))
        return NULL;
    for (size_t i = 0; i < width; i++)
        part[i] = i < count ? items[i] : fill;
    return jinja_sequence(run, JINJA_LIST, part, width);
}

JINJA_DEFINE(filter_batch)
{
    const jinja_ref *items;
    jinja_ref *parts;
    size_t count, part_count = 0;
    int64_t width = 0;
    if (!jinja_want_int(run, a[0], "batch", &width) || !jinja_items(run, self, &items, &count))
        return NULL;
    if (!(parts = jinja_array(run, count + 1)))
        return NULL;
    if (width == 0 && count > 0 && !(parts[part_count++] = jinja_sequence(run, JINJA_LIST, NULL, 0)))
        return NULL; /* as the reference's loop does, which looks for a full batch before each item */
    if (width < 1)
        width = count > 0 ? (int64_t)count : 1;
    for (size_t i = 0; i < count; i += (size_t)width) {
        const size_t here = count - i < (uint64_t)width ? count - i : (size_t)width;
        if (!(parts[part_count++] = part_of(run, items + i, here, (size_t)width, a[1])))
            return NULL;
    }
    return jinja_iterator(run, parts, part_count, "generator");
}

JINJA_DEFINE(filter_slice)
{
    const jinja_ref *items;
    jinja_ref *parts;
    size_t count, from = 0;
    int64_t slices = 0;
    if (!jinja_want_int(run, a[0], "slice", &slices) || !jinja_items(run, self, &items, &count))
        return NULL;
    if (slices < 1 || slices > 100000)
        return jinja_fail(run, "slice: the number of slices must be 1 to 100000");
    if (!(parts = jinja_array(run, (size_t)slices)))
        return NULL;
    const size_t each = count / (size_t)slices, longer = count % (size_t)slices;
    for (size_t i = 0; i < (size_t)slices; i++) {
        const size_t here = each + (i < longer);
        if (!(parts[i] = part_of(run, items + from, here, i >= longer ? each + 1 : here, a[1])))
            return NULL;
        from += here;
    }
    return jinja_iterator(run, parts, (size_t)slices, "generator");
}

static const jinja_callable rows[] = {
    { "length", "", 0, filter_length },
    { "count", "", 0, filter_length },
    { "list", "", 0, filter_list },
    { "join", "d attribute", 0, filter_join },
    { "first", "", 0, filter_first },
    { "last", "", 0, filter_last },
    { "dictsort", "case_sensitive by reverse", 0, filter_dictsort },
    { "items", "", 0, filter_items },
    { "sort", "reverse case_sensitive attribute", 0, filter_sort },
    { "reverse", "", 0, filter_reverse },
    { "unique", "case_sensitive attribute", 0, filter_unique },
    { "min", "case_sensitive attribute", 0, filter_min },
    { "max", "case_sensitive attribute", 0, filter_max },
    { "groupby", "attribute default case_sensitive", 1, filter_groupby },
    { "batch", "linecount fill_with", 1, filter_batch },
    { "slice", "slices fill_with", 1, filter_slice },
};
const jinja_table jinja_list_filters = { rows, COUNT(rows) };
