/* text.c: searching, cutting and joining texts. Work is counted where it may be more than linear, so no text can stop
 * the machine. */
#include "tokenizer/chat/text.h"

#include <string.h>

#include "tokenizer/chat/call.h"

size_t jinja_char_offset(jinja_ref text, size_t index)
{
    const char *p = text->as.text.data;
    if (text->as.text.chars == text->as.text.length)
        return index;
    for (; index > 0; index--) {
        p++;
        while (p < text->as.text.data + text->as.text.length && ((unsigned char)*p & 0xC0) == 0x80)
            p++;
    }
    return (size_t)(p - text->as.text.data);
}

size_t jinja_char_index(jinja_ref text, size_t offset)
{
    size_t index = 0;
    if (text->as.text.chars == text->as.text.length)
        return offset;
    for (size_t i = 0; i < offset; i++)
        index += ((unsigned char)text->as.text.data[i] & 0xC0) != 0x80;
    return index;
}

jinja_ref jinja_substring(jinja_run *run, jinja_ref text, size_t from, size_t to)
{
    if (!jinja_work(run, text->as.text.chars == text->as.text.length ? 1 : 1 + text->as.text.length / 8))
        return NULL;
    const size_t begin = jinja_char_offset(text, from), end = jinja_char_offset(text, to);
    return jinja_part(run, text->as.text.data + begin, end - begin);
}

bool jinja_text_find(jinja_run *run, jinja_ref text, jinja_ref what, size_t from, size_t *at)
{
    const size_t length = text->as.text.length, wanted = what->as.text.length;
    const char *data = text->as.text.data, *p;
    *at = SIZE_MAX;
    if (from > length || wanted > length - from)
        return true;
    if (wanted == 0) {
        *at = from;
        return true;
    }
    for (p = data + from; (size_t)(data + length - p) >= wanted; p++) {
        const char *const candidate = memchr(p, what->as.text.data[0], (size_t)(data + length - p) - wanted + 1);
        if (!jinja_work(run, 1 + (size_t)((candidate ? candidate : data + length) - p) / 64))
            return false;
        if (!candidate)
            return true;
        p = candidate;
        /* The last byte first: it tells most of what only begins alike. A comparison costs what it may read. */
        if (p[wanted - 1] == what->as.text.data[wanted - 1]) {
            if (!jinja_work(run, wanted / 64))
                return false;
            if (memcmp(p, what->as.text.data, wanted) == 0) {
                *at = (size_t)(p - data);
                return true;
            }
        }
    }
    return true;
}

bool jinja_text_find_last(jinja_run *run, jinja_ref text, jinja_ref what, size_t *at)
{
    const size_t wanted = what->as.text.length;
    *at = SIZE_MAX;
    if (wanted > text->as.text.length)
        return true;
    for (size_t i = text->as.text.length - wanted + 1; i-- > 0;) {
        if (!jinja_work(run, 1 + wanted / 64))
            return false;
        if (wanted == 0 || memcmp(text->as.text.data + i, what->as.text.data, wanted) == 0) {
            *at = i;
            return true;
        }
    }
    return true;
}

/* ---- Stripping */

static bool is_one_of(uint32_t c, jinja_ref chars)
{
    const char *p, *end;
    if (!chars || chars->kind == JINJA_NONE)
        return jinja_is_space(c);
    p = chars->as.text.data;
    end = p + chars->as.text.length;
    while (p < end) {
        size_t length;
        if (tok_char_at(p, &length) == c)
            return true;
        p += length;
    }
    return false;
}

jinja_ref jinja_strip(jinja_run *run, jinja_ref text, jinja_ref chars, bool left, bool right)
{
    const char *p = text->as.text.data, *end = p + text->as.text.length;
    const uint64_t cost = chars && chars->kind == JINJA_STRING ? chars->as.text.length : 1;
    size_t length;
    if (chars && chars->kind != JINJA_NONE && chars->kind != JINJA_STRING)
        return jinja_fail(run, "strip arg must be None or str");
    for (; left && p < end && is_one_of(tok_char_at(p, &length), chars); p += length)
        if (!jinja_work(run, cost))
            return NULL;
    while (right && end > p && is_one_of(tok_char_at(tok_char_before(p, end), &length), chars)) {
        end = tok_char_before(p, end);
        if (!jinja_work(run, cost))
            return NULL;
    }
    return (size_t)(end - p) == text->as.text.length ? text : jinja_part(run, p, (size_t)(end - p));
}

/* ---- Replacing */

/* Between all characters, and at both ends. */
static bool replace_empty(jinja_run *run, jinja_ref text, jinja_ref with, int64_t count, core_text *out)
{
    const char *p = text->as.text.data, *const end = p + text->as.text.length;
    for (;; count--) {
        size_t length;
        if (count == 0)
            return jinja_add(run, out, p, (size_t)(end - p));
        if (!jinja_work(run, 1) || !jinja_print(run, with, out))
            return false;
        if (p >= end)
            return true;
        (void)tok_char_at(p, &length);
        if (!jinja_add(run, out, p, length))
            return false;
        p += length;
    }
}

static bool replace(jinja_run *run, jinja_ref text, jinja_ref old, jinja_ref with, int64_t count, core_text *out)
{
    size_t from = 0, at;
    if (old->as.text.length == 0)
        return replace_empty(run, text, with, count, out);
    for (; count != 0; count -= count > 0) {
        if (!jinja_text_find(run, text, old, from, &at))
            return false;
        if (at == SIZE_MAX)
            break;
        if (!jinja_add(run, out, text->as.text.data + from, at - from) || !jinja_print(run, with, out))
            return false;
        from = at + old->as.text.length;
    }
    return jinja_add(run, out, text->as.text.data + from, text->as.text.length - from);
}

jinja_ref jinja_replace(jinja_run *run, jinja_ref text, jinja_ref old, jinja_ref with, int64_t count)
{
    core_text out = jinja_making(run);
    const bool good = replace(run, text, old, with, count, &out);
    return jinja_made(run, &out, good);
}

/* ---- Splitting and joining */

typedef struct parts {
    jinja_run *run;
    jinja_ref *items;
    size_t count, capacity;
} parts;

static bool add_part(parts *list, const char *begin, const char *end)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? list->capacity * 2 : 8;
        jinja_ref *items = jinja_array(list->run, capacity);
        if (!items)
            return false;
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    return (list->items[list->count++] = jinja_part(list->run, begin, (size_t)(end - begin))) != NULL;
}

static bool split_space(parts *list, jinja_ref text, int64_t most)
{
    const char *p = text->as.text.data, *const end = p + text->as.text.length;
    size_t length;
    for (;;) {
        const char *begin;
        while (p < end && jinja_is_space(tok_char_at(p, &length)))
            p += length;
        if (p >= end)
            return true;
        begin = p;
        if (most == 0)
            return add_part(list, begin, end);
        most--;
        while (p < end && !jinja_is_space(tok_char_at(p, &length)))
            p += length;
        if (!add_part(list, begin, p))
            return false;
    }
}

static bool split_space_right(parts *list, jinja_ref text, int64_t most)
{
    const char *const begin = text->as.text.data;
    const char *p = begin + text->as.text.length;
    size_t length;
    for (;;) {
        const char *end;
        while (p > begin && jinja_is_space(tok_char_at(tok_char_before(begin, p), &length)))
            p = tok_char_before(begin, p);
        if (p <= begin)
            return true;
        end = p;
        if (most == 0)
            return add_part(list, begin, end);
        most--;
        while (p > begin && !jinja_is_space(tok_char_at(tok_char_before(begin, p), &length)))
            p = tok_char_before(begin, p);
        if (!add_part(list, p, end))
            return false;
    }
}

static bool split_by(parts *list, jinja_ref text, jinja_ref separator, int64_t most)
{
    const char *data = text->as.text.data;
    size_t from = 0, at;
    for (; most != 0; most -= most > 0) {
        if (!jinja_text_find(list->run, text, separator, from, &at))
            return false;
        if (at == SIZE_MAX)
            break;
        if (!add_part(list, data + from, data + at))
            return false;
        from = at + separator->as.text.length;
    }
    return add_part(list, data + from, data + text->as.text.length);
}

static bool split_by_right(parts *list, jinja_ref text, jinja_ref separator, int64_t most)
{
    const char *data = text->as.text.data;
    jinja_ref rest = text;
    size_t at;
    for (; most != 0; most -= most > 0) {
        if (!jinja_text_find_last(list->run, rest, separator, &at))
            return false;
        if (at == SIZE_MAX)
            break;
        if (!add_part(list, data + at + separator->as.text.length, data + rest->as.text.length) ||
            !(rest = jinja_part(list->run, data, at)))
            return false;
        if (at == 0)
            break;
    }
    return add_part(list, data, data + rest->as.text.length);
}

static void turn_around(parts *list)
{
    for (size_t i = 0; i < list->count / 2; i++) {
        const jinja_ref kept = list->items[i];
        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = kept;
    }
}

jinja_ref jinja_split(jinja_run *run, jinja_ref text, jinja_ref separator, int64_t most, bool from_right)
{
    parts list = { run, NULL, 0, 0 };
    bool good;
    if (!separator || separator->kind == JINJA_NONE) {
        good = from_right ? split_space_right(&list, text, most) : split_space(&list, text, most);
    } else {
        if (separator->kind != JINJA_STRING)
            return jinja_fail(run, "must be str or None, not %s", jinja_type(separator));
        if (separator->as.text.length == 0)
            return jinja_fail(run, "empty separator");
        from_right = from_right && most >= 0; /* without a limit both ways are one */
        good = from_right ? split_by_right(&list, text, separator, most) : split_by(&list, text, separator, most);
    }
    if (from_right)
        turn_around(&list);
    return good ? jinja_sequence(run, JINJA_LIST, list.items, list.count) : NULL;
}

static bool is_line_end(uint32_t c)
{
    return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

jinja_ref jinja_split_lines(jinja_run *run, jinja_ref text, bool keep_ends)
{
    const char *p = text->as.text.data, *const end = p + text->as.text.length, *begin = p;
    parts list = { run, NULL, 0, 0 };
    while (p < end) {
        size_t length;
        const uint32_t c = tok_char_at(p, &length);
        if (is_line_end(c)) {
            const char *next = p + length + (c == '\r' && p + 1 < end && p[1] == '\n');
            if (!add_part(&list, begin, keep_ends ? next : p))
                return NULL;
            begin = next;
            p = next;
        } else {
            p += length;
        }
    }
    if (begin < end && !add_part(&list, begin, end))
        return NULL;
    return jinja_sequence(run, JINJA_LIST, list.items, list.count);
}

jinja_ref jinja_join(jinja_run *run, jinja_ref separator, const jinja_ref *items, size_t count)
{
    core_text out = jinja_making(run);
    bool good = true;
    for (size_t i = 0; i < count && good; i++)
        good = jinja_work(run, 1) && (i == 0 || jinja_print(run, separator, &out)) && jinja_print(run, items[i], &out);
    return jinja_made(run, &out, good);
}

/* ---- Padding, HTML */

static bool add_times(jinja_run *run, core_text *out, jinja_ref fill, size_t times)
{
    if (times > JINJA_MAX_TEXT)
        return jinja_fail(run, "makes a text of %zu characters; the limit is %zu bytes", times, JINJA_MAX_TEXT) != NULL;
    for (size_t i = 0; i < times; i++)
        if (!(fill ? jinja_print(run, fill, out) : jinja_add(run, out, " ", 1)))
            return false;
    return true;
}

/* Both sides: the odd one goes where CPython puts it. */
jinja_ref jinja_pad(jinja_run *run, jinja_ref text, size_t width, jinja_ref fill, bool left, bool right)
{
    const size_t missing = width > text->as.text.chars ? width - text->as.text.chars : 0;
    const size_t before = left && right ? missing / 2 + (missing & width & 1) : left ? missing : 0;
    core_text out;
    if (missing == 0)
        return text;
    out = jinja_making(run);
    const bool good = add_times(run, &out, fill, before) && jinja_print(run, text, &out) &&
                      add_times(run, &out, fill, missing - before);
    return jinja_made(run, &out, good);
}

static bool add_escaped(jinja_run *run, jinja_ref text, core_text *out)
{
    static const struct {
        char c;
        const char *text;
    } known[] = {
        { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '\'', "&#39;" }, { '"', "&#34;" },
    };
    for (size_t i = 0; i < text->as.text.length; i++) {
        const char *instead = NULL;
        for (size_t k = 0; k < COUNT(known); k++)
            if (known[k].c == text->as.text.data[i])
                instead = known[k].text;
        if (!(instead ? jinja_add_word(run, out, instead) : jinja_add(run, out, text->as.text.data + i, 1)))
            return false;
    }
    return jinja_work(run, text->as.text.length);
}

jinja_ref jinja_escape(jinja_run *run, jinja_ref text)
{
    core_text out = jinja_making(run);
    const bool good = add_escaped(run, text, &out);
    const jinja_ref made = jinja_made(run, &out, good);
    return made ? jinja_markup(run, made) : NULL;
}
