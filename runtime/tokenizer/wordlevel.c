/* wordlevel.c: a word is one token, or the unknown one. */
#include <string.h>

#include "tokenizer/model_read.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/wordpiece.h"

typedef struct wordlevel {
    tok_model model;
    char     *unk_token;
    int32_t   unk_id; /* -1: not in the vocabulary */
    bool      has_vocab; /* read so far */
} wordlevel;

static oclm_status encode(const tok_model *model, tok_scratch *scratch, const char *text, size_t length, tok_ids *ids)
{
    const wordlevel *self = (const wordlevel *)model;
    const int32_t    known = tok_vocab_find(&model->vocab, text, length), id = known >= 0 ? known : self->unk_id;
    (void)scratch;
    return id >= 0 ? tok_ids_add(ids, id) : tok_missing_unk(self->unk_token != NULL ? self->unk_token : "");
}

static oclm_status find_spans(const tok_model *model, tok_scratch *scratch, const char *text, size_t length,
                              const int32_t *ids, size_t count, oclm_span *spans)
{
    (void)model;
    (void)scratch;
    (void)text;
    (void)ids;
    for (size_t i = 0; i < count; i++)
        spans[i] = (oclm_span){ 0, length };
    return OCLM_OK;
}

static oclm_status prepare(tok_model *model, bool *bytes)
{
    wordlevel  *self = (wordlevel *)model;
    const char *unk = self->unk_token != NULL ? self->unk_token : "";
    *bytes = false;
    self->unk_id = tok_vocab_find(&model->vocab, unk, strlen(unk));
    return OCLM_OK;
}

static void free_wordlevel(tok_model *model)
{
    tok_vocab_deinit(&model->vocab);
    core_free(((wordlevel *)model)->unk_token);
    core_free(model);
}

static oclm_status read_member(core_json_reader *reader, const char *key, size_t length, void *user)
{
    wordlevel  *self = user;
    oclm_status status;
    if (core_is_word(key, length, "vocab")) {
        status = tok_read_one_vocab(reader, &self->has_vocab);
        return status == OCLM_OK ? tok_read_vocab(reader, &self->model.vocab) : status;
    }
    return core_is_word(key, length, "unk_token") ? tok_read_optional_string(reader, &self->unk_token) : core_json_skip(reader);
}

oclm_status tok_wordlevel_read(core_json_reader *reader, tok_model **model)
{
    wordlevel  *self = core_alloc_zero(1, sizeof *self, "a WordLevel model");
    oclm_status status;
    *model = NULL;
    if (self == NULL)
        return OCLM_ERR_MEMORY;
    self->model.encode = encode;
    self->model.spans = find_spans;
    self->model.prepare = prepare;
    self->model.free = free_wordlevel;
    status = core_json_read_object(reader, read_member, self);
    if (status == OCLM_OK && !self->has_vocab)
        status = core_json_error(reader, "the WordLevel model has no \"vocab\"");
    if (status == OCLM_OK)
        *model = &self->model;
    else
        tok_model_free(&self->model);
    return status;
}
