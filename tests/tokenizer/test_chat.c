/* test_chat.c: chat templates give what Jinja2 gives as transformers sets it up.
 *
 * data/chat.jsonl.xz is made by make_chat_golden.py. An error must be one here too, and say the same where "error"
 * holds a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tokenizer/chat_case.h"
#include "tokenizer/unpack.h"

/* Compares one case; `number` counts from 1. */
static void check_case(const char *path, size_t number, const char *line, size_t length)
{
    core_text text = CORE_TEXT_INIT;
    cJSON *tree = NULL;
    oclm_status status = core_json_parse(line, length, path, &tree);
    if (status != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    const cJSON *expected = core_json_member(tree, "expected"), *error = core_json_member(tree, "error"),
                *name = core_json_member(tree, "name");
    const char *label = cJSON_IsString(name) ? name->valuestring : "";
    status = chat_case_render(line, length, &text);
    if (expected && status != OCLM_OK)
        fail_msg("%s, line %zu, %s: %s", path, number, label, oclm_last_error());
    if (expected && strcmp(text.data ? text.data : "", expected->valuestring) != 0)
        fail_msg("%s, line %zu, %s:\n%s\n---- want:\n%s", path, number, label, text.data ? text.data : "",
                 expected->valuestring);
    if (!expected && status == OCLM_OK)
        fail_msg("%s, line %zu, %s: rendered, want the error %s", path, number, label,
                 cJSON_GetArrayItem(error, 1)->valuestring);
    if (!expected)
        assert_true(oclm_last_error()[0] != '\0');
    cJSON_Delete(tree);
    core_text_free(&text);
}

static size_t check_file(const char *path)
{
    size_t length, count = 0;
    char *text = unpack_text(path, &length);
    assert_non_null(text);
    for (const char *p = text, *end = text + length, *stop; p < end; p = stop + 1) {
        if ((stop = memchr(p, '\n', (size_t)(end - p))) == NULL)
            break;
        check_case(path, ++count, p, (size_t)(stop - p));
    }
    core_free(text);
    return count;
}

static void templates_of_the_families_render_as_in_python(void **state)
{
    (void)state;
    if (!unpack_ready) {
        print_message("skipped: tar or xz is missing\n");
        skip();
    }
    assert_true(check_file(TEST_DATA "/chat.jsonl.xz") >= 400);
}

static void the_shared_cases_render_as_in_python(void **state)
{
    (void)state;
    if (!unpack_ready || OCLM_SHARED_DATA[0] == '\0') {
        print_message("skipped: no shared data (-DOCLM_SHARED_DATA=DIR), or tar or xz is missing\n");
        skip();
    }
    assert_true(check_file(OCLM_SHARED_DATA "/data/generation/chat_templates.jsonl") >= 78);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_of_the_families_render_as_in_python),
        cmocka_unit_test(the_shared_cases_render_as_in_python),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
