/* literal.c: string literals: Python's escapes. An unknown one stays as it is written. */
#include <string.h>

#include "tokenizer/chat/call.h"
#include "tokenizer/chat/lexer.h"

/* Reads up to `most` digits of `base` at p. */
static const char *number(const char *p, const char *end, size_t most, uint32_t base, uint32_t *value)
{
    *value = 0;
    for (size_t i = 0; i < most && p < end; i++, p++) {
        const char c = *p;
        const uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                               : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                               : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                      : 99;
        if (digit >= base)
            break;
        *value = *value * base + digit;
    }
    return p;
}

/* An escape that names a code point: its length after the backslash, or 0 where it is none; SIZE_MAX after an error. */
static size_t numbered(jinja_run *run, const char *p, const char *end, uint32_t *c)
{
    const size_t most = *p == 'x' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : 0;
    const char *to;
    if (*p >= '0' && *p <= '7')
        return (size_t)(number(p, end, 3, 8, c) - p);
    if (most == 0)
        return 0;
    to = number(p + 1, end, most, 16, c);
    if ((size_t)(to - p - 1) != most) {
        (void)jinja_fail(run, "truncated \\%c escape in a text: it needs %zu hexadecimal digits", *p, most);
        return SIZE_MAX;
    }
    if (*c > 0x10FFFF || (*c >= 0xD800 && *c < 0xE000)) {
        (void)jinja_fail(run, "\\%.*s in a text is no character", (int)(to - p), p);
        return SIZE_MAX;
    }
    return most + 1;
}

static bool unescape(jinja_run *run, const char *p, const char *end, core_text *out)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    while (p < end) {
        const char *backslash = memchr(p, '\\', (size_t)(end - p));
        const char *plain_end = backslash ? backslash : end;
        const char *known;
        uint32_t c = 0;
        size_t length;
        char bytes[4];
        if (!jinja_add(run, out, p, (size_t)(plain_end - p)))
            return false;
        if (!backslash || backslash + 1 >= end)
            return true;
        p = backslash + 1;
        if (*p == '\n') {
            p++;
        } else if (*p && (known = strchr(from, *p))) {
            if (!jinja_add(run, out, &to[known - from], 1))
                return false;
            p++;
        } else if (*p == 'N') {
            return jinja_fail(run, "\\N{...} in a text is not supported: write the character, or \\uXXXX") != NULL;
        } else if ((length = numbered(run, p, end, &c)) == SIZE_MAX) {
            return false;
        } else if (length > 0) {
            if (!jinja_add(run, out, bytes, core_utf8_write(c, bytes)))
                return false;
            p += length;
        } else if (!jinja_add(run, out, "\\", 1)) {
            return false;
        }
    }
    return true;
}

jinja_ref jinja_literal(jinja_run *run, const char *text, size_t length)
{
    core_text out;
    if (!memchr(text, '\\', length))
        return jinja_part(run, text, length);
    out = jinja_making(run);
    const bool good = unescape(run, text, text + length, &out);
    return jinja_made(run, &out, good);
}
