/* sort.c: a stable merge sort, whose comparisons may fail: what Python cannot order is an error. */
#include <string.h>

#include "tokenizer/chat/call.h"
#include "tokenizer/chat/text.h"

typedef struct entry {
    jinja_ref key, item;
} entry;

jinja_ref jinja_lowered(jinja_run *run, jinja_ref value)
{
    return value && value->kind == JINJA_STRING ? jinja_change_case(run, value, JINJA_LOWER) : value;
}

/* The key of "a.b,c": a list of two; of one path, its value, in a list if that is wanted. */
static jinja_ref key_of(jinja_run *run, jinja_ref item, const jinja_sort_order *order)
{
    const jinja_ref path = order->attribute, comma = jinja_word(run, ",");
    const jinja_ref *paths;
    jinja_ref *keys, list;
    size_t count;
    if (!comma)
        return NULL;
    if (!path || path->kind != JINJA_STRING || !memchr(path->as.text.data, ',', path->as.text.length)) {
        jinja_ref key = jinja_follow(run, item, path, NULL);
        if (order->lower)
            key = jinja_lowered(run, key);
        if (!key || !order->listed || !(keys = jinja_array(run, 1)))
            return order->listed ? NULL : key;
        keys[0] = key;
        return jinja_sequence(run, JINJA_LIST, keys, 1);
    }
    if (!(list = jinja_split(run, path, comma, -1, false)) || !jinja_items(run, list, &paths, &count) ||
        !(keys = jinja_array(run, count)))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        keys[i] = jinja_follow(run, item, paths[i], NULL);
        if (order->lower)
            keys[i] = jinja_lowered(run, keys[i]);
        if (!keys[i])
            return NULL;
    }
    return jinja_sequence(run, JINJA_LIST, keys, count);
}

/* Merges two sorted runs; the left one wins where both are equal. */
static bool merge(jinja_run *run, const entry *from, size_t left, size_t count, entry *to)
{
    size_t a = 0, b = left;
    for (size_t i = 0; i < count; i++) {
        bool right_first = a == left;
        if (a < left && b < count &&
            (!jinja_work(run, 1) || !jinja_less(run, from[b].key, from[a].key, "<", &right_first)))
            return false;
        to[i] = right_first ? from[b++] : from[a++];
    }
    return true;
}

static bool sort(jinja_run *run, entry *entries, entry *spare, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * width) {
            const size_t left = count - begin < width ? count - begin : width;
            const size_t both = count - begin < 2 * width ? count - begin : 2 * width;
            if (!merge(run, entries + begin, left, both, spare + begin))
                return false;
        }
        memcpy(entries, spare, count * sizeof *entries);
    }
    return true;
}

const jinja_ref *jinja_sorted(jinja_run *run, const jinja_ref *items, size_t count, const jinja_sort_order *order)
{
    entry *entries = jinja_take(run, (count + 1) * 2 * sizeof *entries);
    jinja_ref *sorted = jinja_array(run, count);
    if (!entries || !sorted)
        return NULL;
    for (size_t i = 0; i < count; i++) { /* backwards for the reverse order, so that equal ones keep theirs */
        entries[i].item = items[order->reverse ? count - 1 - i : i];
        if (!(entries[i].key = key_of(run, entries[i].item, order)))
            return NULL;
    }
    if (!sort(run, entries, entries + count, count))
        return NULL;
    for (size_t i = 0; i < count; i++)
        sorted[order->reverse ? count - 1 - i : i] = entries[i].item;
    return sorted;
}

const jinja_pair *jinja_sorted_pairs(jinja_run *run, const jinja_dict *dict)
{
    entry *entries = jinja_take(run, (dict->count + 1) * 2 * sizeof *entries);
    jinja_pair *pairs = jinja_take(run, (dict->count + 1) * sizeof *pairs);
    if (!entries || !pairs)
        return NULL;
    for (size_t i = 0; i < dict->count; i++)
        entries[i] = (entry){ dict->pairs[i].key, dict->pairs[i].value };
    if (!sort(run, entries, entries + dict->count, dict->count))
        return NULL;
    for (size_t i = 0; i < dict->count; i++)
        pairs[i] = (jinja_pair){ entries[i].key, entries[i].item };
    return pairs;
}
