/* test_golden.c: ids, texts and streams of real tokenizers, equal to what Hugging Face's tokenizers 0.23 gives.
 *
 * GPT-2's files are here (data/README.md); Llama 3's and Qwen 3's only where OCLM_SHARED_DATA names a folder with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/json.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unpack.h"

/* ---- Reading golden lines */

/* A string that may hold U+0000: then it is in hexadecimal under NAME_hex, as cJSON's strings end there. */
static char *string_of(const cJSON *line, const char *name, size_t *length)
{
    char         key[64];
    const cJSON *hex, *plain = core_json_member(line, name);
    (void)snprintf(key, sizeof key, "%s_hex", name);
    if ((hex = core_json_member(line, key)) == NULL) {
        assert_true(cJSON_IsString(plain));
        *length = strlen(plain->valuestring);
        return core_copy_string(plain->valuestring, "test");
    }
    *length = strlen(hex->valuestring) / 2;
    char *bytes = core_alloc(*length + 1, "test");
    for (size_t i = 0; i < *length; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex->valuestring + 2 * i, "%2x", &byte), 1);
        bytes[i] = (char)byte;
    }
    return bytes;
}

static tok_ids ids_of(const cJSON *list)
{
    tok_ids      ids = TOK_IDS_INIT;
    const cJSON *id;
    assert_true(cJSON_IsArray(list));
    cJSON_ArrayForEach(id, list) assert_int_equal(tok_ids_add(&ids, id->valueint), OCLM_OK);
    return ids;
}

/* The next line as a tree; NULL at the end. */
static cJSON *next_line(const char **p, const char *end)
{
    cJSON      *tree = NULL;
    const char *stop = *p < end ? memchr(*p, '\n', (size_t)(end - *p)) : NULL;
    if (stop == NULL)
        return NULL;
    if (core_json_parse(*p, (size_t)(stop - *p), "golden line", &tree) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    *p = stop + 1;
    return tree;
}

/* ---- Comparing */

static void compare_ids(const char *what, size_t line, const char *text, const tok_ids *got, const tok_ids *want)
{
    for (size_t i = 0; i < got->count || i < want->count; i++) {
        if (i >= got->count || i >= want->count || got->data[i] != want->data[i])
            fail_msg("line %zu, %s of \"%.80s\": id %zu is %d, want %d (%zu ids, want %zu)", line, what, text, i,
                     i < got->count ? (int)got->data[i] : -1, i < want->count ? (int)want->data[i] : -1, got->count, want->count);
    }
}

static void compare_text(const char *what, size_t line, const char *got, size_t got_length, const char *want, size_t want_length)
{
    if (got_length != want_length || (want_length > 0 && memcmp(got, want, want_length) != 0))
        fail_msg("line %zu, %s: \"%.*s\" (%zu bytes), want \"%.*s\" (%zu)", line, what, (int)got_length, got != NULL ? got : "",
                 got_length, (int)want_length, want, want_length);
}

static void check_line(const tok_tokenizer *tokenizer, const cJSON *tree, size_t line)
{
    static const char *const id_keys[] = { "ids", "ids_special" }, *const text_keys[] = { "decoded", "decoded_skip" };
    size_t length;
    char  *text = string_of(tree, "text", &length);
    for (size_t special = 0; special < 2; special++) {
        tok_ids   want = ids_of(core_json_member(tree, id_keys[special])), got = TOK_IDS_INIT;
        core_text decoded = CORE_TEXT_INIT;
        size_t    want_length;
        char     *want_text = string_of(tree, text_keys[special], &want_length);
        assert_int_equal(tok_encode(tokenizer, text, length, special == 1, &got), OCLM_OK);
        compare_ids(id_keys[special], line, text, &got, &want);
        assert_int_equal(tok_decode(tokenizer, want.data, want.count, special == 1, &decoded), OCLM_OK);
        compare_text(text_keys[special], line, decoded.data, decoded.length, want_text, want_length);
        tok_ids_free(&want);
        tok_ids_free(&got);
        core_text_free(&decoded);
        core_free(want_text);
    }
    core_free(text);
}

/* Steps equal the reference's (null: nothing told), and all that is told, with the flush, equals decoding at once. */
static void check_stream(const tok_tokenizer *tokenizer, const cJSON *tree, size_t line)
{
    const bool   skip = cJSON_IsTrue(core_json_member(tree, "skip_special_tokens"));
    const cJSON *steps = core_json_member(tree, "steps");
    tok_ids      ids = ids_of(core_json_member(tree, "ids"));
    tok_stream  *stream;
    core_text    told = CORE_TEXT_INIT, whole = CORE_TEXT_INIT;
    const char  *text;
    size_t       length;
    assert_int_equal(tok_stream_new(tokenizer, skip, &stream), OCLM_OK);
    for (size_t i = 0; i < ids.count; i++) {
        const cJSON *step = cJSON_GetArrayItem(steps, (int)i);
        const char  *want = cJSON_IsString(step) ? step->valuestring : "";
        assert_int_equal(tok_stream_push(stream, ids.data[i], &text, &length), OCLM_OK);
        if (step != NULL) /* steps end where the reference fails */
            compare_text("a stream's step", line, text, length, want, strlen(want));
        assert_int_equal(core_text_add(&told, text, length), OCLM_OK);
    }
    assert_int_equal(tok_stream_flush(stream, &text, &length), OCLM_OK);
    assert_int_equal(core_text_add(&told, text, length), OCLM_OK);
    assert_int_equal(tok_decode(tokenizer, ids.data, ids.count, skip, &whole), OCLM_OK);
    compare_text("a whole stream", line, told.data, told.length, whole.data, whole.length);
    tok_stream_free(stream);
    core_text_free(&told);
    core_text_free(&whole);
    tok_ids_free(&ids);
}

/* ---- Whole files */

static void check_file(const tok_tokenizer *tokenizer, const char *path, size_t at_least,
                       void (*check)(const tok_tokenizer *tokenizer, const cJSON *tree, size_t line))
{
    size_t      length, lines = 0;
    char       *text = unpack_text(path, &length);
    const char *p = text;
    cJSON      *tree;
    if (text == NULL)
        fail_msg("%s cannot be read", path);
    while ((tree = next_line(&p, text + length)) != NULL) {
        check(tokenizer, tree, ++lines);
        cJSON_Delete(tree);
    }
    core_free(text);
    assert_true(lines >= at_least);
}

static void check_tokenizer(const char *folder, const char *name, const char *golden, const char *streams)
{
    char           path[4096];
    tok_tokenizer *tokenizer;
    if (!unpack_tar(folder, name))
        fail_msg("%s/%s.tar.xz cannot be unpacked", folder, name);
    (void)snprintf(path, sizeof path, "%s/%s", unpack_folder, name);
    if (tok_open(path, &tokenizer) != OCLM_OK)
        fail_msg("%s", oclm_last_error());
    check_file(tokenizer, golden, 1000, check_line);
    check_file(tokenizer, streams, 60, check_stream);
    tok_close(tokenizer);
}

static void gpt2_equals_the_reference(void **state)
{
    (void)state;
    if (!unpack_ready) {
        print_message("skipped: tar or xz is missing\n");
        skip();
    }
    check_tokenizer(TEST_DATA, "gpt2", TEST_DATA "/gpt2.jsonl.xz", TEST_DATA "/gpt2.streams.jsonl.xz");
}

static void check_shared(const char *name)
{
    char golden[4096], streams[4096];
    if (!unpack_ready || OCLM_SHARED_DATA[0] == '\0') {
        print_message("skipped: %s's files are not in this repository; -DOCLM_SHARED_DATA=FOLDER tells where they are\n", name);
        skip();
    }
    (void)snprintf(golden, sizeof golden, "%s/golden/%s.jsonl.xz", SHARED_DATA, name);
    (void)snprintf(streams, sizeof streams, "%s/golden/%s.streams.jsonl", SHARED_DATA, name);
    check_tokenizer(SHARED_DATA, name, golden, streams);
}

static void llama3_equals_the_reference(void **state)
{
    (void)state;
    check_shared("llama3");
}

static void qwen3_equals_the_reference(void **state)
{
    (void)state;
    check_shared("qwen3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_equals_the_reference),
        cmocka_unit_test(llama3_equals_the_reference),
        cmocka_unit_test(qwen3_equals_the_reference),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
