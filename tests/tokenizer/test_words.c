/* test_words.c: text is told word by word, as transformers' TextStreamer prints it.
 *
 * data/words.jsonl.xz is made by make_words_golden.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tokenizer/golden.h"
#include "tokenizer/words.h"

#define STORIES OCLM_SOURCE_DIR "/samples/models/stories"

static size_t streams_seen;

static void check_printed(const cJSON *printed, size_t index, const char *label, const char *text, size_t length)
{
    const cJSON *want = cJSON_GetArrayItem(printed, (int)index);
    assert_true(cJSON_IsString(want));
    compare_text(label, streams_seen, "what is printed", text, length, want->valuestring, strlen(want->valuestring));
}

/* Twice over: a flush ends a text, and another may begin. */
static void check_stream_of_words(tok_words *words, const cJSON *stream, const char *label)
{
    const cJSON *put, *printed = core_json_member(stream, "printed");
    const char  *text;
    size_t       length;
    for (size_t round = 0; round < 2; round++) {
        size_t index = 0;
        cJSON_ArrayForEach(put, core_json_member(stream, "puts"))
        {
            tok_ids ids = golden_ids(put);
            assert_int_equal(tok_words_push(words, ids.data, ids.count, &text, &length), OCLM_OK);
            check_printed(printed, index++, label, text, length);
            tok_ids_free(&ids);
        }
        assert_int_equal(tok_words_flush(words, &text, &length), OCLM_OK);
        check_printed(printed, index, label, text, length);
    }
    streams_seen++;
}

static void check_line(const cJSON *line)
{
    const cJSON   *text = core_json_member(line, "tokenizer"), *stream;
    const char    *label = core_json_member(line, "label")->valuestring;
    tok_tokenizer *tokenizer;
    if ((text != NULL ? tok_open_json(text->valuestring, strlen(text->valuestring), label, &tokenizer) : tok_open(STORIES, &tokenizer)) != OCLM_OK)
        fail_msg("%s: %s", label, oclm_last_error());
    cJSON_ArrayForEach(stream, core_json_member(line, "streams"))
    {
        tok_words *words;
        assert_int_equal(tok_words_new(tokenizer, cJSON_IsTrue(core_json_member(stream, "skip_special_tokens")), &words), OCLM_OK);
        check_stream_of_words(words, stream, label);
        tok_words_free(words);
    }
    tok_close(tokenizer);
}

static void words_are_printed_when_transformers_prints_them(void **state)
{
    (void)state;
    const size_t count = each_line(TEST_DATA "/words.jsonl.xz", check_line);
    if (count == SIZE_MAX)
        skip();
    assert_true(count >= 40);
    assert_true(streams_seen >= 500);
}

static void nothing_pushed_is_nothing_printed(void **state)
{
    tok_tokenizer *tokenizer;
    tok_words     *words;
    const char    *text;
    size_t         length;
    (void)state;
    assert_int_equal(tok_open(STORIES, &tokenizer), OCLM_OK);
    assert_int_equal(tok_words_new(tokenizer, false, &words), OCLM_OK);
    assert_int_equal(tok_words_push(words, NULL, 0, &text, &length), OCLM_OK);
    assert_int_equal(length, 0);
    assert_int_equal(tok_words_flush(words, &text, &length), OCLM_OK);
    assert_int_equal(length, 0);
    tok_words_free(words);
    tok_close(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_printed_when_transformers_prints_them),
        cmocka_unit_test(nothing_pushed_is_nothing_printed),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
