/* test_components.c: every normaliser, pre-tokenizer and pattern alone and in combinations: the ids tell each byte of the normal
 * form and each cut between pieces, the offsets where in the text they come from; equal to Hugging Face's tokenizers.
 *
 * data/components.jsonl.xz is made by make_components_golden.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tokenizer/golden.h"

static void compare_spans(const char *where, size_t line, const char *text, const tok_encoded *got, const cJSON *want)
{
    const cJSON *number = want->child;
    assert_int_equal(got->span_count, got->ids.count);
    assert_int_equal(2 * got->span_count, cJSON_GetArraySize(want));
    for (size_t i = 0; i < got->span_count; i++, number = number->next->next) {
        if (got->spans[i].begin != (size_t)number->valueint || got->spans[i].end != (size_t)number->next->valueint)
            fail_msg("%s, line %zu, \"%.80s\": id %zu covers bytes %zu to %zu, want %d to %d", where, line, text, i, got->spans[i].begin,
                     got->spans[i].end, number->valueint, number->next->valueint);
    }
}

static void check_one(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line)
{
    size_t      length;
    char       *text = golden_string(tree, "text", &length);
    tok_ids     want = golden_ids(core_json_member(tree, "ids")), ids = TOK_IDS_INIT;
    tok_encoded got = TOK_ENCODED_INIT;
    assert_int_equal(tok_encode_text(tokenizer, text, length, &ids), OCLM_OK);
    compare_ids(where, line, "ids", text, &ids, &want);
    /* twice, so that spans are added behind those that are there */
    assert_int_equal(tok_encode_spans(tokenizer, text, length, false, true, &got), OCLM_OK);
    compare_ids(where, line, "ids with offsets", text, &got.ids, &want);
    compare_spans(where, line, text, &got, core_json_member(tree, "offsets"));
    assert_int_equal(tok_encode_spans(tokenizer, text, length, false, true, &got), OCLM_OK);
    assert_int_equal(got.span_count, 2 * want.count);
    if (want.count > 0)
        assert_memory_equal(got.spans, got.spans + want.count, want.count * sizeof *got.spans);
    tok_encoded_free(&got);
    tok_ids_free(&ids);
    tok_ids_free(&want);
    core_free(text);
}

static void check_tokenizer(const cJSON *tree)
{
    const char    *label = core_json_member(tree, "label")->valuestring;
    const char    *text = core_json_member(tree, "tokenizer")->valuestring;
    const cJSON   *item;
    size_t         line = 0;
    tok_tokenizer *tokenizer;
    if (tok_open_json(text, strlen(text), label, &tokenizer) != OCLM_OK)
        fail_msg("%s: %s", label, oclm_last_error());
    cJSON_ArrayForEach(item, core_json_member(tree, "cases")) check_one(tokenizer, item, label, ++line);
    tok_close(tokenizer);
}

static void each_component_equals_the_reference(void **state)
{
    (void)state;
    const size_t count = each_line(TEST_DATA "/components.jsonl.xz", check_tokenizer);
    if (count == SIZE_MAX)
        skip();
    assert_true(count >= 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_component_equals_the_reference),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
