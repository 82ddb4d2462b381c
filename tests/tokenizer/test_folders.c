/* test_folders.c: folders with the files that repositories have, equal to what transformers makes of them: names of special
 * tokens, tokens that the settings add, vocabularies of other formats.
 *
 * data/folders.jsonl.xz is made by make_folder_golden.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base64.h"
#include "tokenizer/golden.h"
#include "tokenizer/special.h"

static char folder[64];

/* Writes a line's files to the folder, which is made anew. */
static void write_files(const cJSON *tree)
{
    const cJSON *file;
    assert_true(run_shell("rm -rf '%s' && mkdir '%s'%s", folder, folder, ""));
    cJSON_ArrayForEach(file, core_json_member(tree, "files"))
    {
        core_text path = CORE_TEXT_INIT, bytes = CORE_TEXT_INIT;
        bool      valid;
        assert_int_equal(core_path_join(&path, folder, file->string), OCLM_OK);
        assert_int_equal(core_base64_add(&bytes, file->valuestring, strlen(file->valuestring), &valid), OCLM_OK);
        assert_true(valid);
        assert_int_equal(core_write_file(path.data, bytes.data, bytes.length), OCLM_OK);
        core_text_free(&path);
        core_text_free(&bytes);
    }
}

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

static void check_folder(const cJSON *tree)
{
    const char    *label = core_json_member(tree, "label")->valuestring;
    const cJSON   *item;
    size_t         line = 0;
    tok_tokenizer *tokenizer;
    write_files(tree);
    if (tok_open(folder, &tokenizer) != OCLM_OK)
        fail_msg("%s: %s", label, oclm_last_error());
    check_names(tokenizer, core_json_member(tree, "named"), label);
    if (tok_pads_left(tokenizer) != (strcmp(core_json_member(tree, "padding_side")->valuestring, "left") == 0))
        fail_msg("%s: pads on the other side", label);
    cJSON_ArrayForEach(item, core_json_member(tree, "cases")) check_case(tokenizer, item, label, ++line);
    tok_close(tokenizer);
}

static void folders_equal_transformers(void **state)
{
    size_t length, count = 0;
    char  *text = unpack_text(TEST_DATA "/folders.jsonl.xz", &length);
    cJSON *tree;
    (void)state;
    if (!unpack_ready) {
        print_message("skipped: tar or xz is missing\n");
        skip();
    }
    assert_non_null(text);
    (void)snprintf(folder, sizeof folder, "%s/folder", unpack_folder);
    const char *p = text;
    while ((tree = golden_next(&p, text + length)) != NULL) {
        check_folder(tree);
        cJSON_Delete(tree);
        count++;
    }
    core_free(text);
    assert_true(count >= 29);
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
