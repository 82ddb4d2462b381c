/* test_long_words.c: texts of one endless word take no more than linearithmic time, for every kind of tokenizer: something quadratic
 * would take minutes here, and the test's time-out. The tokenizers are those of tests/fuzz, and GPT-2's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tokenizer/golden.h"

/* Bytes of a text. */
static size_t length_of_texts(void)
{
    return core_env("OCLM_TEST_QUICK") != NULL ? (size_t)1 << 14 : (size_t)1 << 18;
}

static const char *const files[] = { "bpe_bytes", "bpe_chars", "bpe_affixes", "unigram", "wordpiece", "wordlevel", "normalizers",
                                     "pre_tokenizers", "ctc", "splits", "metaspace" };
static const char *const patterns[] = { "a", "ab", " ", "\n", "the", "7", "-", "\xF0\x9F\x98\x80", "\xE6\x97\xA5\xE6\x9C\xAC", "e\xCC\x81",
                                        "\xCC\x81", "<s>", "x <", "\xE2\x96\x81", "'" };

static void check_pattern(const tok_tokenizer *tokenizer, const char *label, const char *pattern)
{
    const size_t length = length_of_texts();
    core_text    text = CORE_TEXT_INIT, decoded = CORE_TEXT_INIT;
    tok_ids      ids = TOK_IDS_INIT;
    while (text.length < length)
        assert_int_equal(core_text_add_string(&text, pattern), OCLM_OK);
    const oclm_status status = tok_encode(tokenizer, text.data, text.length, false, &ids);
    if (status != OCLM_OK)
        fail_msg("%s, \"%s\" again and again: %s", label, pattern, oclm_last_error());
    assert_int_equal(tok_decode(tokenizer, ids.data, ids.count, false, &decoded), OCLM_OK);
    if (strcmp(label, "gpt2") == 0)
        compare_text(label, 0, pattern, decoded.data, decoded.length, text.data, text.length);
    core_text_free(&text);
    core_text_free(&decoded);
    tok_ids_free(&ids);
}

static void check_letters(const tok_tokenizer *tokenizer)
{
    const size_t length = length_of_texts();
    core_text    text = CORE_TEXT_INIT;
    tok_ids      ids = TOK_IDS_INIT;
    uint32_t     state = 20;
    while (text.length < length) {
        state = state * 1664525 + 1013904223;
        assert_int_equal(core_text_add_char(&text, (char)('a' + (state >> 16) % 26)), OCLM_OK);
    }
    assert_int_equal(tok_encode(tokenizer, text.data, text.length, false, &ids), OCLM_OK);
    core_text_free(&text);
    tok_ids_free(&ids);
}

static void check_tokenizer(const tok_tokenizer *tokenizer, const char *label)
{
    for (size_t i = 0; i < COUNT(patterns); i++)
        check_pattern(tokenizer, label, patterns[i]);
    check_letters(tokenizer);
}

static void no_word_is_too_long(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        char           path[4096], *text;
        size_t         length;
        tok_tokenizer *tokenizer;
        (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/tokenizer_file/%s.json", OCLM_SOURCE_DIR, files[i]);
        assert_int_equal(core_read_file(path, (size_t)1 << 20, &text, &length), OCLM_OK);
        assert_int_equal(tok_open_json(text, length, path, &tokenizer), OCLM_OK);
        core_free(text);
        check_tokenizer(tokenizer, files[i]);
        tok_close(tokenizer);
    }
}

static void no_word_is_too_long_for_gpt2(void **state)
{
    (void)state;
    char           path[4096];
    tok_tokenizer *tokenizer;
    if (!unpack_ready) {
        print_message("skipped: tar or xz is missing\n");
        skip();
    }
    assert_true(unpack_tar(TEST_DATA, "gpt2"));
    (void)snprintf(path, sizeof path, "%s/gpt2", unpack_folder);
    assert_int_equal(tok_open(path, &tokenizer), OCLM_OK);
    check_tokenizer(tokenizer, "gpt2");
    tok_close(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_word_is_too_long),
        cmocka_unit_test(no_word_is_too_long_for_gpt2),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
