/* use_tokenizer.h: for fuzz targets: does with a tokenizer what can be done with it. */
#ifndef TESTS_FUZZ_USE_TOKENIZER_H
#define TESTS_FUZZ_USE_TOKENIZER_H

#include <string.h>

#include "fuzz/fuzz.h"
#include "tokenizer/tokenizer.h"

#define MAX_WORK 4096 /* bytes of text: what is hostile about a file shows on short ones */

static const char sample[] = "Hello, world! 123  isn't\n\tit?<s> \xE2\x96\x81the \xE6\x97\xA5\xE6\x9C\xAC e\xCC\x81 \xF0\x9F\x98\x80 [UNK]<0x41>";

static void stream_all(const tok_tokenizer *tokenizer, const int32_t *ids, size_t count)
{
    tok_stream *stream;
    const char *text;
    size_t      length;
    if (tok_stream_new(tokenizer, true, &stream) != OCLM_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        if (tok_stream_push(stream, ids[i], &text, &length) != OCLM_OK)
            break;
        FUZZ_CHECK(length == 0 || core_utf8_check(text, length) == SIZE_MAX);
    }
    (void)tok_stream_flush(stream, &text, &length);
    tok_stream_free(stream);
}

static void use(const tok_tokenizer *tokenizer, const char *text, size_t length)
{
    const size_t  size = tok_vocab_size(tokenizer);
    const int32_t others[] = { -1, 0, 1, 2, (int32_t)(size / 2), (int32_t)size - 1, (int32_t)size, INT32_MAX, INT32_MIN };
    tok_encoded   encoded = TOK_ENCODED_INIT;
    tok_ids       ids = TOK_IDS_INIT, pair = TOK_IDS_INIT, types = TOK_IDS_INIT, mask = TOK_IDS_INIT;
    core_text     decoded = CORE_TEXT_INIT;
    if (tok_encode(tokenizer, text, length, true, &ids) == OCLM_OK && tok_decode(tokenizer, ids.data, ids.count, false, &decoded) == OCLM_OK)
        FUZZ_CHECK(decoded.length == 0 || core_utf8_check(decoded.data, decoded.length) == SIZE_MAX);
    for (size_t i = 0; i < ids.count; i++)
        FUZZ_CHECK(ids.data[i] >= 0);
    if (tok_encode_spans(tokenizer, text, length, true, true, &encoded) == OCLM_OK) {
        FUZZ_CHECK(encoded.span_count == encoded.ids.count);
        for (size_t i = 0; i < encoded.span_count; i++)
            FUZZ_CHECK(encoded.spans[i].begin <= encoded.spans[i].end && encoded.spans[i].end <= length);
        if (tok_post_process(tokenizer, &encoded.ids, &ids, true, &pair, &types, &mask) == OCLM_OK)
            FUZZ_CHECK(pair.count == types.count && pair.count == mask.count);
    }
    core_text_clear(&decoded);
    (void)tok_decode(tokenizer, others, COUNT(others), true, &decoded);
    stream_all(tokenizer, ids.data, ids.count);
    stream_all(tokenizer, others, COUNT(others));
    tok_encoded_free(&encoded);
    tok_ids_free(&ids);
    tok_ids_free(&pair);
    tok_ids_free(&types);
    tok_ids_free(&mask);
    core_text_free(&decoded);
}

#endif
