/* test_small.c: small tokenizers, one for each component and option, equal to what Hugging Face's tokenizers makes of them.
 *
 * data/small.jsonl.xz is made by make_small_golden.py, data/trained.jsonl.xz by make_trained_golden.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tokenizer/golden.h"

/* The reference fails on this text; so do we, with a message. */
static void check_failure(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line)
{
    const char *text = core_json_member(tree, "text")->valuestring;
    tok_ids     ids = TOK_IDS_INIT;
    if (tok_encode(tokenizer, text, strlen(text), false, &ids) != OCLM_ERR_FORMAT)
        fail_msg("%s, line %zu: \"%s\" gives ids, but not in the reference", where, line, text);
    assert_non_null(strstr(oclm_last_error(), "unk"));
    tok_ids_free(&ids);
}

static void check_pair(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line)
{
    const char *a = core_json_member(tree, "a")->valuestring;
    const cJSON *b = core_json_member(tree, "b");
    const bool   special = cJSON_IsTrue(core_json_member(tree, "special"));
    tok_ids      texts[2] = { TOK_IDS_INIT, TOK_IDS_INIT }, got[3] = { TOK_IDS_INIT, TOK_IDS_INIT, TOK_IDS_INIT };
    static const char *const keys[] = { "ids", "type_ids", "mask" };
    assert_int_equal(tok_encode_text(tokenizer, a, strlen(a), &texts[0]), OCLM_OK);
    if (b != NULL)
        assert_int_equal(tok_encode_text(tokenizer, b->valuestring, strlen(b->valuestring), &texts[1]), OCLM_OK);
    assert_int_equal(tok_post_process(tokenizer, &texts[0], b != NULL ? &texts[1] : NULL, special, &got[0], &got[1], &got[2]), OCLM_OK);
    for (size_t i = 0; i < COUNT(keys); i++) {
        tok_ids want = golden_ids(core_json_member(tree, keys[i]));
        compare_ids(where, line, keys[i], a, &got[i], &want);
        tok_ids_free(&want);
        tok_ids_free(&got[i]);
    }
    assert_int_equal(tok_num_added_tokens(tokenizer, b != NULL), core_json_member(tree, "added")->valueint);
    tok_ids_free(&texts[0]);
    tok_ids_free(&texts[1]);
}

static void check_decoding(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line)
{
    const char *want = core_json_member(tree, "text")->valuestring;
    tok_ids     ids = golden_ids(core_json_member(tree, "ids"));
    core_text   text = CORE_TEXT_INIT;
    assert_int_equal(tok_decode(tokenizer, ids.data, ids.count, cJSON_IsTrue(core_json_member(tree, "skip_special_tokens")), &text), OCLM_OK);
    compare_text(where, line, "random ids", text.data, text.length, want, strlen(want));
    tok_ids_free(&ids);
    core_text_free(&text);
}

static void check_told(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line)
{
    core_text told = CORE_TEXT_INIT;
    check_steps(tokenizer, tree, where, line, &told);
    core_text_free(&told);
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
    cJSON_ArrayForEach(item, core_json_member(tree, "cases"))
        (core_json_has(item, "fails") ? check_failure : check_case)(tokenizer, item, label, ++line);
    line = 0;
    cJSON_ArrayForEach(item, core_json_member(tree, "pairs")) check_pair(tokenizer, item, label, ++line);
    line = 0;
    cJSON_ArrayForEach(item, core_json_member(tree, "decodings")) check_decoding(tokenizer, item, label, ++line);
    line = 0;
    cJSON_ArrayForEach(item, core_json_member(tree, "streams")) check_told(tokenizer, item, label, ++line);
    tok_close(tokenizer);
}

static void check_file(const char *path, size_t at_least)
{
    const size_t count = each_line(path, check_tokenizer);
    if (count == SIZE_MAX)
        skip();
    assert_true(count >= at_least);
}

static void each_component_equals_the_reference(void **state)
{
    (void)state;
    check_file(TEST_DATA "/small.jsonl.xz", 40);
}

static void models_post_processors_and_decoders_equal_the_reference(void **state)
{
    (void)state;
    check_file(TEST_DATA "/trained.jsonl.xz", 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_component_equals_the_reference),
        cmocka_unit_test(models_post_processors_and_decoders_equal_the_reference),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
