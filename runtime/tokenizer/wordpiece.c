/* wordpiece.c: a word as few long parts: the longest entry that it begins with, then the longest that goes on, written with a
 * prefix. A word that cannot be cut up so is one unknown token. */
#include "tokenizer/wordpiece.h"

#include <inttypes.h>
#include <string.h>

#include "tokenizer/model_read.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/unicode.h"

#define DEFAULT_MAX_CHARS 100

oclm_status tok_missing_unk(const char *unk_token)
{
    return core_fail(OCLM_ERR_FORMAT, "the text has a word that the tokenizer does not know, and its unk_token \"%s\" is not in its "
                     "vocabulary", unk_token);
}

/* At most `max` + 1 are counted. */
static uint32_t count_chars(const char *text, size_t length, uint32_t max)
{
    uint32_t count = 0;
    size_t   size;
    for (const char *p = text; p < text + length && count <= max; p += size) {
        (void)tok_char_at(p, &size);
        count++;
    }
    return count;
}

/* The longest entry that `text` begins with, from a node on; its id, or -1. */
static int32_t longest(const tok_trie *trie, uint32_t node, const char *text, size_t length, size_t *used)
{
    int32_t id = -1;
    for (size_t i = 0; i < length && (node = tok_trie_step(trie, node, (unsigned char)text[i])) != 0; i++) {
        if (trie->nodes[node].id >= 0) {
            id = trie->nodes[node].id;
            *used = i + 1;
        }
    }
    return id;
}

static oclm_status encode(const tok_model *model, tok_scratch *scratch, const char *text, size_t length, tok_ids *ids)
{
    const tok_wordpiece *self = (const tok_wordpiece *)model;
    const size_t         before = ids->count;
    bool                 known = count_chars(text, length, self->max_chars) <= self->max_chars;
    oclm_status          status = OCLM_OK;
    (void)scratch;
    for (size_t at = 0, used = 0; known && at < length && status == OCLM_OK; at += used) {
        const int32_t id = at > 0 && self->no_inner
                               ? -1 : longest(&self->trie, at > 0 ? self->inner : 0, text + at, length - at, &used);
        known = id >= 0;
        if (known)
            status = tok_ids_add(ids, id);
    }
    if (known)
        return status;
    ids->count = before;
    return self->unk_id >= 0 ? tok_ids_add(ids, self->unk_id) : tok_missing_unk(self->unk_token);
}

/* One id covers all: it is the unknown token, or the only part. */
static oclm_status find_spans(const tok_model *model, tok_scratch *scratch, const char *text, size_t length,
                              const int32_t *ids, size_t count, oclm_span *spans)
{
    const tok_wordpiece *self = (const tok_wordpiece *)model;
    size_t at = 0, used = length;
    (void)scratch;
    (void)ids;
    for (size_t i = 0; i < count; i++, at += used) {
        if (count > 1)
            (void)longest(&self->trie, at > 0 ? self->inner : 0, text + at, length - at, &used);
        spans[i] = (oclm_span){ at, at + used };
    }
    return OCLM_OK;
}

static oclm_status prepare(tok_model *model, bool *bytes)
{
    (void)model;
    *bytes = false;
    return OCLM_OK;
}

static void free_wordpiece(tok_model *model)
{
    tok_wordpiece *self = (tok_wordpiece *)model;
    tok_vocab_deinit(&self->model.vocab);
    tok_trie_deinit(&self->trie);
    core_free(self->unk_token);
    core_free(self->prefix);
    core_free(self);
}

oclm_status tok_wordpiece_new(tok_wordpiece **wordpiece)
{
    tok_wordpiece *made = core_alloc_zero(1, sizeof *made, "a WordPiece model");
    *wordpiece = made;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->max_chars = DEFAULT_MAX_CHARS;
    made->model.encode = encode;
    made->model.spans = find_spans;
    made->model.prepare = prepare;
    made->model.free = free_wordpiece;
    if ((made->unk_token = core_copy_string("[UNK]", "a WordPiece model")) == NULL ||
        (made->prefix = core_copy_string("##", "a WordPiece model")) == NULL) {
        free_wordpiece(&made->model);
        *wordpiece = NULL;
        return OCLM_ERR_MEMORY;
    }
    return OCLM_OK;
}

oclm_status tok_wordpiece_finish(tok_wordpiece *self)
{
    const char *unk = self->unk_token != NULL ? self->unk_token : "";
    oclm_status status = tok_trie_build(&self->trie, &self->model.vocab);
    self->unk_id = tok_vocab_find(&self->model.vocab, unk, strlen(unk));
    for (const char *p = self->prefix; status == OCLM_OK && p != NULL && *p != '\0' && !self->no_inner; p++) {
        self->inner = tok_trie_step(&self->trie, self->inner, (unsigned char)*p);
        self->no_inner = self->inner == 0;
    }
    return status;
}

/* ---- Reading */

static oclm_status read_member(core_json_reader *reader, const char *key, size_t length, void *user)
{
    tok_wordpiece *self = user;
    oclm_status    status;
    if (core_is_word(key, length, "vocab")) {
        status = tok_read_one_vocab(reader, &self->has_vocab);
        return status == OCLM_OK ? tok_read_vocab(reader, &self->model.vocab) : status;
    }
    if (core_is_word(key, length, "unk_token"))
        return tok_read_optional_string(reader, &self->unk_token);
    if (core_is_word(key, length, "continuing_subword_prefix"))
        return tok_read_optional_string(reader, &self->prefix);
    if (core_is_word(key, length, "max_input_chars_per_word")) {
        int64_t max;
        if ((status = core_json_int(reader, 0, INT64_MAX, &max)) == OCLM_OK)
            self->max_chars = max < UINT32_MAX ? (uint32_t)max : UINT32_MAX - 1; /* more than any text has */
        return status;
    }
    return core_json_skip(reader);
}

oclm_status tok_wordpiece_read(core_json_reader *reader, tok_model **model)
{
    tok_wordpiece *self;
    oclm_status    status = tok_wordpiece_new(&self);
    *model = NULL;
    if (status != OCLM_OK)
        return status;
    status = core_json_read_object(reader, read_member, self);
    if (status == OCLM_OK && !self->has_vocab)
        status = core_json_error(reader, "the WordPiece model has no \"vocab\"");
    if (status == OCLM_OK)
        status = tok_wordpiece_finish(self);
    if (status == OCLM_OK)
        *model = &self->model;
    else
        tok_model_free(&self->model);
    return status;
}
