/* test_json_reader.c: the pull reader, on good JSON and on every way to break it. */
#include "core/unit.h"

#include <stdio.h>

#include "core/json.h"

/* Reads `text` as one value with nothing behind it, from a block of exactly its size. */
static oclm_status read_whole(const char *text, size_t length)
{
    char            *copy = exact_copy(text, length);
    core_json_reader reader;
    core_json_kind   kind = CORE_JSON_NULL;
    core_json_reader_init(&reader, copy, length, "a.json");
    oclm_status status = core_json_skip(&reader);
    if (status == OCLM_OK && (status = core_json_peek(&reader, &kind)) == OCLM_OK && kind != CORE_JSON_END)
        status = core_json_error(&reader, "more text follows");
    core_json_reader_deinit(&reader);
    free(copy);
    return status;
}

static void the_grammar_is_rfc_8259(void **state)
{
    static const char *const good[] = {
        "null", "true", "false", "0", "-0", "-1.5e+3", "1E9", "\"\"", "[]", "{}", " [ ] ", "\t{\n}\r", "[1,2]", "[[],{}]",
        "{\"a\":1}", "{\"a\" : [ 1 , {\"b\":null} ] }", "{\"\":0}", "{\"a\":1,\"a\":2}", "\"\x7F\"", "\"\xC3\xA9\xF0\x9F\x98\x80\"",
        "\xEF\xBB\xBF{}", "1e308", "5e-324", "123456789012345678901234567890",
    };
    static const struct {
        const char *text, *message; /* "a.json: byte " goes before it */
    } bad[] = {
        { "", "0: the text ends where a JSON value should follow; it is cut short" },
        { "  ", "2: the text ends" },
        { "nul", "0: 'n' stands where null should" },
        { "nullx", "4: 'x' stands where a JSON value should" },
        { "TRUE", "0: 'T' stands where a JSON value should" },
        { "True", "0: 'T'" },
        { "NaN", "0: 'N'" },
        { "Infinity", "0: 'I'" },
        { "-Infinity", "0: - is a malformed number" },
        { "+1", "0: '+'" },
        { ".5", "0: '.'" },
        { "5.", "0: 5. is a malformed number" },
        { "01", "0: 01 is a malformed number" },
        { "-", "0: - is a malformed number" },
        { "1e", "0: 1e is a malformed number" },
        { "1e+", "0: 1e+ is a malformed number" },
        { "0x10", "1: 'x'" },
        { "1 2", "2: more text follows" },
        { "1e309", "0: 1e309 is too large for a number" },
        { "[1,-1e999]", "3: -1e999 is too large for a number" },
        { "[1 2]", "3: '2' stands where ',' or ']' should" },
        { "[1,]", "3: ']' stands where another element should" },
        { "[,1]", "1: ',' stands where a JSON value should" },
        { "[1,,2]", "3: ','" },
        { "[", "1: the text ends where another element should follow" },
        { "[1", "2: the text ends where ',' or ']' should follow" },
        { "[1}", "2: '}' stands where ',' or ']' should" },
        { "]", "0: ']'" },
        { "{", "1: the text ends" },
        { "{]", "1: ']'" },
        { "{1:2}", "1: '1' stands where a string should" },
        { "{a:1}", "1: 'a' stands where a string should" },
        { "{'a':1}", "1: ''' stands where a string should" },
        { "{\"a\"}", "4: '}' stands where ':' should" },
        { "{\"a\":}", "5: '}' stands where a JSON value should" },
        { "{\"a\":1,}", "7: '}' stands where another element should" },
        { "{\"a\":1 \"b\":2}", "7: '\"' stands where ',' or '}' should" },
        { "{\"a\":1]", "6: ']'" },
        { "// x\n1", "0: '/'" },
        { "[1/**/]", "2: '/'" },
        { "\"a", "2: the text ends where the closing quote of a string should follow" },
        { "\"a\nb\"", "2: control character 0x0A inside a string" },
        { "\"\\", "2: the text ends where the rest of an escape should follow" },
        { "\"\\x41\"", "2: 'x' stands where one of \"\\/bfnrtu after a backslash should" },
        { "\"\\u12\"", "3: '1' stands where four hexadecimal digits" },
        { "\"\\u12g4\"", "3: '1' stands where four hexadecimal digits" },
        { "\"\\uD800\"", "7: \\uD800 is half of a surrogate pair" },
        { "\"\\uDC00\\uD800\"", "7: \\uDC00 is half of a surrogate pair" },
        { "\"\\uD83D\\u0041\"", "13: \\uD83D\\u0041 is no surrogate pair" },
        { "\"\\uD83D\\uDE0", "9: 'D' stands where four hexadecimal digits" },
        { "\"\xFF\"", "1: byte 0xFF is not valid UTF-8" },
        { "\"\xC0\x80\"", "1: byte 0xC0 is not valid UTF-8" },
        { "\"\xED\xA0\x80\"", "1: byte 0xED is not valid UTF-8" },
        { "\"\\n\xE2\x82\"", "3: byte 0xE2 is not valid UTF-8" },
        { "\xEF\xBB\xBF", "3: the text ends" },
        { "\xEF\xBB\xBF\xEF\xBB\xBF{}", "3: byte 0xEF stands where a JSON value should" },
        { "[1\x0B]", "2: byte 0x0B stands where" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (read_whole(good[i], strlen(good[i])) != OCLM_OK)
            fail_msg("%s: %s", good[i], oclm_last_error());
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        const oclm_status status = read_whole(bad[i].text, strlen(bad[i].text));
        char              want[160];
        snprintf(want, sizeof want, "a.json: byte %s", bad[i].message);
        if (status != OCLM_ERR_FORMAT || strncmp(oclm_last_error(), want, strlen(want)) != 0)
            fail_msg("%s: status %d, \"%s\", want \"%s\"", bad[i].text, (int)status, oclm_last_error(), want);
    }
}

static void a_nul_is_no_end_and_no_space(void **state)
{
    static const struct {
        const char *text;
        size_t      length;
        const char *message;
    } bad[] = {
        { "1\0", 2, "byte 1: byte 0x00 stands where" },
        { "\0{}", 3, "byte 0: byte 0x00 stands where" },
        { "[1,\0]", 5, "byte 3: byte 0x00 stands where" },
        { "\"a\0b\"", 5, "byte 2: control character 0x00 inside a string" },
        { "\"\\\0\"", 4, "byte 2: byte 0x00 stands where one of" },
        { "{\"a\"\0:1}", 8, "byte 4: byte 0x00 stands where ':'" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(read_whole(bad[i].text, bad[i].length), OCLM_ERR_FORMAT);
        if (strstr(oclm_last_error(), bad[i].message) == NULL)
            fail_msg("row %zu: \"%s\"", i, oclm_last_error());
    }
}

static void strings_mean_what_they_say(void **state)
{
    static const struct {
        const char *text, *want;
        size_t      length;
    } strings[] = {
        { "\"\"", "", 0 },
        { "\"plain\"", "plain", 5 },
        { "  \"\xE2\x82\xAC\"", "\xE2\x82\xAC", 3 },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8 },
        { "\"a\\u0000b\"", "a\0b", 3 },
        { "\"\\u00e9\\u20AC\"", "\xC3\xA9\xE2\x82\xAC", 5 },
        { "\"\\ud83d\\uDE00\"", "\xF0\x9F\x98\x80", 4 },
        { "\"\\uFFFF\\uD7FF\\uE000\"", "\xEF\xBF\xBF\xED\x9F\xBF\xEE\x80\x80", 9 },
        { "\"x\\ny\\tz\"", "x\ny\tz", 5 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        core_json_reader reader;
        const char      *text;
        size_t           length;
        core_json_reader_init(&reader, strings[i].text, strlen(strings[i].text), "a.json");
        if (core_json_string(&reader, &text, &length) != OCLM_OK)
            fail_msg("%s: %s", strings[i].text, oclm_last_error());
        if (length != strings[i].length || memcmp(text, strings[i].want, length) != 0)
            fail_msg("%s: %zu bytes \"%.*s\"", strings[i].text, length, (int)length, text);
        assert_ptr_equal(reader.p, reader.end);
        if (strchr(strings[i].text, '\\') == NULL) /* no copy: a million entries are read where they lie */
            assert_true(text >= reader.begin && text <= reader.end);
        core_json_reader_deinit(&reader);
    }
}

static void whole_numbers_stay_in_their_range(void **state)
{
    static const struct {
        const char *text;
        int64_t     min, max, value; /* value > max: refused */
        const char *message;
    } numbers[] = {
        { "0", 0, 9, 0, NULL },
        { "-0", 0, 9, 0, NULL },
        { " 9", 0, 9, 9, NULL },
        { "10", 0, 9, 10, "byte 0: 10 is not a whole number from 0 to 9" },
        { "-1", 0, 9, 10, "byte 0: -1 is not a whole number from 0 to 9" },
        { "1.0", 0, 9, 10, "1.0 is not a whole number from 0 to 9" },
        { "1e0", 0, 9, 10, "1e0 is not a whole number" },
        { "9223372036854775807", 0, INT64_MAX, INT64_MAX, NULL },
        { "-9223372036854775808", INT64_MIN, 0, INT64_MIN, NULL },
        { "9223372036854775808", 0, INT64_MAX - 1, INT64_MAX, "9223372036854775808 is not a whole number" },
        { "18446744073709551616", 0, INT64_MAX - 1, INT64_MAX, "18446744073709551616 is not a whole number" },
        { "000000000000000000000000000000000000000000000000000000000000000000000001", 0, 9, 10, "a malformed number" },
        { "1000000000000000000000000000000000000000000000000000000000000000", 0, 9, 10, "a number of 64 characters; at most 63" },
        { "\"1\"", 0, 9, 10, "byte 0: '\"' stands where a number should" },
        { "x", 0, 9, 10, "byte 0: 'x' stands where a number should" },
        { "[1]", 0, 9, 10, "byte 0: '[' stands where a number should" },
        { "", 0, 9, 10, "the text ends where a number should follow" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        core_json_reader reader;
        int64_t          value = 77;
        const bool       good = numbers[i].value <= numbers[i].max;
        core_json_reader_init(&reader, numbers[i].text, strlen(numbers[i].text), "a.json");
        const oclm_status status = core_json_int(&reader, numbers[i].min, numbers[i].max, &value);
        if (status != (good ? OCLM_OK : OCLM_ERR_FORMAT) || value != (good ? numbers[i].value : 77))
            fail_msg("%s: status %d, %lld", numbers[i].text, (int)status, (long long)value);
        if (!good && strstr(oclm_last_error(), numbers[i].message) == NULL)
            fail_msg("%s: \"%s\", want \"%s\"", numbers[i].text, oclm_last_error(), numbers[i].message);
    }
}

static void a_document_is_walked_value_by_value(void **state)
{
    static const char text[] = "{ \"ids\": [1, -2], \"on\":true,\"off\" :false, \"x\": 0.5, \"none\": null, \"t\": {} }";
    core_json_reader  reader;
    core_json_kind    kind;
    const char       *key;
    size_t            length;
    bool              first = true, more, first_id = true, on = false, off = true;
    int64_t           id[2];
    double            x;
    (void)state;
    core_json_reader_init(&reader, text, sizeof text - 1, "a.json");
    assert_int_equal(core_json_enter(&reader, CORE_JSON_OBJECT), OCLM_OK);
    static const struct {
        const char    *key;
        core_json_kind kind;
    } members[] = { { "ids", CORE_JSON_ARRAY }, { "on", CORE_JSON_TRUE }, { "off", CORE_JSON_FALSE }, { "x", CORE_JSON_NUMBER },
                    { "none", CORE_JSON_NULL }, { "t", CORE_JSON_OBJECT } };
    for (size_t i = 0; i < COUNT(members); i++) {
        assert_int_equal(core_json_next(&reader, CORE_JSON_OBJECT, &first, &more), OCLM_OK);
        assert_true(more);
        assert_int_equal(core_json_key(&reader, &key, &length), OCLM_OK);
        assert_int_equal(length, strlen(members[i].key));
        assert_memory_equal(key, members[i].key, length);
        assert_int_equal(core_json_peek(&reader, &kind), OCLM_OK);
        assert_int_equal(kind, members[i].kind);
        switch (i) {
        case 0:
            assert_int_equal(core_json_bool(&reader, &on), OCLM_ERR_FORMAT);
            assert_non_null(strstr(oclm_last_error(), "'[' stands where true or false should"));
            assert_int_equal(core_json_enter(&reader, CORE_JSON_ARRAY), OCLM_OK);
            for (size_t j = 0; j < 2; j++) {
                assert_int_equal(core_json_next(&reader, CORE_JSON_ARRAY, &first_id, &more), OCLM_OK);
                assert_int_equal(core_json_int(&reader, -9, 9, &id[j]), OCLM_OK);
            }
            assert_int_equal(core_json_next(&reader, CORE_JSON_ARRAY, &first_id, &more), OCLM_OK);
            assert_false(more);
            break;
        case 1: assert_int_equal(core_json_bool(&reader, &on), OCLM_OK); break;
        case 2: assert_int_equal(core_json_bool(&reader, &off), OCLM_OK); break;
        case 3: assert_int_equal(core_json_double(&reader, &x), OCLM_OK); break;
        default: assert_int_equal(core_json_skip(&reader), OCLM_OK);
        }
    }
    assert_int_equal(core_json_next(&reader, CORE_JSON_OBJECT, &first, &more), OCLM_OK);
    assert_false(more);
    assert_int_equal(reader.depth, 0);
    assert_int_equal(core_json_peek(&reader, &kind), OCLM_OK);
    assert_int_equal(kind, CORE_JSON_END);
    assert_true(id[0] == 1 && id[1] == -2 && on && !off && x == 0.5);
    core_json_reader_deinit(&reader);
}

static void nesting_ends_at_its_limit(void **state)
{
    enum { DEEP = 1000000 };
    static const struct {
        const char *open, *close;
    } kinds[] = { { "[", "]" }, { "{\"a\":", "}" }, { "[{\"a\":", "}]" } };
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        const size_t each = k == 2 ? 2 : 1;
        for (size_t levels = CORE_JSON_MAX_DEPTH - each; levels <= CORE_JSON_MAX_DEPTH + each; levels += each) {
            core_text text = CORE_TEXT_INIT;
            for (size_t i = 0; i < levels; i += each)
                assert_int_equal(core_text_add_string(&text, kinds[k].open), OCLM_OK);
            assert_int_equal(core_text_add_string(&text, "0"), OCLM_OK);
            for (size_t i = 0; i < levels; i += each)
                assert_int_equal(core_text_add_string(&text, kinds[k].close), OCLM_OK);
            const oclm_status status = read_whole(text.data, text.length);
            if (status != (levels <= CORE_JSON_MAX_DEPTH ? OCLM_OK : OCLM_ERR_FORMAT))
                fail_msg("%zu levels of %s: status %d, %s", levels, kinds[k].open, (int)status, oclm_last_error());
            if (status != OCLM_OK)
                assert_non_null(strstr(oclm_last_error(), "nested deeper than the 128 levels allowed"));
            core_text_free(&text);
        }
    }
    char *deep = malloc(DEEP); /* far more levels than a stack would hold */
    assert_non_null(deep);
    memset(deep, '[', DEEP);
    assert_int_equal(read_whole(deep, DEEP), OCLM_ERR_FORMAT);
    free(deep);
}

static const char document[] =
    "{\"added_tokens\": [{\"id\": 0, \"content\": \"<\\u20ac\\ud83d\\ude00>\", \"special\": true}, null, false],\n"
    " \"model\": {\"type\":\"BPE\", \"vocab\": {\"\xC4\xA0the\": 1, \"a\\\"b\": -2.5e-3}, \"merges\": [[\"a\", \"b\"], []]}}";

static void a_text_cut_short_is_refused_at_each_byte(void **state)
{
    const size_t length = sizeof document - 1;
    (void)state;
    assert_int_equal(read_whole(document, length), OCLM_OK);
    for (size_t part = 0; part < length; part++) {
        if (read_whole(document, part) != OCLM_ERR_FORMAT || strncmp(oclm_last_error(), "a.json: byte ", 13) != 0)
            fail_msg("%zu of %zu bytes: %s", part, length, oclm_last_error());
    }
}

static void a_flipped_bit_is_read_or_refused_with_its_place(void **state)
{
    const size_t length = sizeof document - 1;
    char         text[sizeof document];
    size_t       refused = 0;
    (void)state;
    for (size_t bit = 0; bit < 8 * length; bit++) {
        unsigned place = UINT32_MAX;
        memcpy(text, document, sizeof document);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        const oclm_status status = read_whole(text, length);
        if (status == OCLM_OK)
            continue;
        refused++;
        if (status != OCLM_ERR_FORMAT || sscanf(oclm_last_error(), "a.json: byte %u:", &place) != 1 || place > length)
            fail_msg("bit %zu: status %d, %s", bit, (int)status, oclm_last_error());
    }
    assert_true(refused > 2 * length && refused < 8 * length); /* letters in strings may change, most else may not */
}

static oclm_status skip_escapes(void *user)
{
    const char *text = user;
    return read_whole(text, strlen(text));
}

static void undo_nothing(void *user)
{
    (void)user;
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    char text[] = "[\"\\n\", \"longer than the reader's first scratch memory, behind an escape \\u20ac\", \"no escape\"]";
    (void)state;
    fails_cleanly_at_every_request("strings with escapes", skip_escapes, undo_nothing, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grammar_is_rfc_8259),
        cmocka_unit_test(a_nul_is_no_end_and_no_space),
        cmocka_unit_test(strings_mean_what_they_say),
        cmocka_unit_test(whole_numbers_stay_in_their_range),
        cmocka_unit_test(a_document_is_walked_value_by_value),
        cmocka_unit_test(nesting_ends_at_its_limit),
        cmocka_unit_test(a_text_cut_short_is_refused_at_each_byte),
        cmocka_unit_test(a_flipped_bit_is_read_or_refused_with_its_place),
        cmocka_unit_test(a_failing_request_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
