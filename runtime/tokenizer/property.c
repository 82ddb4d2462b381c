/* property.c: \p{Name} and [:name:], from our own tables (Unicode 16.0), as Oniguruma 6.9.10 has them. */
#include <string.h>

#include "tokenizer/ranges.h"

/* Categories as a set of bits: 1 << tok_category. */
#define BIT(category) (1u << (category))
#define LETTERS       (BIT(TOK_LL) | BIT(TOK_LM) | BIT(TOK_LO) | BIT(TOK_LT) | BIT(TOK_LU))
#define MARKS         (BIT(TOK_MC) | BIT(TOK_ME) | BIT(TOK_MN))
#define NUMBERS       (BIT(TOK_ND) | BIT(TOK_NL) | BIT(TOK_NO))
#define PUNCTUATION   (BIT(TOK_PC) | BIT(TOK_PD) | BIT(TOK_PE) | BIT(TOK_PF) | BIT(TOK_PI) | BIT(TOK_PO) | BIT(TOK_PS))
#define SYMBOLS       (BIT(TOK_SC) | BIT(TOK_SK) | BIT(TOK_SM) | BIT(TOK_SO))
#define SEPARATORS    (BIT(TOK_ZL) | BIT(TOK_ZP) | BIT(TOK_ZS))
#define OTHERS        (BIT(TOK_CC) | BIT(TOK_CF) | BIT(TOK_CN) | BIT(TOK_CO) | BIT(TOK_CS))
#define ALL           (LETTERS | MARKS | NUMBERS | PUNCTUATION | SYMBOLS | SEPARATORS | OTHERS)

/* Names without case, spaces, '-' and '_'. */
static const struct {
    const char *name, *long_name;
    uint32_t categories;
} known_categories[] = {
    { "l", "letter", LETTERS },
    { "ll", "lowercaseletter", BIT(TOK_LL) },
    { "lm", "modifierletter", BIT(TOK_LM) },
    { "lo", "otherletter", BIT(TOK_LO) },
    { "lt", "titlecaseletter", BIT(TOK_LT) },
    { "lu", "uppercaseletter", BIT(TOK_LU) },
    { "lc", "casedletter", BIT(TOK_LL) | BIT(TOK_LT) | BIT(TOK_LU) },
    { "m", "mark", MARKS },
    { "mc", "spacingmark", BIT(TOK_MC) },
    { "me", "enclosingmark", BIT(TOK_ME) },
    { "mn", "nonspacingmark", BIT(TOK_MN) },
    { "combiningmark", "combiningmark", MARKS },
    { "n", "number", NUMBERS },
    { "nd", "decimalnumber", BIT(TOK_ND) },
    { "nl", "letternumber", BIT(TOK_NL) },
    { "no", "othernumber", BIT(TOK_NO) },
    { "digit", "digit", BIT(TOK_ND) },
    { "p", "punctuation", PUNCTUATION },
    { "punct", "punct", PUNCTUATION },
    { "pc", "connectorpunctuation", BIT(TOK_PC) },
    { "pd", "dashpunctuation", BIT(TOK_PD) },
    { "pe", "closepunctuation", BIT(TOK_PE) },
    { "pf", "finalpunctuation", BIT(TOK_PF) },
    { "pi", "initialpunctuation", BIT(TOK_PI) },
    { "po", "otherpunctuation", BIT(TOK_PO) },
    { "ps", "openpunctuation", BIT(TOK_PS) },
    { "s", "symbol", SYMBOLS },
    { "sc", "currencysymbol", BIT(TOK_SC) },
    { "sk", "modifiersymbol", BIT(TOK_SK) },
    { "sm", "mathsymbol", BIT(TOK_SM) },
    { "so", "othersymbol", BIT(TOK_SO) },
    { "posixpunct", "posixpunct", PUNCTUATION | SYMBOLS },
    { "z", "separator", SEPARATORS },
    { "zl", "lineseparator", BIT(TOK_ZL) },
    { "zp", "paragraphseparator", BIT(TOK_ZP) },
    { "zs", "spaceseparator", BIT(TOK_ZS) },
    { "c", "other", OTHERS },
    { "cc", "control", BIT(TOK_CC) },
    { "cntrl", "cntrl", BIT(TOK_CC) },
    { "cf", "format", BIT(TOK_CF) },
    { "cn", "unassigned", BIT(TOK_CN) },
    { "co", "privateuse", BIT(TOK_CO) },
    { "cs", "surrogate", BIT(TOK_CS) },
    { "any", "any", ALL },
    { "assigned", "assigned", ALL & ~BIT(TOK_CN) },
    { "print", "print", ALL & ~(BIT(TOK_CC) | BIT(TOK_CN) | BIT(TOK_CS) | BIT(TOK_ZL) | BIT(TOK_ZP)) },
};

static const tok_range hex_digits[] = { { '0', '9' }, { 'A', 'F' }, { 'a', 'f' } };
static const tok_range ascii[] = { { 0, 0x7F } };
/* Circled and squared letters are alphabetic. */
static const tok_range circled[] = {
    { 0x24B6, 0x24E9 }, { 0x1F130, 0x1F149 }, { 0x1F150, 0x1F169 }, { 0x1F170, 0x1F189 }
};
/* Other_Lowercase and Other_Uppercase */
static const tok_range more_lower[] = {
    { 0xAA, 0xAA },       { 0xBA, 0xBA },       { 0x2B0, 0x2B8 },     { 0x2C0, 0x2C1 },     { 0x2E0, 0x2E4 },
    { 0x345, 0x345 },     { 0x37A, 0x37A },     { 0x10FC, 0x10FC },   { 0x1D2C, 0x1D6A },   { 0x1D78, 0x1D78 },
    { 0x1D9B, 0x1DBF },   { 0x2071, 0x2071 },   { 0x207F, 0x207F },   { 0x2090, 0x209C },   { 0x2170, 0x217F },
    { 0x24D0, 0x24E9 },   { 0x2C7C, 0x2C7D },   { 0xA69C, 0xA69D },   { 0xA770, 0xA770 },   { 0xA7F2, 0xA7F4 },
    { 0xA7F8, 0xA7F9 },   { 0xAB5C, 0xAB5F },   { 0xAB69, 0xAB69 },   { 0x10780, 0x10780 }, { 0x10783, 0x10785 },
    { 0x10787, 0x107B0 }, { 0x107B2, 0x107BA }, { 0x1E030, 0x1E06D },
};
static const tok_range more_upper[] = {
    { 0x2160, 0x216F }, { 0x24B6, 0x24CF }, { 0x1F130, 0x1F149 }, { 0x1F150, 0x1F169 }, { 0x1F170, 0x1F189 }
};

static bool in_categories(uint32_t kind, const void *context)
{
    return (*(const uint32_t *)context >> (kind & TOK_CATEGORY) & 1) != 0;
}

static bool in_classes(uint32_t kind, const void *context)
{
    return (kind & *(const uint32_t *)context) != 0;
}

/* Assigned, no control, no white space */
static bool is_graph(uint32_t kind, const void *context)
{
    (void)context;
    return !(kind & TOK_SPACE) && !((BIT(TOK_CC) | BIT(TOK_CN) | BIT(TOK_CS)) >> (kind & TOK_CATEGORY) & 1);
}

/* Oniguruma's [[:word:]] is Rust's \w without the two joiners, which are Cf. */
static bool is_word(uint32_t kind, const void *context)
{
    (void)context;
    return (kind & TOK_WORD) && (kind & TOK_CATEGORY) != TOK_CF;
}

static oclm_status add_categories(tok_ranges *ranges, uint32_t categories)
{
    return tok_ranges_add_class(ranges, in_categories, &categories);
}

static oclm_status add_alphabetic(tok_ranges *ranges, uint32_t more)
{
    oclm_status status = add_categories(ranges, LETTERS | BIT(TOK_NL) | more);
    if (status == OCLM_OK)
        status = tok_ranges_add_all(ranges, circled, COUNT(circled));
    return status == OCLM_OK ? tok_ranges_add_all(ranges, tok_alphabetic_marks, tok_alphabetic_mark_count) : status;
}

static oclm_status add_named(tok_ranges *ranges, const char *name, bool *known)
{
    const uint32_t space = TOK_SPACE;
    oclm_status status;
    *known = true;
    if (strcmp(name, "alpha") == 0 || strcmp(name, "alphabetic") == 0)
        return add_alphabetic(ranges, 0);
    if (strcmp(name, "alnum") == 0)
        return add_alphabetic(ranges, BIT(TOK_ND));
    if (strcmp(name, "space") == 0 || strcmp(name, "whitespace") == 0)
        return tok_ranges_add_class(ranges, in_classes, &space);
    if (strcmp(name, "word") == 0)
        return tok_ranges_add_class(ranges, is_word, NULL);
    if (strcmp(name, "graph") == 0)
        return tok_ranges_add_class(ranges, is_graph, NULL);
    if (strcmp(name, "xdigit") == 0)
        return tok_ranges_add_all(ranges, hex_digits, COUNT(hex_digits));
    if (strcmp(name, "ascii") == 0)
        return tok_ranges_add_all(ranges, ascii, COUNT(ascii));
    if (strcmp(name, "blank") == 0)
        return (status = add_categories(ranges, BIT(TOK_ZS))) == OCLM_OK ? tok_ranges_add(ranges, '\t', '\t') : status;
    if (strcmp(name, "lower") == 0 || strcmp(name, "lowercase") == 0)
        return (status = add_categories(ranges, BIT(TOK_LL))) == OCLM_OK
                   ? tok_ranges_add_all(ranges, more_lower, COUNT(more_lower))
                   : status;
    if (strcmp(name, "upper") == 0 || strcmp(name, "uppercase") == 0)
        return (status = add_categories(ranges, BIT(TOK_LU))) == OCLM_OK
                   ? tok_ranges_add_all(ranges, more_upper, COUNT(more_upper))
                   : status;
    *known = false;
    return OCLM_OK;
}

/* Lower case, without spaces, '-' and '_'; false where it does not fit. */
static bool simplify(const char *name, size_t length, char out[40])
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] == ' ' || name[i] == '-' || name[i] == '_')
            continue;
        if (used + 1 >= 40)
            return false;
        out[used++] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
    }
    out[used] = '\0';
    return true;
}

static bool same_name(const char *name, const char *plain)
{
    char simple[40];
    return simplify(name, strlen(name), simple) && strcmp(simple, plain) == 0;
}

static oclm_status add_script(tok_ranges *ranges, const char *name, bool *known)
{
    size_t script = 0;
    if (strcmp(name, "qaai") == 0)
        name = "zinh";
    while (script < tok_script_count && !same_name(tok_script_names[script], name) &&
           !same_name(tok_script_codes[script], name))
        script++;
    *known = script < tok_script_count;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < tok_script_start_count && *known && status == OCLM_OK; i++) {
        const uint32_t end = i + 1 < tok_script_start_count ? tok_script_starts[i + 1] >> 8 : TOK_LAST_CODE_POINT + 1;
        if ((tok_script_starts[i] & 0xFF) == script)
            status = tok_ranges_add(ranges, tok_script_starts[i] >> 8, end - 1);
    }
    return status;
}

oclm_status tok_property_add(tok_ranges *ranges, const char *name, size_t length, bool posix, bool *known)
{
    char plain[40];
    oclm_status status;
    *known = false;
    if (!simplify(name, length, plain))
        return OCLM_OK;
    if (posix && strcmp(plain, "punct") == 0)
        memcpy(plain, "posixpunct", sizeof "posixpunct");
    if ((status = add_named(ranges, plain, known)) != OCLM_OK || *known)
        return status;
    for (size_t i = 0; i < COUNT(known_categories); i++) {
        if (strcmp(plain, known_categories[i].name) == 0 || strcmp(plain, known_categories[i].long_name) == 0) {
            *known = true;
            return add_categories(ranges, known_categories[i].categories);
        }
    }
    return add_script(ranges, plain, known);
}
