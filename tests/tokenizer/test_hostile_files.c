/* test_hostile_files.c: files that were cut, damaged or made to hurt: each is a message or a tokenizer, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/memory.h"
#include "tokenizer/folder.h"

/* Opens the folder and, if that works, uses the tokenizer. */
static void survive(const char *label, const char *what, size_t number)
{
    static const char text[] = "the token <s> hello \xC3\xA9\xE6\x97\xA5 123  world\n";
    tok_tokenizer    *tokenizer;
    tok_ids           ids = TOK_IDS_INIT;
    core_text         out = CORE_TEXT_INIT;
    if (tok_open(folder, &tokenizer) != OCLM_OK) {
        assert_null(tokenizer);
        if (oclm_last_error()[0] == '\0')
            fail_msg("%s, %s %zu: no message", label, what, number);
        return;
    }
    if (tok_encode(tokenizer, text, sizeof text - 1, true, &ids) == OCLM_OK)
        (void)tok_decode(tokenizer, ids.data, ids.count, false, &out);
    tok_ids_free(&ids);
    core_text_free(&out);
    tok_close(tokenizer);
}

#define STEPS 60
#define LARGEST 100000 /* bytes of a file that is damaged over and over */

static void damage_file(const char *label, const char *name, const char *data, size_t length)
{
    char    *copy = core_alloc(length + 1, "test");
    uint64_t random = 88172645463325252u; /* xorshift: the same damage in every run */
    for (size_t i = 0; i < STEPS; i++) {
        folder_write(name, data, length * i / STEPS);
        survive(label, "cut to sixtieths:", i);
    }
    for (size_t i = 0; i < STEPS; i++) {
        memcpy(copy, data, length);
        for (size_t k = 0; k <= i % 3; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            copy[random % length] = (char)(copy[random % length] ^ (1 << (random >> 32) % 8));
        }
        folder_write(name, copy, length);
        survive(label, "damage", i);
    }
    core_free(copy);
}

static void damage_folder(const cJSON *tree)
{
    const char  *label = core_json_member(tree, "label")->valuestring;
    const cJSON *files = core_json_member(tree, "files"), *file;
    folder_fill(files);
    cJSON_ArrayForEach(file, files)
    {
        core_text bytes = CORE_TEXT_INIT;
        bool      valid;
        assert_int_equal(core_base64_add(&bytes, file->valuestring, strlen(file->valuestring), &valid), OCLM_OK);
        if (bytes.length > 0 && bytes.length <= LARGEST)
            damage_file(label, file->string, bytes.data, bytes.length);
        folder_write(file->string, bytes.data, bytes.length);
        core_text_free(&bytes);
    }
}

static void damaged_folders_are_survived(void **state)
{
    (void)state;
    if (each_line(TEST_DATA "/folders.jsonl.xz", damage_folder) == SIZE_MAX)
        skip();
}

/* Every request for memory fails once; what was made by then is given back. */
static void starve_folder(const cJSON *tree)
{
    const char    *label = core_json_member(tree, "label")->valuestring;
    tok_tokenizer *tokenizer = NULL;
    oclm_status    status = OCLM_ERR_MEMORY;
    folder_fill(core_json_member(tree, "files"));
    const size_t before = core_memory_live();
    for (size_t n = 1; status != OCLM_OK && n < 20000; n += 1 + n / 16) {
        core_memory_fail_at(n, false);
        status = tok_open(folder, &tokenizer);
        core_memory_fail_at(0, false);
        if (status == OCLM_OK)
            tok_close(tokenizer);
        else if (status != OCLM_ERR_MEMORY && status != OCLM_ERR_IO)
            fail_msg("%s, request %zu: status %d, %s", label, n, (int)status, oclm_last_error());
        if (core_memory_live() != before)
            fail_msg("%s, request %zu: %zu pieces of memory were not given back", label, n, core_memory_live() - before);
    }
}

static void a_failing_request_for_memory_is_told(void **state)
{
    (void)state;
    if (each_line(TEST_DATA "/folders.jsonl.xz", starve_folder) == SIZE_MAX)
        skip();
}

#define BYTES(text) text, sizeof(text) - 1
#define GGUF(count) "GGUF\3\0\0\0\0\0\0\0\0\0\0\0" count
#define KEY_A "\1\0\0\0\0\0\0\0a"
static const struct {
    const char *label, *name, *data;
    size_t      length;
    oclm_status want;
    const char *says;
} cases[] = {
    { "an empty SentencePiece model", "tokenizer.model", BYTES(""), OCLM_ERR_FORMAT, "no pieces" },
    { "a piece of endless length", "tokenizer.model", BYTES("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"), OCLM_ERR_FORMAT, "cut short" },
    { "an endless varint", "tokenizer.model", BYTES("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), OCLM_ERR_FORMAT, "broken" },
    { "a group", "tokenizer.model", BYTES("\x0B\x0C"), OCLM_ERR_FORMAT, "broken" },
    { "field number 0", "tokenizer.model", BYTES("\x02\x00"), OCLM_ERR_FORMAT, "broken" },
    { "a piece longer than its message", "tokenizer.model", BYTES("\x0A\x03\x0A\x09" "a"), OCLM_ERR_FORMAT, "piece" },
    { "a piece that is not UTF-8", "tokenizer.model", BYTES("\x0A\x03\x0A\x01\xFF"), OCLM_ERR_FORMAT, "UTF-8" },
    { "a score that is no number", "tokenizer.model", BYTES("\x0A\x08\x0A\x01" "a\x15\x00\x00\xC0\x7F"), OCLM_ERR_FORMAT, "score" },
    { "a model of words", "tokenizer.model", BYTES("\x0A\x03\x0A\x01" "a\x12\x02\x18\x03"), OCLM_ERR_UNSUPPORTED, "type 3" },
    { "no unknown piece", "tokenizer.model", BYTES("\x0A\x03\x0A\x01" "a\x12\x03\xC0\x02\x07"), OCLM_ERR_FORMAT, "7 of 1" },
    { "a charsmap that is none", "tokenizer.model", BYTES("\x0A\x03\x0A\x01" "a\x1A\x04\x12\x02zz"), OCLM_ERR_FORMAT, "charsmap" },
    { "a rank above all", "tiktoken.model", BYTES("QQ== 99999999\n"), OCLM_ERR_FORMAT, "99999999" },
    { "a rank of nine digits", "tiktoken.model", BYTES("QQ== 1\nQg== 123456789\n"), OCLM_ERR_FORMAT, "line 2" },
    { "a negative rank", "tiktoken.model", BYTES("QQ== -1\n"), OCLM_ERR_FORMAT, "line 1" },
    { "no base64", "tiktoken.model", BYTES("Q*== 1\n"), OCLM_ERR_FORMAT, "base64" },
    { "an empty token", "tiktoken.model", BYTES("QQ== 0\n 1\n"), OCLM_ERR_FORMAT, "line 2" },
    { "no tokens", "tiktoken.model", BYTES("\n\n"), OCLM_ERR_FORMAT, "no tokens" },
    { "special tokens without end", "tekken.json",
      BYTES("{\"config\": {\"pattern\": \"a\", \"default_num_special_tokens\": 4000000000}, \"vocab\": []}"), OCLM_ERR_FORMAT, "4000000000" },
    { "a tekken.json without config", "tekken.json", BYTES("{\"vocab\": []}"), OCLM_ERR_FORMAT, "config" },
    { "an entry without bytes", "tekken.json", BYTES("{\"config\": {\"pattern\": \"a\"}, \"vocab\": [{\"rank\": 0}]}"), OCLM_ERR_FORMAT, "token_bytes" },
    { "a pattern that is none", "tekken.json", BYTES("{\"config\": {\"pattern\": \"(\"}, \"vocab\": [{\"token_bytes\": \"QQ==\"}]}"), OCLM_ERR_FORMAT, "(" },
    { "GGUF, nothing else", "a.gguf", BYTES("GGUF"), OCLM_ERR_FORMAT, "cut short" },
    { "not GGUF", "a.gguf", BYTES("GGUX\3\0\0\0"), OCLM_ERR_NOT_FOUND, "no tokenizer" },
    { "GGUF of version 1", "a.gguf", BYTES("GGUF\1\0\0\0\0\0\0\0\0\0\0\0"), OCLM_ERR_UNSUPPORTED, "version 1" },
    { "GGUF, big-endian", "a.gguf", BYTES("GGUF\0\0\0\3\0\0\0\0\0\0\0\0"), OCLM_ERR_UNSUPPORTED, "big-endian" },
    { "keys without end", "a.gguf", BYTES(GGUF("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF") KEY_A), OCLM_ERR_FORMAT, "list of keys" },
    { "a key without end", "a.gguf", BYTES(GGUF("\1\0\0\0\0\0\0\0") "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F" "aaaaaaaaa"), OCLM_ERR_FORMAT, "a key" },
    { "an unknown type", "a.gguf", BYTES(GGUF("\1\0\0\0\0\0\0\0") KEY_A "\x63\0\0\0\0\0\0\0"), OCLM_ERR_FORMAT, "type 99" },
    { "an array without end", "a.gguf", BYTES(GGUF("\1\0\0\0\0\0\0\0") KEY_A "\x09\0\0\0\x04\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), OCLM_ERR_FORMAT,
      "an array" },
    { "arrays in arrays in arrays", "a.gguf",
      BYTES(GGUF("\1\0\0\0\0\0\0\0") KEY_A "\x09\0\0\0" "\x09\0\0\0\1\0\0\0\0\0\0\0" "\x09\0\0\0\1\0\0\0\0\0\0\0" "\x09\0\0\0\1\0\0\0\0\0\0\0"
            "\x09\0\0\0\1\0\0\0\0\0\0\0" "\x09\0\0\0\1\0\0\0\0\0\0\0" "\x04\0\0\0\0\0\0\0\0\0\0\0"), OCLM_ERR_FORMAT, "nested" },
    { "GGUF without a tokenizer", "a.gguf", BYTES(GGUF("\0\0\0\0\0\0\0\0")), OCLM_ERR_NOT_FOUND, "no tokenizer" },
};

static void each_hostile_file_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        tok_tokenizer *tokenizer;
        folder_clear();
        folder_write(cases[i].name, cases[i].data, cases[i].length);
        const oclm_status got = tok_open(folder, &tokenizer);
        if (got != cases[i].want || strstr(oclm_last_error(), cases[i].says) == NULL)
            fail_msg("%s: status %d, \"%s\"; want %d, \"%s\"", cases[i].label, (int)got, got != OCLM_OK ? oclm_last_error() : "", (int)cases[i].want,
                     cases[i].says);
    }
}

/* A token of a million letters has a million cuts, each of which would be hashed. */
static void a_token_too_long_to_cut_is_told(void **state)
{
    const size_t   length = (size_t)4 << 20;
    char          *line = core_alloc(length + 3, "test");
    tok_tokenizer *tokenizer;
    (void)state;
    memset(line, 'A', length);
    memcpy(line + length, " 0\n", 3);
    folder_clear();
    folder_write("tiktoken.model", line, length + 3);
    assert_int_equal(tok_open(folder, &tokenizer), OCLM_ERR_FORMAT);
    assert_non_null(strstr(oclm_last_error(), "too long"));
    core_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_hostile_file_is_told),
        cmocka_unit_test(a_token_too_long_to_cut_is_told),
        cmocka_unit_test(a_failing_request_for_memory_is_told),
        cmocka_unit_test(damaged_folders_are_survived),
    };
    (void)unpack_begin();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unpack_end();
    return failed;
}
