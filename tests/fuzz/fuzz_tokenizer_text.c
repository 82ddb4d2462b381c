/* fuzz_tokenizer_text.c: a byte that chooses a tokenizer, then a text: encodes it, decodes its ids and the text's bytes taken as ids.
 *
 * The tokenizers are the first inputs of fuzz_tokenizer_file. */
#include <string.h>

#include "core/platform.h"
#include "fuzz/fuzz.h"
#include "tokenizer/tokenizer.h"

typedef struct fuzzed {
    const char    *file;
    bool           restores; /* decoding the ids of a text gives the text */
    tok_tokenizer *tokenizer;
} fuzzed;

static fuzzed tokenizers[] = {
    { "bpe_bytes.json", true, NULL },      { "bpe_chars.json", false, NULL },    { "bpe_affixes.json", false, NULL },
    { "unigram.json", false, NULL },       { "wordpiece.json", false, NULL },    { "wordlevel.json", false, NULL },
    { "normalizers.json", false, NULL },   { "pre_tokenizers.json", false, NULL }, { "ctc.json", false, NULL },
    { "splits.json", true, NULL },         { "metaspace.json", false, NULL },
};

static void open_tokenizer(fuzzed *each)
{
    char   path[4096], *text;
    size_t length;
    if (each->tokenizer != NULL)
        return;
    (void)snprintf(path, sizeof path, "%s/%s", FUZZ_TOKENIZERS, each->file);
    if (core_read_file(path, (size_t)1 << 20, &text, &length) != OCLM_OK ||
        tok_open_json(text, length, each->file, &each->tokenizer) != OCLM_OK) {
        (void)fprintf(stderr, "%s\n", oclm_last_error());
        abort();
    }
    core_free(text);
}

/* What a stream tells, flush included, is valid; where bytes are joined it is what decoding at once gives. */
static void check_stream(const fuzzed *each, const tok_ids *ids, const core_text *whole)
{
    tok_stream *stream;
    core_text   told = CORE_TEXT_INIT;
    const char *text;
    size_t      length;
    FUZZ_CHECK(tok_stream_new(each->tokenizer, false, &stream) == OCLM_OK);
    for (size_t i = 0; i <= ids->count; i++) {
        FUZZ_CHECK((i < ids->count ? tok_stream_push(stream, ids->data[i], &text, &length) : tok_stream_flush(stream, &text, &length)) ==
                   OCLM_OK);
        FUZZ_CHECK(core_text_add(&told, text, length) == OCLM_OK);
    }
    FUZZ_CHECK(told.length == 0 || core_utf8_check(told.data, told.length) == SIZE_MAX);
    if (each->restores)
        FUZZ_CHECK(told.length == whole->length && (told.length == 0 || memcmp(told.data, whole->data, told.length) == 0));
    tok_stream_free(stream);
    core_text_free(&told);
}

static void check_ids(const fuzzed *each, const tok_ids *ids, core_text *decoded)
{
    FUZZ_CHECK(tok_decode(each->tokenizer, ids->data, ids->count, false, decoded) == OCLM_OK);
    FUZZ_CHECK(decoded->length == 0 || core_utf8_check(decoded->data, decoded->length) == SIZE_MAX);
    check_stream(each, ids, decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    core_text   text = CORE_TEXT_INIT, decoded = CORE_TEXT_INIT;
    tok_ids     ids = TOK_IDS_INIT;
    tok_encoded encoded = TOK_ENCODED_INIT;
    if (size < 2)
        return 0;
    fuzzed *each = &tokenizers[data[0] % COUNT(tokenizers)];
    open_tokenizer(each);
    FUZZ_CHECK(core_utf8_add_lossy(&text, (const char *)data + 1, size - 1) == OCLM_OK);
    const oclm_status status = tok_encode(each->tokenizer, text.data, text.length, false, &ids);
    FUZZ_CHECK(tok_encode_spans(each->tokenizer, text.data, text.length, false, true, &encoded) == status);
    if (status == OCLM_OK) {
        FUZZ_CHECK(encoded.ids.count == ids.count && (ids.count == 0 || memcmp(encoded.ids.data, ids.data, ids.count * sizeof *ids.data) == 0));
        check_ids(each, &ids, &decoded);
        if (each->restores)
            FUZZ_CHECK(decoded.length == text.length && memcmp(decoded.data, text.data, text.length) == 0);
    }
    ids.count = 0;
    for (size_t i = 1; i < size; i++)
        FUZZ_CHECK(tok_ids_add(&ids, data[i] < 250 ? data[i] : 250 - (int32_t)data[i]) == OCLM_OK);
    core_text_clear(&decoded);
    check_ids(each, &ids, &decoded);
    core_text_free(&text);
    core_text_free(&decoded);
    tok_ids_free(&ids);
    tok_encoded_free(&encoded);
    return 0;
}
