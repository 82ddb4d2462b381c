/* test_json.c: configuration files as trees, their members, and strings written as JSON. */
#include "core/unit.h"

#include <math.h>
#include <stdio.h>

#include "core/json.h"
#include "core/scratch.h"

static cJSON *parse(const char *text)
{
    cJSON *tree;
    if (core_json_parse(text, strlen(text), "config.json", &tree) != OCLM_OK)
        fail_msg("%s: %s", text, oclm_last_error());
    return tree;
}

/* ---- Trees */

static void a_tree_holds_what_the_text_says(void **state)
{
    static const char *const same[] = { /* as cJSON prints them, so compared whole */
        "{\"a\":1,\"b\":[true,false,null,\"x\"],\"c\":{\"d\":-2.5}}", "[]", "{}", "0", "\"\xE2\x82\xAC\"", "null", "[[[[[]]]]]",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(same); i++) {
        cJSON *tree = parse(same[i]);
        char  *printed = cJSON_PrintUnformatted(tree);
        assert_string_equal(printed, same[i]);
        cJSON_free(printed);
        cJSON_Delete(tree);
    }
}

static void a_byte_order_mark_is_no_part_of_the_value(void **state)
{
    static const char *const texts[] = { "\xEF\xBB\xBF" "1", "\xEF\xBB\xBF" "{}", "\xEF\xBB\xBF [1, 2]\n" };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        cJSON_Delete(parse(texts[i]));
}

static void the_tree_nests_as_deep_as_the_reader(void **state)
{
    char   text[2 * CORE_JSON_MAX_DEPTH + 2];
    cJSON *tree;
    (void)state;
    memset(text, '[', CORE_JSON_MAX_DEPTH + 1);
    memset(text + CORE_JSON_MAX_DEPTH + 1, ']', CORE_JSON_MAX_DEPTH + 1);
    assert_int_equal(core_json_parse(text + 1, 2 * CORE_JSON_MAX_DEPTH, "config.json", &tree), OCLM_OK);
    cJSON_Delete(tree);
    assert_int_equal(core_json_parse(text, sizeof text, "config.json", &tree), OCLM_ERR_FORMAT);
    assert_null(tree);
    assert_string_equal(oclm_last_error(), "config.json: byte 128: arrays and objects are nested deeper than the 128 levels allowed");
}

static void what_follows_the_value_is_refused(void **state)
{
    static const char *const texts[] = { "{} {}", "{}x", "1\xEF\xBB\xBF", "[],", "null null" };
    cJSON *tree;
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (core_json_parse(texts[i], strlen(texts[i]), "config.json", &tree) != OCLM_ERR_FORMAT || tree != NULL)
            fail_msg("%s was read", texts[i]);
        assert_memory_equal(oclm_last_error(), "config.json: byte ", 18);
    }
    assert_int_equal(core_json_parse("{}\0", 3, "config.json", &tree), OCLM_ERR_FORMAT); /* a NUL is not an end */
    assert_non_null(strstr(oclm_last_error(), "config.json: byte 2: byte 0x00"));
}

/* Parses from a block of exactly its size. The reader stands before cJSON, so what passes the one must not fail the other. */
static oclm_status parse_exactly(const char *text, size_t length)
{
    char             *copy = exact_copy(text, length);
    cJSON            *tree;
    const oclm_status status = core_json_parse(copy, length, "config.json", &tree);
    if ((status == OCLM_OK) != (tree != NULL) || (status != OCLM_OK && status != OCLM_ERR_FORMAT))
        fail_msg("%.*s: status %d, %s", (int)length, text, (int)status, oclm_last_error());
    if (status != OCLM_OK && strncmp(oclm_last_error(), "config.json: byte ", 18) != 0)
        fail_msg("%.*s: %s", (int)length, text, oclm_last_error());
    cJSON_Delete(tree);
    free(copy);
    return status;
}

static const char document[] = "{\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 2048, \"rms_norm_eps\": 1e-05,\n"
                               " \"rope_scaling\": {\"factor\": 8.0, \"x\": null}, \"tie\": false,\n"
                               " \"s\": \"\\u20ac\\n\\ud83d\\ude00\xC3\xA9\"}";

static void a_text_cut_short_gives_no_tree(void **state)
{
    (void)state;
    assert_int_equal(parse_exactly(document, sizeof document - 1), OCLM_OK);
    for (size_t part = 0; part < sizeof document - 1; part++)
        assert_int_equal(parse_exactly(document, part), OCLM_ERR_FORMAT);
}

static void a_flipped_bit_gives_a_tree_or_a_message(void **state)
{
    size_t good = 0;
    (void)state;
    for (size_t bit = 0; bit < 8 * (sizeof document - 1); bit++) {
        char text[sizeof document];
        memcpy(text, document, sizeof document);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        good += parse_exactly(text, sizeof document - 1) == OCLM_OK;
    }
    assert_true(good > 100); /* a letter became another one */
}

static void whatever_passes_the_reader_becomes_a_tree(void **state)
{
    static const char *const pieces[] = {
        "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"\\n\"", "\\", "\\u0041", "\\ud83d", "\\ude00", "\xC3", "\xA9", "0", "1", "-", ".",
        "e", "+", "9999999999999999999999", "1e3", "true", "false", "null", "nul", " ", "\n", "\xEF\xBB\xBF", "{\"a\":", "[1,", "[[",
        "\"\\u0000\"", "1E400", "-0", "\x7F", "x",
    };
    const int rounds = getenv("OCLM_TEST_QUICK") != NULL ? 10000 : 300000;
    uint32_t  random = 12345;
    size_t    good = 0;
    (void)state;
    for (int round = 0; round < rounds; round++) {
        char   text[256];
        size_t length = 0, count;
        random = random * 1664525 + 1013904223;
        count = 1 + (random >> 16) % 8;
        for (size_t i = 0; i < count; i++) {
            random = random * 1664525 + 1013904223;
            const char *piece = pieces[(random >> 8) % COUNT(pieces)];
            memcpy(text + length, piece, strlen(piece));
            length += strlen(piece);
        }
        good += parse_exactly(text, length) == OCLM_OK;
    }
    assert_true(good > (size_t)rounds / 50);
}

/* ---- Members */

static void members_are_found_by_exact_name(void **state)
{
    cJSON *tree = parse("{\"a\": 1, \"A\": 2, \"none\": null, \"twice\": 1, \"twice\": 2, \"then\": 1, \"then\": null, \"\": 3}");
    cJSON *array = parse("[1]");
    (void)state;
    assert_int_equal(core_json_member(tree, "a")->valueint, 1);
    assert_int_equal(core_json_member(tree, "A")->valueint, 2);
    assert_int_equal(core_json_member(tree, "")->valueint, 3);
    assert_int_equal(core_json_member(tree, "twice")->valueint, 2); /* the last, as Python reads it */
    assert_null(core_json_member(tree, "then"));
    assert_null(core_json_member(tree, "none"));
    assert_null(core_json_member(tree, "b"));
    assert_true(core_json_has(tree, "none"));
    assert_true(core_json_has(tree, "then"));
    assert_false(core_json_has(tree, "b"));
    assert_null(core_json_member(array, "a"));
    assert_null(core_json_member(NULL, "a"));
    assert_false(core_json_has(NULL, "a"));
    cJSON_Delete(tree);
    cJSON_Delete(array);
}

static void whole_numbers_are_taken_in_their_range(void **state)
{
    static const struct {
        const char *text;
        uint32_t    min, max, value; /* 77: as before */
        const char *message;         /* NULL: good */
    } cases[] = {
        { "{}", 1, 9, 77, NULL },
        { "{\"n\": null}", 1, 9, 77, NULL },
        { "{\"n\": 1}", 1, 9, 1, NULL },
        { "{\"n\": 9.0}", 1, 9, 9, NULL },
        { "{\"n\": 4294967295}", 0, UINT32_MAX, UINT32_MAX, NULL },
        { "{\"n\": 0}", 1, 9, 77, "\"n\" is 0; it must be a whole number from 1 to 9" },
        { "{\"n\": 10}", 1, 9, 77, "\"n\" is 10; it must be a whole number from 1 to 9" },
        { "{\"n\": -1}", 0, 9, 77, "\"n\" is -1; it must be a whole number from 0 to 9" },
        { "{\"n\": 1.5}", 1, 9, 77, "\"n\" is 1.5;" },
        { "{\"n\": 1e-300}", 0, 9, 77, "\"n\" is 1e-300;" },
        { "{\"n\": 4294967296}", 0, UINT32_MAX, 77, "\"n\" is 4294967296; it must be a whole number from 0 to 4294967295" },
        { "{\"n\": 1e300}", 0, UINT32_MAX, 77, "e+300;" },
        { "{\"n\": true}", 0, 9, 77, "\"n\" is true;" },
        { "{\"n\": \"1\"}", 0, 9, 77, "\"n\" is \"1\";" },
        { "{\"n\": [1]}", 0, 9, 77, "\"n\" is an array;" },
        { "{\"n\": {}}", 0, 9, 77, "\"n\" is an object;" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        cJSON            *tree = parse(cases[i].text);
        uint32_t          value = 77;
        const oclm_status status = core_json_get_u32(tree, "n", "config.json", cases[i].min, cases[i].max, &value);
        if (status != (cases[i].message != NULL ? OCLM_ERR_FORMAT : OCLM_OK) || value != cases[i].value)
            fail_msg("%s: status %d, value %u", cases[i].text, (int)status, (unsigned)value);
        if (cases[i].message != NULL && (strncmp(oclm_last_error(), "config.json: ", 13) != 0 ||
                                         strstr(oclm_last_error(), cases[i].message) == NULL))
            fail_msg("%s: \"%s\", want \"%s\"", cases[i].text, oclm_last_error(), cases[i].message);
        cJSON_Delete(tree);
    }
}

static void members_of_another_type_are_refused_by_name_and_value(void **state)
{
    cJSON      *tree = parse("{\"f\": 0.25, \"b\": true, \"s\": \"x\", \"none\": null}");
    double      number = 7;
    bool        flag = false;
    const char *text = "before";
    (void)state;
    assert_int_equal(core_json_get_float(tree, "f", "o", &number), OCLM_OK);
    assert_int_equal(core_json_get_bool(tree, "b", "o", &flag), OCLM_OK);
    assert_int_equal(core_json_get_string(tree, "s", "o", &text), OCLM_OK);
    assert_true(number == 0.25 && flag && strcmp(text, "x") == 0);
    for (int absent = 0; absent < 2; absent++) { /* keeps what was there */
        const char *name = absent != 0 ? "absent" : "none";
        assert_int_equal(core_json_get_float(tree, name, "o", &number), OCLM_OK);
        assert_int_equal(core_json_get_bool(tree, name, "o", &flag), OCLM_OK);
        assert_int_equal(core_json_get_string(tree, name, "o", &text), OCLM_OK);
    }
    assert_true(number == 0.25 && flag && strcmp(text, "x") == 0);
    assert_int_equal(core_json_get_float(tree, "s", "o", &number), OCLM_ERR_FORMAT);
    assert_string_equal(oclm_last_error(), "o: \"s\" is \"x\"; it must be a number");
    assert_int_equal(core_json_get_bool(tree, "f", "o", &flag), OCLM_ERR_FORMAT);
    assert_string_equal(oclm_last_error(), "o: \"f\" is 0.25; it must be true or false");
    assert_int_equal(core_json_get_string(tree, "b", "o", &text), OCLM_ERR_FORMAT);
    assert_string_equal(oclm_last_error(), "o: \"b\" is true; it must be a string");
    assert_true(number == 0.25 && flag && strcmp(text, "x") == 0);
    cJSON_Delete(tree);
}

static void a_long_value_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        char      text[1200] = "{\"n\": \"";
        uint32_t  value;
        memset(text + strlen(text), 'x', shift);
        for (size_t i = 0; i < 300; i++)
            memcpy(text + strlen(text), "\xE2\x82\xAC", 4);
        strcat(text, "\"}");
        cJSON *tree = parse(text);
        assert_int_equal(core_json_get_u32(tree, "n", "config.json", 0, 9, &value), OCLM_ERR_FORMAT);
        assert_int_equal(core_utf8_check(oclm_last_error(), strlen(oclm_last_error())), SIZE_MAX);
        assert_non_null(strstr(oclm_last_error(), "\xE2\x82\xAC...; it must be a whole number"));
        cJSON_Delete(tree);
    }
}

/* ---- Files and memory */

static void files_are_read_up_to_the_limit(void **state)
{
    char   folder[SCRATCH_PATH], path[2 * SCRATCH_PATH];
    cJSON *tree;
    (void)state;
    scratch_make(folder);
    scratch_write(folder, "a.json", "{\"a\":1}", 7);
    scratch_write(folder, "bad.json", "{\"a\":1", 6);
    scratch_write(folder, "empty.json", "", 0);
    assert_int_equal(core_json_read_file(scratch_path(folder, "a.json"), 7, &tree), OCLM_OK);
    assert_int_equal(core_json_member(tree, "a")->valueint, 1);
    cJSON_Delete(tree);
    const struct {
        const char *name;
        size_t      limit;
        oclm_status status;
        const char *message;
    } bad[] = {
        { "a.json", 6, OCLM_ERR_FORMAT, "7 bytes" },
        { "bad.json", 99, OCLM_ERR_FORMAT, "byte 6" },
        { "empty.json", 99, OCLM_ERR_FORMAT, "byte 0" },
        { "none.json", 99, OCLM_ERR_NOT_FOUND, "cannot open" },
        { ".", 99, OCLM_ERR_FORMAT, "folder" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        strcpy(path, scratch_path(folder, bad[i].name));
        if (core_json_read_file(path, bad[i].limit, &tree) != bad[i].status || tree != NULL)
            fail_msg("%s: %s", bad[i].name, oclm_last_error());
        if (strncmp(oclm_last_error(), path, strlen(path)) != 0 || strstr(oclm_last_error(), bad[i].message) == NULL)
            fail_msg("%s: \"%s\", want \"%s\"", bad[i].name, oclm_last_error(), bad[i].message);
    }
    scratch_remove(folder);
}

/* ---- Python's numbers */

static void python_s_numbers_are_read_from_files_of_python(void **state)
{
    static const char text[] = "\xEF\xBB\xBF {\"a\": [1, -2.5e3, NaN, Infinity, -Infinity], \"b\": {\"c\": null, \"d\": \"NaN \\u20ac\\n\"}, \"e\": true,\n"
                               "\"f\": [], \"g\": {}, \"e\": false}";
    char              folder[SCRATCH_PATH];
    cJSON            *tree;
    (void)state;
    scratch_make(folder);
    scratch_write(folder, "a.json", text, sizeof text - 1);
    assert_int_equal(core_json_read_file(scratch_path(folder, "a.json"), 999, &tree), OCLM_ERR_FORMAT); /* others know no such numbers */
    assert_int_equal(core_json_read_python(scratch_path(folder, "a.json"), 999, &tree), OCLM_OK);
    const cJSON *list = core_json_member(tree, "a"), *object = core_json_member(tree, "b");
    assert_int_equal(cJSON_GetArraySize(list), 5);
    assert_true(cJSON_GetArrayItem(list, 0)->valuedouble == 1 && cJSON_GetArrayItem(list, 1)->valuedouble == -2500);
    assert_true(isnan(cJSON_GetArrayItem(list, 2)->valuedouble));
    assert_true(cJSON_GetArrayItem(list, 3)->valuedouble == INFINITY && cJSON_GetArrayItem(list, 4)->valuedouble == -INFINITY);
    assert_true(core_json_has(object, "c") && core_json_member(object, "c") == NULL);
    assert_string_equal(core_json_member(object, "d")->valuestring, "NaN \xE2\x82\xAC\n");
    assert_true(cJSON_IsFalse(core_json_member(tree, "e")) && cJSON_IsArray(core_json_member(tree, "f")) && cJSON_IsObject(core_json_member(tree, "g")));
    cJSON_Delete(tree);
    scratch_remove(folder);
}

static void what_python_refuses_is_refused(void **state)
{
    static const char *const texts[] = { "", "{", "[1,]", "nan", "inf", "+Infinity", "- Infinity", "-NaN", "Infinit", "{NaN: 1}", "{\"a\": NaN} 1", "[NaN", "[1 2]", "1e999", "01", "\"a" };
    char   folder[SCRATCH_PATH];
    cJSON *tree;
    (void)state;
    scratch_make(folder);
    for (size_t i = 0; i < COUNT(texts); i++) {
        scratch_write(folder, "a.json", texts[i], strlen(texts[i]));
        if (core_json_read_python(scratch_path(folder, "a.json"), 999, &tree) != OCLM_ERR_FORMAT || tree != NULL)
            fail_msg("%s was read", texts[i]);
        if (strstr(oclm_last_error(), "a.json: byte ") == NULL)
            fail_msg("%s: %s", texts[i], oclm_last_error());
    }
    scratch_remove(folder);
}

static size_t tree_requests_left; /* of cJSON, which asks malloc() itself */

static void *fail_in_turn(size_t size)
{
    return tree_requests_left-- > 1 ? malloc(size) : NULL;
}

static void a_tree_without_memory_is_told_as_that(void **state)
{
    cJSON_Hooks hooks = { fail_in_turn, free };
    cJSON      *tree;
    oclm_status status;
    size_t      n = 0;
    (void)state;
    do {
        tree_requests_left = ++n;
        cJSON_InitHooks(&hooks);
        status = core_json_parse(document, sizeof document - 1, "config.json", &tree);
        cJSON_InitHooks(NULL);
        if (status != OCLM_OK && (status != OCLM_ERR_MEMORY || tree != NULL || strstr(oclm_last_error(), "a JSON tree") == NULL))
            fail_msg("request %zu: status %d, %s", n, (int)status, oclm_last_error());
    } while (status != OCLM_OK && n < 1000);
    assert_int_equal(status, OCLM_OK);
    assert_true(n > 10);
    cJSON_Delete(tree);
}

static oclm_status read_python_document(void *user)
{
    cJSON            *tree;
    const oclm_status status = core_json_read_python(user, CORE_JSON_MAX_CONFIG, &tree);
    cJSON_Delete(tree);
    return status;
}

static oclm_status read_document(void *user)
{
    cJSON            *tree;
    const oclm_status status = core_json_read_file(user, CORE_JSON_MAX_CONFIG, &tree);
    cJSON_Delete(tree);
    return status;
}

static void undo_nothing(void *user)
{
    (void)user;
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    char folder[SCRATCH_PATH], path[2 * SCRATCH_PATH];
    (void)state;
    scratch_make(folder);
    scratch_write(folder, "config.json", document, sizeof document - 1);
    strcpy(path, scratch_path(folder, "config.json"));
    fails_cleanly_at_every_request("a configuration file", read_document, undo_nothing, path);
    fails_cleanly_at_every_request("a file of Python's", read_python_document, undo_nothing, path);
    scratch_remove(folder);
}

/* ---- Writing */

static void a_written_string_is_read_back(void **state)
{
    char      all[0x80 + 7];
    core_text out = CORE_TEXT_INIT;
    (void)state;
    for (size_t i = 0; i < 0x80; i++)
        all[i] = (char)i;
    memcpy(all + 0x80, "\xC3\xA9\xF0\x9F\x98\x80", 7);
    assert_int_equal(core_json_add_string(&out, all, sizeof all - 1), OCLM_OK);
    for (size_t i = 0; i < out.length; i++)
        assert_true((unsigned char)out.data[i] >= 0x20 && out.data[i] != 0x7F); /* one line, and nothing a terminal obeys */
    core_json_reader reader;
    const char      *text;
    size_t           length;
    core_json_reader_init(&reader, out.data, out.length, "written");
    assert_int_equal(core_json_string(&reader, &text, &length), OCLM_OK);
    assert_int_equal(length, sizeof all - 1);
    assert_memory_equal(text, all, length);
    core_json_reader_deinit(&reader);
    core_text_clear(&out);
    assert_int_equal(core_json_add_string(&out, "\"\\/\n\r\t\x01\x7F", 8), OCLM_OK);
    assert_string_equal(out.data, "\"\\\"\\\\/\\n\\r\\t\\u0001\\u007f\"");
    core_text_free(&out);
}

static void a_string_is_written_whole_or_not_at_all(void **state)
{
    (void)state;
    for (size_t limit = 3; limit <= 12; limit++) { /* "x: " and "\"a\\nbc\"" are 10 */
        core_text out = CORE_TEXT_INIT;
        out.limit = limit;
        assert_int_equal(core_text_add_string(&out, "x: "), OCLM_OK);
        assert_int_equal(core_json_add_string(&out, "a\nbc", 4), limit < 10 ? OCLM_ERR_CAPACITY : OCLM_OK);
        assert_string_equal(out.data, limit < 10 ? "x: " : "x: \"a\\nbc\"");
        core_text_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_holds_what_the_text_says),
        cmocka_unit_test(a_byte_order_mark_is_no_part_of_the_value),
        cmocka_unit_test(the_tree_nests_as_deep_as_the_reader),
        cmocka_unit_test(what_follows_the_value_is_refused),
        cmocka_unit_test(a_text_cut_short_gives_no_tree),
        cmocka_unit_test(a_flipped_bit_gives_a_tree_or_a_message),
        cmocka_unit_test(whatever_passes_the_reader_becomes_a_tree),
        cmocka_unit_test(members_are_found_by_exact_name),
        cmocka_unit_test(whole_numbers_are_taken_in_their_range),
        cmocka_unit_test(members_of_another_type_are_refused_by_name_and_value),
        cmocka_unit_test(a_long_value_is_cut_between_characters),
        cmocka_unit_test(files_are_read_up_to_the_limit),
        cmocka_unit_test(python_s_numbers_are_read_from_files_of_python),
        cmocka_unit_test(what_python_refuses_is_refused),
        cmocka_unit_test(a_tree_without_memory_is_told_as_that),
        cmocka_unit_test(a_failing_request_leaves_nothing_behind),
        cmocka_unit_test(a_written_string_is_read_back),
        cmocka_unit_test(a_string_is_written_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
