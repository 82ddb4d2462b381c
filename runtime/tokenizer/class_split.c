/* class_split.c: the pre-tokenizers that look at one character at a time: Whitespace, WhitespaceSplit, Punctuation,
 * BertPreTokenizer, CharDelimiterSplit, Digits, FixedLength. */
#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/pre_tokenize.h"
#include "tokenizer/unicode.h"

typedef struct class_step {
    tok_step step;
    uint32_t mask; /* a character of one of these classes is a match */
    tok_behavior behavior;
} class_step;

/* Every matching character is a match of its own, as in the reference's split by a test. */
static oclm_status split_at_class(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const class_step *self = (const class_step *)step;
    tok_splitter splitter = { run, index + 1, self->behavior, NULL, NULL, false };
    const char *const end = text + length;
    oclm_status status = OCLM_OK;
    size_t size;
    for (const char *p = text, *stop; p < end && status == OCLM_OK; p = stop) {
        const bool match = (tok_class_at(p, &size) & self->mask) != 0;
        stop = p + size;
        while (!match && stop < end && !(tok_class_at(stop, &size) & self->mask))
            stop += size;
        status = tok_splitter_part(&splitter, p, stop, match);
    }
    return status == OCLM_OK ? tok_splitter_finish(&splitter) : status;
}

static oclm_status make_class(uint32_t mask, tok_behavior behavior, tok_step **step)
{
    const class_step made = { { { .split = split_at_class }, NULL }, mask, behavior };
    return tok_step_copy(&made, sizeof made, step);
}

oclm_status tok_whitespace_split_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make_class(TOK_SPACE, TOK_REMOVED, step);
}

oclm_status tok_punctuation_make(const cJSON *config, const char *where, tok_step **step)
{
    tok_behavior behavior = TOK_ISOLATED;
    const oclm_status status = tok_json_behavior(config, where, &behavior);
    return status == OCLM_OK ? make_class(TOK_PUNCTUATION, behavior, step) : status;
}

oclm_status tok_digits_make(const cJSON *config, const char *where, tok_step **step)
{
    bool individual = false;
    const oclm_status status = core_json_get_bool(config, "individual_digits", where, &individual);
    return status == OCLM_OK ? make_class(TOK_DIGIT, individual ? TOK_ISOLATED : TOK_CONTIGUOUS, step) : status;
}

/* ---- Runs of one kind: characters of no kind are dropped */

/* \w+|[^\w\s]+ */
static oclm_status split_words(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const char *const end = text + length;
    oclm_status status = OCLM_OK;
    size_t size;
    (void)step;
    for (const char *p = text, *stop; p < end && status == OCLM_OK; p = stop) {
        const uint32_t kind = tok_class_at(p, &size) & (TOK_WORD | TOK_SPACE);
        for (stop = p + size; stop < end && (tok_class_at(stop, &size) & (TOK_WORD | TOK_SPACE)) == kind;)
            stop += size;
        if (kind != TOK_SPACE)
            status = tok_run_piece(run, index + 1, p, (size_t)(stop - p));
    }
    return status;
}

/* White space dropped, punctuation alone. */
static oclm_status split_bert(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const char *const end = text + length;
    oclm_status status = OCLM_OK;
    size_t size;
    (void)step;
    for (const char *p = text, *stop; p < end && status == OCLM_OK; p = stop) {
        const uint32_t kind = tok_class_at(p, &size) & (TOK_PUNCTUATION | TOK_SPACE);
        for (stop = p + size; kind == 0 && stop < end && !(tok_class_at(stop, &size) & (TOK_PUNCTUATION | TOK_SPACE));)
            stop += size;
        if (!(kind & TOK_SPACE))
            status = tok_run_piece(run, index + 1, p, (size_t)(stop - p));
    }
    return status;
}

static oclm_status make_plain(oclm_status (*split)(const tok_step *, tok_run *, size_t, const char *, size_t),
                              tok_step **step)
{
    const tok_step made = { { .split = split }, NULL };
    return tok_step_copy(&made, sizeof made, step);
}

oclm_status tok_whitespace_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make_plain(split_words, step);
}

oclm_status tok_bert_split_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make_plain(split_bert, step);
}

/* ---- CharDelimiterSplit */

typedef struct delimiter_step {
    tok_step step;
    char delimiter[4]; /* one character */
    size_t length;
} delimiter_step;

static oclm_status split_at_delimiter(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const delimiter_step *self = (const delimiter_step *)step;
    const char *const end = text + length;
    const char *begin = text, *p = text;
    oclm_status status = OCLM_OK;
    while (status == OCLM_OK && p < end && (p = memchr(p, self->delimiter[0], (size_t)(end - p))) != NULL) {
        if ((size_t)(end - p) < self->length || memcmp(p, self->delimiter, self->length) != 0) {
            p++;
            continue;
        }
        status = tok_run_piece(run, index + 1, begin, (size_t)(p - begin));
        begin = p += self->length;
    }
    return status == OCLM_OK ? tok_run_piece(run, index + 1, begin, (size_t)(end - begin)) : status;
}

oclm_status tok_char_delimiter_make(const cJSON *config, const char *where, tok_step **step)
{
    delimiter_step made = { { { .split = split_at_delimiter }, NULL }, "", 0 };
    const char *delimiter = NULL;
    oclm_status status = tok_json_char(config, "delimiter", where, &delimiter, &made.length);
    if (status != OCLM_OK)
        return status;
    memcpy(made.delimiter, delimiter, made.length);
    return tok_step_copy(&made, sizeof made, step);
}

/* ---- FixedLength */

typedef struct fixed_step {
    tok_step step;
    uint32_t length; /* characters */
} fixed_step;

static oclm_status split_fixed(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const uint32_t count = ((const fixed_step *)step)->length;
    const char *const end = text + length;
    oclm_status status = OCLM_OK;
    size_t size;
    for (const char *p = text, *stop = text; p < end && status == OCLM_OK; p = stop) {
        for (uint32_t i = 0; i < count && stop < end; i++) {
            (void)tok_char_at(stop, &size);
            stop += size;
        }
        status = tok_run_piece(run, index + 1, p, (size_t)(stop - p));
    }
    return status;
}

oclm_status tok_fixed_length_make(const cJSON *config, const char *where, tok_step **step)
{
    fixed_step made = { { { .split = split_fixed }, NULL }, 5 };
    const oclm_status status = core_json_get_u32(config, "length", where, 1, UINT32_MAX, &made.length);
    if (status != OCLM_OK)
        return status;
    return tok_step_copy(&made, sizeof made, step);
}
