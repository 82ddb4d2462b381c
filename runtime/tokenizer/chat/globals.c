/* globals.c: the functions every template knows: Jinja's and those transformers adds. */
#include <string.h>
#include <time.h>

#include "core/platform.h"
#include "tokenizer/chat/call.h"

#define MAX_RANGE 100000 /* Jinja's sandbox */

JINJA_DEFINE(raise_exception)
{
    const jinja_ref text = jinja_str(run, a[0]);
    return text ? jinja_fail_as(run, OCLM_ERR_ARGUMENT, "%.*s", (int)text->as.text.length, text->as.text.data) : NULL;
}

JINJA_DEFINE(range)
{
    int64_t part[3] = { 0, 0, 1 };
    uint64_t count = 0;
    jinja_ref *items, made;
    for (size_t i = 0; i < 3; i++)
        if (a[i] && (a[i]->kind == JINJA_NONE || !jinja_want_int(run, a[i], "range", &part[i])))
            return run->status == OCLM_OK ? jinja_fail(run, "'NoneType' object cannot be interpreted as an integer")
                                          : NULL;
    if (!a[1]) {
        part[1] = part[0];
        part[0] = 0;
    }
    if (part[2] == 0)
        return jinja_fail(run, "range() arg 3 must not be zero");
    if (part[2] > 0 && part[0] < part[1])
        count = ((uint64_t)part[1] - (uint64_t)part[0] - 1) / (uint64_t)part[2] + 1;
    if (part[2] < 0 && part[0] > part[1])
        count = ((uint64_t)part[0] - (uint64_t)part[1] - 1) / (0 - (uint64_t)part[2]) + 1;
    if (count > MAX_RANGE)
        return jinja_fail(run, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", MAX_RANGE);
    if (!(items = jinja_array(run, (size_t)count)))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!(items[i] = jinja_int(run, (int64_t)((uint64_t)part[0] + i * (uint64_t)part[2]))))
            return NULL;
    if ((made = jinja_sequence(run, JINJA_RANGE, items, (size_t)count))) {
        jinja_value *mine = (jinja_value *)(uintptr_t)made; /* just made: nobody else has it */
        mine->as.list.stop = part[1];
        mine->as.list.step = part[2];
    }
    return made;
}

/* What dict(pairs, a=1) makes. */
static jinja_dict *collect(jinja_run *run, const jinja_arguments *all, const char *what)
{
    jinja_dict *dict = jinja_dict_new(run);
    const jinja_ref *items, *two;
    size_t count, two_count;
    if (!dict)
        return NULL;
    if (all->count > 1)
        return jinja_fail(run, "%s expected at most 1 argument, got %zu", what, all->count);
    if (all->count == 1 && all->items[0]->kind == JINJA_DICT) {
        for (size_t i = 0; i < all->items[0]->as.dict->count; i++)
            if (!jinja_dict_set(run, dict, all->items[0]->as.dict->pairs[i].key,
                                all->items[0]->as.dict->pairs[i].value))
                return NULL;
    } else if (all->count == 1) {
        if (!jinja_items(run, all->items[0], &items, &count))
            return NULL;
        for (size_t i = 0; i < count; i++) {
            if (!jinja_items(run, items[i], &two, &two_count))
                return NULL;
            if (two_count != 2)
                return jinja_fail(run, "dictionary update sequence element #%zu has length %zu; 2 is required", i,
                                  two_count);
            if (!jinja_dict_set(run, dict, two[0], two[1]))
                return NULL;
        }
    }
    for (size_t i = 0; i < all->named_count; i++)
        if (!jinja_dict_set(run, dict, all->named[i].key, all->named[i].value))
            return NULL;
    return dict;
}

JINJA_DEFINE(make_dict)
{
    jinja_dict *dict = collect(run, all, "dict");
    return dict ? jinja_dict_value(run, JINJA_DICT, dict) : NULL;
}

bool jinja_may_store(jinja_run *run, jinja_ref name)
{
    if (name->kind != JINJA_STRING || name->as.text.length == 0 || name->as.text.data[0] != '_')
        return true;
    return jinja_fail(run, "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '%.*s'. Please rename the "
                      "attribute.", (int)name->as.text.length, name->as.text.data) != NULL;
}

JINJA_DEFINE(make_namespace)
{
    jinja_dict *dict = collect(run, all, "dict");
    for (size_t i = 0; dict && i < dict->count; i++)
        if (!jinja_may_store(run, dict->pairs[i].key))
            return NULL;
    return dict ? jinja_dict_value(run, JINJA_NAMESPACE, dict) : NULL;
}

JINJA_DEFINE(make_cycler)
{
    jinja_value *value = jinja_make(run, JINJA_CYCLER);
    size_t *position = jinja_take(run, sizeof *position);
    if (!value || !position)
        return NULL;
    if (all->count == 0)
        return jinja_fail(run, "at least one item has to be provided");
    *position = 0;
    value->as.cycler.items = all->items;
    value->as.cycler.count = all->count;
    value->as.cycler.position = position;
    return value;
}

JINJA_DEFINE(make_joiner)
{
    jinja_value *value = jinja_make(run, JINJA_JOINER);
    bool *used = jinja_take(run, sizeof *used);
    jinja_ref separator = a[0] ? a[0] : jinja_word(run, ", ");
    if (!value || !used || !separator)
        return NULL;
    *used = false;
    value->as.joiner.separator = separator;
    value->as.joiner.used = used;
    return value;
}

JINJA_DEFINE(lipsum)
{
    return jinja_fail_as(run, OCLM_ERR_UNSUPPORTED, "lipsum() makes random text and is not supported");
}

/* ---- strftime_now */

/* The run's time, broken down: the local one, or a fixed one as if it were local. */
static bool local_time(jinja_run *run, struct tm *out)
{
    time_t now;
    if (run->now != JINJA_CLOCK) {
        now = (time_t)run->now;
        return gmtime_r(&now, out) != NULL;
    }
    now = time(NULL);
    return localtime_r(&now, out) != NULL;
}

JINJA_DEFINE(strftime_now)
{
    core_text out = jinja_making(run);
    core_locale *before;
    struct tm now;
    bool good = true;
    if (a[0]->kind != JINJA_STRING)
        return jinja_fail(run, "strftime() argument 1 must be str, not %s", jinja_type(a[0]));
    if (!local_time(run, &now))
        return jinja_fail(run, "the time of day cannot be told");
    before = core_locale_enter(); /* "Mar", whatever language the program speaks */
    for (const char *p = a[0]->as.text.data, *end = p + a[0]->as.text.length; p < end && good;) {
        const char *percent = memchr(p, '%', (size_t)(end - p));
        char format[3] = { '%', 0, 0 }, text[256];
        good = jinja_add(run, &out, p, (size_t)((percent ? percent : end) - p));
        if (!percent || !good)
            break;
        if (percent + 1 < end && strchr("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%", percent[1]) && percent[1]) {
            format[1] = percent[1];
            good = jinja_add(run, &out, text, strftime(text, sizeof text, format, &now));
            p = percent + 2;
        } else if (percent + 1 < end && percent[1] == 'f') {
            good = jinja_add_word(run, &out, "000000");
            p = percent + 2;
        } else {
            good = jinja_add(run, &out, percent, 1);
            p = percent + 1;
        }
    }
    core_locale_leave(before);
    return jinja_made(run, &out, good);
}

static const jinja_callable rows[] = {
    { "raise_exception", "message", 1, raise_exception },
    { "range", "start stop step", 1, range },
    { "namespace", NULL, 0, make_namespace },
    { "strftime_now", "format", 1, strftime_now },
    { "dict", NULL, 0, make_dict },
    { "cycler", NULL, 0, make_cycler },
    { "joiner", "sep", 0, make_joiner },
    { "lipsum", NULL, 0, lipsum },
};
static const jinja_table globals = { rows, COUNT(rows) };

jinja_ref jinja_global(jinja_run *run, jinja_ref name)
{
    const jinja_callable *row = jinja_find(&globals, name);
    jinja_dict *empty;
    if (jinja_is_text(name, "self")) /* the template's blocks, of which it has none */
        return (empty = jinja_dict_new(run)) ? jinja_dict_value(run, JINJA_NAMESPACE, empty) : NULL;
    return row ? jinja_method(run, row, NULL) : NULL;
}
