/* test_tokenizer.c: text and ids through the public door. (Which ids: tests/tokenizer.) */
#include <stdlib.h>
#include <string.h>

#include "api/stories.h"

#include "core/memory.h"

static const char *const texts[] = { "Once upon a time", "", " two  spaces\n\n", "naïve 日本語 🎈", "a\0b" };
static size_t length_of(size_t i) { return i == 4 ? 3 : strlen(texts[i]); }

static void text_comes_back_from_its_ids(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        int32_t *ids;
        size_t   count, length;
        char    *text;
        assert_ok(oclm_tokenizer_encode(tokenizer, texts[i], length_of(i), true, &ids, &count));
        assert_non_null(ids); /* also where there are none */
        assert_ok(oclm_tokenizer_decode(tokenizer, ids, count, true, &text, &length));
        assert_int_equal(length, length_of(i));
        assert_memory_equal(text, texts[i], length + 1);
        oclm_free(text);
        assert_ok(oclm_tokenizer_decode(tokenizer, ids, count, true, &text, NULL));
        oclm_free(text);
        oclm_free(ids);
    }
}

static void a_stream_gives_whole_characters(void **state)
{
    const char        *want = "naïve 日本語 🎈";
    oclm_token_stream *stream;
    int32_t           *ids;
    size_t             count, length, got = 0;
    const char        *text;
    char               all[64];
    (void)state;
    assert_ok(oclm_tokenizer_encode(tokenizer, want, strlen(want), false, &ids, &count));
    assert_ok(oclm_token_stream_new(tokenizer, true, &stream));
    for (size_t i = 0; i <= count; i++) {
        assert_ok(i < count ? oclm_token_stream_push(stream, ids[i], &text, &length) : oclm_token_stream_flush(stream, &text, &length));
        assert_true(got + length < sizeof all);
        assert_true(length == 0 || ((unsigned char)text[0] & 0xC0) != 0x80); /* no piece begins within a character */
        memcpy(all + got, text, length);
        got += length;
    }
    all[got] = '\0';
    assert_string_equal(all, want);
    oclm_token_stream_free(stream);
    oclm_free(ids);
}

static void half_a_character_is_flushed_as_a_replacement(void **state)
{
    oclm_token_stream *stream;
    int32_t           *ids;
    size_t             count, length;
    const char        *text;
    (void)state;
    assert_ok(oclm_tokenizer_encode(tokenizer, "🎈", 4, false, &ids, &count));
    assert_true(count > 1);
    assert_ok(oclm_token_stream_new(tokenizer, true, &stream));
    assert_ok(oclm_token_stream_push(stream, ids[0], &text, &length));
    assert_int_equal(length, 0);
    assert_string_equal(text, "");
    assert_ok(oclm_token_stream_flush(stream, &text, &length));
    assert_string_equal(text, "\xEF\xBF\xBD");
    oclm_token_stream_free(stream);
    oclm_free(ids);
}

static void tokens_have_names_and_unknown_ids_none(void **state)
{
    const size_t vocab = oclm_tokenizer_vocab_size(tokenizer);
    (void)state;
    assert_true(vocab > 256);
    assert_non_null(oclm_tokenizer_token(tokenizer, 0));
    assert_null(oclm_tokenizer_token(tokenizer, (int32_t)vocab));
    assert_null(oclm_tokenizer_token(tokenizer, -1));
    assert_null(oclm_tokenizer_token(NULL, 0));
}

static void what_is_wrong_is_told(void **state)
{
    oclm_tokenizer    *none = (oclm_tokenizer *)1;
    oclm_token_stream *stream = (oclm_token_stream *)1;
    int32_t           *ids = (int32_t *)1;
    char              *text = (char *)1;
    size_t             count = 9;
    (void)state;
    assert_status(oclm_tokenizer_load("/no/such/folder", NULL, &none), OCLM_ERR_NOT_FOUND);
    assert_null(none);
    assert_status(oclm_tokenizer_load(OCLM_SOURCE_DIR "/tests/golden/tiny/llama", NULL, &none), OCLM_ERR_NOT_FOUND);
    assert_non_null(strstr(oclm_last_error(), "tokenizer.json"));
    assert_status(oclm_tokenizer_encode(tokenizer, "ab\xffgh", 5, true, &ids, &count), OCLM_ERR_ARGUMENT);
    assert_null(ids);
    assert_int_equal(count, 0);
    assert_non_null(strstr(oclm_last_error(), "2")); /* at which byte */
    assert_status(oclm_tokenizer_encode(NULL, "ab", 2, true, &ids, &count), OCLM_ERR_ARGUMENT);
    assert_status(oclm_tokenizer_encode(tokenizer, NULL, 2, true, &ids, &count), OCLM_ERR_ARGUMENT);
    assert_status(oclm_tokenizer_decode(tokenizer, NULL, 2, true, &text, NULL), OCLM_ERR_ARGUMENT);
    assert_null(text);
    assert_status(oclm_token_stream_new(NULL, true, &stream), OCLM_ERR_ARGUMENT);
    assert_null(stream);
    assert_int_equal(oclm_tokenizer_vocab_size(NULL), 0);
}

/* Encodes, decodes and streams, all in one. */
static oclm_status do_all(void)
{
    int32_t           *ids = NULL;
    char              *text = NULL;
    oclm_token_stream *stream = NULL;
    const char        *piece;
    size_t             count, length;
    oclm_status        status;
    if ((status = oclm_tokenizer_encode(tokenizer, "Once upon a time", 16, true, &ids, &count)) == OCLM_OK &&
        (status = oclm_tokenizer_decode(tokenizer, ids, count, true, &text, &length)) == OCLM_OK)
        status = oclm_token_stream_new(tokenizer, true, &stream);
    for (size_t i = 0; status == OCLM_OK && i < count; i++)
        status = oclm_token_stream_push(stream, ids[i], &piece, &length);
    if (status == OCLM_OK)
        status = oclm_token_stream_flush(stream, &piece, &length);
    oclm_token_stream_free(stream);
    oclm_free(text);
    oclm_free(ids);
    return status;
}

static void a_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    const size_t live = core_memory_live();
    oclm_status  status = OCLM_ERR_MEMORY;
    (void)state;
    for (size_t n = 1; status != OCLM_OK && n < 1000; n++) {
        core_memory_fail_at(n, false);
        status = do_all();
        core_memory_fail_at(0, false);
        assert_true(status == OCLM_OK || status == OCLM_ERR_MEMORY);
        assert_int_equal(core_memory_live(), live);
    }
    assert_ok(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_back_from_its_ids),
        cmocka_unit_test(a_stream_gives_whole_characters),
        cmocka_unit_test(half_a_character_is_flushed_as_a_replacement),
        cmocka_unit_test(tokens_have_names_and_unknown_ids_none),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(a_failing_allocation_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
