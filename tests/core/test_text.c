/* test_text.c: the growing string, and numbers as text. */
#include "core/unit.h"

#include <float.h>

#include "core/text.h"

static void pieces_add_up(void **state)
{
    (void)state;
    core_text text = CORE_TEXT_INIT;
    assert_int_equal(core_text_add_string(&text, "one"), OCLM_OK);
    assert_int_equal(core_text_add_char(&text, '\0'), OCLM_OK);
    assert_int_equal(core_text_add(&text, "two!", 3), OCLM_OK);
    assert_int_equal(core_text_add_code_point(&text, 0x20AC), OCLM_OK);
    assert_int_equal(core_text_printf(&text, " %s %d", "three", 4), OCLM_OK);
    assert_int_equal(text.length, 3 + 1 + 3 + 3 + 8);
    assert_memory_equal(text.data, "one\0two\xE2\x82\xAC three 4", text.length + 1);
    core_text_clear(&text);
    assert_int_equal(text.length, 0);
    assert_string_equal(text.data, "");
    core_text_free(&text);
    assert_null(text.data);
    core_text_free(&text);
}

static void a_long_text_grows_without_loss(void **state)
{
    (void)state;
    core_text text = CORE_TEXT_INIT;
    for (int i = 0; i < 20000; i++)
        assert_int_equal(core_text_printf(&text, "%05d", i), OCLM_OK);
    assert_int_equal(text.length, 100000);
    assert_memory_equal(text.data + 5 * 12345, "12345", 5);
    assert_int_equal(strlen(text.data), 100000);
    core_text_free(&text);
}

static void nothing_passes_the_limit(void **state)
{
    (void)state;
    core_text text = { NULL, 0, 0, 5 };
    assert_int_equal(core_text_add_string(&text, "12345"), OCLM_OK);
    assert_int_equal(core_text_add_char(&text, '6'), OCLM_ERR_CAPACITY);
    assert_non_null(strstr(oclm_last_error(), "6 bytes"));
    assert_int_equal(core_text_printf(&text, "%d", 6), OCLM_ERR_CAPACITY);
    assert_int_equal(core_utf8_add_lossy(&text, "6", 1), OCLM_ERR_CAPACITY);
    assert_int_equal(core_text_reserve(&text, SIZE_MAX), OCLM_ERR_MEMORY);
    assert_int_equal(core_text_reserve(&text, SIZE_MAX - 5), OCLM_ERR_MEMORY);
    assert_string_equal(text.data, "12345");
    core_text_free(&text);
}

static void a_failing_request_leaves_the_text(void **state)
{
    (void)state;
    core_text text = CORE_TEXT_INIT;
    char      much[5000];
    memset(much, 'x', sizeof much);
    assert_int_equal(core_text_add_string(&text, "before"), OCLM_OK);
    core_memory_fail_at(1, false);
    assert_int_equal(core_text_add(&text, much, sizeof much), OCLM_ERR_MEMORY);
    assert_string_equal(text.data, "before");
    assert_int_equal(text.length, 6);
    core_text_free(&text);
    core_memory_fail_at(1, false);
    assert_null(core_text_take(&text, NULL));
}

static void the_memory_can_be_taken(void **state)
{
    (void)state;
    core_text text = CORE_TEXT_INIT;
    size_t    length = 99;
    char     *taken = core_text_take(&text, &length);
    assert_string_equal(taken, "");
    assert_int_equal(length, 0);
    core_free(taken);
    assert_int_equal(core_text_add_string(&text, "mine"), OCLM_OK);
    taken = core_text_take(&text, &length);
    assert_string_equal(taken, "mine");
    assert_int_equal(length, 4);
    assert_null(text.data);
    core_free(taken);
}

static void sizes_read_well(void **state)
{
    static const struct {
        uint64_t    bytes;
        const char *text;
    } sizes[] = {
        { 0, "0 bytes" }, { 1, "1 byte" }, { 345, "345 bytes" }, { 1023, "1023 bytes" }, { 1024, "1 KiB" }, { 1536, "1.5 KiB" },
        { 10240, "10 KiB" }, { 24u * 1024 - 200, "23.8 KiB" }, { 102300, "99.9 KiB" }, { 102400, "100 KiB" }, { 102900, "100 KiB" }, { 12u << 20, "12 MiB" }, { (uint64_t)3 << 29, "1.5 GiB" }, { (uint64_t)1 << 40, "1 TiB" },
        { UINT64_MAX, "15.9 EiB" }, { ((uint64_t)1 << 30) - 1, "1023 MiB" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char buffer[32];
        assert_string_equal(core_format_bytes(sizes[i].bytes, buffer), sizes[i].text);
    }
}

static void whole_numbers_are_read_whole(void **state)
{
    static const struct {
        const char *text;
        bool        is_u64, is_i64;
        uint64_t    u64;
        int64_t     i64;
    } numbers[] = {
        { "0", true, true, 0, 0 },
        { "007", true, true, 7, 7 },
        { "-1", false, true, 0, -1 },
        { "9223372036854775807", true, true, INT64_MAX, INT64_MAX },
        { "9223372036854775808", true, false, (uint64_t)INT64_MAX + 1, 0 },
        { "-9223372036854775808", false, true, 0, INT64_MIN },
        { "-9223372036854775809", false, false, 0, 0 },
        { "18446744073709551615", true, false, UINT64_MAX, 0 },
        { "18446744073709551616", false, false, 0, 0 },
        { "99999999999999999999999", false, false, 0, 0 },
        { "", false, false, 0, 0 }, { "-", false, false, 0, 0 }, { "--1", false, false, 0, 0 }, { "+1", false, false, 0, 0 },
        { " 1", false, false, 0, 0 }, { "1 ", false, false, 0, 0 }, { "0x10", false, false, 0, 0 }, { "1.0", false, false, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint64_t u64 = 0;
        int64_t  i64 = 0;
        if (core_parse_u64(numbers[i].text, &u64) != numbers[i].is_u64 || u64 != numbers[i].u64)
            fail_msg("\"%s\" as unsigned", numbers[i].text);
        if (core_parse_i64(numbers[i].text, &i64) != numbers[i].is_i64 || i64 != numbers[i].i64)
            fail_msg("\"%s\" as signed", numbers[i].text);
    }
}

static void decimal_numbers_are_read_exactly(void **state)
{
    static const struct {
        const char *text;
        double      value;
    } good[] = {
        { "0", 0.0 }, { "1", 1.0 }, { "-1.5", -1.5 }, { "+2", 2.0 }, { ".5", 0.5 }, { "5.", 5.0 }, { "1e3", 1000.0 },
        { "1E-2", 0x1.47ae147ae147bp-7 }, { "0.1", 0x1.999999999999ap-4 }, { "9007199254740993", 9007199254740992.0 },
        { "9007199254740993.00000000000000000001", 9007199254740994.0 }, { "1.7976931348623157e308", DBL_MAX },
        { "5e-324", 0x1p-1074 }, { "2.2250738585072011e-308", 0x0.fffffffffffffp-1022 }, { "1e-400", 0.0 },
        { "1e-5", 0x1.4f8b588e368f1p-17 }, { "500000.0", 500000.0 }, { "1000000000000000019884624838656", 0x1.93e5939a08ceap+99 },
    };
    static const char *const bad[] = { "", "-", ".", "e5", "1e", "1e+", "inf", "-inf", "nan", "0x10", "0x1p3", "1,5", " 1", "1 ",
                                       "1.5.2", "1e309", "-1e400", "--1" };
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        double value = 123.0;
        if (!core_parse_double(good[i].text, &value) || value != good[i].value)
            fail_msg("\"%s\": %a, want %a", good[i].text, value, good[i].value);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        double value = 123.0;
        if (core_parse_double(bad[i], &value) || value != 123.0)
            fail_msg("\"%s\" was read as %g", bad[i], value);
    }
}

static void a_list_has_whole_words_only(void **state)
{
    (void)state;
    assert_true(core_has_word("cl_khr_fp16", "cl_khr_fp16"));
    assert_true(core_has_word("  a cl_khr_fp16_x cl_khr_fp16 ", "cl_khr_fp16"));
    assert_false(core_has_word("cl_khr_fp16_x acl_khr_fp16", "cl_khr_fp16"));
    assert_false(core_has_word("", "a"));
    assert_false(core_has_word("   ", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_add_up),
        cmocka_unit_test(a_long_text_grows_without_loss),
        cmocka_unit_test(nothing_passes_the_limit),
        cmocka_unit_test(a_failing_request_leaves_the_text),
        cmocka_unit_test(the_memory_can_be_taken),
        cmocka_unit_test(sizes_read_well),
        cmocka_unit_test(whole_numbers_are_read_whole),
        cmocka_unit_test(decimal_numbers_are_read_exactly),
        cmocka_unit_test(a_list_has_whole_words_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
