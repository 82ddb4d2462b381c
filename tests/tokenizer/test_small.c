/* test_small.c: small tokenizers, one for each component and option, equal to what Hugging Face's tokenizers makes of them.
 *
 * data/small.jsonl.xz is made by make_small_golden.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tokenizer/golden.h"

static void check_tokenizer(const cJSON *tree)
{
    const char    *label = core_json_member(tree, "label")->valuestring;
    const char    *text = core_json_member(tree, "tokenizer")->valuestring;
    const cJSON   *item;
    size_t         line = 0;
    tok_tokenizer *tokenizer;
    if (tok_open_json(text, strlen(text), label, &tokenizer) != OCLM_OK)
        fail_msg("%s: %s", label, oclm_last_error());
    cJSON_ArrayForEach(item, core_json_member(tree, "cases")) check_case(tokenizer, item, label, ++line);
    line = 0;
    cJSON_ArrayForEach(item, core_json_member(tree, "streams"))
    {
        core_text told = CORE_TEXT_INIT;
        check_steps(tokenizer, item, label, ++line, &told);
        core_text_free(&told);
    }
    tok_close(tokenizer);
}

static void each_component_equals_the_reference(void **state)
{
    (void)state;
    size_t length, count = 0;
    char  *text = unpack_text(TEST_DATA "/small.jsonl.xz", &length);
    cJSON *tree;
    if (!unpack_ready) {
        print_message("skipped: tar or xz is missing\n");
        skip();
    }
    assert_non_null(text);
    const char *p = text;
    while ((tree = golden_next(&p, text + length)) != NULL) {
        check_tokenizer(tree);
        cJSON_Delete(tree);
        count++;
    }
    core_free(text);
    assert_true(count >= 40);
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
