/* test_input.c: ids, texts and lines as they are given. */
#include "cli/capture.h"

static char folder[SCRATCH_PATH];

static const struct { const char *label, *text; size_t count; int32_t ids[4]; } good_ids[] = {
    { "commas", "1,2,3", 3, { 1, 2, 3 } },
    { "one", "7", 1, { 7 } },
    { "none", "", 0, { 0 } },
    { "only what stands between", " [] , \n", 0, { 0 } },
    { "as JSON writes them", "[1, 2, 3]\n", 3, { 1, 2, 3 } },
    { "spaces and line ends", "1 2\r\n3\t4", 4, { 1, 2, 3, 4 } },
    { "negative ones are for the library to refuse", "-1", 1, { -1 } },
    { "the largest and the smallest", "2147483647,-2147483648", 2, { INT32_MAX, INT32_MIN } },
    { "leading zeros", "007", 1, { 7 } },
};

static void ids_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_ids); i++) {
        int32_t *ids;
        size_t   count;
        if (cli_parse_ids("ids", good_ids[i].text, &ids, &count) != EXIT_OK || count != good_ids[i].count ||
            memcmp(ids, good_ids[i].ids, count * sizeof *ids) != 0)
            fail_msg("%s: \"%s\"", good_ids[i].label, good_ids[i].text);
        free(ids);
    }
}

static const struct { const char *text, *shown; } bad_ids[] = {
    { "1,x,3", "\"x\"" }, { "1.5", "\"1.5\"" }, { "1;2", "\"1;2\"" }, { "0x10", "\"0x10\"" }, { "2147483648", "\"2147483648\"" },
    { "-2147483649", "\"-2147483649\"" }, { "99999999999999999999", "\"99999999999999999999\"" }, { "--1", "\"--1\"" }, { "1,{2}", "\"{2}\"" },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"" }, /* 40 of them */
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xC3\xA9\xC3\xA9", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"" }, /* whole characters */
};

static void what_is_no_id_is_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_ids); i++) {
        int32_t *ids;
        size_t   count;
        capture  c;
        int      result;
        capture_begin(&c);
        result = cli_parse_ids("input-ids", bad_ids[i].text, &ids, &count);
        capture_end(&c);
        if (result != EXIT_USAGE || ids || !strstr(c.text, bad_ids[i].shown) || !strstr(c.text, "--input-ids") || !strstr(c.text, "1,2,3"))
            fail_msg("\"%s\": %d, \"%s\"", bad_ids[i].text, result, c.text);
    }
}

static const struct { const char *input; const char *lines[4]; } line_inputs[] = {
    { "", { NULL } }, { "a", { "a" } }, { "a\n", { "a" } }, { "a\nb", { "a", "b" } }, { "\n\n", { "", "" } }, { "a\r\n", { "a\r" } },
};

static void lines_come_one_by_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(line_inputs); i++) {
        char  *line = NULL;
        size_t capacity = 0, length, n = 0;
        feed_stdin(folder, line_inputs[i].input, strlen(line_inputs[i].input));
        while (cli_read_line(&line, &capacity, &length) == EXIT_OK && line) {
            assert_non_null(line_inputs[i].lines[n]);
            assert_string_equal(line, line_inputs[i].lines[n]);
            assert_int_equal(length, strlen(line));
            n++;
        }
        assert_null(line_inputs[i].lines[n]);
        assert_null(line);
    }
}

static void standard_input_comes_whole(void **state)
{
    static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 300000 };
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char  *data = malloc(sizes[i] + 1), *text;
        size_t length;
        for (size_t b = 0; b < sizes[i]; b++)
            data[b] = (char)(unsigned char)(b * 7); /* zeros too */
        feed_stdin(folder, data, sizes[i]);
        assert_int_equal(cli_read_text("-", &text, &length), EXIT_OK);
        assert_int_equal(length, sizes[i]);
        assert_memory_equal(text, data, length);
        assert_int_equal(text[length], 0);
        free(text);
        free(data);
    }
}

static void a_text_is_copied(void **state)
{
    char  *text;
    size_t length;
    (void)state;
    assert_int_equal(cli_read_text("- not standard input", &text, &length), EXIT_OK);
    assert_string_equal(text, "- not standard input");
    assert_int_equal(length, 20);
    free(text);
}

static int make_folder(void **state)
{
    (void)state;
    scratch_make(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    scratch_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_read),
        cmocka_unit_test(what_is_no_id_is_shown),
        cmocka_unit_test(lines_come_one_by_one),
        cmocka_unit_test(standard_input_comes_whole),
        cmocka_unit_test(a_text_is_copied),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
