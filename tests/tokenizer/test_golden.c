/* test_golden.c: ids, texts and streams of real tokenizers, equal to what Hugging Face's tokenizers 0.23 gives.
 *
 * GPT-2's files are here (data/README.md); those of Llama 2 and 3, Qwen 3 and Gemma 3 only where OCLM_SHARED_DATA names a folder with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tokenizer/golden.h"

static void check_file(const tok_tokenizer *tokenizer, const char *path, size_t at_least,
                       void (*check)(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line))
{
    size_t      length, lines = 0;
    char       *text = unpack_text(path, &length);
    const char *p = text;
    cJSON      *tree;
    if (text == NULL)
        fail_msg("%s cannot be read", path);
    while ((tree = golden_next(&p, text + length)) != NULL) {
        check(tokenizer, tree, path, ++lines);
        cJSON_Delete(tree);
    }
    core_free(text);
    assert_true(lines >= at_least);
}

/* The reference's streams fail, or end otherwise than decoding at once, where byte tokens make broken text: only steps count. */
static void check_steps_only(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line)
{
    core_text told = CORE_TEXT_INIT;
    check_steps(tokenizer, tree, where, line, &told);
    core_text_free(&told);
}

/* tokenizer.json alone where there is one: tokenizer_config.json, which the golden data knows nothing of, may say otherwise. */
static oclm_status open_tokenizer(const char *folder, tok_tokenizer **tokenizer)
{
    char        path[4200], *text;
    size_t      length;
    oclm_status status;
    (void)snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    if (!core_path_is_file(path))
        return tok_open(folder, tokenizer);
    if ((status = core_read_file(path, (size_t)1 << 30, &text, &length)) != OCLM_OK)
        return status;
    status = tok_open_json(text, length, path, tokenizer);
    core_free(text);
    return status;
}

static void check_tokenizer(const char *folder, const char *name, const char *golden, const char *streams, bool joins_bytes)
{
    char           path[4096];
    tok_tokenizer *tokenizer;
    if (!unpack_tar(folder, name))
        fail_msg("%s/%s.tar.xz cannot be unpacked", folder, name);
    (void)snprintf(path, sizeof path, "%s/%s", unpack_folder, name);
    if (open_tokenizer(path, &tokenizer) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    check_file(tokenizer, golden, 1000, check_case);
    check_file(tokenizer, streams, 60, joins_bytes ? check_stream : check_steps_only);
    tok_close(tokenizer);
}

static void gpt2_equals_the_reference(void **state)
{
    (void)state;
    if (!unpack_ready) {
        print_message("skipped: tar or xz is missing\n");
        skip();
    }
    check_tokenizer(TEST_DATA, "gpt2", TEST_DATA "/gpt2.jsonl.xz", TEST_DATA "/gpt2.streams.jsonl.xz", true);
}

static void check_shared(const char *name, bool joins_bytes)
{
    char golden[4096], streams[4096];
    if (!unpack_ready || OCLM_SHARED_DATA[0] == '\0') {
        print_message("skipped: %s's files are not in this repository; -DOCLM_SHARED_DATA=FOLDER tells where they are\n", name);
        skip();
    }
    (void)snprintf(golden, sizeof golden, "%s/golden/%s.jsonl.xz", SHARED_DATA, name);
    (void)snprintf(streams, sizeof streams, "%s/golden/%s.streams.jsonl", SHARED_DATA, name);
    check_tokenizer(SHARED_DATA, name, golden, streams, joins_bytes);
}

static void llama3_equals_the_reference(void **state)
{
    (void)state;
    check_shared("llama3", true);
}

static void qwen3_equals_the_reference(void **state)
{
    (void)state;
    check_shared("qwen3", true);
}

static void llama2_equals_the_reference(void **state)
{
    (void)state;
    check_shared("llama2", false);
}

static void gemma3_equals_the_reference(void **state)
{
    (void)state;
    check_shared("gemma3", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_equals_the_reference),
        cmocka_unit_test(llama3_equals_the_reference),
        cmocka_unit_test(qwen3_equals_the_reference),
        cmocka_unit_test(llama2_equals_the_reference),
        cmocka_unit_test(gemma3_equals_the_reference),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
