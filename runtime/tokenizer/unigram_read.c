/* unigram_read.c: a Unigram model from its JSON: "vocab" is a list of [piece, score]; a piece's id is its place in it. */
#include <string.h>

#include "tokenizer/model_read.h"
#include "tokenizer/unigram.h"

/* ["piece", score] */
static oclm_status read_piece(tok_unigram *unigram, core_json_reader *reader, core_text *copy)
{
    bool        first = true, more;
    const char *text = NULL;
    size_t      length = 0, parts = 0;
    double      score = 0;
    oclm_status status = core_json_enter(reader, CORE_JSON_ARRAY);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_ARRAY, &first, &more)) == OCLM_OK && more) {
        if (parts == 0)
            status = core_json_string(reader, &text, &length);
        else
            status = parts == 1 ? core_json_double(reader, &score) : core_json_skip(reader);
        parts++;
        if (status == OCLM_OK && parts == 1 && text == reader->scratch.data) { /* reading on may reuse it */
            core_text_clear(copy);
            status = core_text_add(copy, text, length);
            text = copy->data;
        }
    }
    if (status != OCLM_OK)
        return status;
    if (parts != 2)
        return core_json_error(reader, "piece %zu of the vocabulary has %zu parts; it must be [piece, score]", unigram->count, parts);
    return tok_unigram_add(unigram, text, length, score);
}

static oclm_status read_pieces(tok_unigram *unigram, core_json_reader *reader)
{
    bool        first = true, more;
    core_text   copy = CORE_TEXT_INIT;
    oclm_status status = core_json_enter(reader, CORE_JSON_ARRAY);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_ARRAY, &first, &more)) == OCLM_OK && more)
        status = read_piece(unigram, reader, &copy);
    core_text_free(&copy);
    return status;
}

static oclm_status read_unk_id(tok_unigram *unigram, core_json_reader *reader)
{
    core_json_kind kind;
    int64_t        id = -1;
    oclm_status    status = core_json_peek(reader, &kind);
    if (status == OCLM_OK)
        status = kind == CORE_JSON_NULL ? core_json_skip(reader) : core_json_int(reader, 0, TOK_MAX_ID, &id);
    unigram->unk_id = (int32_t)id;
    return status;
}

static oclm_status read_member(core_json_reader *reader, const char *key, size_t length, void *user)
{
    tok_unigram *unigram = user;
    oclm_status  status;
    if (core_is_word(key, length, "vocab")) {
        status = tok_read_one_vocab(reader, &unigram->has_vocab);
        return status == OCLM_OK ? read_pieces(unigram, reader) : status;
    }
    if (core_is_word(key, length, "unk_id"))
        return read_unk_id(unigram, reader);
    if (core_is_word(key, length, "byte_fallback"))
        return tok_read_optional_bool(reader, &unigram->byte_fallback);
    return core_json_skip(reader);
}

oclm_status tok_unigram_read(core_json_reader *reader, tok_model **model)
{
    tok_unigram *unigram;
    oclm_status  status = tok_unigram_new(&unigram);
    *model = NULL;
    if (status != OCLM_OK)
        return status;
    status = core_json_read_object(reader, read_member, unigram);
    if (status == OCLM_OK && !unigram->has_vocab)
        status = core_json_error(reader, "the Unigram model has no \"vocab\"");
    if (status == OCLM_OK)
        status = tok_unigram_finish(unigram, reader->origin);
    if (status == OCLM_OK)
        *model = &unigram->model;
    else
        tok_model_free(&unigram->model);
    return status;
}
