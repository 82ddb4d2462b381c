/* bpe.c: pieces to symbols to ids. */
#include "tokenizer/bpe.h"

#include <string.h>

#include "tokenizer/byte_level.h"
#include "tokenizer/model_read.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/unicode.h"
#include "tokenizer/vocab_batch.h"

/* ---- Symbols of a piece */

/* What to do with characters that are in no vocabulary. An unknown one waits until the next known one comes, so that
 * fuse_unk can join it with more; the reference lets byte tokens overtake it, and so do we. */
typedef struct unknown {
    const tok_bpe *bpe;
    bool           waiting;
} unknown;

static oclm_status flush_unknown(unknown *unk, tok_ids *symbols)
{
    const bool waiting = unk->waiting;
    unk->waiting = false;
    return waiting ? tok_ids_add(symbols, unk->bpe->unk_id) : OCLM_OK;
}

static oclm_status add_unknown(unknown *unk, const char *text, size_t length, tok_ids *symbols)
{
    const tok_bpe *bpe = unk->bpe;
    oclm_status    status = OCLM_OK;
    bool           falls_back = bpe->byte_fallback;
    for (size_t i = 0; i < length && falls_back; i++)
        falls_back = bpe->fallback_ids[(unsigned char)text[i]] >= 0;
    if (falls_back) {
        for (size_t i = 0; i < length && status == OCLM_OK; i++)
            status = tok_ids_add(symbols, bpe->fallback_ids[(unsigned char)text[i]]);
        return status;
    }
    if (bpe->unk_token == NULL)
        return OCLM_OK; /* it vanishes */
    if (bpe->unk_id < 0)
        return core_fail(OCLM_ERR_FORMAT, "the text has a character that the tokenizer does not know, and its unk_token \"%s\" is "
                         "not in its vocabulary", bpe->unk_token);
    if (unk->waiting && !bpe->fuse_unk)
        status = flush_unknown(unk, symbols);
    unk->waiting = true;
    return status;
}

static oclm_status add_symbol(unknown *unk, int32_t id, const char *text, size_t length, tok_ids *symbols)
{
    oclm_status status;
    if (id < 0)
        return add_unknown(unk, text, length, symbols);
    if ((status = flush_unknown(unk, symbols)) != OCLM_OK)
        return status;
    return tok_ids_add(symbols, id);
}

static oclm_status symbols_of_bytes(const tok_bpe *bpe, const char *text, size_t length, tok_ids *symbols)
{
    unknown     unk = { bpe, false };
    oclm_status status = tok_ids_reserve(symbols, length + 1);
    for (size_t i = 0; i < length && status == OCLM_OK; i++) {
        const int32_t id = bpe->byte_ids[(unsigned char)text[i]];
        if (id >= 0 && !unk.waiting)
            symbols->data[symbols->count++] = id;
        else
            status = add_symbol(&unk, id, text + i, 1, symbols);
    }
    return status == OCLM_OK ? flush_unknown(&unk, symbols) : status;
}

/* The id of a character's own token, or -1. */
static inline int32_t id_of_char(const tok_bpe *bpe, const char *text, size_t length, uint32_t code_point)
{
    if (bpe->cuts.ready && code_point < TOK_CHAR_IDS)
        return bpe->cuts.char_ids[code_point];
    return tok_vocab_find(&bpe->model.vocab, text, length);
}

static oclm_status symbols_of_chars(const tok_bpe *bpe, const char *text, size_t length, tok_ids *symbols)
{
    const char *const end = text + length;
    unknown     unk = { bpe, false };
    core_text   spelled = CORE_TEXT_INIT; /* with prefix and suffix, where there are any */
    oclm_status status = OCLM_OK;
    size_t      size;
    for (const char *p = text; p < end && status == OCLM_OK; p += size) {
        const char *symbol = p;
        size_t      symbol_length;
        const uint32_t code_point = tok_char_at(p, &size);
        symbol_length = size;
        const char *prefix = p > text ? bpe->prefix : NULL, *suffix = p + size == end ? bpe->suffix : NULL;
        if (prefix != NULL || suffix != NULL) {
            core_text_clear(&spelled);
            if ((prefix != NULL && (status = core_text_add_string(&spelled, prefix)) != OCLM_OK) ||
                (status = core_text_add(&spelled, p, size)) != OCLM_OK ||
                (suffix != NULL && (status = core_text_add_string(&spelled, suffix)) != OCLM_OK))
                break;
            symbol = spelled.data;
            symbol_length = spelled.length;
        }
        const int32_t id = symbol == p ? id_of_char(bpe, p, size, code_point) : tok_vocab_find(&bpe->model.vocab, symbol, symbol_length);
        status = add_symbol(&unk, id, symbol, symbol_length, symbols);
    }
    core_text_free(&spelled);
    return status == OCLM_OK ? flush_unknown(&unk, symbols) : status;
}

/* ---- Encoding */

/* Merges the parts of a long word of bytes that no merge joins, each by itself. */
static size_t merge_parts(const tok_bpe *bpe, tok_scratch *scratch, const char *text, int32_t *symbols, size_t count)
{
    size_t left = 0;
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && tok_may_join(&bpe->cuts, tok_byte_char((unsigned char)text[end - 1]),
                                                          tok_byte_char((unsigned char)text[end]));)
            end++;
        const size_t merged = tok_merges_apply(&bpe->merges, symbols + begin, end - begin, scratch);
        if (merged == SIZE_MAX)
            return SIZE_MAX;
        memmove(symbols + left, symbols + begin, merged * sizeof *symbols);
        left += merged;
    }
    return left;
}

/* Merges from the symbols up. */
static oclm_status encode_by_merging(const tok_bpe *bpe, tok_scratch *scratch, const char *text, size_t length, tok_ids *ids)
{
    tok_ids    *symbols = &scratch->symbols;
    oclm_status status;
    size_t      count;
    symbols->count = 0;
    status = bpe->bytes ? symbols_of_bytes(bpe, text, length, symbols) : symbols_of_chars(bpe, text, length, symbols);
    if (status != OCLM_OK)
        return status;
    if (symbols->count > TOK_SHORT_WORD && bpe->all_bytes && bpe->cuts.ready)
        count = merge_parts(bpe, scratch, text, symbols->data, symbols->count);
    else
        count = tok_merges_apply(&bpe->merges, symbols->data, symbols->count, scratch);
    return count != SIZE_MAX ? tok_ids_append(ids, symbols->data, count) : OCLM_ERR_MEMORY;
}

/* A word that is not cut. */
static oclm_status encode_word(const tok_model *model, tok_scratch *scratch, const char *text, size_t length, tok_ids *ids)
{
    const tok_bpe *bpe = (const tok_bpe *)model;
    const int32_t  id = length <= bpe->longest ? tok_vocab_find(&bpe->whole, text, length) : -1;
    return id >= 0 ? tok_ids_add(ids, id) : encode_by_merging(bpe, scratch, text, length, ids);
}

/* A piece of characters that no merge joins all of: cut where both neighbours are known (unknown ones wait for each other) and no
 * merge reaches across. */
static oclm_status encode_parts(const tok_model *model, tok_scratch *scratch, const char *text, size_t length, tok_ids *ids)
{
    const tok_bpe    *bpe = (const tok_bpe *)model;
    const char *const end = text + length;
    const char       *begin = text;
    uint32_t          before = 0;
    bool              known_before = false;
    oclm_status       status = OCLM_OK;
    size_t            size;
    for (const char *p = text; p < end && status == OCLM_OK; p += size) {
        const uint32_t code_point = tok_char_at(p, &size);
        const bool     known = id_of_char(bpe, p, size, code_point) >= 0;
        if (known && known_before && !tok_may_join(&bpe->cuts, before, code_point)) {
            status = tok_encode_cached(model, encode_word, scratch, begin, (size_t)(p - begin), ids);
            begin = p;
        }
        before = code_point;
        known_before = known;
    }
    return status == OCLM_OK ? tok_encode_cached(model, encode_word, scratch, begin, (size_t)(end - begin), ids) : status;
}

/* ---- Getting ready */

static void find_byte_ids(tok_bpe *bpe)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char         text[4];
        const size_t length = core_utf8_write(tok_byte_char((unsigned char)byte), text);
        bpe->byte_ids[byte] = tok_vocab_find(&bpe->model.vocab, text, length);
    }
}

/* Is the piece one token? With ignore_merges always if the vocabulary has it, else if merging ends in that very id. */
static oclm_status is_whole(const tok_bpe *bpe, const char *piece, size_t length, int32_t id, tok_scratch *scratch, tok_ids *ids,
                            bool *whole)
{
    oclm_status status = OCLM_OK;
    *whole = bpe->ignore_merges;
    if (!*whole) {
        ids->count = 0;
        status = encode_by_merging(bpe, scratch, piece, length, ids);
        *whole = status == OCLM_OK && ids->count == 1 && ids->data[0] == id;
        if (status == OCLM_ERR_FORMAT)
            status = OCLM_OK; /* no unk_id: told when a text needs it */
    }
    return status;
}

/* Fills `whole`: from then on most pieces need one look-up and no merging. */
static oclm_status find_whole_pieces(tok_bpe *bpe, tok_scratch *scratch)
{
    const tok_vocab *vocab = &bpe->model.vocab;
    core_text        bytes = CORE_TEXT_INIT;
    tok_ids          ids = TOK_IDS_INIT;
    tok_vocab_batch  batch = TOK_VOCAB_BATCH_INIT(&bpe->whole);
    oclm_status      status = tok_vocab_reserve(&bpe->whole, vocab->count);
    for (size_t i = 0; i < vocab->count && status == OCLM_OK; i++) {
        const char *piece = vocab->pool.data + vocab->entries[i].start;
        size_t      length = vocab->entries[i].length;
        bool        whole = false;
        if (length == 0)
            continue;
        if (bpe->bytes) {
            core_text_clear(&bytes);
            if (!tok_bytes_of_token(piece, length, &bytes, &status))
                continue; /* no piece is written so; or no memory, then the loop ends */
            piece = bytes.data;
            length = bytes.length;
        }
        status = is_whole(bpe, piece, length, vocab->entries[i].id, scratch, &ids, &whole);
        if (status == OCLM_OK && whole) {
            bpe->longest = length > bpe->longest ? length : bpe->longest;
            status = tok_vocab_batch_add(&batch, piece, length, vocab->entries[i].id);
        }
    }
    if (status == OCLM_OK)
        status = tok_vocab_batch_end(&batch);
    tok_vocab_batch_deinit(&batch);
    core_text_free(&bytes);
    tok_ids_free(&ids);
    return status;
}

static oclm_status prepare(tok_model *model, bool *bytes)
{
    tok_bpe     *bpe = (tok_bpe *)model;
    tok_scratch *scratch;
    oclm_status  status;
    /* Prefixes, suffixes and fallback are spelled in characters. */
    *bytes = bpe->bytes = *bytes && bpe->prefix == NULL && bpe->suffix == NULL && !bpe->byte_fallback;
    find_byte_ids(bpe);
    bpe->all_bytes = bpe->bytes;
    for (size_t i = 0; i < COUNT(bpe->byte_ids); i++)
        bpe->all_bytes &= bpe->byte_ids[i] >= 0;
    tok_find_byte_tokens(&model->vocab, bpe->fallback_ids);
    bpe->unk_id = bpe->unk_token != NULL ? tok_vocab_find(&model->vocab, bpe->unk_token, strlen(bpe->unk_token)) : -1;
    if (bpe->prefix == NULL && bpe->suffix == NULL && (status = tok_cuts_prepare(&bpe->cuts, &model->vocab, &bpe->merges)) != OCLM_OK)
        return status;
    if (!bpe->bytes && bpe->cuts.ready && !bpe->ignore_merges)
        model->encode = encode_parts;
    if ((status = tok_scratch_new(&scratch)) != OCLM_OK)
        return status;
    status = find_whole_pieces(bpe, scratch);
    tok_scratch_free(scratch);
    return status;
}

static void free_bpe(tok_model *model)
{
    tok_bpe *bpe = (tok_bpe *)model;
    tok_vocab_deinit(&bpe->model.vocab);
    tok_vocab_deinit(&bpe->whole);
    tok_merges_deinit(&bpe->merges);
    tok_cuts_deinit(&bpe->cuts);
    core_free(bpe->unk_token);
    core_free(bpe->prefix);
    core_free(bpe->suffix);
    core_free(bpe);
}

oclm_status tok_bpe_new(tok_bpe **bpe)
{
    tok_bpe *made = core_alloc_zero(1, sizeof *made, "a BPE model");
    *bpe = made;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->model.is_bpe = true;
    made->model.encode = encode_word;
    made->model.spans = tok_bpe_spans;
    made->model.prepare = prepare;
    made->model.free = free_bpe;
    return OCLM_OK;
}
