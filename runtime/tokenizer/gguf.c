/* gguf.c: the tokenizer that a GGUF file describes with its keys "tokenizer.ggml.*": byte-level BPE ("gpt2") or a
 * SentencePiece model ("llama", "gemma4", "t5"). A whole tokenizer.json in "tokenizer.huggingface.json" is preferred.
 *
 * Token types are SentencePiece's. Flags that a file leaves out are as in llama.cpp. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/gguf.h"
#include "core/log.h"
#include "tokenizer/bpe.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/gguf_pre.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/readers.h"
#include "tokenizer/settings_read.h"
#include "tokenizer/spm.h"

#define KEY(name) "tokenizer.ggml." name

typedef struct arrays {
    const core_gguf_value *tokens, *scores, *types, *merges; /* the last three may be NULL */
} arrays;

/* ---- Reading */

static oclm_status read_arrays(const core_gguf *file, arrays *found)
{
    const struct {
        const char *key;
        core_gguf_type type;
        const core_gguf_value **to;
    } rows[] = {
        { KEY("tokens"), CORE_GGUF_STRING, &found->tokens },
        { KEY("scores"), CORE_GGUF_F32, &found->scores },
        { KEY("token_type"), CORE_GGUF_I32, &found->types },
        { KEY("merges"), CORE_GGUF_STRING, &found->merges },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const oclm_status status = core_gguf_get_array(file, rows[i].key, rows[i].type, rows[i].to);
        if (status != OCLM_OK)
            return status;
    }
    if (found->tokens == NULL || found->tokens->count == 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: has no \"" KEY("tokens") "\"", file->origin);
    if (found->tokens->count > TOK_MAX_ID)
        return core_fail(OCLM_ERR_FORMAT, "%s: %" PRIu64 " tokens; at most %d are read", file->origin,
                         found->tokens->count, TOK_MAX_ID);
    for (size_t i = 1; i < 3; i++) {
        const core_gguf_value *array = *rows[i].to;
        if (array != NULL && array->count != found->tokens->count)
            return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" has %" PRIu64 " entries, but there are %" PRIu64 " tokens",
                             file->origin, rows[i].key, array->count, found->tokens->count);
    }
    return OCLM_OK;
}

static int32_t type_of(const arrays *from, uint64_t id)
{
    return from->types != NULL ? (int32_t)core_gguf_int(from->types, id) : TOK_SPM_NORMAL;
}

/* Of a token's id: -1 where the file names none. */
static oclm_status read_id(const core_gguf *file, const char *key, uint64_t count, int32_t *id)
{
    int64_t number = -1;
    const oclm_status status = core_gguf_get_int(file, key, &number);
    *id = -1;
    if (status != OCLM_OK || number == -1 || number == UINT32_MAX) /* both stand for none */
        return status;
    if (number < 0 || (uint64_t)number >= count)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is %" PRId64 "; tokens are 0 to %" PRIu64, file->origin, key,
                         number, count - 1);
    *id = (int32_t)number;
    return OCLM_OK;
}

/* ---- Special tokens, by name, and what is put around a text */

static oclm_status name_tokens(const core_gguf *file, const arrays *from, tok_tokenizer *tokenizer)
{
    static const struct {
        const char *key, *name;
    } rows[] = {
        { KEY("bos_token_id"), "bos_token" },       { KEY("eos_token_id"), "eos_token" },
        { KEY("unknown_token_id"), "unk_token" },   { KEY("seperator_token_id"), "sep_token" }, /* so spelt */
        { KEY("padding_token_id"), "pad_token" },   { KEY("cls_token_id"), "cls_token" },
        { KEY("mask_token_id"), "mask_token" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        tok_added_token token;
        size_t length = 0;
        int32_t id;
        oclm_status status = read_id(file, rows[i].key, from->tokens->count, &id);
        const char *text = status == OCLM_OK && id >= 0 ? tok_vocab_text(&tokenizer->model->vocab, id, &length) : NULL;
        if (status != OCLM_OK)
            return status;
        if (text == NULL)
            continue;
        token = tok_added_of(text, length, id, true);
        if ((status = tok_settings_name(&tokenizer->settings, rows[i].name, text, length)) != OCLM_OK)
            return status;
        if (i < 2 && (status = tok_added_add(&tokenizer->added, &token, &tokenizer->model->vocab, file->origin)) != OCLM_OK)
            return status; /* BOS and EOS are special whatever their type says */
    }
    return OCLM_OK;
}

static oclm_status add_template(const core_gguf *file, const arrays *from, bool add_bos, bool add_eos, tok_tokenizer *tokenizer)
{
    int32_t bos, eos;
    oclm_status status;
    if ((status = core_gguf_get_bool(file, KEY("add_bos_token"), &add_bos)) != OCLM_OK ||
        (status = core_gguf_get_bool(file, KEY("add_eos_token"), &add_eos)) != OCLM_OK ||
        (status = read_id(file, KEY("bos_token_id"), from->tokens->count, &bos)) != OCLM_OK ||
        (status = read_id(file, KEY("eos_token_id"), from->tokens->count, &eos)) != OCLM_OK)
        return status;
    return tok_template_of_two(&tokenizer->post_processor, add_bos ? bos : -1, add_eos ? eos : -1);
}

/* ---- Byte-level BPE */

/* A token as a byte-level vocabulary writes it; files also have them raw. Added tokens are text. */
static oclm_status add_byte_token(tok_vocab *vocab, const char *text, size_t length, bool is_text, int32_t id)
{
    core_text chars = CORE_TEXT_INIT, bytes = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    if (is_text || tok_bytes_of_token(text, length, &bytes, &status)) {
        core_text_free(&bytes);
        return tok_vocab_add(vocab, text, length, id);
    }
    if (status == OCLM_OK && (status = tok_add_byte_chars(&chars, text, length)) == OCLM_OK)
        status = tok_vocab_add(vocab, chars.data != NULL ? chars.data : "", chars.length, id);
    core_text_free(&bytes);
    core_text_free(&chars);
    return status;
}

static oclm_status read_byte_vocab(const core_gguf *file, const arrays *from, tok_tokenizer *tokenizer)
{
    tok_vocab *vocab = &tokenizer->model->vocab;
    const char *at = from->tokens->data;
    oclm_status status = OCLM_OK;
    for (uint64_t id = 0; id < from->tokens->count && status == OCLM_OK; id++) {
        const int32_t type = type_of(from, id);
        const bool is_text = type == TOK_SPM_CONTROL || type == TOK_SPM_USER_DEFINED;
        tok_added_token token;
        size_t length;
        const char *text = core_gguf_next_string(&at, &length);
        if (core_utf8_check(text, length) != SIZE_MAX)
            return core_fail(OCLM_ERR_FORMAT, "%s: token %" PRIu64 " is not valid UTF-8", file->origin, id);
        if ((status = add_byte_token(vocab, text, length, is_text, (int32_t)id)) != OCLM_OK || !is_text)
            continue;
        token = tok_added_of(text, length, (int32_t)id, type == TOK_SPM_CONTROL);
        status = tok_added_add(&tokenizer->added, &token, vocab, file->origin);
    }
    return status == OCLM_OK ? tok_vocab_index_ids(vocab) : status;
}

static oclm_status read_merges(const core_gguf *file, const core_gguf_value *merges, tok_bpe *bpe)
{
    const char *at = merges->data;
    oclm_status status = OCLM_OK;
    if (merges->count > TOK_MAX_MERGES)
        return core_fail(OCLM_ERR_FORMAT, "%s: more than %d merges", file->origin, TOK_MAX_MERGES);
    for (uint64_t rank = 0; rank < merges->count && status == OCLM_OK; rank++) {
        size_t length;
        const char *line = core_gguf_next_string(&at, &length);
        status = tok_bpe_add_line(bpe, line, length, (uint32_t)rank, file->origin);
    }
    return status;
}

static oclm_status read_byte_level(const core_gguf *file, const arrays *from, tok_tokenizer *tokenizer)
{
    const tok_gguf_pre *pre;
    tok_bpe *bpe;
    oclm_status status = tok_bpe_new(&bpe);
    if (status != OCLM_OK)
        return status;
    tokenizer->model = &bpe->model; /* freed with it */
    if (from->merges == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: a vocabulary of the kind \"gpt2\", but no \"" KEY("merges") "\"", file->origin);
    if ((status = read_byte_vocab(file, from, tokenizer)) != OCLM_OK ||
        (status = read_merges(file, from->merges, bpe)) != OCLM_OK ||
        (status = tok_gguf_pre_find(file, &pre)) != OCLM_OK ||
        (status = tok_gguf_pre_add(pre, tokenizer, file->origin)) != OCLM_OK ||
        (status = tok_chain_read_text(&tokenizer->decoder, &tok_decoders, "{\"type\": \"ByteLevel\"}", file->origin)) != OCLM_OK)
        return status;
    bpe->ignore_merges = pre->from_ranks;
    if ((status = name_tokens(file, from, tokenizer)) != OCLM_OK)
        return status;
    return add_template(file, from, pre->adds_bos, false, tokenizer);
}

/* ---- SentencePiece's models */

/* Gemma's files write a token of several U+2581 as spaces. */
static bool is_spaces(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != ' ')
            return false;
    }
    return length > 0;
}

static oclm_status read_pieces(const arrays *from, bool gemma, tok_spm_model *model, core_text *spelled)
{
    const char *at = from->tokens->data;
    size_t longest = 0, length;
    oclm_status status = OCLM_OK;
    for (uint64_t id = 0; id < from->tokens->count; id++) { /* first the room: pieces point into it */
        const char *text = core_gguf_next_string(&at, &length);
        if (is_spaces(text, length))
            longest += 3 * length;
    }
    if (gemma && (status = core_text_reserve(spelled, longest)) != OCLM_OK)
        return status;
    at = from->tokens->data;
    for (uint64_t id = 0; id < from->tokens->count && status == OCLM_OK; id++) {
        tok_spm_string text = { core_gguf_next_string(&at, &length), 0 };
        int32_t type = type_of(from, id);
        text.length = length;
        if (type == TOK_SPM_USER_DEFINED)
            type = TOK_SPM_ADDED; /* found in the raw text */
        if (gemma && is_spaces(text.text, text.length)) {
            text.text = spelled->data + spelled->length;
            for (size_t i = 0; i < length && status == OCLM_OK; i++)
                status = core_text_add_string(spelled, TOK_VISIBLE_SPACE);
            text.length = 3 * length;
        }
        if (status == OCLM_OK)
            status = tok_spm_add(model, text, from->scores != NULL ? (float)core_gguf_float(from->scores, id) : 0, type);
    }
    return status;
}

static tok_spm_string piece_of(const tok_spm_model *model, int32_t id, tok_spm_string other)
{
    return id >= 0 && (size_t)id < model->count ? model->pieces[id].text : other;
}

static oclm_status read_spm_settings(const core_gguf *file, tok_spm_model *model)
{
    const core_gguf_value *charsmap = core_gguf_find(file, KEY("precompiled_charsmap"));
    oclm_status status;
    model->legacy = true;
    model->all_merge = true;
    model->remove_extra_whitespaces = model->model_type == TOK_SPM_UNIGRAM;
    if ((status = core_gguf_get_bool(file, KEY("add_space_prefix"), &model->add_dummy_prefix)) != OCLM_OK ||
        (model->model_type == TOK_SPM_UNIGRAM &&
         (status = core_gguf_get_bool(file, KEY("remove_extra_whitespaces"), &model->remove_extra_whitespaces)) != OCLM_OK) ||
        (status = read_id(file, KEY("unknown_token_id"), model->count, &model->unk_id)) != OCLM_OK ||
        (status = read_id(file, KEY("bos_token_id"), model->count, &model->bos_id)) != OCLM_OK ||
        (status = read_id(file, KEY("eos_token_id"), model->count, &model->eos_id)) != OCLM_OK)
        return status;
    if (charsmap != NULL && charsmap->array && (charsmap->type == CORE_GGUF_U8 || charsmap->type == CORE_GGUF_I8))
        model->charsmap = (tok_spm_string){ charsmap->data, (size_t)charsmap->count };
    for (size_t i = 0; i < model->count; i++) {
        model->byte_fallback |= model->pieces[i].type == TOK_SPM_BYTE;
        if (model->unk_id < 0 && model->pieces[i].type == TOK_SPM_UNKNOWN)
            model->unk_id = (int32_t)i;
    }
    model->unk_piece = piece_of(model, model->unk_id, model->unk_piece);
    model->bos_piece = piece_of(model, model->bos_id, model->bos_piece);
    model->eos_piece = piece_of(model, model->eos_id, model->eos_piece);
    return OCLM_OK;
}

static oclm_status read_spm(const core_gguf *file, const arrays *from, int32_t model_type, bool gemma4, tok_tokenizer *tokenizer)
{
    const char *architecture = "";
    size_t length = 0;
    core_text spelled = CORE_TEXT_INIT;
    tok_spm_model model;
    oclm_status status;
    tok_spm_defaults(&model, file->origin);
    model.model_type = model_type;
    if ((status = core_gguf_get_string(file, "general.architecture", &architecture, &length)) != OCLM_OK)
        return status;
    const bool gemma = gemma4 || (length >= 5 && memcmp(architecture, "gemma", 5) == 0);
    model.merges_by_id = gemma; /* its scores do not tell the order of merges */
    model.has_merges = from->merges != NULL && model_type == TOK_SPM_BPE;
    if ((status = read_pieces(from, gemma, &model, &spelled)) == OCLM_OK &&
        (status = read_spm_settings(file, &model)) == OCLM_OK && (status = tok_spm_build(&model, tokenizer)) == OCLM_OK &&
        model.has_merges)
        status = read_merges(file, from->merges, (tok_bpe *)tokenizer->model);
    tok_spm_free(&model);
    core_text_free(&spelled);
    if (status != OCLM_OK || (status = name_tokens(file, from, tokenizer)) != OCLM_OK)
        return status;
    /* llama.cpp's defaults; gemma 4's chat template writes BOS itself. */
    return add_template(file, from, model_type == TOK_SPM_BPE && !gemma4, model_type == TOK_SPM_UNIGRAM, tokenizer);
}

/* ---- Which kind */

static oclm_status read_kind(const core_gguf *file, tok_tokenizer *tokenizer)
{
    const char *kind = NULL, *json = NULL;
    size_t length = 0, json_length = 0;
    arrays from;
    oclm_status status;
    if ((status = core_gguf_get_string(file, "tokenizer.huggingface.json", &json, &json_length)) != OCLM_OK)
        return status;
    if (json != NULL)
        return tok_read_json(json, json_length, file->origin, tokenizer);
    if ((status = core_gguf_get_string(file, KEY("model"), &kind, &length)) != OCLM_OK)
        return status;
    if (kind == NULL || core_is_word(kind, length, "none") || core_is_word(kind, length, "no_vocab"))
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: the file has no tokenizer (\"" KEY("model") "\" is %s); without one a prompt is token ids", file->origin,
                         kind == NULL ? "missing" : "none");
    memset(&from, 0, sizeof from);
    if ((status = read_arrays(file, &from)) != OCLM_OK)
        return status;
    if (core_is_word(kind, length, "gpt2"))
        return read_byte_level(file, &from, tokenizer);
    if (core_is_word(kind, length, "llama"))
        return read_spm(file, &from, TOK_SPM_BPE, false, tokenizer);
    if (core_is_word(kind, length, "gemma4"))
        return read_spm(file, &from, TOK_SPM_BPE, true, tokenizer);
    if (core_is_word(kind, length, "t5"))
        return read_spm(file, &from, TOK_SPM_UNIGRAM, false, tokenizer);
    return core_fail(OCLM_ERR_UNSUPPORTED, "%s: a tokenizer of the kind \"%.*s\"; oclm reads gpt2, llama, gemma4 and t5", file->origin,
                     (int)(length < 80 ? length : 80), kind);
}

oclm_status tok_gguf_read(const char *data, size_t length, const char *path, tok_tokenizer *tokenizer)
{
    core_gguf file;
    oclm_status status;
    if ((status = core_gguf_open(&file, data, length, path)) == OCLM_OK)
        status = read_kind(&file, tokenizer);
    core_gguf_free(&file);
    return status;
}
