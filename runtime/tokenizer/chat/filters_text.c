/* filters_text.c: filters that make text. They take any value by its str(). */
#include <string.h>

#include "tokenizer/chat/call.h"
#include "tokenizer/chat/text.h"

static jinja_ref cased(jinja_run *run, jinja_ref self, jinja_case how)
{
    const jinja_ref text = jinja_str(run, self);
    return text ? jinja_change_case(run, text, how) : NULL;
}

JINJA_DEFINE(filter_upper)
{
    return cased(run, self, JINJA_UPPER);
}
JINJA_DEFINE(filter_lower)
{
    return cased(run, self, JINJA_LOWER);
}
JINJA_DEFINE(filter_capitalize)
{
    return cased(run, self, JINJA_CAPITALIZE);
}
JINJA_DEFINE(filter_string)
{
    return jinja_str(run, self);
}

JINJA_DEFINE(filter_trim)
{
    const jinja_ref text = jinja_str(run, self);
    return text ? jinja_strip(run, text, a[0], true, true) : NULL;
}

/* Not str.title(): words begin after white space and opening brackets only, and their first letter is in upper case. */
JINJA_DEFINE(filter_title)
{
    const jinja_ref text = jinja_str(run, self);
    core_text out = jinja_making(run);
    const char *p, *end;
    bool good = text && jinja_work(run, text->as.text.length / 4), begins = true;
    for (p = good ? text->as.text.data : "", end = p + (good ? text->as.text.length : 0); p < end && good;) {
        size_t length;
        const uint32_t c = tok_char_at(p, &length);
        good = jinja_add_cased(run, &out, c, begins ? JINJA_UPPER : JINJA_LOWER);
        begins = jinja_is_space(c) || (c && c < 0x80 && strchr("-({[<", (int)c));
        p += length;
    }
    return jinja_made(run, &out, good);
}

JINJA_DEFINE(filter_replace)
{
    const jinja_ref text = jinja_str(run, self), old = jinja_str(run, a[0]), with = jinja_str(run, a[1]);
    int64_t count = -1;
    if (!text || !old || !with || !jinja_want_int(run, a[2], "replace", &count))
        return NULL;
    return jinja_replace(run, text, old, with, count);
}

static bool indent_lines(jinja_run *run, jinja_ref lines, jinja_ref by, bool first, bool blank, core_text *out)
{
    for (size_t i = 0; i < lines->as.list.count; i++) {
        const jinja_ref line = lines->as.list.items[i];
        if (i > 0 && !jinja_add_word(run, out, "\n"))
            return false;
        if ((i == 0 ? first : blank || line->as.text.length > 0) && !jinja_print(run, by, out))
            return false;
        if (!jinja_print(run, line, out))
            return false;
    }
    return true;
}

JINJA_DEFINE(filter_indent)
{
    const jinja_ref newline = jinja_word(run, "\n"), space = jinja_word(run, " ");
    int64_t width = 4;
    jinja_ref by, text, lines;
    core_text out;
    if (!newline || !space)
        return NULL;
    if (a[0] && a[0]->kind == JINJA_STRING)
        by = a[0];
    else if (!jinja_want_int(run, a[0], "indent", &width) ||
             !(by = jinja_pad(run, &jinja_empty, width > 0 ? (size_t)width : 0, NULL, true, false)))
        return NULL;
    if (!(text = jinja_binary(run, 0, self, newline)) || !(lines = jinja_split_lines(run, text, false)))
        return NULL;
    out = jinja_making(run);
    const bool good = indent_lines(run, lines, by, a[1] && jinja_truth(a[1]), a[2] && jinja_truth(a[2]), &out);
    return jinja_made(run, &out, good);
}

JINJA_DEFINE(filter_center)
{
    const jinja_ref text = jinja_str(run, self);
    int64_t width = 80;
    if (!text || !jinja_want_int(run, a[0], "center", &width))
        return NULL;
    return jinja_pad(run, text, width > 0 ? (size_t)width : 0, NULL, true, true);
}

JINJA_DEFINE(filter_truncate)
{
    int64_t length = 255, leeway = 5;
    size_t chars = 0;
    jinja_ref end = a[2] ? a[2] : jinja_word(run, "..."), space = jinja_word(run, " "), head;
    if (!end || !space || !jinja_want_int(run, a[0], "truncate", &length) ||
        !jinja_want_int(run, a[3], "truncate", &leeway))
        return NULL;
    if (end->kind != JINJA_STRING || !jinja_length(self, &chars))
        return jinja_fail(run, "object of type '%s' has no len()", jinja_type(end->kind != JINJA_STRING ? end : self));
    if (length < (int64_t)end->as.text.chars)
        return jinja_fail(run, "expected length >= %zu, got %lld", end->as.text.chars, (long long)length);
    if (leeway < 0)
        return jinja_fail(run, "expected leeway >= 0, got %lld", (long long)leeway);
    if (length >= (int64_t)chars || (int64_t)chars - length <= leeway)
        return self;
    if (self->kind != JINJA_STRING)
        return jinja_fail(run, "truncate: a string is wanted, not '%s'", jinja_type(self));
    if (!(head = jinja_substring(run, self, 0, (size_t)length - end->as.text.chars)))
        return NULL;
    if (!a[1] || !jinja_truth(a[1])) {
        size_t at;
        if (!jinja_text_find_last(run, head, space, &at) ||
            (at != SIZE_MAX && !(head = jinja_part(run, head->as.text.data, at))))
            return NULL;
    }
    return jinja_join2(run, head, end);
}

JINJA_DEFINE(filter_wordcount)
{
    const jinja_ref text = jinja_str(run, self);
    int64_t words = 0;
    bool in_word = false;
    if (!text || !jinja_work(run, text->as.text.length / 8))
        return NULL;
    for (const char *p = text->as.text.data, *end = p + text->as.text.length; p < end;) {
        size_t length;
        const bool is_word = (tok_class_of(tok_char_at(p, &length)) & TOK_WORD) != 0;
        words += is_word && !in_word;
        in_word = is_word;
        p += length;
    }
    return jinja_int(run, words);
}

JINJA_DEFINE(filter_safe)
{
    const jinja_ref text = jinja_str(run, self);
    return text ? jinja_markup(run, text) : NULL;
}

JINJA_DEFINE(filter_forceescape)
{
    const jinja_ref text = jinja_str(run, self);
    return text ? jinja_escape(run, text) : NULL;
}

JINJA_DEFINE(filter_escape)
{
    return self->kind == JINJA_STRING && self->markup ? self : filter_forceescape(run, self, a, all);
}

JINJA_DEFINE(filter_format)
{
    const jinja_ref text = jinja_str(run, self);
    jinja_dict *dict;
    jinja_ref values;
    if (!text)
        return NULL;
    if (all->count > 0 && all->named_count > 0)
        return jinja_fail(run, "can't handle positional and keyword arguments at the same time");
    if (all->named_count == 0) {
        values = jinja_sequence(run, JINJA_TUPLE, all->items, all->count);
    } else {
        if (!(dict = jinja_dict_new(run)))
            return NULL;
        for (size_t i = 0; i < all->named_count; i++)
            if (!jinja_dict_set(run, dict, all->named[i].key, all->named[i].value))
                return NULL;
        values = jinja_dict_value(run, JINJA_DICT, dict);
    }
    return values ? jinja_format(run, text, values) : NULL;
}

/* json.dumps() takes an int or a text for its indent. */
static bool json_indent(jinja_run *run, jinja_ref argument, jinja_ref *indent)
{
    int64_t width = 0;
    *indent = NULL;
    if (!argument || argument->kind == JINJA_NONE)
        return true;
    if (argument->kind == JINJA_STRING) {
        *indent = argument;
        return true;
    }
    if (!jinja_want_int(run, argument, "tojson", &width))
        return false;
    return (*indent = jinja_pad(run, &jinja_empty, width > 0 ? (size_t)width : 0, NULL, true, false)) != NULL;
}

JINJA_DEFINE(filter_tojson)
{
    jinja_json_style style = { .ascii = a[0] && jinja_truth(a[0]), .sort = a[3] && jinja_truth(a[3]) };
    const jinja_ref *separators;
    size_t count;
    core_text out;
    if (!json_indent(run, a[1], &style.indent))
        return NULL;
    if (a[2] && a[2]->kind != JINJA_NONE) {
        if (!jinja_items(run, a[2], &separators, &count))
            return NULL;
        if (count != 2 || separators[0]->kind != JINJA_STRING || separators[1]->kind != JINJA_STRING)
            return jinja_fail(run, "tojson: separators must be two strings");
        style.between = separators[0];
        style.after_key = separators[1];
    }
    out = jinja_making(run);
    const bool good = jinja_print_json(run, self, &style, &out);
    return jinja_made(run, &out, good);
}

static const jinja_callable rows[] = {
    { "trim", "chars", 0, filter_trim },
    { "tojson", "ensure_ascii indent separators sort_keys", 0, filter_tojson },
    { "upper", "", 0, filter_upper },
    { "lower", "", 0, filter_lower },
    { "replace", "old new count", 2, filter_replace },
    { "title", "", 0, filter_title },
    { "capitalize", "", 0, filter_capitalize },
    { "string", "", 0, filter_string },
    { "indent", "width first blank", 0, filter_indent },
    { "format", NULL, 0, filter_format },
    { "safe", "", 0, filter_safe },
    { "e", "", 0, filter_escape },
    { "escape", "", 0, filter_escape },
    { "forceescape", "", 0, filter_forceescape },
    { "center", "width", 0, filter_center },
    { "truncate", "length killwords end leeway", 0, filter_truncate },
    { "wordcount", "", 0, filter_wordcount },
};
const jinja_table jinja_text_filters = { rows, COUNT(rows) };
