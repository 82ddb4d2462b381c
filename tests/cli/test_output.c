/* test_output.c: JSON as it is written, exit statuses, sizes for people. */
#include "cli/capture.h"

#include <cjson/cJSON.h>
#include <float.h>
#include <math.h>

static char  *written;
static size_t written_length;

static cli_json begin(void)
{
    FILE *out = open_memstream(&written, &written_length);
    assert_non_null(out);
    return cli_json_begin(out);
}

static const char *end(cli_json *json)
{
    cli_json_end(json);
    assert_int_equal(fclose(json->out), 0);
    return written;
}

static void values_commas_and_brackets_stand_where_they_should(void **state)
{
    const int32_t ids[] = { 0, -1, INT32_MAX };
    cli_json      json = begin();
    (void)state;
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "a", "x");
    cli_json_text(&json, "b", NULL);
    cli_json_open(&json, "c", '[');
    cli_json_open(&json, NULL, '{');
    cli_json_close(&json, '}');
    cli_json_open(&json, NULL, '[');
    cli_json_close(&json, ']');
    cli_json_bool(&json, NULL, true);
    cli_json_close(&json, ']');
    cli_json_bool(&json, "d", false);
    cli_json_uint(&json, "e", UINT64_MAX);
    cli_json_ids(&json, "f", ids, COUNT(ids));
    cli_json_ids(&json, "g", ids, 0);
    cli_json_close(&json, '}');
    assert_string_equal(end(&json), "{\"a\": \"x\", \"b\": null, \"c\": [{}, [], true], \"d\": false, \"e\": 18446744073709551615, "
                                    "\"f\": [0, -1, 2147483647], \"g\": []}\n");
    free(written);
}

#define FFFD "\xEF\xBF\xBD"
static const struct { const char *label, *text; size_t length; const char *want; } strings[] = {
    { "quotes and backslashes", "\"\\/", 3, "\"\\\"\\\\/\"" },
    { "line ends and tabs", "\n\r\t", 3, "\"\\n\\u000d\\u0009\"" },
    { "controls", "\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"" },
    { "every length of UTF-8", "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10, "\"a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"" },
    { "the last code point", "\xF4\x8F\xBF\xBF", 4, "\"\xF4\x8F\xBF\xBF\"" },
    { "a byte that starts nothing", "\xff", 1, "\"" FFFD "\"" },
    { "a continuation alone", "a\x80z", 3, "\"a" FFFD "z\"" },
    { "cut short", "\xE2\x82", 2, "\"" FFFD FFFD "\"" },
    { "overlong", "\xC0\xAF", 2, "\"" FFFD FFFD "\"" },
    { "overlong, three bytes", "\xE0\x80\xAF", 3, "\"" FFFD FFFD FFFD "\"" },
    { "a surrogate", "\xED\xA0\x80", 3, "\"" FFFD FFFD FFFD "\"" },
    { "beyond the last", "\xF4\x90\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\"" },
    { "nothing", "", 0, "\"\"" },
};

static void strings_are_valid_whatever_they_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        char    *text = exact_copy(strings[i].text, strings[i].length);
        cli_json json = begin();
        char     want[128];
        cli_json_string(&json, NULL, text, strings[i].length);
        snprintf(want, sizeof want, "%s\n", strings[i].want);
        if (strcmp(end(&json), want) != 0)
            fail_msg("%s: %s, want %s", strings[i].label, written, want);
        free(written);
        free(text);
    }
}

/* 9 significant digits name a float32: reading them gives the same bits. */
static void a_float32_survives_the_way_through_text(void **state)
{
    static const float values[] = { 0.0f, 1.0f, -1.0f / 3.0f, 16777217.0f, FLT_MAX, -FLT_MAX, FLT_MIN, 1e-45f, 3.14159274f, -17.8431244f };
    uint32_t           bits = 1;
    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        float    value, read;
        cli_json json;
        bits = bits * 1664525u + 1013904223u;
        memcpy(&value, &bits, sizeof value);
        if (i < COUNT(values))
            value = values[i];
        json = begin();
        cli_json_number(&json, NULL, (double)value);
        read = strtof(end(&json), NULL);
        if (!isfinite(value) ? strcmp(written, "null\n") != 0 : read != value)
            fail_msg("%.9g was written as %s", (double)value, written);
        free(written);
    }
}

static void what_json_cannot_say_is_null(void **state)
{
    cli_json json = begin();
    (void)state;
    cli_json_open(&json, NULL, '[');
    cli_json_number(&json, NULL, (double)NAN);
    cli_json_number(&json, NULL, (double)INFINITY);
    cli_json_number(&json, NULL, -(double)INFINITY);
    cli_json_close(&json, ']');
    assert_string_equal(end(&json), "[null, null, null]\n");
    free(written);
}

static const struct { oclm_status status; int want; } statuses[] = {
    { OCLM_OK, 0 }, { OCLM_ERR_INTERNAL, 1 }, { OCLM_ERR_UNSUPPORTED, 1 }, { OCLM_ERR_IO, 1 }, { OCLM_ERR_HUB, 3 }, { OCLM_ERR_ACCESS, 3 }, { OCLM_ERR_ARGUMENT, 2 },
    { OCLM_ERR_CAPACITY, 2 }, { OCLM_ERR_NOT_FOUND, 3 }, { OCLM_ERR_MEMORY, 4 }, { OCLM_ERR_DEVICE_MEMORY, 4 }, { OCLM_ERR_NO_DEVICE, 5 },
    { OCLM_ERR_DEVICE, 5 }, { OCLM_ERR_FORMAT, 6 }, { OCLM_ERR_CANCELLED, 130 },
};

static void every_status_has_its_exit_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (cli_exit_status(statuses[i].status) != statuses[i].want)
            fail_msg("%s: %d, want %d", oclm_status_name(statuses[i].status), cli_exit_status(statuses[i].status), statuses[i].want);
}

static void messages_are_one_line_with_the_commands_name(void **state)
{
    capture c;
    (void)state;
    capture_begin(&c);
    assert_int_equal(cli_fail(EXIT_FORMAT, "%s at %d", "broken", 7), EXIT_FORMAT);
    capture_end(&c);
    assert_string_equal(c.text, "oclm: broken at 7\n");
}

static const struct { uint64_t bytes; const char *want; } sizes[] = {
    { 0, "0 bytes" }, { 1023, "1023 bytes" }, { 1024, "1.0 KiB" }, { 1536, "1.5 KiB" }, { 150u << 10, "150 KiB" }, { (uint64_t)3 << 30, "3.0 GiB" },
    { (uint64_t)5 << 40, "5.0 TiB" }, { UINT64_MAX, "16777216 TiB" },
};

static void sizes_are_told_in_units_of_1024(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char buffer[32];
        assert_string_equal(cli_format_bytes(sizes[i].bytes, buffer), sizes[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_commas_and_brackets_stand_where_they_should),
        cmocka_unit_test(strings_are_valid_whatever_they_hold),
        cmocka_unit_test(a_float32_survives_the_way_through_text),
        cmocka_unit_test(what_json_cannot_say_is_null),
        cmocka_unit_test(every_status_has_its_exit_status),
        cmocka_unit_test(messages_are_one_line_with_the_commands_name),
        cmocka_unit_test(sizes_are_told_in_units_of_1024),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
