/* script_split.c: the UnicodeScripts pre-tokenizer: cuts where the script changes, with the scripts of Unicode 9.0. */
#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/pre_tokenize.h"
#include "tokenizer/unicode.h"

typedef struct script_step {
    tok_step step;
    unsigned han, hiragana, katakana, common, devanagari; /* numbers of scripts */
} script_step;

/* The script that counts: TOK_SCRIPT_UNKNOWN goes with any. */
static unsigned script_of(const script_step *self, uint32_t code_point)
{
    if (code_point == 0x30FC)
        return self->han;
    if (code_point == ' ' || !(tok_class_of(code_point) & TOK_OLD))
        return TOK_SCRIPT_UNKNOWN;
    if (code_point == 0x589 || code_point == 0x61C) /* Armenian and Arabic since */
        return self->common;
    if (code_point == 0x953 || code_point == 0x954) /* Inherited since */
        return self->devanagari;
    const unsigned script = tok_script_of(code_point);
    return script == self->hiragana || script == self->katakana ? self->han : script;
}

/* What stands before the first character that has a script is dropped, as the reference does. */
static oclm_status split(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const script_step *self = (const script_step *)step;
    const char *const end = text + length;
    const char *begin = NULL; /* of the piece */
    unsigned last = TOK_SCRIPT_UNKNOWN;
    oclm_status status = OCLM_OK;
    size_t size;
    for (const char *p = text; p < end && status == OCLM_OK; p += size) {
        const unsigned script = script_of(self, tok_char_at(p, &size));
        if (script == TOK_SCRIPT_UNKNOWN || script == last)
            continue;
        if (begin != NULL)
            status = tok_run_piece(run, index + 1, begin, (size_t)(p - begin));
        begin = p;
        last = script;
    }
    if (begin == NULL || status != OCLM_OK)
        return status;
    return tok_run_piece(run, index + 1, begin, (size_t)(end - begin));
}

static unsigned number_of(const char *name)
{
    size_t i = 0;
    while (i + 1 < tok_script_count && strcmp(tok_script_names[i], name) != 0)
        i++;
    return (unsigned)i;
}

oclm_status tok_unicode_scripts_make(const cJSON *config, const char *where, tok_step **step)
{
    const script_step made = { { { .split = split }, NULL }, number_of("Han"),    number_of("Hiragana"),
                               number_of("Katakana"),        number_of("Common"), number_of("Devanagari") };
    (void)config;
    (void)where;
    return tok_step_copy(&made, sizeof made, step);
}
