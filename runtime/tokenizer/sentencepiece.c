/* sentencepiece.c: a SentencePiece model, a protobuf message (sentencepiece_model.proto):
 *
 *     repeated pieces = 1 { string piece = 1; float score = 2; Type type = 3 [1] }
 *     trainer_spec = 2 { model_type = 3 [1 unigram], 2 bpe; byte_fallback = 35; unk, bos, eos id = 40, 41, 42; pieces = 45, 46, 47 }
 *     normalizer_spec = 3 { precompiled_charsmap = 2; add_dummy_prefix = 3 [true]; remove_extra_whitespaces = 4 [true];
 *                           escape_whitespaces = 5 [true] }
 *
 * The tokenizer is the one that transformers builds for a class without a converter of its own (SpmConverter's
 * build_tokenizer_from_spm_proto, 5.24): it encodes as SentencePiece itself does. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/bpe_make.h"
#include "tokenizer/normalize.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/protobuf.h"
#include "tokenizer/readers.h"
#include "tokenizer/spm.h"
#include "tokenizer/unigram.h"

typedef enum piece_type { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE } piece_type;
enum { UNIGRAM = 1, BPE = 2 };

typedef struct piece {
    const char *text; /* in the file */
    size_t length;
    float score;
    int32_t type, id;
} piece;

typedef struct string {
    const char *text;
    size_t length;
} string;

typedef struct model_file {
    const char *path;
    piece *pieces;
    size_t count, capacity;
    int32_t model_type, unk_id, bos_id, eos_id;
    string unk_piece, bos_piece, eos_piece, charsmap;
    bool byte_fallback, add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
} model_file;

/* ---- Reading */

static oclm_status broken(const model_file *file, const char *what)
{
    return core_fail(OCLM_ERR_FORMAT, "%s: %s; is it a SentencePiece model, and whole? Remove the file and fetch it again",
                     file->path, what);
}

static oclm_status read_piece(model_file *file, tok_proto message)
{
    piece made = { "", 0, 0, NORMAL, (int32_t)file->count };
    tok_proto_field field;
    while (tok_proto_next(&message, &field)) {
        if (field.number == 1 && field.wire == TOK_WIRE_BYTES) {
            made.text = field.bytes;
            made.length = field.length;
        } else if (field.number == 2) {
            made.score = tok_proto_float(&field, 0);
        } else if (field.number == 3) {
            made.type = tok_proto_int(&field, NORMAL);
        }
    }
    if (message.broken)
        return broken(file, "a piece is broken");
    if (core_utf8_check(made.text, made.length) != SIZE_MAX)
        return broken(file, "a piece is not valid UTF-8");
    if (!(made.score == made.score))
        return broken(file, "a piece's score is no number");
    if (file->count == file->capacity) {
        const size_t capacity = file->capacity == 0 ? 1024 : file->capacity * 2;
        piece *pieces = core_realloc_array(file->pieces, capacity, sizeof *pieces, "pieces");
        if (pieces == NULL)
            return OCLM_ERR_MEMORY;
        file->pieces = pieces;
        file->capacity = capacity;
    }
    if (file->count > TOK_MAX_ID)
        return core_fail(OCLM_ERR_FORMAT, "%s: more than %d pieces", file->path, TOK_MAX_ID);
    file->pieces[file->count++] = made;
    return OCLM_OK;
}

static void set_string(string *to, const tok_proto_field *field)
{
    if (field->wire == TOK_WIRE_BYTES)
        *to = (string){ field->bytes, field->length };
}

static oclm_status read_trainer(model_file *file, tok_proto message)
{
    tok_proto_field field;
    while (tok_proto_next(&message, &field)) {
        switch (field.number) {
        case 3:
            file->model_type = tok_proto_int(&field, UNIGRAM);
            break;
        case 35:
            file->byte_fallback = tok_proto_bool(&field, false);
            break;
        case 40:
            file->unk_id = tok_proto_int(&field, 0);
            break;
        case 41:
            file->bos_id = tok_proto_int(&field, 1);
            break;
        case 42:
            file->eos_id = tok_proto_int(&field, 2);
            break;
        case 45:
            set_string(&file->unk_piece, &field);
            break;
        case 46:
            set_string(&file->bos_piece, &field);
            break;
        case 47:
            set_string(&file->eos_piece, &field);
            break;
        default:
            break;
        }
    }
    return message.broken ? broken(file, "its trainer_spec is broken") : OCLM_OK;
}

static oclm_status read_normalizer(model_file *file, tok_proto message)
{
    tok_proto_field field;
    while (tok_proto_next(&message, &field)) {
        if (field.number == 2)
            set_string(&file->charsmap, &field);
        else if (field.number == 3)
            file->add_dummy_prefix = tok_proto_bool(&field, true);
        else if (field.number == 4)
            file->remove_extra_whitespaces = tok_proto_bool(&field, true);
        else if (field.number == 5)
            file->escape_whitespaces = tok_proto_bool(&field, true);
    }
    return message.broken ? broken(file, "its normalizer_spec is broken") : OCLM_OK;
}

static oclm_status read_message(model_file *file, tok_proto message)
{
    tok_proto_field field;
    oclm_status status = OCLM_OK;
    while (status == OCLM_OK && tok_proto_next(&message, &field)) {
        if (field.wire != TOK_WIRE_BYTES)
            continue;
        const tok_proto inner = tok_proto_of(field.bytes, field.length);
        if (field.number == 1)
            status = read_piece(file, inner);
        else if (field.number == 2)
            status = read_trainer(file, inner);
        else if (field.number == 3)
            status = read_normalizer(file, inner);
    }
    if (status == OCLM_OK && message.broken)
        status = broken(file, "it is broken or cut short");
    if (status == OCLM_OK && file->count == 0)
        status = broken(file, "it has no pieces");
    return status;
}

/* ---- The model */

/* Higher scores merge first, lower ids among equals. */
static int compare_pieces(const void *a, const void *b)
{
    const piece *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Merges of normal pieces from normal pieces. */
static oclm_status add_merges(const model_file *file, tok_bpe *bpe)
{
    piece *sorted = core_copy(file->pieces, file->count * sizeof *file->pieces, "pieces");
    int32_t *ids = core_alloc_array(file->count, sizeof *ids, "ids");
    bool *normal = core_alloc_zero(file->count, sizeof *normal, "ids");
    tok_merge_order order = { ids, 0, normal, false };
    oclm_status status = OCLM_ERR_MEMORY;
    if (sorted != NULL && ids != NULL && normal != NULL) {
        qsort(sorted, file->count, sizeof *sorted, compare_pieces);
        for (size_t i = 0; i < file->count; i++) {
            if (sorted[i].type == NORMAL) {
                ids[order.count++] = sorted[i].id;
                normal[sorted[i].id] = true;
            }
        }
        status = tok_bpe_find_merges(bpe, &order, file->path);
    }
    core_free(sorted);
    core_free(ids);
    core_free(normal);
    return status;
}

static oclm_status make_bpe(const model_file *file, bool has_symbols, tok_tokenizer *tokenizer)
{
    tok_bpe *bpe;
    oclm_status status = tok_bpe_new(&bpe);
    if (status != OCLM_OK)
        return status;
    tokenizer->model = &bpe->model; /* freed with it */
    for (size_t i = 0; i < file->count && status == OCLM_OK; i++)
        status = tok_vocab_add(&bpe->model.vocab, file->pieces[i].text, file->pieces[i].length, (int32_t)i);
    if (status != OCLM_OK || (status = tok_vocab_index_ids(&bpe->model.vocab)) != OCLM_OK)
        return status;
    bpe->fuse_unk = true;
    bpe->byte_fallback = file->byte_fallback;
    bpe->ignore_merges = has_symbols;
    core_text unk = CORE_TEXT_INIT;
    if ((status = core_text_add(&unk, file->unk_piece.text, file->unk_piece.length)) != OCLM_OK)
        return status;
    if ((bpe->unk_token = core_text_take(&unk, NULL)) == NULL)
        return OCLM_ERR_MEMORY;
    return add_merges(file, bpe);
}

static oclm_status make_unigram(const model_file *file, tok_tokenizer *tokenizer)
{
    tok_unigram *unigram;
    oclm_status status = tok_unigram_new(&unigram);
    if (status != OCLM_OK)
        return status;
    tokenizer->model = &unigram->model; /* freed with it */
    for (size_t i = 0; i < file->count && status == OCLM_OK; i++)
        status = tok_unigram_add(unigram, file->pieces[i].text, file->pieces[i].length, (double)file->pieces[i].score);
    unigram->unk_id = file->unk_id;
    unigram->byte_fallback = file->byte_fallback;
    return status == OCLM_OK ? tok_unigram_finish(unigram, file->path) : status;
}

/* ---- Around it */

static oclm_status add_charsmap(const model_file *file, tok_chain *chain)
{
    tok_step *step = NULL;
    oclm_status status;
    if (file->charsmap.length == 0)
        return OCLM_OK;
    if ((status = tok_precompiled_of(file->charsmap.text, file->charsmap.length, file->path, &step)) != OCLM_OK)
        return status;
    return tok_chain_add(chain, step, file->path);
}

static oclm_status add_symbols(const model_file *file, tok_chain *chain, const tok_vocab *vocab)
{
    tok_added symbols;
    tok_added_token token;
    oclm_status status = OCLM_OK;
    memset(&symbols, 0, sizeof symbols);
    memset(&token, 0, sizeof token);
    token.id = -1;
    for (size_t i = 0; i < file->count && status == OCLM_OK; i++) {
        token.content = (char *)(uintptr_t)file->pieces[i].text; /* only read */
        token.content_length = file->pieces[i].length;
        if (file->pieces[i].type == USER_DEFINED)
            status = tok_added_add(&symbols, &token, vocab, file->path);
    }
    if (status == OCLM_OK)
        status = tok_spm_symbols_add(chain, &symbols);
    tok_added_deinit(&symbols);
    return status;
}

static oclm_status add_steps(const model_file *file, bool has_symbols, bool legacy, tok_tokenizer *tokenizer)
{
    static const char decoder[] = "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": "
                                  "\"\xE2\x96\x81\"}, \"content\": \" \"}%s%s]}";
    const tok_spm_spaces spaces = { file->remove_extra_whitespaces, file->escape_whitespaces,
                                    file->add_dummy_prefix && legacy };
    core_text json = CORE_TEXT_INIT;
    oclm_status status;
    if ((status = add_charsmap(file, &tokenizer->normalizer)) != OCLM_OK ||
        (status = tok_spm_spaces_add(&tokenizer->normalizer, &spaces)) != OCLM_OK)
        return status;
    if (file->add_dummy_prefix &&
        (status = tok_chain_read_text(&tokenizer->pre_tokenizer, &tok_pre_tokenizers,
                                      legacy ? "{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", "
                                               "\"prepend_scheme\": \"always\", \"split\": false}"
                                             : "{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", "
                                               "\"prepend_scheme\": \"first\", \"split\": false}",
                                      file->path)) != OCLM_OK)
        return status;
    if (has_symbols && (status = add_symbols(file, &tokenizer->pre_tokenizer, &tokenizer->model->vocab)) != OCLM_OK)
        return status;
    const char *bytes = file->byte_fallback ? ", {\"type\": \"ByteFallback\"}" : "";
    const char *rest = file->add_dummy_prefix ? ", {\"type\": \"Fuse\"}, {\"type\": \"Strip\", \"content\": \" \", "
                                                "\"start\": 1, \"stop\": 0}"
                       : file->byte_fallback  ? ", {\"type\": \"Fuse\"}"
                                              : "";
    if ((status = core_text_printf(&json, decoder, bytes, rest)) == OCLM_OK)
        status = tok_chain_read_text(&tokenizer->decoder, &tok_decoders, json.data, file->path);
    core_text_free(&json);
    return status;
}

/* Control pieces are special tokens. */
static oclm_status add_tokens(const model_file *file, tok_tokenizer *tokenizer)
{
    const struct {
        const char *key;
        string piece;
        int32_t id;
    } names[] = { { "bos_token", file->bos_piece, file->bos_id },
                  { "eos_token", file->eos_piece, file->eos_id },
                  { "unk_token", file->unk_piece, file->unk_id } };
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < file->count && status == OCLM_OK; i++) {
        const piece *p = &file->pieces[i];
        tok_added_token token;
        memset(&token, 0, sizeof token);
        token.content = (char *)(uintptr_t)p->text; /* only read */
        token.content_length = p->length;
        token.id = (int32_t)i;
        token.special = true;
        if (p->type == CONTROL)
            status = tok_added_add(&tokenizer->added, &token, &tokenizer->model->vocab, file->path);
    }
    for (size_t i = 0; i < COUNT(names) && status == OCLM_OK; i++) {
        if (names[i].id >= 0)
            status = tok_settings_name(&tokenizer->settings, names[i].key, names[i].piece.text, names[i].piece.length);
    }
    return status;
}

static oclm_status build(const model_file *file, tok_tokenizer *tokenizer)
{
    bool has_symbols = false;
    oclm_status status;
    for (size_t i = 0; i < file->count; i++)
        has_symbols |= file->pieces[i].type == USER_DEFINED;
    if (file->model_type != UNIGRAM && file->model_type != BPE)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: a SentencePiece model of type %d; oclm reads unigram (1) and BPE (2)", file->path,
                         (int)file->model_type);
    if (file->model_type == UNIGRAM && (file->unk_id < 0 || (size_t)file->unk_id >= file->count))
        return broken(file, "it has no unknown piece");
    tokenizer->settings.raw_tokens = file->add_dummy_prefix;
    status = file->model_type == BPE ? make_bpe(file, has_symbols, tokenizer) : make_unigram(file, tokenizer);
    if (status != OCLM_OK || (status = add_steps(file, has_symbols, tokenizer->settings.legacy, tokenizer)) != OCLM_OK)
        return status;
    return add_tokens(file, tokenizer);
}

oclm_status tok_sentencepiece_read(const char *data, size_t length, const char *path, tok_tokenizer *tokenizer)
{
    model_file file;
    oclm_status status;
    memset(&file, 0, sizeof file);
    file.path = path;
    file.model_type = UNIGRAM;
    file.bos_id = 1;
    file.eos_id = 2;
    file.unk_piece = (string){ "<unk>", 5 };
    file.bos_piece = (string){ "<s>", 3 };
    file.eos_piece = (string){ "</s>", 4 };
    file.add_dummy_prefix = file.remove_extra_whitespaces = file.escape_whitespaces = true;
    if ((status = read_message(&file, tok_proto_of(data, length))) == OCLM_OK)
        status = build(&file, tokenizer);
    core_free(file.pieces);
    return status;
}
