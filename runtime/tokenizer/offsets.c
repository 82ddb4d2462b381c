/* offsets.c: from places in a piece back to bytes of the original text; and post-processors that leave white space out.
 */
#include "tokenizer/offsets.h"

#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/post_process.h"
#include "tokenizer/unicode.h"

/* The byte that stands for a space in byte-level vocabularies: U+0120 */
#define SPACE_CHAR 0x120

/* ---- Back to the original */

/* Whole characters: [begin, end) of the text that pieces point into, not empty. */
static oclm_span original_span(const tok_run *run, const char *begin, const char *end)
{
    const char *const text = run->text, *const stop = text + run->length;
    const size_t first = tok_run_source(run, begin), last = tok_run_source(run, end - 1);
    oclm_span span = { first & ~(size_t)TOK_SOURCE_EMPTY, last & ~(size_t)TOK_SOURCE_EMPTY };
    if (!(first & TOK_SOURCE_EMPTY)) {
        while (span.begin > 0 && ((unsigned char)text[span.begin] & 0xC0) == 0x80)
            span.begin--;
    }
    if (!(last & TOK_SOURCE_EMPTY)) {
        do
            span.end++;
        while (text + span.end < stop && ((unsigned char)text[span.end] & 0xC0) == 0x80);
    }
    return span;
}

/* ---- White space at the ends (ByteLevel's and RobertaProcessing's trim_offsets) */

static bool is_trimmed(const char *p)
{
    size_t length;
    const uint32_t code_point = tok_char_at(p, &length);
    return code_point == SPACE_CHAR || (tok_class_of(code_point) & TOK_SPACE);
}

static size_t count_leading(const char *text, size_t length)
{
    size_t count = 0, size;
    for (const char *p = text; p < text + length && is_trimmed(p); p += size, count++)
        (void)tok_char_at(p, &size);
    return count;
}

static size_t count_trailing(const char *text, size_t length)
{
    size_t count = 0;
    for (const char *p = text + length; p > text; count++) {
        const char *before = tok_char_before(text, p);
        if (!is_trimmed(before))
            break;
        p = before;
    }
    return count;
}

/* The reference counts characters: so many are taken off the original text's, whatever they are. `value`: the token as
 * the reference writes it. */
static void trim(const tok_run *run, const char *value, size_t length, bool is_first, bool prefix_space,
                 oclm_span *span)
{
    const char *const text = run->text;
    size_t leading = count_leading(value, length), trailing = count_trailing(value, length), size;
    if (is_first && prefix_space && leading == 1)
        leading = 0; /* it was added */
    for (; leading > 0 && span->begin < span->end; leading--) {
        (void)tok_char_at(text + span->begin, &size);
        span->begin += size;
    }
    const char *end = text + span->end;
    for (; trailing > 0 && end > text; trailing--)
        end = tok_char_before(text, end);
    if (trailing == 0)
        span->end = (size_t)(end - text) > span->begin ? (size_t)(end - text) : span->begin;
}

static oclm_status add_span(tok_run *run, oclm_span span, const char *value, size_t length)
{
    const tok_chain *chain = &run->tokenizer->post_processor;
    tok_encoded *encoded = run->encoded;
    const size_t index = encoded->span_count;
    for (size_t i = 0; i < chain->count && value != NULL; i++) {
        bool prefix_space;
        if (tok_post_trims(chain->steps[i], &prefix_space))
            trim(run, value, length, index == run->first_span || span.begin == 0, prefix_space, &span);
    }
    if (encoded->span_count == encoded->span_capacity) {
        const size_t capacity = encoded->span_capacity < 64 ? 64 : encoded->span_capacity * 2;
        oclm_span *spans = core_realloc_array(encoded->spans, capacity, sizeof *spans, "offsets");
        if (spans == NULL)
            return OCLM_ERR_MEMORY;
        encoded->spans = spans;
        encoded->span_capacity = capacity;
    }
    encoded->spans[encoded->span_count++] = span;
    return OCLM_OK;
}

/* ---- Tokens */

oclm_status tok_offsets_of_added(tok_run *run, const char *text, size_t length)
{
    if (length > 0)
        return add_span(run, original_span(run, text, text + length), text, length);
    const size_t at = tok_run_source(run, text) & ~(size_t)TOK_SOURCE_EMPTY;
    return add_span(run, (oclm_span){ at, at }, NULL, 0);
}

oclm_status tok_offsets_of_piece(tok_run *run, const char *text, size_t length, size_t first)
{
    const tok_model *model = run->tokenizer->model;
    const tok_ids *ids = &run->encoded->ids;
    const size_t count = ids->count - first;
    oclm_status status = OCLM_OK;
    if (count == 0)
        return OCLM_OK;
    oclm_span *spans = core_alloc_array(count, sizeof *spans, "offsets");
    if (spans == NULL)
        return OCLM_ERR_MEMORY;
    status = model->spans(model, run->scratch, text, length, ids->data + first, count, spans);
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        const oclm_span in = spans[i];
        size_t value_length = 0;
        const char *value = tok_vocab_text(&model->vocab, ids->data[first + i], &value_length);
        if (model->writes_unknown && ids->data[first + i] == model->unknown_id) { /* as the text has it */
            value = text + in.begin;
            value_length = in.end - in.begin;
        }
        if (in.begin < in.end) {
            status = add_span(run, original_span(run, text + in.begin, text + in.end), value, value_length);
        } else {
            /* as the reference adds it up, but within the text */
            const size_t sum = (tok_run_source(run, text) & ~(size_t)TOK_SOURCE_EMPTY) + in.begin;
            const size_t at = sum < run->length ? sum : run->length;
            status = add_span(run, (oclm_span){ at, at }, value, value_length);
        }
    }
    core_free(spans);
    return status;
}
