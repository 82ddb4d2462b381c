/* test_chat.c: conversations through the public door. (What templates give: tests/tokenizer/test_chat.c.) */
#include <stdlib.h>
#include <string.h>

#include "api/stories.h"

#define TEMPLATE                                                                                                       \
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{{ 'assistant:' if add_generation_prompt }}"    \
    "{% for t in tools or [] %}[{{ t.name }}]{% endfor %}{% for d in documents or [] %}({{ d.text }}){% endfor %}{{ "  \
    "x | default('') }}"
#define ONE "[{\"role\": \"user\", \"content\": \"Once upon\"}]"

static oclm_chat_options with_template(void)
{
    oclm_chat_options o;
    oclm_chat_options_init(&o, sizeof o);
    o.template_text = TEMPLATE;
    return o;
}

static void options_reach_the_template(void **state)
{
    oclm_chat_options o = with_template();
    char *text;
    size_t length;
    (void)state;
    assert_ok(oclm_chat_render(tokenizer, ONE, &o, &text, &length));
    assert_string_equal(text, "user: Once upon\n");
    assert_int_equal(length, strlen(text));
    oclm_free(text);
    o.add_generation_prompt = true;
    o.tools_json = "[{\"name\": \"f\"}]";
    o.documents_json = "[{\"text\": \"d\"}]";
    o.variables_json = "{\"x\": \"!\"}";
    assert_ok(oclm_chat_render(tokenizer, ONE, &o, &text, NULL));
    assert_string_equal(text, "user: Once upon\nassistant:[f](d)!");
    oclm_free(text);
}

static void the_last_message_can_be_gone_on_with(void **state)
{
    oclm_chat_options o = with_template();
    char *text;
    (void)state;
    o.continue_final_message = true;
    assert_ok(oclm_chat_render(tokenizer, ONE, &o, &text, NULL));
    assert_string_equal(text, "user: Once upon");
    oclm_free(text);
    o.continue_field = "role";
    assert_ok(oclm_chat_render(tokenizer, ONE, &o, &text, NULL));
    assert_string_equal(text, "user");
    oclm_free(text);
    o.add_generation_prompt = true;
    assert_status(oclm_chat_render(tokenizer, ONE, &o, &text, NULL), OCLM_ERR_ARGUMENT);
    assert_null(text);
}

static void ids_are_those_of_the_text_without_more(void **state)
{
    oclm_chat_options o = with_template();
    int32_t *ids, *want;
    size_t count, want_count, length;
    char *text;
    (void)state;
    assert_ok(oclm_chat_render(tokenizer, ONE, &o, &text, &length));
    assert_ok(oclm_tokenizer_encode(tokenizer, text, length, false, &want, &want_count));
    assert_ok(oclm_chat_encode(tokenizer, ONE, &o, &ids, &count));
    assert_int_equal(count, want_count);
    assert_memory_equal(ids, want, count * sizeof *ids);
    oclm_free(ids);
    oclm_free(want);
    oclm_free(text);
}

static void plain_messages_become_json(void **state)
{
    const oclm_message messages[] = { { "user", "a \"b\"\n\\é" }, { "assistant", NULL } }, nobody = { NULL, "x" },
                       bytes = { "user", "\xFF" };
    char *json;
    (void)state;
    assert_ok(oclm_messages_to_json(messages, 2, &json));
    assert_string_equal(json,
                        "[{\"role\": \"user\", \"content\": \"a \\\"b\\\"\\n\\\\é\"}, {\"role\": \"assistant\"}]");
    oclm_free(json);
    assert_ok(oclm_messages_to_json(NULL, 0, &json));
    assert_string_equal(json, "[]");
    oclm_free(json);
    assert_status(oclm_messages_to_json(&nobody, 1, &json), OCLM_ERR_ARGUMENT);
    assert_status(oclm_messages_to_json(&bytes, 1, &json), OCLM_ERR_ARGUMENT);
    assert_null(json);
}

static void what_is_wrong_is_told(void **state)
{
    oclm_chat_options o = with_template();
    int32_t *ids;
    size_t count;
    char *text;
    (void)state;
    assert_false(oclm_tokenizer_has_chat_template(tokenizer));
    assert_false(oclm_tokenizer_has_chat_template(NULL));
    assert_status(oclm_chat_render(tokenizer, ONE, NULL, &text, NULL), OCLM_ERR_NOT_FOUND);
    assert_status(oclm_chat_render(tokenizer, "[]", &o, &text, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_chat_render(tokenizer, "[{", &o, &text, NULL), OCLM_ERR_FORMAT);
    assert_status(oclm_chat_render(tokenizer, NULL, &o, &text, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_chat_render(NULL, ONE, &o, &text, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_chat_render(tokenizer, ONE, &o, NULL, NULL), OCLM_ERR_ARGUMENT);
    assert_status(oclm_chat_encode(tokenizer, ONE, &o, NULL, &count), OCLM_ERR_ARGUMENT);
    o.template_text = "\n{{ raise_exception('not so') }}";
    assert_status(oclm_chat_encode(tokenizer, ONE, &o, &ids, &count), OCLM_ERR_ARGUMENT);
    assert_non_null(strstr(oclm_last_error(), "line 2: not so"));
    assert_null(ids);
    o.template_text = "{{ x.y }}";
    assert_status(oclm_chat_render(tokenizer, ONE, &o, &text, NULL), OCLM_ERR_FORMAT);
    o.struct_size = 1;
    assert_status(oclm_chat_render(tokenizer, ONE, &o, &text, NULL), OCLM_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_reach_the_template),
        cmocka_unit_test(the_last_message_can_be_gone_on_with),
        cmocka_unit_test(ids_are_those_of_the_text_without_more),
        cmocka_unit_test(plain_messages_become_json),
        cmocka_unit_test(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
