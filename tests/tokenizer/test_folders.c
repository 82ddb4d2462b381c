/* test_folders.c: folders with the files that repositories have, equal to what transformers makes of them: names of special
 * tokens, tokens that the settings add, vocabularies of other formats.
 *
 * data/folders.jsonl.xz is made by make_folder_golden.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tokenizer/folder.h"
#include "tokenizer/special.h"

static void check_names(const tok_tokenizer *tokenizer, const cJSON *want, const char *label)
{
    for (size_t i = 0; i < tok_special_named(tokenizer); i++) {
        const char  *text, *key = tok_special_at(tokenizer, i, &text, NULL, NULL);
        const cJSON *wanted = core_json_member(want, key);
        if (wanted == NULL || strcmp(wanted->valuestring, text) != 0)
            fail_msg("%s: %s is \"%s\", want \"%s\"", label, key, text, wanted != NULL ? wanted->valuestring : "none");
    }
    if (tok_special_named(tokenizer) != (size_t)cJSON_GetArraySize(want))
        fail_msg("%s: %zu names, want %d", label, tok_special_named(tokenizer), cJSON_GetArraySize(want));
    for (size_t i = 0; i < TOK_SPECIAL_COUNT; i++) {
        static const char *const keys[] = { "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token" };
        const char *text = NULL;
        size_t      length;
        int32_t     id;
        const bool  there = tok_special(tokenizer, (tok_special_name)i, &text, &length, &id);
        if (there != core_json_has(want, keys[i]))
            fail_msg("%s: %s is%s there", label, keys[i], there ? "" : " not");
        if (there && (id < 0 || strcmp(tok_token(tokenizer, id), text) != 0 || length != strlen(text)))
            fail_msg("%s: %s has id %d, which is another token", label, keys[i], (int)id);
    }
}

/* A GGUF file may be given itself. */
static void check_file(const char *name)
{
    core_text       path = CORE_TEXT_INIT;
    oclm_tokenizer *tokenizer;
    assert_int_equal(core_path_join(&path, folder, name), OCLM_OK);
    if (oclm_tokenizer_load(path.data, NULL, &tokenizer) != OCLM_OK)
        fail_msg("%s: %s", name, oclm_last_error());
    assert_true(oclm_tokenizer_vocab_size(tokenizer) > 20);
    oclm_tokenizer_free(tokenizer);
    core_text_free(&path);
}

static void check_folder(const cJSON *tree)
{
    const char    *label = core_json_member(tree, "label")->valuestring;
    const cJSON   *item;
    size_t         line = 0;
    tok_tokenizer *tokenizer = folder_open(core_json_member(tree, "files"), label);
    check_names(tokenizer, core_json_member(tree, "named"), label);
    if (tok_pads_left(tokenizer) != (strcmp(core_json_member(tree, "padding_side")->valuestring, "left") == 0))
        fail_msg("%s: pads on the other side", label);
    cJSON_ArrayForEach(item, core_json_member(tree, "cases")) check_case(tokenizer, item, label, ++line);
    tok_close(tokenizer);
    if (core_json_has(core_json_member(tree, "files"), "model.gguf"))
        check_file("model.gguf");
}

static void folders_equal_transformers(void **state)
{
    (void)state;
    const size_t count = each_line(TEST_DATA "/folders.jsonl.xz", check_folder);
    if (count == SIZE_MAX)
        skip();
    assert_true(count >= 41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_equal_transformers),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
