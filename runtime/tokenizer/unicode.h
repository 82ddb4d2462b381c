/* unicode.h: what the tokenizer must know of a code point: one table look-up each.
 *
 * The reference mixes Unicode versions, so the table does too: its regex engine has 16.0, its normaliser 9.0, Rust's own
 * functions 17.0, what Punctuation and BertNormalizer ask 8.0. scripts/make_unicode_table.py makes the table. */
#ifndef OCLM_TOKENIZER_UNICODE_H
#define OCLM_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The low five bits are the general category, the others are properties; the script has the same numbers. */
enum tok_category {
    TOK_CN, TOK_CC, TOK_CF, TOK_CO, TOK_CS, TOK_LL, TOK_LM, TOK_LO, TOK_LT, TOK_LU, TOK_MC, TOK_ME, TOK_MN, TOK_ND, TOK_NL,
    TOK_NO, TOK_PC, TOK_PD, TOK_PE, TOK_PF, TOK_PI, TOK_PO, TOK_PS, TOK_SC, TOK_SK, TOK_SM, TOK_SO, TOK_ZL, TOK_ZP, TOK_ZS
};
enum tok_class {
    TOK_CATEGORY = 31,
    TOK_LETTER = 1 << 5,    /* \p{L} */
    TOK_NUMBER = 1 << 6,    /* \p{N} */
    TOK_SPACE = 1 << 7,     /* White_Space: \s */
    TOK_OTHER = 1 << 8,     /* none of the three above */
    TOK_MARK = 1 << 9,      /* \p{M} */
    TOK_WORD = 1 << 10,     /* \w of Rust's regex: Alphabetic, M, Nd, Pc, Join_Control */
    TOK_OLD = 1 << 11,      /* known to Unicode 9.0: may take part in normalisation */
    TOK_INERT = 1 << 12,    /* NFC leaves it alone, and it does not combine with what stands before it */
    TOK_DIGIT = 1 << 13,    /* \p{N} of Unicode 17.0 */
    TOK_PUNCTUATION = 1 << 14, /* all of ASCII's, and \p{P} of Unicode 8.0 */
    TOK_AGE_8 = 1 << 15     /* known to Unicode 8.0 */
};

#define TOK_CLASS_BLOCK 128 /* code points in a block; block 0 is ASCII */
#define TOK_CLASS_MAX_BLOCKS 512 /* different ones */
extern const uint16_t tok_class_block[];
extern const uint16_t tok_classes[];

static inline uint32_t tok_class_of(uint32_t code_point)
{
    return tok_classes[(size_t)tok_class_block[code_point / TOK_CLASS_BLOCK] * TOK_CLASS_BLOCK + code_point % TOK_CLASS_BLOCK];
}

typedef struct tok_range {
    uint32_t first, last;
} tok_range;

/* Marks that are Alphabetic (Unicode 16.0). */
extern const tok_range tok_alphabetic_marks[];
extern const size_t    tok_alphabetic_mark_count;

/* Lower case by ranges: every `step`-th code point from `first` to `last` lies `distance` from its lower case. */
typedef struct tok_lower_range {
    uint32_t first, last;
    uint32_t step;
    int32_t  distance;
} tok_lower_range;
extern const tok_lower_range tok_lower_ranges[];
extern const size_t          tok_lower_range_count;

/* Scripts of Unicode 16.0: each entry is a code point << 8 | the number of the script that begins there. */
#define TOK_SCRIPT_UNKNOWN 0
extern const uint32_t    tok_script_starts[];
extern const size_t      tok_script_start_count;
extern const char *const tok_script_names[], *const tok_script_codes[]; /* [tok_script_count] "Latin", "Latn" */
extern const size_t      tok_script_count;

unsigned tok_script_of(uint32_t code_point);
/* The simple lower case of Unicode 17.0: itself where it has none. U+0130, the only one with two characters, gives 'i'. */
uint32_t tok_lower(uint32_t code_point);
bool     tok_is_white_space(uint32_t code_point);

/* Sets of code points that other parts of the reference know by older tables, with what those had otherwise. */
bool tok_is_old_control(uint32_t code_point);   /* category C of 8.0, but for unassigned ones: Cc, Cf, Co */
bool tok_is_old_nonspacing(uint32_t code_point); /* Mn of 8.0 */
bool tok_is_old_mark(uint32_t code_point);      /* M of 9.0 */

/* The code point at `p` of text known to be valid UTF-8, and its length. */
static inline uint32_t tok_char_at(const char *p, size_t *length)
{
    const unsigned char *u = (const unsigned char *)p;
    if (u[0] < 0x80) {
        *length = 1;
        return u[0];
    }
    if (u[0] < 0xE0) {
        *length = 2;
        return (u[0] & 0x1Fu) << 6 | (u[1] & 0x3Fu);
    }
    if (u[0] < 0xF0) {
        *length = 3;
        return (u[0] & 0x0Fu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu);
    }
    *length = 4;
    return (u[0] & 0x07u) << 18 | (u[1] & 0x3Fu) << 12 | (u[2] & 0x3Fu) << 6 | (u[3] & 0x3Fu);
}

/* The class of the character at `p`, and its length. */
static inline uint32_t tok_class_at(const char *p, size_t *length)
{
    if ((unsigned char)*p < 0x80) {
        *length = 1;
        return tok_classes[(unsigned char)*p];
    }
    return tok_class_of(tok_char_at(p, length));
}

/* Where the character before `p` begins; `begin` < `p`. */
static inline const char *tok_char_before(const char *begin, const char *p)
{
    do
        p--;
    while (p > begin && ((unsigned char)*p & 0xC0) == 0x80);
    return p;
}

/* The end of the run of characters at `p` that have a property in `mask`. */
static inline const char *tok_run_of(const char *p, const char *end, uint32_t mask)
{
    size_t length;
    while (p < end && (tok_class_at(p, &length) & mask))
        p += length;
    return p;
}

#endif
