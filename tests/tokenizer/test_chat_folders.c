/* test_chat_folders.c: where the templates of a model are, and which one counts. */
#include "core/unit.h"

#include <sys/stat.h>

#include "core/folder.h"
#include "tokenizer/chat/chat.h"

static void put(const char *name, const char *text)
{
    scratch_write(folder, name, text, strlen(text));
}

/* Renders with the folder's templates; "" and the message where it fails. */
static const char *rendered(const char *name, const char *tools)
{
    static char text[256];
    tok_templates templates;
    core_text out = CORE_TEXT_INIT;
    tok_chat_request request = {
        .templates = &templates, .messages = "[{\"role\": \"user\"}]", .tools = tools, .template_name = name, .now = 0
    };
    assert_int_equal(tok_templates_read(folder, &templates), OCLM_OK);
    text[0] = '\0';
    if (tok_chat_render(&request, &out) == OCLM_OK)
        (void)snprintf(text, sizeof text, "%s", out.data);
    core_text_free(&out);
    tok_templates_free(&templates);
    return text;
}

static void a_folder_may_have_none(void **state)
{
    (void)state;
    assert_string_equal(rendered(NULL, NULL), "");
    assert_non_null(strstr(oclm_last_error(), "chat_template is not set"));
    put("tokenizer_config.json", "{\"chat_template\": null}");
    assert_string_equal(rendered(NULL, NULL), "");
}

static void a_string_in_the_configuration_is_the_default(void **state)
{
    (void)state;
    put("tokenizer_config.json", "{\"chat_template\": \"config {{ messages[0].role }}\"}");
    assert_string_equal(rendered(NULL, NULL), "config user");
    assert_string_equal(rendered(NULL, "[]"), "config user");
    assert_string_equal(rendered("default", NULL), "config user");
}

static void of_several_tools_choose_theirs(void **state)
{
    (void)state;
    put("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"default\", \"template\": \"d\"}, {\"name\": "
                                 "\"tool_use\", \"template\": \"t\"}, "
                                 "{\"name\": \"rag\", \"template\": \"r\"}]}");
    assert_string_equal(rendered(NULL, NULL), "d");
    assert_string_equal(rendered(NULL, "[]"), "t");
    assert_string_equal(rendered("rag", "[]"), "r");
    assert_string_equal(rendered("rags", NULL), "");
    assert_non_null(strstr(oclm_last_error(), "\"rags\""));
    assert_non_null(strstr(oclm_last_error(), "\"default\", \"tool_use\", \"rag\""));
}

static void several_without_a_default_must_be_chosen_from(void **state)
{
    (void)state;
    put("tokenizer_config.json",
        "{\"chat_template\": [{\"name\": \"a\", \"template\": \"A\"}, {\"name\": \"b\", \"template\": \"B\"}]}");
    assert_string_equal(rendered(NULL, NULL), "");
    assert_non_null(strstr(oclm_last_error(), "multiple chat templates with no default"));
    assert_string_equal(rendered("b", NULL), "B");
}

static void files_take_the_place_of_the_configuration(void **state)
{
    (void)state;
    put("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"default\", \"template\": \"d\"}, {\"name\": "
                                 "\"old\", \"template\": \"o\"}]}");
    put("chat_template.jinja", "file\n");
    assert_string_equal(rendered(NULL, NULL), "file");
    assert_string_equal(rendered("old", NULL), "");
    assert_int_equal(mkdir(path_of("additional_chat_templates"), 0700), 0);
    put("additional_chat_templates/tool_use.jinja", "tools");
    put("additional_chat_templates/notes.txt", "none");
    assert_string_equal(rendered(NULL, "[]"), "tools");
    assert_string_equal(rendered("tool_use", NULL), "tools");
    assert_string_equal(rendered("notes", NULL), "");
}

/* A GGUF file of version 3 with one key-value, a text. */
static void put_gguf(const char *name, const char *key, const char *text)
{
    unsigned char bytes[256], *p = bytes;
    const uint32_t version = 3, string = 8;
    const uint64_t tensors = 0, pairs = 1, key_length = strlen(key), length = strlen(text);
    memcpy(p, "GGUF", 4), p += 4;
    memcpy(p, &version, 4), p += 4;
    memcpy(p, &tensors, 8), p += 8;
    memcpy(p, &pairs, 8), p += 8;
    memcpy(p, &key_length, 8), p += 8;
    memcpy(p, key, key_length), p += key_length;
    memcpy(p, &string, 4), p += 4;
    memcpy(p, &length, 8), p += 8;
    memcpy(p, text, length), p += length;
    scratch_write(folder, name, bytes, (size_t)(p - bytes));
}

static void a_gguf_file_has_its_own(void **state)
{
    tok_templates templates;
    (void)state;
    put_gguf("model.gguf", "tokenizer.chat_template", "gguf {{ messages[0].role }}");
    assert_string_equal(rendered(NULL, NULL), "gguf user");
    assert_int_equal(tok_templates_read(path_of("model.gguf"), &templates), OCLM_OK);
    assert_int_equal(templates.count, 1);
    tok_templates_free(&templates);
    put_gguf("other.gguf", "general.name", "x");
    assert_string_equal(rendered(NULL, NULL), ""); /* which one? */
    put("chat_template.jinja", "file");
    assert_string_equal(rendered(NULL, NULL), "file");
}

static void configurations_that_are_wrong_are_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "{\"chat_template\": 1}", "must be a string" },
        { "{\"chat_template\": [1]}", "no \"name\"" },
        { "{\"chat_template\": [{\"name\": \"a\"}]}", "no \"template\"" },
        { "{\"chat_template\": ", "ends" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        tok_templates templates;
        put("tokenizer_config.json", cases[i].text);
        expect(cases[i].text, tok_templates_read(folder, &templates), OCLM_ERR_FORMAT, folder, cases[i].says);
        tok_templates_free(&templates);
    }
}

static oclm_status read_folder(void *user)
{
    return tok_templates_read(folder, user);
}

static void free_read(void *user)
{
    tok_templates_free(user);
}

static void any_request_for_memory_may_fail(void **state)
{
    tok_templates templates = TOK_TEMPLATES_INIT;
    (void)state;
    put("tokenizer_config.json",
        "{\"chat_template\": [{\"name\": \"a\", \"template\": \"A\"}, {\"name\": \"b\", \"template\": \"B\"}]}");
    fails_cleanly_at_every_request("templates of tokenizer_config.json", read_folder, free_read, &templates);
    put("chat_template.jinja", "file\n");
    fails_cleanly_at_every_request("chat_template.jinja", read_folder, free_read, &templates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_folder_may_have_none),
        IN_SCRATCH(a_string_in_the_configuration_is_the_default),
        IN_SCRATCH(of_several_tools_choose_theirs),
        IN_SCRATCH(several_without_a_default_must_be_chosen_from),
        IN_SCRATCH(files_take_the_place_of_the_configuration),
        IN_SCRATCH(a_gguf_file_has_its_own),
        IN_SCRATCH(configurations_that_are_wrong_are_refused),
        IN_SCRATCH(any_request_for_memory_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
