/* scanners.c: matchers for known split patterns. The first alternative that matches wins, as in the pattern.
 *
 * Each pattern's alternatives are numbered in the comment above its function. Checked against the reference on random mixes
 * of awkward characters by tests/tokenizer/compare_with_reference.py. */
#include "tokenizer/scanners.h"

#include <stdbool.h>
#include <string.h>

#include "tokenizer/unicode.h"

static bool is_newline(char c)
{
    return c == '\n' || c == '\r';
}

/* The tail that all patterns end in, at white space:  \s*[\r\n]+ (if `newlines`)  |  \s+(?!\S)  |  \s+  */
static const char *scan_spaces(const char *p, const char *end, bool newlines)
{
    const char *stop = p;  /* end of the run */
    const char *line = NULL; /* behind its last CR or LF */
    const char *last = p;  /* where its last character begins */
    size_t      length;
    while (stop < end && (tok_class_at(stop, &length) & TOK_SPACE)) {
        last = stop;
        stop += length;
        if (is_newline(*last))
            line = stop;
    }
    if (newlines && line != NULL)
        return line;
    return stop == end || last == p ? stop : last; /* the last one is left for the word behind it */
}

/* GPT-2: 's|'t|'re|'ve|'m|'ll|'d, case-sensitive; NULL if there is none. */
static const char *scan_contraction(const char *p, const char *end)
{
    if (end - p < 2)
        return NULL;
    if (p[1] == 's' || p[1] == 't' || p[1] == 'm' || p[1] == 'd')
        return p + 2;
    if (end - p >= 3 && ((p[1] == 'r' && p[2] == 'e') || (p[1] == 'v' && p[2] == 'e') || (p[1] == 'l' && p[2] == 'l')))
        return p + 3;
    return NULL;
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d): also U+017F, the long s, which folds to s. */
static const char *scan_contraction_any_case(const char *p, const char *end)
{
    if (end - p < 2)
        return NULL;
    const char a = (char)(p[1] | 0x20), b = end - p >= 3 ? (char)(p[2] | 0x20) : '\0';
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return p + 2;
    if (end - p >= 3 && ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')))
        return p + 3;
    if (end - p >= 3 && p[1] == '\xC5' && p[2] == '\xBF')
        return p + 3;
    return NULL;
}

/* 1 's|'t|'re|'ve|'m|'ll|'d  2  ?\p{L}+  3  ?\p{N}+  4  ?[^\s\p{L}\p{N}]+  5 \s+(?!\S)  6 \s+ */
const char *tok_scan_gpt2(const char *p, const char *end)
{
    const char *word = p;
    size_t      length;
    if (*p == '\'') {
        const char *stop = scan_contraction(p, end);
        if (stop != NULL)
            return stop;
    }
    if (*p == ' ' && p + 1 < end)
        word++;
    const uint32_t kind = tok_class_at(word, &length) & (TOK_LETTER | TOK_NUMBER | TOK_OTHER);
    return kind != 0 ? tok_run_of(word + length, end, kind) : scan_spaces(p, end, false);
}

/* 1 (?i:'s|'t|'re|'ve|'m|'ll|'d)  2 [^\r\n\p{L}\p{N}]?\p{L}+  3 \p{N}{1,max_digits}  4  ?[^\s\p{L}\p{N}]+[\r\n]*
 * 5 \s*[\r\n]+  6 \s+(?!\S)  7 \s+ */
static inline const char *scan_cl100k(const char *p, const char *end, int max_digits)
{
    size_t         length, next;
    const uint32_t kind = tok_class_at(p, &length);
    if (kind & TOK_LETTER)
        return tok_run_of(p + length, end, TOK_LETTER);
    if (*p == '\'') {
        const char *stop = scan_contraction_any_case(p, end);
        if (stop != NULL)
            return stop;
    }
    if (kind & TOK_NUMBER) {
        const char *stop = p + length;
        for (int digits = 1; digits < max_digits && stop < end && (tok_class_at(stop, &next) & TOK_NUMBER); digits++)
            stop += next;
        return stop;
    }
    if (!is_newline(*p) && p + length < end && (tok_class_at(p + length, &next) & TOK_LETTER))
        return tok_run_of(p + length + next, end, TOK_LETTER);
    const char *other = *p == ' ' ? p + 1 : p;
    if (other < end && (tok_class_at(other, &next) & TOK_OTHER)) {
        other = tok_run_of(other + next, end, TOK_OTHER);
        while (other < end && is_newline(*other))
            other++;
        return other;
    }
    return scan_spaces(p, end, true);
}

static const char *scan_cl100k_3(const char *p, const char *end)
{
    return scan_cl100k(p, end, 3);
}

static const char *scan_cl100k_1(const char *p, const char *end)
{
    return scan_cl100k(p, end, 1);
}

#define WORDS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct {
    const char *pattern;
    tok_scanner scan;
} known[] = {
    { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", tok_scan_gpt2 },
    { WORDS "\\p{N}{1,3}" REST, scan_cl100k_3 }, /* Llama 3 */
    { WORDS "\\p{N}" REST, scan_cl100k_1 },      /* Qwen 2 and 3 */
};

tok_scanner tok_scanner_of(const char *pattern)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(pattern, known[i].pattern) == 0)
            return known[i].scan;
    }
    return NULL;
}
