/* regex_class.c: classes and escapes of Oniguruma's patterns, read as sets of code points and written as ranges. */
#include <string.h>

#include "tokenizer/ranges.h"
#include "tokenizer/regex_rewrite.h"

#define MAX_NESTING 32 /* of classes in classes */

/* ---- Writing */

oclm_status tok_rewrite_ranges(tok_rewrite *self, const tok_ranges *ranges, bool invert)
{
    oclm_status status;
    size_t written = 0;
    if ((status = core_text_add_string(self->out, invert ? "[^" : "[")) != OCLM_OK)
        return status;
    for (size_t i = 0; i < ranges->count && status == OCLM_OK; i++) {
        uint32_t first = ranges->data[i].first, last = ranges->data[i].last;
        if (first >= 0xD800 && first <= 0xDFFF) /* no text has surrogates, and PCRE2 refuses to name them */
            first = 0xE000;
        if (last >= 0xD800 && last <= 0xDFFF)
            last = 0xD7FF;
        if (first > last)
            continue;
        status = first == last ? core_text_printf(self->out, "\\x{%X}", (unsigned)first)
                               : core_text_printf(self->out, "\\x{%X}-\\x{%X}", (unsigned)first, (unsigned)last);
        written++;
    }
    if (status != OCLM_OK)
        return status;
    if (written == 0) { /* matches nothing, or all */
        self->out->length -= invert ? 2 : 1;
        return core_text_add_string(self->out, invert ? "(?s:.)" : "(?!)");
    }
    return core_text_add_char(self->out, ']');
}

/* ---- Escapes */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Up to `most` digits of a base that is 8 or 16. */
static size_t read_digits(tok_rewrite *self, uint32_t base, size_t most, uint32_t *value)
{
    size_t count = 0;
    *value = 0;
    while (count < most && self->p < self->end) {
        const int digit = hex_digit(*self->p);
        if (digit < 0 || (uint32_t)digit >= base)
            break;
        *value = *value * base + (uint32_t)digit;
        self->p++;
        count++;
    }
    return count;
}

static oclm_status check_code_point(const tok_rewrite *self, uint32_t value)
{
    if (value > TOK_LAST_CODE_POINT || (value >= 0xD800 && value <= 0xDFFF))
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "an escape names no code point");
    return OCLM_OK;
}

/* Behind "\x" or "\o": {...}, or two digits; bytes above 0x7F spell a character in UTF-8. */
static oclm_status read_hex(tok_rewrite *self, uint32_t *code_point)
{
    char bytes[4];
    size_t count = 0;
    uint32_t value;
    if (self->p < self->end && *self->p == '{') {
        self->p++;
        if (read_digits(self, 16, 8, code_point) == 0 || self->p == self->end || *self->p != '}')
            return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "\\x{ needs one hexadecimal number and }");
        self->p++;
        return check_code_point(self, *code_point);
    }
    (void)read_digits(self, 16, 2, code_point); /* none: U+0000, as in Oniguruma */
    if (*code_point < 0x80)
        return OCLM_OK;
    bytes[count++] = (char)*code_point;
    while (count < 4 && core_utf8_read(bytes, bytes + count, code_point) == 0) {
        if (self->end - self->p < 4 || self->p[0] != '\\' || self->p[1] != 'x')
            return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "bytes by \\x do not spell a character in UTF-8");
        self->p += 2;
        (void)read_digits(self, 16, 2, &value);
        bytes[count++] = (char)value;
    }
    return core_utf8_read(bytes, bytes + count, code_point) == count
               ? OCLM_OK
               : tok_rewrite_fail(self, OCLM_ERR_FORMAT, "bytes by \\x do not spell a character in UTF-8");
}

static oclm_status read_control(tok_rewrite *self, uint32_t *code_point)
{
    if (self->p == self->end || (unsigned char)*self->p >= 0x80 || *self->p == '\\')
        return tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED, "a control escape that is not \\c and one ASCII character");
    *code_point = *self->p == '?' ? 0x7F : (uint32_t)*self->p & 0x1F;
    self->p++;
    return OCLM_OK;
}

oclm_status tok_rewrite_char_escape(tok_rewrite *self, bool in_class, uint32_t *code_point)
{
    static const char names[] = "tnrfvae";
    static const char values[] = "\t\n\r\f\v\a\x1B";
    if (self->p == self->end)
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "it ends in a backslash");
    const char c = *self->p++;
    const char *name = strchr(names, c);
    if (c != '\0' && name != NULL) {
        *code_point = (unsigned char)values[name - names];
        return OCLM_OK;
    }
    if (c >= '0' && c <= '7') {
        self->p--;
        (void)read_digits(self, 8, 3, code_point);
        return *code_point < 0x80 ? OCLM_OK
                                  : tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED, "an octal escape above \\177");
    }
    switch (c) {
    case 'b':
        if (in_class) {
            *code_point = '\b';
            return OCLM_OK;
        }
        break;
    case 'x':
        return read_hex(self, code_point);
    case 'o':
        if (self->p < self->end && *self->p == '{') {
            self->p++;
            if (read_digits(self, 8, 11, code_point) == 0 || self->p == self->end || *self->p++ != '}')
                return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "\\o{ needs one octal number and }");
            return check_code_point(self, *code_point);
        }
        break;
    case 'u':
        if (read_digits(self, 16, 4, code_point) != 4)
            return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "\\u needs four hexadecimal digits");
        return check_code_point(self, *code_point);
    case 'c':
        return read_control(self, code_point);
    case 'C':
    case 'M':
        if (c == 'C' && self->p < self->end && *self->p == '-') {
            self->p++;
            return read_control(self, code_point);
        }
        return tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED, "\\M and \\C but for \\C-a");
    default:
        break;
    }
    self->p--;
    const size_t length = core_utf8_read(self->p, self->end, code_point); /* itself */
    self->p += length;
    return OCLM_OK;
}

/* \w outside a class has six characters of Latin-1 more. */
static const tok_range more_word[] = { { 0xB2, 0xB3 }, { 0xB9, 0xB9 }, { 0xBC, 0xBE } };

static oclm_status add_property(tok_rewrite *self, const char *name, size_t length, bool posix, bool in_class,
                                bool invert, tok_ranges *ranges)
{
    tok_ranges set = TOK_RANGES_INIT;
    bool known;
    oclm_status status = tok_property_add(&set, name, length, posix, &known);
    if (status == OCLM_OK && !known)
        status = tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED,
                                  "a property that is not known here (general categories and scripts are)");
    if (status == OCLM_OK && !in_class && length == 4 && (name[0] | 0x20) == 'w')
        status = tok_ranges_add_all(&set, more_word, COUNT(more_word));
    tok_ranges_tidy(&set);
    if (status == OCLM_OK && invert)
        status = tok_ranges_invert(&set);
    if (status == OCLM_OK)
        status = tok_ranges_add_all(ranges, set.data, set.count);
    tok_ranges_deinit(&set);
    return status;
}

/* Behind "\p" or "\P", at '{'. */
static oclm_status read_property(tok_rewrite *self, bool invert, bool in_class, tok_ranges *ranges)
{
    const char *begin = self->p + 1, *stop = memchr(self->p, '}', (size_t)(self->end - self->p));
    if (stop == NULL)
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "\\p{ without }");
    if (*begin == '^') {
        invert = !invert;
        begin++;
    }
    const oclm_status status = add_property(self, begin, (size_t)(stop - begin), false, in_class, invert, ranges);
    self->p = stop + 1;
    return status;
}

oclm_status tok_rewrite_set_escape(tok_rewrite *self, bool in_class, tok_ranges *ranges, bool *found)
{
    static const struct {
        char letter;
        const char *name;
    } sets[] = { { 'w', "word" }, { 'd', "digit" }, { 's', "space" }, { 'h', "xdigit" } };
    *found = true;
    if (self->p < self->end) {
        const char c = *self->p, lower = (char)(c | 0x20);
        if (lower == 'p' && self->p + 1 < self->end && self->p[1] == '{') {
            self->p++;
            return read_property(self, c == 'P', in_class, ranges);
        }
        for (size_t i = 0; i < COUNT(sets); i++) {
            if (lower == sets[i].letter) {
                self->p++;
                return add_property(self, sets[i].name, strlen(sets[i].name), false, in_class, c != lower, ranges);
            }
        }
    }
    *found = false;
    return OCLM_OK;
}

/* ---- Classes */

/* At "[:": reads [:name:] and *found is true; else nothing is read. */
static oclm_status read_posix(tok_rewrite *self, tok_ranges *ranges, bool *found)
{
    const char *name = self->p + 2, *stop = name;
    const bool invert = stop < self->end && *stop == '^';
    *found = false;
    stop = name += invert;
    while (stop < self->end && ((*stop >= 'a' && *stop <= 'z') || (*stop >= 'A' && *stop <= 'Z')))
        stop++;
    if (self->end - stop < 2 || stop[0] != ':' || stop[1] != ']')
        return OCLM_OK;
    *found = true;
    const oclm_status status = add_property(self, name, (size_t)(stop - name), true, true, invert, ranges);
    self->p = stop + 2;
    return status;
}

/* One code point within a class, at `p`. */
static oclm_status read_char(tok_rewrite *self, uint32_t *code_point)
{
    if (*self->p == '\\') {
        self->p++;
        return tok_rewrite_char_escape(self, true, code_point);
    }
    self->p += core_utf8_read(self->p, self->end, code_point);
    return OCLM_OK;
}

static oclm_status read_range(tok_rewrite *self, tok_ranges *ranges)
{
    uint32_t first, last;
    bool is_set;
    tok_ranges none = TOK_RANGES_INIT;
    oclm_status status = read_char(self, &first);
    last = first;
    if (status == OCLM_OK && self->end - self->p >= 2 && self->p[0] == '-' && self->p[1] != ']') {
        const char *before = self->p++;
        if (*self->p == '[' || (*self->p == '&' && self->end - self->p >= 2 && self->p[1] == '&'))
            self->p = before; /* the '-' stands for itself */
        else if (*self->p == '\\') {
            self->p++;
            status = tok_rewrite_set_escape(self, true, &none, &is_set);
            tok_ranges_deinit(&none);
            if (status == OCLM_OK && is_set)
                return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a range of a class ends in a class");
            self->p = before + 1;
            if (status == OCLM_OK)
                status = read_char(self, &last);
        } else {
            status = read_char(self, &last);
        }
    }
    if (status == OCLM_OK && last < first)
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a range of a class is empty");
    return status == OCLM_OK ? tok_ranges_add(ranges, first, last) : status;
}

static oclm_status read_class(tok_rewrite *self, tok_ranges *ranges, uint32_t nesting, bool *inverted);

/* One member of a class: a set, a class within, or a range. */
static oclm_status read_member(tok_rewrite *self, tok_ranges *ranges, uint32_t nesting)
{
    oclm_status status = OCLM_OK;
    bool found = false;
    if (*self->p == '[') {
        if (self->end - self->p >= 2 && self->p[1] == ':' &&
            ((status = read_posix(self, ranges, &found)) != OCLM_OK || found))
            return status;
        return read_class(self, ranges, nesting + 1, NULL);
    }
    if (*self->p == '\\') {
        self->p++;
        if ((status = tok_rewrite_set_escape(self, true, ranges, &found)) != OCLM_OK)
            return status;
        if (found) {
            if (self->end - self->p >= 2 && self->p[0] == '-' && self->p[1] != ']')
                return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a '-' follows a set in a class");
            return OCLM_OK;
        }
        self->p--;
    }
    return read_range(self, ranges);
}

/* `all` becomes what both have; the first time, what `more` has. */
static oclm_status narrow(tok_ranges *all, tok_ranges *more, bool first)
{
    oclm_status status = OCLM_OK;
    tok_ranges_tidy(more);
    if (first)
        status = tok_ranges_add_all(all, more->data, more->count);
    else
        status = tok_ranges_intersect(all, more);
    tok_ranges_deinit(more);
    return status;
}

/* At '[': adds what the class has. With `inverted` it is the caller's to invert a class that begins with '^'. */
static oclm_status read_class(tok_rewrite *self, tok_ranges *ranges, uint32_t nesting, bool *inverted)
{
    const char *const begin = self->p++;
    tok_ranges all = TOK_RANGES_INIT, part = TOK_RANGES_INIT; /* between "&&" */
    bool first = true, closed = false;
    oclm_status status = OCLM_OK;
    if (nesting > MAX_NESTING)
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "classes are nested too deeply");
    const bool invert = self->p < self->end && *self->p == '^';
    self->p += invert;
    /* A ']' that comes first stands for itself, if another one closes the class. */
    if (self->p < self->end && *self->p == ']') {
        if (memchr(self->p + 1, ']', (size_t)(self->end - self->p) - 1) == NULL)
            return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a class is empty");
        status = read_range(self, &part);
    }
    while (status == OCLM_OK && self->p < self->end) {
        if (*self->p == ']') {
            self->p++;
            closed = true;
            break;
        }
        if (self->end - self->p >= 2 && self->p[0] == '&' && self->p[1] == '&') {
            self->p += 2;
            status = narrow(&all, &part, first);
            first = false;
        } else {
            status = read_member(self, &part, nesting);
        }
    }
    if (status == OCLM_OK && !closed) {
        self->p = begin;
        status = tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a class is not closed");
    }
    if (status == OCLM_OK && (status = narrow(&all, &part, first)) == OCLM_OK && invert && inverted == NULL)
        status = tok_ranges_invert(&all);
    if (inverted != NULL)
        *inverted = invert;
    if (status == OCLM_OK)
        status = tok_ranges_add_all(ranges, all.data, all.count);
    tok_ranges_deinit(&all);
    tok_ranges_deinit(&part);
    return status;
}

/* Case is folded before the class is inverted, so PCRE2 is left to invert it. */
oclm_status tok_rewrite_class(tok_rewrite *self)
{
    tok_ranges ranges = TOK_RANGES_INIT;
    bool inverted = false;
    oclm_status status = read_class(self, &ranges, 0, &inverted);
    tok_ranges_tidy(&ranges);
    if (status == OCLM_OK && self->ignore_case) /* PCRE2 folds too, but perhaps with older tables */
        status = tok_ranges_fold(&ranges);
    if (status == OCLM_OK)
        status = tok_rewrite_ranges(self, &ranges, inverted);
    tok_ranges_deinit(&ranges);
    return status;
}
