/* methods_text.c: the methods of str. */
#include <string.h>

#include "tokenizer/chat/call.h"
#include "tokenizer/chat/text.h"

/* An argument that must be a text. */
static bool want_text(jinja_run *run, jinja_ref argument, const char *what)
{
    if (argument->kind == JINJA_STRING)
        return true;
    return jinja_fail(run, "%s: a string is wanted, not '%s'", what, jinja_type(argument)) != NULL;
}

JINJA_DEFINE(text_upper)
{
    return jinja_change_case(run, self, JINJA_UPPER);
}
JINJA_DEFINE(text_lower)
{
    return jinja_change_case(run, self, JINJA_LOWER);
}
JINJA_DEFINE(text_title)
{
    return jinja_change_case(run, self, JINJA_TITLE);
}
JINJA_DEFINE(text_capitalize)
{
    return jinja_change_case(run, self, JINJA_CAPITALIZE);
}
JINJA_DEFINE(text_swapcase)
{
    return jinja_change_case(run, self, JINJA_SWAP);
}
JINJA_DEFINE(text_strip)
{
    return jinja_strip(run, self, a[0], true, true);
}
JINJA_DEFINE(text_lstrip)
{
    return jinja_strip(run, self, a[0], true, false);
}
JINJA_DEFINE(text_rstrip)
{
    return jinja_strip(run, self, a[0], false, true);
}

JINJA_DEFINE(text_split)
{
    int64_t most = -1;
    return jinja_want_int(run, a[1], "split", &most) ? jinja_split(run, self, a[0], most, false) : NULL;
}

JINJA_DEFINE(text_rsplit)
{
    int64_t most = -1;
    return jinja_want_int(run, a[1], "rsplit", &most) ? jinja_split(run, self, a[0], most, true) : NULL;
}

JINJA_DEFINE(text_splitlines)
{
    return jinja_split_lines(run, self, a[0] && jinja_truth(a[0]));
}

JINJA_DEFINE(text_replace)
{
    int64_t count = -1;
    if (!want_text(run, a[0], "replace") || !want_text(run, a[1], "replace") ||
        !jinja_want_int(run, a[2], "replace", &count))
        return NULL;
    return jinja_replace(run, self, a[0], a[1], count);
}

JINJA_DEFINE(text_join)
{
    const jinja_ref *items;
    size_t count;
    if (!jinja_is_iterable(a[0]))
        return jinja_fail(run, "can only join an iterable");
    if (!jinja_items(run, a[0], &items, &count))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (items[i]->kind != JINJA_STRING)
            return jinja_fail(run, "sequence item %zu: expected str instance, %s found", i, jinja_type(items[i]));
    return jinja_join(run, self, items, count);
}

/* ---- Searching */

/* The part that start and end name, as slices do; false also where start is behind the end, with `*part` NULL then. */
static bool cut(jinja_run *run, jinja_ref self, jinja_ref start, jinja_ref end, size_t *from, jinja_ref *part)
{
    const int64_t chars = (int64_t)self->as.text.chars;
    int64_t first = 0, last = chars;
    *part = NULL;
    *from = 0;
    if (!jinja_want_int(run, start, "start", &first) || !jinja_want_int(run, end, "end", &last))
        return false;
    first = first < 0 ? (first + chars > 0 ? first + chars : 0) : first;
    last = last < 0 ? (last + chars > 0 ? last + chars : 0) : last > chars ? chars : last;
    if (first > last)
        return true;
    *from = (size_t)first;
    return (*part = jinja_substring(run, self, (size_t)first, (size_t)last)) != NULL;
}

static bool ends_match(jinja_ref text, jinja_ref what, bool at_end)
{
    const size_t length = what->as.text.length;
    if (length > text->as.text.length)
        return false;
    return memcmp(text->as.text.data + (at_end ? text->as.text.length - length : 0), what->as.text.data, length) == 0;
}

static jinja_ref starts_or_ends(jinja_run *run, jinja_ref self, const jinja_ref *a, bool at_end)
{
    jinja_ref part;
    size_t from;
    if (a[0]->kind != JINJA_STRING && a[0]->kind != JINJA_TUPLE)
        return jinja_fail(run, "%s first arg must be str or a tuple of str, not %s", at_end ? "endswith" : "startswith",
                          jinja_type(a[0]));
    if (!cut(run, self, a[1], a[2], &from, &part))
        return NULL;
    if (!part)
        return &jinja_false;
    if (a[0]->kind == JINJA_STRING)
        return jinja_bool(ends_match(part, a[0], at_end));
    for (size_t i = 0; i < a[0]->as.list.count; i++) {
        if (!want_text(run, a[0]->as.list.items[i], at_end ? "endswith" : "startswith"))
            return NULL;
        if (ends_match(part, a[0]->as.list.items[i], at_end))
            return &jinja_true;
    }
    return &jinja_false;
}

JINJA_DEFINE(text_startswith)
{
    return starts_or_ends(run, self, a, false);
}
JINJA_DEFINE(text_endswith)
{
    return starts_or_ends(run, self, a, true);
}

static jinja_ref find(jinja_run *run, jinja_ref self, const jinja_ref *a, bool last, bool must)
{
    jinja_ref part;
    size_t from, at = SIZE_MAX;
    if (!want_text(run, a[0], "find") || !cut(run, self, a[1], a[2], &from, &part))
        return NULL;
    if (part && !(last ? jinja_text_find_last(run, part, a[0], &at) : jinja_text_find(run, part, a[0], 0, &at)))
        return NULL;
    if (at == SIZE_MAX)
        return must ? jinja_fail(run, "substring not found") : jinja_int(run, -1);
    return jinja_int(run, (int64_t)(from + jinja_char_index(part, at)));
}

JINJA_DEFINE(text_find)
{
    return find(run, self, a, false, false);
}
JINJA_DEFINE(text_rfind)
{
    return find(run, self, a, true, false);
}
JINJA_DEFINE(text_index)
{
    return find(run, self, a, false, true);
}
JINJA_DEFINE(text_rindex)
{
    return find(run, self, a, true, true);
}

JINJA_DEFINE(text_count)
{
    jinja_ref part;
    size_t from, at, next = 0;
    int64_t count = 0;
    if (!want_text(run, a[0], "count") || !cut(run, self, a[1], a[2], &from, &part))
        return NULL;
    if (part && a[0]->as.text.length == 0)
        return jinja_int(run, (int64_t)part->as.text.chars + 1);
    for (; part; count++) {
        if (!jinja_text_find(run, part, a[0], next, &at))
            return NULL;
        if (at == SIZE_MAX)
            break;
        next = at + a[0]->as.text.length;
    }
    return jinja_int(run, count);
}

static jinja_ref partition(jinja_run *run, jinja_ref self, jinja_ref separator, bool last)
{
    jinja_ref *items = jinja_array(run, 3);
    size_t at;
    if (!items || !want_text(run, separator, "partition"))
        return NULL;
    if (separator->as.text.length == 0)
        return jinja_fail(run, "empty separator");
    if (!(last ? jinja_text_find_last(run, self, separator, &at) : jinja_text_find(run, self, separator, 0, &at)))
        return NULL;
    if (at == SIZE_MAX) {
        items[0] = last ? &jinja_empty : self;
        items[1] = &jinja_empty;
        items[2] = last ? self : &jinja_empty;
    } else {
        const size_t behind = at + separator->as.text.length;
        items[0] = jinja_part(run, self->as.text.data, at);
        items[1] = separator;
        items[2] = jinja_part(run, self->as.text.data + behind, self->as.text.length - behind);
    }
    return items[0] && items[2] ? jinja_sequence(run, JINJA_TUPLE, items, 3) : NULL;
}

JINJA_DEFINE(text_partition)
{
    return partition(run, self, a[0], false);
}
JINJA_DEFINE(text_rpartition)
{
    return partition(run, self, a[0], true);
}

JINJA_DEFINE(text_removeprefix)
{
    if (!want_text(run, a[0], "removeprefix"))
        return NULL;
    if (!ends_match(self, a[0], false))
        return self;
    return jinja_part(run, self->as.text.data + a[0]->as.text.length, self->as.text.length - a[0]->as.text.length);
}

JINJA_DEFINE(text_removesuffix)
{
    if (!want_text(run, a[0], "removesuffix"))
        return NULL;
    return ends_match(self, a[0], true)
               ? jinja_part(run, self->as.text.data, self->as.text.length - a[0]->as.text.length)
               : self;
}

/* ---- Padding */

static jinja_ref pad(jinja_run *run, jinja_ref self, const jinja_ref *a, bool left, bool right)
{
    int64_t width = 0;
    if (!jinja_want_int(run, a[0], "width", &width))
        return NULL;
    if (a[1] && (a[1]->kind != JINJA_STRING || a[1]->as.text.chars != 1))
        return jinja_fail(run, "The fill character must be exactly one character long");
    return jinja_pad(run, self, width > 0 ? (size_t)width : 0, a[1], left, right);
}

JINJA_DEFINE(text_center)
{
    return pad(run, self, a, true, true);
}
JINJA_DEFINE(text_ljust)
{
    return pad(run, self, a, false, true);
}
JINJA_DEFINE(text_rjust)
{
    return pad(run, self, a, true, false);
}

JINJA_DEFINE(text_zfill)
{
    const char *data = self->as.text.data;
    const size_t sign = self->as.text.length > 0 && (data[0] == '+' || data[0] == '-');
    const jinja_ref zero = jinja_word(run, "0");
    jinja_ref head, digits;
    int64_t width = 0;
    if (!zero || !jinja_want_int(run, a[0], "width", &width) || !(head = jinja_part(run, data, sign)) ||
        !(digits = jinja_part(run, data + sign, self->as.text.length - sign)))
        return NULL;
    width -= (int64_t)sign;
    digits = jinja_pad(run, digits, width > 0 ? (size_t)width : 0, zero, true, false);
    return digits ? jinja_join2(run, head, digits) : NULL;
}

/* ---- Asking */

typedef enum question { IS_ALPHA, IS_DECIMAL, IS_DIGIT, IS_NUMERIC, IS_ALNUM, IS_SPACE } question;

static bool answers(uint32_t c, question what)
{
    const uint32_t class = tok_class_of(c), category = class & TOK_CATEGORY;
    const bool digit = category == TOK_ND || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
                       (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
    switch (what) {
    case IS_ALPHA:
        return (class & TOK_LETTER) != 0;
    case IS_DECIMAL:
        return category == TOK_ND;
    case IS_DIGIT:
        return digit;
    case IS_NUMERIC:
        return (class & TOK_NUMBER) != 0;
    case IS_ALNUM:
        return (class & (TOK_LETTER | TOK_NUMBER)) != 0;
    default:
        return jinja_is_space(c);
    }
}

static jinja_ref ask(jinja_run *run, jinja_ref self, question what)
{
    const char *p = self->as.text.data, *const end = p + self->as.text.length;
    size_t length;
    if (!jinja_work(run, self->as.text.length / 8))
        return NULL;
    for (; p < end; p += length)
        if (!answers(tok_char_at(p, &length), what))
            return &jinja_false;
    return jinja_bool(self->as.text.length > 0);
}

JINJA_DEFINE(text_isalpha)
{
    return ask(run, self, IS_ALPHA);
}
JINJA_DEFINE(text_isdecimal)
{
    return ask(run, self, IS_DECIMAL);
}
JINJA_DEFINE(text_isdigit)
{
    return ask(run, self, IS_DIGIT);
}
JINJA_DEFINE(text_isnumeric)
{
    return ask(run, self, IS_NUMERIC);
}
JINJA_DEFINE(text_isalnum)
{
    return ask(run, self, IS_ALNUM);
}
JINJA_DEFINE(text_isspace)
{
    return ask(run, self, IS_SPACE);
}
JINJA_DEFINE(text_isascii)
{
    return jinja_bool(self->as.text.chars == self->as.text.length);
}

/* Whether all letters with a case have this one, and there is one. */
static jinja_ref ask_case(jinja_run *run, jinja_ref self, uint32_t wanted)
{
    const char *p = self->as.text.data, *const end = p + self->as.text.length;
    size_t length;
    bool any = false;
    if (!jinja_work(run, self->as.text.length / 8))
        return NULL;
    for (; p < end; p += length) {
        const uint32_t category = tok_class_of(tok_char_at(p, &length)) & TOK_CATEGORY;
        if (category == wanted)
            any = true;
        else if (category == TOK_LU || category == TOK_LL || category == TOK_LT)
            return &jinja_false;
    }
    return jinja_bool(any);
}

JINJA_DEFINE(text_islower)
{
    return ask_case(run, self, TOK_LL);
}
JINJA_DEFINE(text_isupper)
{
    return ask_case(run, self, TOK_LU);
}

JINJA_DEFINE(text_istitle)
{
    const char *p = self->as.text.data, *const end = p + self->as.text.length;
    size_t length;
    bool any = false, in_word = false;
    if (!jinja_work(run, self->as.text.length / 8))
        return NULL;
    for (; p < end; p += length) {
        const uint32_t category = tok_class_of(tok_char_at(p, &length)) & TOK_CATEGORY;
        const bool upper = category == TOK_LU || category == TOK_LT, lower = category == TOK_LL;
        if ((upper && in_word) || (lower && !in_word))
            return &jinja_false;
        any = any || upper || lower;
        in_word = upper || lower;
    }
    return jinja_bool(any);
}

JINJA_DEFINE(text_format)
{
    return jinja_format_method(run, self, all);
}

JINJA_DEFINE(not_here)
{
    return jinja_fail_as(run, OCLM_ERR_UNSUPPORTED, "this method of str is not supported by oclm");
}

static const jinja_callable rows[] = {
    { "split", "sep maxsplit", 0, text_split },
    { "strip", "chars", 0, text_strip },
    { "lstrip", "chars", 0, text_lstrip },
    { "rstrip", "chars", 0, text_rstrip },
    { "startswith", "prefix start end", 1, text_startswith },
    { "endswith", "suffix start end", 1, text_endswith },
    { "replace", "old new count", 2, text_replace },
    { "join", "iterable", 1, text_join },
    { "upper", "", 0, text_upper },
    { "lower", "", 0, text_lower },
    { "title", "", 0, text_title },
    { "capitalize", "", 0, text_capitalize },
    { "swapcase", "", 0, text_swapcase },
    { "rsplit", "sep maxsplit", 0, text_rsplit },
    { "splitlines", "keepends", 0, text_splitlines },
    { "find", "sub start end", 1, text_find },
    { "rfind", "sub start end", 1, text_rfind },
    { "index", "sub start end", 1, text_index },
    { "rindex", "sub start end", 1, text_rindex },
    { "count", "sub start end", 1, text_count },
    { "partition", "sep", 1, text_partition },
    { "rpartition", "sep", 1, text_rpartition },
    { "removeprefix", "prefix", 1, text_removeprefix },
    { "removesuffix", "suffix", 1, text_removesuffix },
    { "center", "width fillchar", 1, text_center },
    { "ljust", "width fillchar", 1, text_ljust },
    { "rjust", "width fillchar", 1, text_rjust },
    { "zfill", "width", 1, text_zfill },
    { "isalpha", "", 0, text_isalpha },
    { "isdecimal", "", 0, text_isdecimal },
    { "isdigit", "", 0, text_isdigit },
    { "isnumeric", "", 0, text_isnumeric },
    { "isalnum", "", 0, text_isalnum },
    { "isspace", "", 0, text_isspace },
    { "isascii", "", 0, text_isascii },
    { "islower", "", 0, text_islower },
    { "isupper", "", 0, text_isupper },
    { "istitle", "", 0, text_istitle },
    { "format", NULL, 0, text_format },
    { "encode", NULL, 0, not_here },
    { "expandtabs", NULL, 0, not_here },
    { "casefold", NULL, 0, not_here },
    { "format_map", NULL, 0, not_here },
    { "translate", NULL, 0, not_here },
    { "maketrans", NULL, 0, not_here },
    { "isidentifier", NULL, 0, not_here },
    { "isprintable", NULL, 0, not_here },
};
const jinja_table jinja_text_methods = { rows, COUNT(rows) };
