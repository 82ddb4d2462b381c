/* golden.h: for tests: lines of golden data and comparing with them. */
#ifndef TESTS_TOKENIZER_GOLDEN_H
#define TESTS_TOKENIZER_GOLDEN_H

#include "core/json.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unpack.h"

/* A string that may hold U+0000: then it is in hexadecimal under NAME_hex, as cJSON's strings end there. */
static char *golden_string(const cJSON *line, const char *name, size_t *length)
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

static tok_ids golden_ids(const cJSON *list)
{
    tok_ids      ids = TOK_IDS_INIT;
    const cJSON *id;
    assert_true(cJSON_IsArray(list));
    cJSON_ArrayForEach(id, list) assert_int_equal(tok_ids_add(&ids, id->valueint), OCLM_OK);
    return ids;
}

/* The next line as a tree; NULL at the end. */
static inline cJSON *golden_next(const char **p, const char *end)
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

/* Calls `check` with each line of a packed file; returns how many there were. SIZE_MAX: tar or xz are missing. */
static inline size_t each_line(const char *path, void (*check)(const cJSON *line))
{
    size_t length, count = 0;
    char  *text = unpack_text(path, &length);
    cJSON *tree;
    if (!unpack_ready) {
        print_message("skipped: tar or xz is missing\n");
        return SIZE_MAX;
    }
    assert_non_null(text);
    const char *p = text;
    while ((tree = golden_next(&p, text + length)) != NULL) {
        check(tree);
        cJSON_Delete(tree);
        count++;
    }
    core_free(text);
    return count;
}

/* `where` names the file or tokenizer, `line` counts from 1. */
static void compare_ids(const char *where, size_t line, const char *what, const char *text, const tok_ids *got, const tok_ids *want)
{
    for (size_t i = 0; i < got->count || i < want->count; i++) {
        if (i >= got->count || i >= want->count || got->data[i] != want->data[i])
            fail_msg("%s, line %zu, %s of \"%.80s\": id %zu is %d, want %d (%zu ids, want %zu)", where, line, what, text, i,
                     i < got->count ? (int)got->data[i] : -1, i < want->count ? (int)want->data[i] : -1, got->count, want->count);
    }
}

static void compare_text(const char *where, size_t line, const char *what, const char *got, size_t got_length, const char *want,
                         size_t want_length)
{
    if (got_length != want_length || (want_length > 0 && memcmp(got, want, want_length) != 0))
        fail_msg("%s, line %zu, %s: \"%.*s\" (%zu bytes), want \"%.*s\" (%zu)", where, line, what, (int)got_length,
                 got != NULL ? got : "", got_length, (int)want_length, want, want_length);
}

/* Ids of the text where special tokens that occur in it are text. */
static void check_split(const tok_tokenizer *tokenizer, const cJSON *tree, const char *text, size_t length, const char *where, size_t line)
{
    tok_ids     want;
    tok_encoded got = TOK_ENCODED_INIT;
    if (!core_json_has(tree, "ids_split"))
        return;
    want = golden_ids(core_json_member(tree, "ids_split"));
    assert_int_equal(tok_encode_spans(tokenizer, text, length, true, false, &got), OCLM_OK);
    compare_ids(where, line, "ids_split", text, &got.ids, &want);
    tok_ids_free(&want);
    tok_encoded_free(&got);
}

/* Ids of the text and text of the ids, without and with special tokens. */
static inline void check_case(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line)
{
    static const char *const id_keys[] = { "ids", "ids_special" }, *const text_keys[] = { "decoded", "decoded_skip" };
    size_t length;
    char  *text = golden_string(tree, "text", &length);
    for (size_t special = 0; special < 2; special++) {
        tok_ids   want = golden_ids(core_json_member(tree, id_keys[special])), got = TOK_IDS_INIT;
        core_text decoded = CORE_TEXT_INIT;
        size_t    want_length;
        char     *want_text = golden_string(tree, text_keys[special], &want_length);
        assert_int_equal(tok_encode(tokenizer, text, length, special == 1, &got), OCLM_OK);
        compare_ids(where, line, id_keys[special], text, &got, &want);
        assert_int_equal(tok_decode(tokenizer, want.data, want.count, special == 1, &decoded), OCLM_OK);
        compare_text(where, line, text_keys[special], decoded.data, decoded.length, want_text, want_length);
        tok_ids_free(&want);
        tok_ids_free(&got);
        core_text_free(&decoded);
        core_free(want_text);
    }
    check_split(tokenizer, tree, text, length, where, line);
    core_free(text);
}

/* Steps equal the reference's (null: nothing told; they end where it fails). All that is told up to the flush, `*told`,
 * goes to the caller. */
static void check_steps(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line, core_text *told)
{
    const bool   skip_special = cJSON_IsTrue(core_json_member(tree, "skip_special_tokens"));
    const cJSON *steps = core_json_member(tree, "steps");
    tok_ids      ids = golden_ids(core_json_member(tree, "ids"));
    tok_stream  *stream;
    const char  *text;
    size_t       length;
    assert_int_equal(tok_stream_new(tokenizer, skip_special, &stream), OCLM_OK);
    for (size_t i = 0; i < ids.count; i++) {
        const cJSON *step = cJSON_GetArrayItem(steps, (int)i);
        const char  *want = cJSON_IsString(step) ? step->valuestring : "";
        assert_int_equal(tok_stream_push(stream, ids.data[i], &text, &length), OCLM_OK);
        if (step != NULL)
            compare_text(where, line, "a stream's step", text, length, want, strlen(want));
        assert_int_equal(core_text_add(told, text, length), OCLM_OK);
    }
    assert_int_equal(tok_stream_flush(stream, &text, &length), OCLM_OK);
    assert_int_equal(core_text_add(told, text, length), OCLM_OK);
    tok_stream_free(stream);
    tok_ids_free(&ids);
}

/* The same, and all that is told equals decoding at once: so it is where tokens are bytes that are joined. */
static inline void check_stream(const tok_tokenizer *tokenizer, const cJSON *tree, const char *where, size_t line)
{
    core_text told = CORE_TEXT_INIT, whole = CORE_TEXT_INIT;
    tok_ids   ids = golden_ids(core_json_member(tree, "ids"));
    check_steps(tokenizer, tree, where, line, &told);
    assert_int_equal(tok_decode(tokenizer, ids.data, ids.count, cJSON_IsTrue(core_json_member(tree, "skip_special_tokens")), &whole),
                     OCLM_OK);
    compare_text(where, line, "a whole stream", told.data, told.length, whole.data, whole.length);
    tok_ids_free(&ids);
    core_text_free(&told);
    core_text_free(&whole);
}

#endif
