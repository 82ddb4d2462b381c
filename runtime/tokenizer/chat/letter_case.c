/* letter_case.c: upper, lower and title case as Python has them: by Unicode's full mappings, where one letter may
 * become three. utf8proc has the simple ones; case_table.h (scripts/make_case_table.py) has the rest. */
#include <utf8proc.h>

#include "tokenizer/chat/call.h"
#include "tokenizer/chat/case_table.h"
#include "tokenizer/chat/text.h"

static const case_row *find_row(uint32_t c)
{
    size_t low = 0, high = COUNT(case_rows);
    if (c < case_rows[0].c)
        return NULL;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (case_rows[middle].c == c)
            return &case_rows[middle];
        if (case_rows[middle].c < c)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool jinja_add_cased(jinja_run *run, core_text *out, uint32_t c, jinja_case how)
{
    char bytes[4];
    const case_row *row = how == JINJA_LOWER ? NULL : find_row(c);
    if (how == JINJA_LOWER && c == 0x130)
        return jinja_add_word(run, out, "i\xCC\x87");
    if (row) {
        const uint32_t *to = how == JINJA_UPPER ? row->upper : row->title;
        for (size_t i = 0; i < 3 && to[i]; i++)
            if (!jinja_add(run, out, bytes, core_utf8_write(to[i], bytes)))
                return false;
        return true;
    }
    const utf8proc_int32_t from = (utf8proc_int32_t)c;
    const uint32_t to = (uint32_t)(how == JINJA_LOWER   ? utf8proc_tolower(from)
                                   : how == JINJA_UPPER ? utf8proc_toupper(from)
                                                        : utf8proc_totitle(from));
    return jinja_add(run, out, bytes, core_utf8_write(to, bytes));
}

static bool is_cased(uint32_t c)
{
    const uint32_t category = tok_class_of(c) & TOK_CATEGORY;
    return category == TOK_LU || category == TOK_LL || category == TOK_LT || c == 0xAA || c == 0xBA ||
           (c >= 0x2B0 && c <= 0x2B8) || (c >= 0x2160 && c <= 0x217F) || (c >= 0x24B6 && c <= 0x24E9);
}

static bool is_ignorable(uint32_t c) /* Case_Ignorable, as far as it stands between letters */
{
    const uint32_t category = tok_class_of(c) & TOK_CATEGORY;
    return category == TOK_MN || category == TOK_ME || category == TOK_CF || category == TOK_LM || category == TOK_SK ||
           c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2019 || c == 0x2018 || c == 0x2024 || c == 0x2027;
}

/* Σ at p ends a word: a letter before, none behind. */
static bool is_final_sigma(const char *begin, const char *p, const char *end)
{
    const char *before = p, *behind = p + 2;
    size_t length;
    bool letter = false;
    while (before > begin) {
        before = tok_char_before(begin, before);
        const uint32_t c = tok_char_at(before, &length);
        if (!is_ignorable(c)) {
            letter = is_cased(c);
            break;
        }
    }
    while (letter && behind < end) {
        const uint32_t c = tok_char_at(behind, &length);
        if (!is_ignorable(c))
            return !is_cased(c);
        behind += length;
    }
    return letter;
}

/* One character of a text, in its place. */
static bool add_in_place(jinja_run *run, core_text *out, jinja_ref text, const char *p, uint32_t c, jinja_case how)
{
    if (how == JINJA_SWAP) {
        const uint32_t category = tok_class_of(c) & TOK_CATEGORY;
        if (category == TOK_LL)
            return jinja_add_cased(run, out, c, JINJA_UPPER);
        if (category != TOK_LU) {
            char bytes[4];
            return jinja_add(run, out, bytes, core_utf8_write(c, bytes));
        }
        how = JINJA_LOWER;
    }
    if (how == JINJA_LOWER && c == 0x3A3 &&
        is_final_sigma(text->as.text.data, p, text->as.text.data + text->as.text.length))
        return jinja_add_word(run, out, "\xCF\x82");
    return jinja_add_cased(run, out, c, how);
}

jinja_ref jinja_change_case(jinja_run *run, jinja_ref text, jinja_case how)
{
    const char *p = text->as.text.data, *const end = p + text->as.text.length;
    core_text out = jinja_making(run);
    bool good = jinja_work(run, text->as.text.length / 4), in_word = false;
    for (bool first = true; p < end && good; first = false) {
        size_t length;
        const uint32_t c = tok_char_at(p, &length);
        const jinja_case now = how == JINJA_TITLE        ? (in_word ? JINJA_LOWER : JINJA_TITLE)
                               : how == JINJA_CAPITALIZE ? (first ? JINJA_TITLE : JINJA_LOWER)
                                                         : how;
        good = add_in_place(run, &out, text, p, c, now);
        in_word = is_cased(c);
        p += length;
    }
    return jinja_made(run, &out, good);
}
