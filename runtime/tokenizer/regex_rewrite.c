/* regex_rewrite.c: Oniguruma's pattern syntax (Ruby's) to PCRE2's: groups, quantifiers, anchors.
 *
 * What differs: (?m) lets '.' match line ends; options in the middle of a group hold up to its end, over all
 * alternatives behind; {n,m}+ is a quantified quantifier, not a possessive one; {n}? makes optional; {,m} counts from
 * 0; \h is a hexadecimal digit; \v is one character; \b goes by the reference's \w. */
#include "tokenizer/regex_rewrite.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "tokenizer/ranges.h"

#define MAX_GROUPS_DEEP 100
#define MAX_REPEAT      100000 /* Oniguruma's limit; PCRE2's is 65535 */

#define NO_ATOM         SIZE_MAX

oclm_status tok_rewrite_fail(const tok_rewrite *self, oclm_status status, const char *what)
{
    return core_fail(status, "%s: the pattern %s cannot be used: at byte %zu, %s", self->where, self->pattern,
                     (size_t)(self->p - self->pattern), what);
}

static oclm_status add(tok_rewrite *self, const char *text)
{
    return core_text_add_string(self->out, text);
}

/* ---- Atoms */

/* In any case, by our own tables. */
static oclm_status add_folded(tok_rewrite *self, uint32_t code_point)
{
    tok_ranges ranges = TOK_RANGES_INIT;
    oclm_status status = tok_ranges_add(&ranges, code_point, code_point);
    if (status == OCLM_OK && (status = tok_ranges_fold(&ranges)) == OCLM_OK)
        status = tok_rewrite_ranges(self, &ranges, false);
    tok_ranges_deinit(&ranges);
    return status;
}

static oclm_status add_char(tok_rewrite *self, uint32_t code_point)
{
    const bool plain = (code_point >= '0' && code_point <= '9') || (code_point >= 'A' && code_point <= 'Z') ||
                       (code_point >= 'a' && code_point <= 'z') || code_point >= 0x80;
    self->atom = self->out->length;
    if (self->ignore_case && code_point >= 0x80)
        return add_folded(self, code_point);
    return plain ? core_text_add_code_point(self->out, code_point)
                 : core_text_printf(self->out, "\\x{%X}", (unsigned)code_point);
}

/* A set outside brackets: folding case leaves it alone. */
static oclm_status add_set(tok_rewrite *self, tok_ranges *ranges)
{
    oclm_status status = OCLM_OK;
    self->atom = self->out->length;
    tok_ranges_tidy(ranges);
    if (self->ignore_case)
        status = add(self, "(?-i:");
    if (status == OCLM_OK)
        status = tok_rewrite_ranges(self, ranges, false);
    return status == OCLM_OK && self->ignore_case ? add(self, ")") : status;
}

/* \b, or \B if `invert`. */
static oclm_status add_boundary(tok_rewrite *self, bool invert)
{
    const char *const parts[2][4] = { { "(?:(?<=", ")(?!", ")|(?<!", ")(?=" },
                                      { "(?:(?<=", ")(?=", ")|(?<!", ")(?!" } };
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < 4 && status == OCLM_OK; i++) {
        const char *const letter = "w";
        tok_rewrite word = *self;
        tok_ranges ranges = TOK_RANGES_INIT;
        bool found;
        word.p = letter;
        word.end = letter + 1;
        if ((status = add(self, parts[invert][i])) == OCLM_OK &&
            (status = tok_rewrite_set_escape(&word, false, &ranges, &found)) == OCLM_OK)
            status = add_set(self, &ranges);
        tok_ranges_deinit(&ranges);
    }
    self->atom = NO_ATOM;
    return status == OCLM_OK ? add(self, "))") : status;
}

/* \1, \12; octal where there are not so many groups. */
static oclm_status add_back_reference(tok_rewrite *self)
{
    uint32_t number = 0, code_point;
    const char *stop = self->p;
    while (stop < self->end && *stop >= '0' && *stop <= '9' && number < 10000)
        number = number * 10 + (uint32_t)(*stop++ - '0');
    if (*self->p != '0' && (number <= 9 || number <= self->groups)) {
        self->p = stop;
        self->atom = self->out->length;
        return core_text_printf(self->out, "\\g{%u}", (unsigned)number);
    }
    const oclm_status status = tok_rewrite_char_escape(self, false, &code_point);
    return status == OCLM_OK ? add_char(self, code_point) : status;
}

/* Behind "\k" or "\g", at '<' or '\''. */
static oclm_status add_named_reference(tok_rewrite *self, char kind)
{
    const char close = self->p < self->end && *self->p == '<' ? '>' : '\'';
    const char *name = self->p + 1;
    const char *stop = self->p < self->end ? memchr(name, close, (size_t)(self->end - name)) : NULL;
    if (stop == NULL || stop == name || (*self->p != '<' && *self->p != '\''))
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a reference needs a name in <>");
    const bool number = *name == '-' || (*name >= '0' && *name <= '9');
    self->p = stop + 1;
    self->atom = self->out->length;
    if (kind == 'k' && number)
        return core_text_printf(self->out, "\\g{%.*s}", (int)(stop - name), name);
    return core_text_printf(self->out, "\\%c<%.*s>", kind, (int)(stop - name), name);
}

static oclm_status add_escape(tok_rewrite *self)
{
    tok_ranges ranges = TOK_RANGES_INIT;
    uint32_t code_point;
    bool found;
    oclm_status status;
    self->p++;
    if ((status = tok_rewrite_set_escape(self, false, &ranges, &found)) == OCLM_OK && found)
        status = add_set(self, &ranges);
    tok_ranges_deinit(&ranges);
    if (status != OCLM_OK || found)
        return status;
    const char c = self->p < self->end ? *self->p : '\0';
    switch (c) {
    case 'b':
        self->p++;
        return add_boundary(self, false);
    case 'B':
        self->p++;
        return add_boundary(self, true);
    case 'A':
    case 'z':
    case 'Z':
    case 'K':
        self->p++;
        self->atom = NO_ATOM;
        return core_text_printf(self->out, "\\%c", c);
    case 'R':
        self->p++;
        self->atom = self->out->length;
        return add(self, "(?>\\r\\n|[\\n-\\r\\x{85}\\x{2028}\\x{2029}])");
    case 'N':
    case 'O':
        self->p++;
        self->atom = self->out->length;
        return add(self, c == 'N' ? "[^\\n]" : "(?s:.)");
    case 'X':
    case 'y':
    case 'Y':
    case 'G':
        return tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED, "\\X, \\y, \\Y and \\G are not supported");
    case 'k':
    case 'g':
        if (self->p + 1 < self->end && (self->p[1] == '<' || self->p[1] == '\'')) {
            self->p++;
            return add_named_reference(self, c);
        }
        break;
    default:
        break;
    }
    if (c >= '0' && c <= '9')
        return add_back_reference(self);
    status = tok_rewrite_char_escape(self, false, &code_point);
    return status == OCLM_OK ? add_char(self, code_point) : status;
}

/* ---- Quantifiers */

/* The text from the last atom on gets a group around it. */
static oclm_status wrap_atom(tok_rewrite *self)
{
    core_text *out = self->out;
    oclm_status status = core_text_add_string(out, "(?:)"); /* room for four bytes */
    if (status != OCLM_OK)
        return status;
    memmove(out->data + self->atom + 3, out->data + self->atom, out->length - 4 - self->atom);
    memcpy(out->data + self->atom, "(?:", 3);
    out->data[out->length - 1] = ')';
    return OCLM_OK;
}

/* {n}, {n,}, {n,m} or {,m} at `p`; anything else is text: *found is false. */
static bool read_interval(const char **p, const char *end, uint32_t *least, uint32_t *most)
{
    const char *q = *p + 1, *digits = q;
    *least = 0;
    while (q < end && *q >= '0' && *q <= '9' && *least <= MAX_REPEAT)
        *least = *least * 10 + (uint32_t)(*q++ - '0');
    const bool has_least = q > digits;
    *most = *least;
    if (q < end && *q == ',') {
        digits = ++q;
        *most = 0;
        while (q < end && *q >= '0' && *q <= '9' && *most <= MAX_REPEAT)
            *most = *most * 10 + (uint32_t)(*q++ - '0');
        if (q == digits) {
            if (!has_least)
                return false; /* {,} */
            *most = UINT32_MAX;
        }
    } else if (!has_least) {
        return false;
    }
    if (q == end || *q != '}')
        return false;
    *p = q + 1;
    return true;
}

static oclm_status add_quantifier(tok_rewrite *self, const char *quantifier, bool suffixes)
{
    oclm_status status;
    if (self->atom == NO_ATOM)
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a quantifier has nothing to repeat");
    if ((status = add(self, quantifier)) != OCLM_OK)
        return status;
    if (suffixes && self->p < self->end && (*self->p == '?' || *self->p == '+'))
        status = core_text_add_char(self->out, *self->p++);
    /* Another quantifier repeats the whole. */
    if (status == OCLM_OK && self->p < self->end && strchr("*+?{", *self->p) != NULL)
        status = wrap_atom(self);
    return status;
}

static oclm_status add_interval(tok_rewrite *self, uint32_t least, uint32_t most)
{
    char text[32];
    if (least > 65535 || (most != UINT32_MAX && most > 65535))
        return tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED, "more than 65535 repetitions");
    if (most != UINT32_MAX && least > most) /* Oniguruma: possessive, from the lower to the higher */
        return tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED, "a repetition whose bounds are turned round");
    if (most == UINT32_MAX)
        (void)snprintf(text, sizeof text, "{%u,}", (unsigned)least);
    else
        (void)snprintf(text, sizeof text, "{%u,%u}", (unsigned)least, (unsigned)most);
    /* {n,m}? is lazy, {n}? optional, {n,m}+ no possessive quantifier. */
    if (least == most || self->p == self->end || *self->p != '?')
        return add_quantifier(self, text, false);
    return add_quantifier(self, text, true);
}

/* ---- Groups */

static oclm_status add_alternatives(tok_rewrite *self);

/* Behind "(?", at i, m, x or '-': an option group. `*to_end`: the options hold up to the end of the group around. */
static oclm_status add_options(tok_rewrite *self, bool *to_end)
{
    bool on = true, before = self->ignore_case;
    char set[8] = "", cleared[8] = "";
    oclm_status status;
    for (; self->p < self->end && *self->p != ')' && *self->p != ':'; self->p++) {
        char *list = on ? set : cleared;
        switch (*self->p) {
        case '-':
            on = false;
            break;
        case 'i':
            self->ignore_case = on;
            if (strchr(list, 'i') == NULL)
                strcat(list, "i");
            break;
        case 'm':
            if (strchr(list, 's') == NULL)
                strcat(list, "s");
            break;
        case 'x':
            if (on)
                return tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED,
                                        "(?x), patterns with free spacing, is not supported");
            break;
        default:
            return tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED, "an option that is not i or m");
        }
    }
    if (self->p == self->end)
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a group is not closed");
    status = cleared[0] != '\0' ? core_text_printf(self->out, "(?%s-%s:", set, cleared)
                                : core_text_printf(self->out, "(?%s:", set);
    if (status != OCLM_OK)
        return status;
    *to_end = *self->p++ == ')';
    if (*to_end)
        return OCLM_OK; /* the caller goes on, and restores the case */
    status = add_alternatives(self);
    self->ignore_case = before;
    return status;
}

/* Behind "(?": how the group opens in PCRE2, or NULL if it is none of these. Passes over it. */
static const char *read_opening(tok_rewrite *self)
{
    static const char *const openings[] = { ":", "=", "!", ">", "<=", "<!" };
    for (size_t i = 0; i < COUNT(openings); i++) {
        const size_t length = strlen(openings[i]);
        if ((size_t)(self->end - self->p) >= length && memcmp(self->p, openings[i], length) == 0) {
            self->p += length;
            return openings[i];
        }
    }
    return NULL;
}

static oclm_status add_named_group(tok_rewrite *self)
{
    const char close = *self->p == '<' ? '>' : '\'';
    const char *name = self->p + 1, *stop = memchr(name, close, (size_t)(self->end - name));
    if (stop == NULL || stop == name)
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a group's name is not closed");
    self->p = stop + 1;
    self->groups++;
    return core_text_printf(self->out, "(?<%.*s>", (int)(stop - name), name);
}

/* At '('. */
static oclm_status add_group(tok_rewrite *self, bool *to_end)
{
    const size_t begin = self->out->length;
    oclm_status status;
    *to_end = false;
    if (++self->depth > MAX_GROUPS_DEEP)
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "groups are nested too deeply");
    self->p++;
    if (self->p == self->end || *self->p != '?') {
        self->groups++;
        status = add(self, "(");
    } else {
        self->p++;
        if (self->p < self->end && *self->p == '#') {
            const char *stop = memchr(self->p, ')', (size_t)(self->end - self->p));
            if (stop == NULL)
                return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a comment is not closed");
            self->p = stop + 1;
            self->depth--;
            return OCLM_OK; /* the atom before it stays */
        }
        const char *opening = read_opening(self);
        if (opening != NULL)
            status = core_text_printf(self->out, "(?%s", opening);
        else if (self->p < self->end && (*self->p == '<' || *self->p == '\''))
            status = add_named_group(self);
        else if (self->p < self->end && strchr("imx-", *self->p) != NULL) {
            if ((status = add_options(self, to_end)) != OCLM_OK || *to_end) {
                self->depth--;
                return status;
            }
            goto close;
        } else
            return tok_rewrite_fail(self, OCLM_ERR_UNSUPPORTED, "this kind of group is not supported");
    }
    const bool before = self->ignore_case;
    if (status == OCLM_OK)
        status = add_alternatives(self);
    self->ignore_case = before;
close:
    if (status == OCLM_OK && self->p == self->end)
        return tok_rewrite_fail(self, OCLM_ERR_FORMAT, "a group is not closed");
    if (status != OCLM_OK)
        return status;
    self->p++;
    self->depth--;
    self->atom = begin;
    return add(self, ")");
}

/* Folding case, some pairs of letters also match one character, which PCRE2 does not do. */
static void warn_of_folds(const tok_rewrite *self)
{
    static const char *const pairs[] = { "ss", "ff", "fi", "fl", "st" };
    for (size_t i = 0; i < COUNT(pairs) && self->end - self->p >= 2; i++) {
        if ((self->p[0] | 0x20) == pairs[i][0] && (self->p[1] | 0x20) == pairs[i][1])
            core_log(OCLM_LOG_WARNING,
                     "%s: the pattern %s matches \"%s\" in any case; the one character for both is not matched here",
                     self->where, self->pattern, pairs[i]);
    }
}

/* One thing at `p`. `*to_end`: an option group was opened that the caller must close at its end. */
static oclm_status add_one(tok_rewrite *self, bool *to_end)
{
    uint32_t code_point, least, most;
    const char *p = self->p;
    switch (*p) {
    case '(':
        return add_group(self, to_end);
    case '[':
        self->atom = self->out->length;
        return tok_rewrite_class(self);
    case '\\':
        return add_escape(self);
    case '*':
    case '+':
    case '?':
        self->p++;
        return add_quantifier(self, (const char[]){ *p, '\0' }, true);
    case '{':
        if (read_interval(&p, self->end, &least, &most)) {
            self->p = p;
            return add_interval(self, least, most);
        }
        break;
    case '.':
        self->p++;
        self->atom = self->out->length;
        return add(self, ".");
    case '^':
    case '$':
        self->p++;
        self->atom = NO_ATOM;
        return core_text_add_char(self->out, *p);
    default:
        break;
    }
    if (self->ignore_case)
        warn_of_folds(self);
    self->p += core_utf8_read(self->p, self->end, &code_point);
    return add_char(self, code_point);
}

/* Up to the ')' that closes the group around, or the end. */
static oclm_status add_alternatives(tok_rewrite *self)
{
    size_t open = 0; /* option groups to close */
    oclm_status status = OCLM_OK;
    self->atom = NO_ATOM;
    while (status == OCLM_OK && self->p < self->end && *self->p != ')') {
        if (*self->p == '|') {
            self->p++;
            self->atom = NO_ATOM;
            status = core_text_add_char(self->out, '|');
            continue;
        }
        bool to_end = false;
        status = add_one(self, &to_end);
        if (to_end) {
            open++;
            self->atom = NO_ATOM;
        }
    }
    for (; open > 0 && status == OCLM_OK; open--)
        status = core_text_add_char(self->out, ')');
    return status;
}

oclm_status tok_regex_rewrite(const char *pattern, const char *where, core_text *out)
{
    const size_t length = strlen(pattern);
    tok_rewrite self = { pattern, pattern, pattern + length, where, out, NO_ATOM, 0, 0, false };
    oclm_status status;
    if (length > TOK_MAX_PATTERN)
        return core_fail(OCLM_ERR_FORMAT, "%s: a pattern of %zu bytes, more than the %d allowed", where, length,
                         TOK_MAX_PATTERN);
    out->limit = TOK_MAX_REWRITTEN;
    if ((status = add_alternatives(&self)) != OCLM_OK)
        return status;
    return self.p == self.end ? OCLM_OK : tok_rewrite_fail(&self, OCLM_ERR_FORMAT, "a ')' closes nothing");
}
