/* scanners.c: matchers for known split patterns. The first alternative that matches wins, as in the pattern.
 *
 * Each pattern's alternatives are numbered in the comment above its function. Checked against the reference on random
 * mixes of awkward characters by tests/tokenizer/compare_with_reference.py. */
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
    const char *stop = p;    /* end of the run */
    const char *line = NULL; /* behind its last CR or LF */
    const char *last = p;    /* where its last character begins */
    size_t length;
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
    size_t length;
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

/* \p{N}{1,most} at a number. */
static const char *scan_digits(const char *p, const char *end, int most)
{
    size_t length;
    for (int digits = 0; digits < most && p < end && (tok_class_at(p, &length) & TOK_NUMBER); digits++)
        p += length;
    return p;
}

/* 1 (?i:'s|'t|'re|'ve|'m|'ll|'d)  2 [^\r\n\p{L}\p{N}]?\p{L}+  3 \p{N}{1,max_digits}  4  ?[^\s\p{L}\p{N}]+[\r\n]*
 * 5 \s*[\r\n]+  6 \s+(?!\S)  7 \s+
 * `letters`: TOK_LETTER, with TOK_MARK where rule 2 ends in [\p{L}\p{M}]+ and rule 4 leaves marks out. */
static inline const char *scan_cl100k(const char *p, const char *end, int max_digits, uint32_t letters)
{
    size_t length, next;
    const uint32_t kind = tok_class_at(p, &length);
    if (kind & letters)
        return tok_run_of(p + length, end, letters);
    if (*p == '\'') {
        const char *stop = scan_contraction_any_case(p, end);
        if (stop != NULL)
            return stop;
    }
    if (kind & TOK_NUMBER)
        return scan_digits(p, end, max_digits);
    if (!is_newline(*p) && p + length < end && (tok_class_at(p + length, &next) & letters))
        return tok_run_of(p + length + next, end, letters);
    const char *other = *p == ' ' ? p + 1 : p;
    if (other < end && (tok_class_at(other, &next) & (TOK_OTHER | letters)) == TOK_OTHER) {
        do
            other += next;
        while (other < end && (tok_class_at(other, &next) & (TOK_OTHER | letters)) == TOK_OTHER);
        while (other < end && is_newline(*other))
            other++;
        return other;
    }
    return scan_spaces(p, end, true);
}

static const char *scan_cl100k_3(const char *p, const char *end)
{
    return scan_cl100k(p, end, 3, TOK_LETTER);
}

static const char *scan_cl100k_1(const char *p, const char *end)
{
    return scan_cl100k(p, end, 1, TOK_LETTER);
}

static const char *scan_qwen35(const char *p, const char *end)
{
    return scan_cl100k(p, end, 1, TOK_LETTER | TOK_MARK);
}

/* ---- o200k and Tekken: words by case */

/* Sets of categories. */
#define BIT(category) (1u << (category))
#define UPPER         (BIT(TOK_LU) | BIT(TOK_LT) | BIT(TOK_LM) | BIT(TOK_LO) | BIT(TOK_MC) | BIT(TOK_ME) | BIT(TOK_MN))
#define LOWER         (BIT(TOK_LL) | BIT(TOK_LM) | BIT(TOK_LO) | BIT(TOK_MC) | BIT(TOK_ME) | BIT(TOK_MN))
#define PUNCTUATION_OR_SYMBOL                                                                                          \
    (BIT(TOK_PC) | BIT(TOK_PD) | BIT(TOK_PE) | BIT(TOK_PF) | BIT(TOK_PI) | BIT(TOK_PO) | BIT(TOK_PS) | BIT(TOK_SC) |   \
     BIT(TOK_SK) | BIT(TOK_SM) | BIT(TOK_SO))

static bool in(uint32_t kind, uint32_t categories)
{
    return (categories >> (kind & TOK_CATEGORY) & 1) != 0;
}

static const char *run_in(const char *p, const char *end, uint32_t categories)
{
    size_t length;
    while (p < end && in(tok_class_at(p, &length), categories))
        p += length;
    return p;
}

/* UPPER*LOWER+ at `p`, or NULL. Letters without case are in both; so where nothing lower follows the run of upper ones,
 * it is given back up to the last character that is in both. */
static const char *scan_lower_word(const char *p, const char *end)
{
    const char *upper = run_in(p, end, UPPER), *lower = run_in(upper, end, LOWER);
    size_t length;
    if (lower > upper)
        return lower;
    while (upper > p) {
        const char *last = tok_char_before(p, upper);
        if (in(tok_class_at(last, &length), LOWER))
            return upper;
        upper = last;
    }
    return NULL;
}

/* UPPER+LOWER* */
static const char *scan_upper_word(const char *p, const char *end)
{
    const char *upper = run_in(p, end, UPPER);
    return upper > p ? run_in(upper, end, LOWER) : NULL;
}

/* 1 [^\r\n\p{L}\p{N}]?UPPER*LOWER+(contraction)?  2 [^\r\n\p{L}\p{N}]?UPPER+LOWER*(contraction)?  at `p`, or NULL. */
static const char *scan_cased_word(const char *p, const char *end, bool contractions)
{
    size_t length, next;
    const uint32_t kind = tok_class_at(p, &length);
    const bool word = in(kind, UPPER | LOWER);
    /* The optional character before the word; marks may be it, or belong to the word. */
    const bool prefix = !is_newline(*p) && !(kind & (TOK_LETTER | TOK_NUMBER)) && p + length < end &&
                        in(tok_class_at(p + length, &next), UPPER | LOWER);
    const char *stop = NULL;
    if (!word && !prefix)
        return NULL;
    if (prefix)
        stop = scan_lower_word(p + length, end);
    if (stop == NULL && word)
        stop = scan_lower_word(p, end);
    if (stop == NULL && prefix)
        stop = scan_upper_word(p + length, end);
    if (stop == NULL && word)
        stop = scan_upper_word(p, end);
    if (stop != NULL && contractions && stop < end && *stop == '\'') {
        const char *contraction = scan_contraction_any_case(stop, end);
        if (contraction != NULL)
            return contraction;
    }
    return stop;
}

/* 1, 2 words by case  3 \p{N}{1,max_digits}  4  ?[^\s\p{L}\p{N}]+[\r\n/]*  5 \s*[\r\n]+  6 \s+(?!\S)  7 \s+ */
static inline const char *scan_cased(const char *p, const char *end, bool contractions, int max_digits)
{
    size_t length;
    const char *word = scan_cased_word(p, end, contractions);
    if (word != NULL)
        return word;
    if (tok_class_at(p, &length) & TOK_NUMBER)
        return scan_digits(p, end, max_digits);
    const char *other = *p == ' ' ? p + 1 : p;
    if (other < end && (tok_class_at(other, &length) & TOK_OTHER)) {
        other = tok_run_of(other + length, end, TOK_OTHER);
        while (other < end && (is_newline(*other) || *other == '/'))
            other++;
        return other;
    }
    return scan_spaces(p, end, true);
}

static const char *scan_o200k(const char *p, const char *end)
{
    return scan_cased(p, end, true, 3);
}

static const char *scan_tekken(const char *p, const char *end)
{
    return scan_cased(p, end, false, 1);
}

/* ---- DeepSeek V3 and R1: three patterns, one after the other; they do not match everywhere */

static const char *scan_3_digits(const char *p, const char *end)
{
    const char *stop = scan_digits(p, end, 3);
    return stop > p ? stop : NULL;
}

static bool is_cjk(uint32_t code_point)
{
    return (code_point >= 0x4E00 && code_point <= 0x9FA5) || (code_point >= 0x3040 && code_point <= 0x30FF);
}

/* [一-龥぀-ゟ゠-ヿ]+ */
static const char *scan_cjk(const char *p, const char *end)
{
    const char *stop = p;
    size_t length;
    while (stop < end && is_cjk(tok_char_at(stop, &length)))
        stop += length;
    return stop > p ? stop : NULL;
}

static bool is_ascii_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_ascii_punctuation(char c)
{
    return c > ' ' && c < 0x7F && !is_ascii_letter(c) && !(c >= '0' && c <= '9');
}

/* 1 [!-/:-@[-`{-~][A-Za-z]+  2 [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+  3  ?[\p{P}\p{S}]+[\r\n]*
 * 4 \s*[\r\n]+  5 \s+(?!\S)  6 \s+ */
static const char *scan_deepseek(const char *p, const char *end)
{
    size_t length, next;
    const uint32_t kind = tok_class_at(p, &length), letters = TOK_LETTER | TOK_MARK;
    if (kind & letters)
        return tok_run_of(p + length, end, letters);
    if (is_ascii_punctuation(*p) && p + 1 < end && is_ascii_letter(p[1])) {
        for (p += 2; p < end && is_ascii_letter(*p);)
            p++;
        return p;
    }
    if (!is_newline(*p) && !in(kind, PUNCTUATION_OR_SYMBOL) && p + length < end &&
        (tok_class_at(p + length, &next) & letters))
        return tok_run_of(p + length + next, end, letters);
    const char *other = *p == ' ' ? p + 1 : p, *stop = run_in(other, end, PUNCTUATION_OR_SYMBOL);
    if (stop > other) {
        while (stop < end && is_newline(*stop))
            stop++;
        return stop;
    }
    return kind & TOK_SPACE ? scan_spaces(p, end, true) : NULL;
}

/* ---- The patterns */

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define PREFIX       "[^\\r\\n\\p{L}\\p{N}]?"
#define TAIL         "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define OTHERS       "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" TAIL
#define UPPERS       "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWERS       "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED_OTHERS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" TAIL

static const struct {
    const char *pattern;
    tok_scanner scan;
} known[] = {
    { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", tok_scan_gpt2 },
    { CONTRACTIONS "|" PREFIX "\\p{L}+|\\p{N}{1,3}" OTHERS, scan_cl100k_3 }, /* Llama 3, GPT-4 */
    { CONTRACTIONS "|" PREFIX "\\p{L}+|\\p{N}" OTHERS, scan_cl100k_1 },      /* Qwen 2 and 3 */
    { CONTRACTIONS "|" PREFIX "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" TAIL, scan_qwen35 },
    { PREFIX UPPERS "*" LOWERS "+" CONTRACTIONS "?|" PREFIX UPPERS "+" LOWERS "*" CONTRACTIONS
                    "?|\\p{N}{1,3}" CASED_OTHERS,
      scan_o200k }, /* GPT-4o, gpt-oss, Llama 4 */
    { PREFIX UPPERS "*" LOWERS "+|" PREFIX UPPERS "+" LOWERS "*|\\p{N}" CASED_OTHERS, scan_tekken }, /* Mistral */
    { "\\p{N}{1,3}", scan_3_digits },
    { "[一-龥぀-ゟ゠-ヿ]+", scan_cjk },
    { "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
      "?[\\p{P}\\p{S}]+[\\r\\n]*" TAIL,
      scan_deepseek },
};

/* Equal, where files may write CR and LF in a pattern as they are or as \r and \n. */
static bool same_pattern(const char *written, const char *pattern)
{
    for (; *pattern != '\0'; written++, pattern++) {
        if (pattern[0] == '\\' && ((*written == '\r' && pattern[1] == 'r') || (*written == '\n' && pattern[1] == 'n')))
            pattern++;
        else if (*written != *pattern)
            return false;
    }
    return *written == '\0';
}

tok_scanner tok_scanner_of(const char *pattern)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (same_pattern(pattern, known[i].pattern))
            return known[i].scan;
    }
    return NULL;
}
