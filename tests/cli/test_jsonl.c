/* test_jsonl.c: a line of JSON: its text, byte for byte, or its ids. */
#include "cli/capture.h"

static const struct { const char *label, *line, *text; size_t length; } texts[] = {
    { "plain", "{\"text\": \"Once\"}", "Once", 4 },
    { "empty", "{\"text\": \"\"}", "", 0 },
    { "other keys around", " {\"id\": 1, \"text\": \"a\", \"more\": [\"text\"]} \r", "a", 1 },
    { "escapes", "{\"text\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t", 8 },
    { "a code point in an escape", "{\"text\": \"\\u00e9\\u20AC\"}", "\xC3\xA9\xE2\x82\xAC", 5 },
    { "a surrogate pair", "{\"text\": \"\\ud83d\\ude00\"}", "\xF0\x9F\x98\x80", 4 },
    { "U+0000 between", "{\"text\": \"a\\u0000b\\u0000\"}", "a\0b\0", 4 },
    { "only U+0000", "{\"text\": \"\\u0000\"}", "\0", 1 },
    { "an escaped backslash before u0000", "{\"text\": \"\\\\u0000\"}", "\\u0000", 6 },
    { "U+10FFFF itself", "{\"text\": \"\xF4\x8F\xBF\xBF\\udbff\\udfff\"}", "\xF4\x8F\xBF\xBF\xF4\x8F\xBF\xBF", 8 },
};

static void a_text_comes_byte_for_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char     *line = exact_copy(texts[i].line, strlen(texts[i].line) + 1);
        cli_texts got;
        if (cli_jsonl_texts(line, strlen(line), 1, &got) != EXIT_OK || got.count != 1 || got.list || got.pairs ||
            got.texts[0].length != texts[i].length || memcmp(got.texts[0].text, texts[i].text, texts[i].length) != 0)
            fail_msg("%s: %s", texts[i].label, texts[i].line);
        cli_texts_free(&got);
        free(line);
    }
}

static const struct { const char *label, *line; size_t count; bool list; const char *texts[3], *pairs[3]; } lists[] = {
    { "a list", "{\"text\": [\"a\", \"\", \"b\\u0000\"]}", 3, true, { "a", "", "b" }, { NULL } },
    { "a pair", "{\"text_pair\": \"b\", \"text\": \"a\"}", 1, false, { "a" }, { "b" } },
    { "lists of both", "{\"text\": [\"a\", \"b\"], \"text_pair\": [\"\", \"d\"]}", 2, true, { "a", "b" }, { "", "d" } },
    { "a pair that is none", "{\"text\": [\"a\"], \"text_pair\": null}", 1, true, { "a" }, { NULL } },
};

static void lists_and_pairs_come_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        cli_texts got;
        bool      same = cli_jsonl_texts(lists[i].line, strlen(lists[i].line), 1, &got) == EXIT_OK && got.count == lists[i].count &&
                    got.list == lists[i].list;
        for (size_t k = 0; same && k < got.count; k++) {
            const char *pair = lists[i].pairs[k];
            same = strcmp(got.texts[k].text, lists[i].texts[k]) == 0 && (got.texts[k].pair != NULL) == (pair != NULL) &&
                   (!pair || strcmp(got.texts[k].pair, pair) == 0);
        }
        if (!same)
            fail_msg("%s: %s", lists[i].label, lists[i].line);
        cli_texts_free(&got);
    }
}

#define LINE(text) text, sizeof text - 1
static const struct { const char *label, *line; size_t length; const char *says; } bad[] = {
    { "no JSON", LINE("Once"), "no JSON" },
    { "an empty line", LINE(""), "no JSON" },
    { "cut short", LINE("{\"text\": \"a"), "no JSON" },
    { "something after the end", LINE("{\"text\": \"a\"} x"), "no JSON" },
    { "two objects", LINE("{\"text\": \"a\"}{\"text\": \"b\"}"), "no JSON" },
    { "half a surrogate pair", LINE("{\"text\": \"\\ud83d\"}"), "no JSON" },
    { "a zero byte", LINE("{\"text\": \"a\"}\0{"), "zero byte" },
    { "a list", LINE("[\"text\"]"), "\"text\"" },
    { "a text alone", LINE("\"text\""), "\"text\"" },
    { "another key", LINE("{\"Text\": \"a\"}"), "\"text\"" },
    { "a number", LINE("{\"text\": 1}"), "no string" },
    { "nothing", LINE("{\"text\": null}"), "no string" },
    { "an empty list", LINE("{\"text\": []}"), "empty" },
    { "a number in a list", LINE("{\"text\": [\"a\", 1]}"), "no string" },
    { "a list in a list", LINE("{\"text\": [[\"a\"]]}"), "no string" },
    { "one pair for a list", LINE("{\"text\": [\"a\"], \"text_pair\": \"b\"}"), "one is a list" },
    { "fewer pairs", LINE("{\"text\": [\"a\", \"b\"], \"text_pair\": [\"c\"]}"), "different lengths" },
    { "more pairs", LINE("{\"text\": [\"a\"], \"text_pair\": [\"c\", \"d\"]}"), "different lengths" },
};

static void a_bad_line_is_told_by_its_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char     *line = exact_copy(bad[i].line, bad[i].length + 1);
        cli_texts texts_of_it;
        capture   c;
        int       result;
        capture_begin(&c);
        result = cli_jsonl_texts(line, bad[i].length, 17, &texts_of_it);
        capture_end(&c);
        if (result != EXIT_USAGE || !strstr(c.text, "line 17 ") || !strstr(c.text, bad[i].says))
            fail_msg("%s: %d, \"%s\"", bad[i].label, result, c.text);
        free(line);
    }
}

/* Truncated at each byte, and with each bit flipped: whatever is said, nothing is read that is not there. */
static void damaged_lines_are_survived(void **state)
{
    static const char line[] = "{\"text\": [\"a\\u0000\\ud83d\\ude00\\n\"], \"ids\": [1, -2, 3.5], \"text_pair\": [\"b\"]}";
    (void)state;
    for (size_t i = 0; i < 9 * (sizeof line - 1); i++) {
        const size_t at = i / 9, length = i % 9 == 8 ? at : sizeof line - 1;
        char        *copy = exact_copy(line, length + 1);
        cli_texts    found;
        int32_t     *ids = NULL;
        size_t       count;
        capture      c;
        copy[length] = '\0';
        if (i % 9 < 8)
            copy[at] = (char)(copy[at] ^ (1 << (i % 9)));
        capture_begin(&c);
        if (cli_jsonl_texts(copy, length, 1, &found) == EXIT_OK)
            cli_texts_free(&found);
        if (cli_jsonl_ids(copy, length, 1, &ids, &count) == EXIT_OK)
            free(ids);
        capture_end(&c);
        free(copy);
    }
}

static const struct { const char *label, *line; int result; size_t count; int32_t ids[3]; const char *says; } id_lines[] = {
    { "ids", "{\"ids\": [1, 2, 3]}", EXIT_OK, 3, { 1, 2, 3 }, "" },
    { "none", "{\"ids\": []}", EXIT_OK, 0, { 0 }, "" },
    { "the largest", "{\"ids\": [2147483647]}", EXIT_OK, 1, { INT32_MAX }, "" },
    { "beyond the largest", "{\"ids\": [1, 2147483648]}", EXIT_USAGE, 0, { 0 }, "entry 1 " },
    { "a fraction", "{\"ids\": [1.5]}", EXIT_USAGE, 0, { 0 }, "entry 0 " },
    { "not a number", "{\"ids\": [\"1\"]}", EXIT_USAGE, 0, { 0 }, "entry 0 " },
    { "beyond all", "{\"ids\": [1e999]}", EXIT_USAGE, 0, { 0 }, "entry 0 " },
    { "no list", "{\"ids\": {\"0\": 1}}", EXIT_USAGE, 0, { 0 }, "no list" },
    { "a text", "{\"ids\": \"1,2\"}", EXIT_USAGE, 0, { 0 }, "no list" },
};

static void ids_come_as_they_stand(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(id_lines); i++) {
        int32_t *ids;
        size_t   count;
        capture  c;
        int      result;
        capture_begin(&c);
        result = cli_jsonl_ids(id_lines[i].line, strlen(id_lines[i].line), 3, &ids, &count);
        capture_end(&c);
        if (result != id_lines[i].result || !strstr(c.text, id_lines[i].says) ||
            (result == EXIT_OK && (count != id_lines[i].count || memcmp(ids, id_lines[i].ids, count * sizeof *ids) != 0)))
            fail_msg("%s: %d, \"%s\"", id_lines[i].label, result, c.text);
        if (result == EXIT_OK)
            free(ids);
        else
            assert_null(ids);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_comes_byte_for_byte),
        cmocka_unit_test(lists_and_pairs_come_in_order),
        cmocka_unit_test(a_bad_line_is_told_by_its_number),
        cmocka_unit_test(damaged_lines_are_survived),
        cmocka_unit_test(ids_come_as_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
