/* lexer.c: text and tags. Outside of tags all is data up to the next "{{", "{%" or "{#", whose sign (-, +) and kind say
 * how much of the white space before goes; the end of a tag says the same of what follows. */
#include "tokenizer/chat/lexer.h"

#include <string.h>

#include "core/platform.h"
#include "tokenizer/chat/text.h"
#include "tokenizer/unicode.h"

typedef struct lexer {
    jinja_run *run;
    const char *p, *end;
    jinja_tokens *tokens;
    bool line_start;                  /* the text at p begins a line */
    char brackets[JINJA_MAX_NESTING]; /* that are to be closed */
    size_t bracket_count;
} lexer;

static jinja_token *add(lexer *lex, jinja_token_kind kind)
{
    jinja_tokens *tokens = lex->tokens;
    if (tokens->count == tokens->capacity) {
        const size_t capacity = tokens->capacity ? tokens->capacity * 2 : 256;
        jinja_token *items = jinja_take(lex->run, capacity * sizeof *items);
        if (!items)
            return NULL;
        if (tokens->count > 0)
            memcpy(items, tokens->items, tokens->count * sizeof *items);
        tokens->items = items;
        tokens->capacity = capacity;
    }
    tokens->items[tokens->count] = (jinja_token){ .kind = kind, .line = lex->run->line };
    return &tokens->items[tokens->count++];
}

/* Goes on to `to`, counting lines. */
static void advance(lexer *lex, const char *to)
{
    for (; lex->p < to; lex->p++)
        lex->run->line += *lex->p == '\n';
}

static const char *after_space(const char *p, const char *end)
{
    size_t length;
    while (p < end && jinja_is_space(tok_char_at(p, &length)))
        p += length;
    return p;
}

static const char *before_space(const char *begin, const char *p)
{
    size_t length;
    while (p > begin && jinja_is_space(tok_char_at(tok_char_before(begin, p), &length)))
        p = tok_char_before(begin, p);
    return p;
}

static bool starts(const lexer *lex, const char *p, const char *word)
{
    const size_t length = strlen(word);
    return (size_t)(lex->end - p) >= length && memcmp(p, word, length) == 0;
}

/* ---- Data */

/* Adds the data from `begin` to `tag`, less what the tag's sign takes; `variable`: "{{", which takes nothing without
 * one. */
static bool add_data(lexer *lex, const char *begin, const char *tag, char sign, bool variable)
{
    const char *end = tag;
    jinja_token *token;
    if (sign == '-') {
        end = before_space(begin, tag);
    } else if (sign != '+' && !variable) {
        const char *line = tag;
        while (line > begin && line[-1] != '\n')
            line--;
        if ((line > begin || lex->line_start) && after_space(line, tag) == tag)
            end = line;
    }
    if (end > begin) {
        if (!(token = add(lex, JINJA_T_DATA)) || !(token->value = jinja_part(lex->run, begin, (size_t)(end - begin))))
            return false;
    }
    advance(lex, tag);
    return true;
}

/* The end of a tag "%}" or "#}" at p, with its sign: where the text goes on; NULL where it is none. */
static const char *after_end(const lexer *lex, const char *p, char kind)
{
    const char sign = *p;
    if (sign == '-' || sign == '+')
        p++;
    if (lex->end - p < 2 || p[0] != kind || p[1] != '}')
        return NULL;
    p += 2;
    if (sign == '-')
        return after_space(p, lex->end);
    if (sign != '+' && kind != '}' && p < lex->end && *p == '\n')
        return p + 1;
    return kind == '}' && sign == '+' ? NULL : p;
}

static void pass_end(lexer *lex, const char *to)
{
    lex->line_start = to > lex->p && to[-1] == '\n';
    advance(lex, to);
}

static bool skip_comment(lexer *lex)
{
    const char *p = lex->p + 2, *to;
    p += p < lex->end && (*p == '-' || *p == '+'); /* "{#-#}": the sign belongs to the beginning */
    for (; p < lex->end; p++)
        if ((*p == '-' || *p == '+' || *p == '#') && (to = after_end(lex, p, '#'))) {
            pass_end(lex, to);
            return true;
        }
    return jinja_fail(lex->run, "Missing end of comment tag") != NULL;
}

/* Where "{% word %}" at p ends inside its tag, before "%}"; NULL where it is another tag. `*sign` is that of its
 * beginning. */
static const char *match_tag(const lexer *lex, const char *p, const char *word, char *sign)
{
    if (!starts(lex, p, "{%"))
        return NULL;
    p += 2;
    *sign = p < lex->end && (*p == '-' || *p == '+') ? *p : '\0';
    p = after_space(p + (*sign != '\0'), lex->end);
    return starts(lex, p, word) ? after_space(p + strlen(word), lex->end) : NULL;
}

/* After "{% raw %}": all up to "{% endraw %}" is data. */
static bool lex_raw(lexer *lex)
{
    const char *const begin = lex->p;
    for (const char *p = begin; p < lex->end; p++) {
        char sign;
        const char *inside, *to;
        if (*p != '{' || !(inside = match_tag(lex, p, "endraw", &sign)) || inside >= lex->end ||
            !(to = after_end(lex, inside, '%')))
            continue;
        if (!add_data(lex, begin, p, sign, false))
            return false;
        pass_end(lex, to);
        return true;
    }
    return jinja_fail(lex->run, "Missing end of raw directive") != NULL;
}

/* ---- Inside a tag */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits with single underscores between them. */
static const char *digits(const char *p, const char *end)
{
    while (p < end && (is_digit(*p) || (*p == '_' && p + 1 < end && is_digit(p[1]))))
        p++;
    return p;
}

/* A number without its underscores, for the core's readers. False: too long. */
static bool plain_number(const char *begin, const char *end, char *out, size_t size)
{
    size_t used = 0;
    for (; begin < end; begin++)
        if (*begin != '_') {
            if (used + 1 >= size)
                return false;
            out[used++] = *begin;
        }
    out[used] = '\0';
    return true;
}

static bool lex_float(lexer *lex, const char *to)
{
    char text[400];
    double value;
    jinja_token *token = add(lex, JINJA_T_FLOAT);
    if (!token)
        return false;
    if (!plain_number(lex->p, to, text, sizeof text) || !core_parse_double(text, &value))
        return jinja_fail(lex->run, "the number %.*s is too long or too large",
                          (int)(to - lex->p < 40 ? to - lex->p : 40), lex->p) != NULL;
    advance(lex, to);
    return (token->value = jinja_float(lex->run, value)) != NULL;
}

static int digit_value(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

static bool lex_int(lexer *lex)
{
    const char *p = lex->p;
    const char letter = p[0] == '0' && p + 2 < lex->end ? (char)(p[1] | 0x20) : '\0';
    const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    int64_t value = 0;
    jinja_token *token = add(lex, JINJA_T_INT);
    if (!token)
        return false;
    if (base != 10 && digit_value(p[2]) < base)
        p += 2;
    const int used = p > lex->p ? base : 10;
    while (p < lex->end && (digit_value(*p) < used || (*p == '_' && p + 1 < lex->end && digit_value(p[1]) < used))) {
        const int digit = *p == '_' ? -1 : digit_value(*p);
        if (digit >= 0 && value > (INT64_MAX - digit) / used)
            return jinja_fail(lex->run, "a number of more than 63 bits; oclm's ints end at %lld",
                              (long long)INT64_MAX) != NULL;
        value = digit < 0 ? value : value * used + digit;
        p++;
        if (used == 10 && lex->p[0] == '0' && value > 0) { /* 01: Jinja reads 0, then 1 */
            p--;
            value = 0;
            break;
        }
    }
    advance(lex, p);
    return (token->value = jinja_int(lex->run, value)) != NULL;
}

/* [0-9]+ ( .[0-9]+ and an exponent, one of them at least ): where it ends; NULL: not a float. */
static const char *match_float(const lexer *lex)
{
    const char *p = digits(lex->p, lex->end), *exponent;
    bool is_float = false;
    if (p > lex->p && lex->tokens->count > 0 && lex->p[-1] == '.')
        return NULL;
    if (p + 1 < lex->end && *p == '.' && is_digit(p[1])) {
        p = digits(p + 1, lex->end);
        is_float = true;
    }
    if (p < lex->end && (*p == 'e' || *p == 'E')) {
        exponent = p + 1;
        if (exponent < lex->end && (*exponent == '+' || *exponent == '-'))
            exponent++;
        if (exponent < lex->end && is_digit(*exponent))
            return digits(exponent, lex->end);
    }
    return is_float ? p : NULL;
}

static bool lex_name(lexer *lex)
{
    const char *p = tok_run_of(lex->p, lex->end, TOK_WORD);
    jinja_token *token = add(lex, JINJA_T_NAME);
    if (!token || !(token->value = jinja_part(lex->run, lex->p, (size_t)(p - lex->p))))
        return false;
    advance(lex, p);
    return true;
}

static bool lex_string(lexer *lex)
{
    const char quote = *lex->p;
    const char *p = lex->p + 1;
    jinja_token *token = add(lex, JINJA_T_STRING);
    if (!token)
        return false;
    while (p < lex->end && *p != quote)
        p += *p == '\\' && p + 1 < lex->end ? 2 : 1;
    if (p >= lex->end)
        return jinja_fail(lex->run, "unexpected char %s: a text without its closing quote",
                          quote == '"' ? "'\"'" : "\"'\"") != NULL;
    if (!(token->value = jinja_literal(lex->run, lex->p + 1, (size_t)(p - lex->p - 1))))
        return false;
    advance(lex, p + 1);
    return true;
}

static bool balance(lexer *lex, char sign)
{
    static const char opening[] = "([{", closing[] = ")]}";
    const char *known = strchr(opening, sign);
    if (known) {
        if (lex->bracket_count == sizeof lex->brackets)
            return jinja_fail(lex->run, "more than %u brackets in brackets, which is the limit", JINJA_MAX_NESTING) !=
                   NULL;
        lex->brackets[lex->bracket_count++] = closing[known - opening];
    } else if (strchr(closing, sign)) {
        if (lex->bracket_count == 0)
            return jinja_fail(lex->run, "unexpected '%c'", sign) != NULL;
        if (lex->brackets[--lex->bracket_count] != sign)
            return jinja_fail(lex->run, "unexpected '%c', expected '%c'", sign, lex->brackets[lex->bracket_count]) !=
                   NULL;
    }
    return true;
}

static bool lex_operator(lexer *lex)
{
    static const char *const two[] = { "//", "**", "==", "!=", ">=", "<=" };
    size_t length = 0;
    jinja_token *token;
    for (size_t i = 0; i < COUNT(two); i++)
        if (starts(lex, lex->p, two[i]))
            length = 2;
    if (length == 0 && *lex->p && strchr("+-/*%~[](){}><=.:|,;", *lex->p))
        length = 1;
    if (length == 0) {
        size_t bytes;
        (void)tok_char_at(lex->p, &bytes);
        return jinja_fail(lex->run, "unexpected char '%.*s'", (int)bytes, lex->p) != NULL;
    }
    if ((length == 1 && !balance(lex, *lex->p)) || !(token = add(lex, JINJA_T_OPERATOR)))
        return false;
    memcpy(token->sign, lex->p, length);
    lex->p += length;
    return true;
}

static bool lex_tag(lexer *lex, bool variable)
{
    lex->bracket_count = 0;
    for (;;) {
        const char *to;
        size_t length;
        if (lex->p >= lex->end)
            return true; /* the parser says what is missing */
        if (lex->bracket_count == 0 && (*lex->p == '-' || *lex->p == '+' || *lex->p == '%' || *lex->p == '}') &&
            (to = after_end(lex, lex->p, variable ? '}' : '%'))) {
            if (!add(lex, variable ? JINJA_T_VARIABLE_END : JINJA_T_BLOCK_END))
                return false;
            pass_end(lex, to);
            return true;
        }
        const uint32_t c = tok_char_at(lex->p, &length);
        if (!jinja_work(lex->run, 1))
            return false;
        if (jinja_is_space(c)) {
            advance(lex, after_space(lex->p, lex->end));
        } else if (is_digit(*lex->p)) {
            if (!((to = match_float(lex)) ? lex_float(lex, to) : lex_int(lex)))
                return false;
        } else if (tok_class_of(c) & TOK_WORD) {
            if (!lex_name(lex))
                return false;
        } else if (*lex->p == '"' || *lex->p == '\'') {
            if (!lex_string(lex))
                return false;
        } else if (!lex_operator(lex)) {
            return false;
        }
    }
}

/* ---- The whole */

/* From a tag's beginning at `tag` through its end; the data before it first. */
static bool lex_from_tag(lexer *lex, const char *begin, const char *tag)
{
    char sign = tag + 2 < lex->end && (tag[2] == '-' || tag[2] == '+') ? tag[2] : '\0';
    const char *inside, *to;
    if (!add_data(lex, begin, tag, sign, tag[1] == '{'))
        return false;
    lex->line_start = false;
    if (tag[1] == '#')
        return skip_comment(lex);
    if ((inside = match_tag(lex, tag, "raw", &sign)) && inside < lex->end) {
        to = starts(lex, inside, "-%}")  ? after_space(inside + 3, lex->end)
             : starts(lex, inside, "%}") ? inside + 2
                                         : NULL;
        if (to) {
            pass_end(lex, to);
            return lex_raw(lex);
        }
    }
    if (!add(lex, tag[1] == '{' ? JINJA_T_VARIABLE_BEGIN : JINJA_T_BLOCK_BEGIN))
        return false;
    lex->p += 2 + (sign != '\0');
    return lex_tag(lex, tag[1] == '{');
}

bool jinja_lex(jinja_run *run, const char *source, size_t length, jinja_tokens *tokens)
{
    lexer lex = { .run = run, .p = source, .end = source + length, .tokens = tokens, .line_start = true };
    *tokens = (jinja_tokens){ NULL, 0, 0 };
    run->line = 1;
    while (lex.p < lex.end) {
        const char *const begin = lex.p;
        const char *tag = begin;
        while (tag + 1 < lex.end && !(tag[0] == '{' && (tag[1] == '{' || tag[1] == '%' || tag[1] == '#')))
            tag++;
        if (tag + 1 >= lex.end) {
            if (!add_data(&lex, begin, lex.end, '+', false))
                return false;
        } else if (!lex_from_tag(&lex, begin, tag)) {
            return false;
        }
    }
    return add(&lex, JINJA_T_END) != NULL;
}
