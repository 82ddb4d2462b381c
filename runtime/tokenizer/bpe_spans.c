/* bpe_spans.c: which bytes of a piece each of its ids covers.
 *
 * Merging keeps no places, so they are found again: the text of an id is the texts of the symbols that became it, one
 * after the other (less the prefix of those that are not first). So walking over the symbols tells how many each id
 * took. The reference counts bytes of its own spelling, where a byte character may have two, and what vanished counts
 * for nothing. */
#include <string.h>

#include "tokenizer/bpe.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/unicode.h"

/* The symbols of a piece and the bytes that each counts for. */
typedef struct symbols {
    const tok_bpe *bpe;
    tok_ids ids, lengths;
    int32_t unknown; /* bytes of the unknown symbol that waits for the next known one; 0: none */
} symbols;

static oclm_status push(symbols *list, int32_t id, int32_t length)
{
    const oclm_status status = tok_ids_add(&list->ids, id);
    return status == OCLM_OK ? tok_ids_add(&list->lengths, length) : status;
}

static oclm_status flush_unknown(symbols *list)
{
    const int32_t length = list->unknown;
    list->unknown = 0;
    return length > 0 ? push(list, list->bpe->unk_id, length) : OCLM_OK;
}

/* As bpe.c does it: one symbol, `length` bytes of the piece. */
static oclm_status add(symbols *list, int32_t id, const char *spelled, size_t spelled_length, int32_t length)
{
    const tok_bpe *bpe = list->bpe;
    oclm_status status = OCLM_OK;
    bool falls_back = id < 0 && bpe->byte_fallback;
    if (id >= 0)
        return (status = flush_unknown(list)) == OCLM_OK ? push(list, id, length) : status;
    for (size_t i = 0; i < spelled_length && falls_back; i++)
        falls_back = bpe->fallback_ids[(unsigned char)spelled[i]] >= 0;
    if (falls_back) {
        for (size_t i = 0; i < spelled_length && status == OCLM_OK; i++)
            status = push(list, bpe->fallback_ids[(unsigned char)spelled[i]], 1);
        return status;
    }
    if (bpe->unk_token == NULL)
        return OCLM_OK; /* it vanished */
    if (!bpe->fuse_unk)
        status = flush_unknown(list);
    list->unknown += length;
    return status;
}

static oclm_status add_bytes(symbols *list, const char *text, size_t length)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < length && status == OCLM_OK; i++) {
        const unsigned char byte = (unsigned char)text[i];
        status = add(list, list->bpe->byte_ids[byte], text + i, 1, tok_byte_char(byte) < 0x80 ? 1 : 2);
    }
    return status;
}

static oclm_status add_chars(symbols *list, const char *text, size_t length)
{
    const tok_bpe *bpe = list->bpe;
    core_text spelled = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    size_t size;
    for (const char *p = text, *const end = text + length; p < end && status == OCLM_OK; p += size) {
        (void)tok_char_at(p, &size);
        core_text_clear(&spelled);
        if ((p > text && bpe->prefix != NULL && (status = core_text_add_string(&spelled, bpe->prefix)) != OCLM_OK) ||
            (status = core_text_add(&spelled, p, size)) != OCLM_OK ||
            (p + size == end && bpe->suffix != NULL &&
             (status = core_text_add_string(&spelled, bpe->suffix)) != OCLM_OK))
            break;
        status = add(list, tok_vocab_find(&bpe->model.vocab, spelled.data, spelled.length), spelled.data,
                     spelled.length, (int32_t)size);
    }
    core_text_free(&spelled);
    return status;
}

/* Bytes of a token's text without the prefix, which all but a word's first have. */
static size_t text_length(const tok_bpe *bpe, int32_t id, bool first)
{
    const size_t prefix = bpe->prefix != NULL && !first ? strlen(bpe->prefix) : 0;
    size_t length = 0;
    const char *text = tok_vocab_text(&bpe->model.vocab, id, &length);
    if (text != NULL && prefix > 0 && length > prefix && memcmp(text, bpe->prefix, prefix) == 0)
        length -= prefix;
    return length;
}

/* Places in the reference's spelling of the piece. */
static void find_places(const symbols *list, const int32_t *ids, size_t count, oclm_span *spans)
{
    size_t at = 0, next = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t wanted = text_length(list->bpe, ids[i], next == 0);
        size_t taken = 0;
        spans[i].begin = at;
        do {
            if (next == list->ids.count)
                break;
            taken += text_length(list->bpe, list->ids.data[next], next == 0);
            at += (size_t)list->lengths.data[next++];
        } while (taken < wanted);
        spans[i].end = at;
    }
}

/* From byte characters, which have one byte or two, to bytes. */
static void from_byte_chars(const char *text, size_t length, oclm_span *spans, size_t count)
{
    size_t byte = 0, begin = 0, width = 0; /* the byte character of text[byte] is at [begin, begin + width) */
    for (size_t i = 0; i < 2 * count; i++) {
        size_t *place = i % 2 == 0 ? &spans[i / 2].begin : &spans[i / 2].end;
        if (i % 2 == 1 && *place == 0)
            continue;
        const size_t at = *place - i % 2; /* the end is behind the byte that it ends with */
        for (; byte < length; byte++, begin += width) {
            width = tok_byte_char((unsigned char)text[byte]) < 0x80 ? 1 : 2;
            if (at < begin + width)
                break;
        }
        *place = byte + i % 2;
    }
}

oclm_status tok_bpe_spans(const tok_model *model, tok_scratch *scratch, const char *text, size_t length,
                          const int32_t *ids, size_t count, oclm_span *spans)
{
    const tok_bpe *bpe = (const tok_bpe *)model;
    symbols list = { bpe, TOK_IDS_INIT, TOK_IDS_INIT, 0 };
    oclm_status status;
    (void)scratch;
    if (count == 1 && tok_vocab_find(&bpe->whole, text, length) >= 0) {
        spans[0] = (oclm_span){ 0, length };
        return OCLM_OK;
    }
    if ((status = bpe->bytes ? add_bytes(&list, text, length) : add_chars(&list, text, length)) == OCLM_OK &&
        (status = flush_unknown(&list)) == OCLM_OK) {
        find_places(&list, ids, count, spans);
        if (bpe->bytes)
            from_byte_chars(text, length, spans, count);
        for (size_t i = 0; i < count; i++) { /* a prefix that fell back to bytes counts, too */
            spans[i].end = spans[i].end < length ? spans[i].end : length;
            spans[i].begin = spans[i].begin < spans[i].end ? spans[i].begin : spans[i].end;
        }
    }
    tok_ids_free(&list.ids);
    tok_ids_free(&list.lengths);
    return status;
}
