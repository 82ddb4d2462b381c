/* test_utf8.c: UTF-8 as text.c reads and writes it, against the definition. */
#include "core/unit.h"

#include "core/text.h"

/* The definition, by arithmetic: the length that the lead announces, then no overlong form, no surrogate, nothing above
 * U+10FFFF. 0 if it is no character. */
static size_t reference_read(const unsigned char *p, size_t available, uint32_t *code_point)
{
    static const uint32_t smallest[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t   length;
    uint32_t value;
    if (available == 0)
        return 0;
    if (p[0] < 0x80) {
        *code_point = p[0];
        return 1;
    }
    if ((p[0] & 0xE0) == 0xC0)
        length = 2, value = p[0] & 0x1F;
    else if ((p[0] & 0xF0) == 0xE0)
        length = 3, value = p[0] & 0x0F;
    else if ((p[0] & 0xF8) == 0xF0)
        length = 4, value = p[0] & 0x07;
    else
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (i >= available || (p[i] & 0xC0) != 0x80)
            return 0;
        value = value * 64 + (p[i] & 0x3F);
    }
    if (value < smallest[length] || (value >= 0xD800 && value <= 0xDFFF) || value > 0x10FFFF)
        return 0;
    *code_point = value;
    return length;
}

static void every_code_point_survives_writing_and_reading(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point++) {
        char         bytes[4];
        uint32_t     back = UINT32_MAX;
        const size_t length = core_utf8_write(code_point, bytes);
        const size_t read = core_utf8_read(bytes, bytes + length, &back);
        if (code_point >= 0xD800 && code_point <= 0xDFFF) {
            if (read != 0)
                fail_msg("the surrogate U+%04X was read", (unsigned)code_point);
        } else if (read != length || back != code_point) {
            fail_msg("U+%04X was read as U+%04X of %zu bytes", (unsigned)code_point, (unsigned)back, read);
        }
        for (size_t part = 0; part < length; part++) {
            if (core_utf8_read(bytes, bytes + part, &back) != 0)
                fail_msg("U+%04X was read from %zu of its bytes", (unsigned)code_point, part);
        }
    }
}

static void check_bytes(const unsigned char *bytes, size_t length)
{
    uint32_t     want = 0, got = 0;
    const size_t want_length = reference_read(bytes, length, &want);
    const size_t got_length = core_utf8_read((const char *)bytes, (const char *)bytes + length, &got);
    if (want_length != got_length || want != got)
        fail_msg("%02X %02X %02X %02X: U+%04X of %zu bytes, want U+%04X of %zu", bytes[0], bytes[1], bytes[2], bytes[3],
                 (unsigned)got, got_length, (unsigned)want, want_length);
}

static void every_start_of_bytes_is_read_as_the_definition_says(void **state)
{
    (void)state;
    for (uint32_t start = 0; start <= 0xFFFFFF; start++) {
        const unsigned char bytes[4] = { (unsigned char)(start >> 16), (unsigned char)(start >> 8), (unsigned char)start, 0 };
        if (bytes[0] < 0x7F && (bytes[1] > 0 || bytes[2] > 0))
            continue; /* all alike */
        check_bytes(bytes, 3);
        if (bytes[0] < 0xF0)
            continue;
        for (uint32_t last = 0x7F; last <= 0xC0; last += (last == 0x80 ? 0x3F : 1)) {
            const unsigned char four[4] = { bytes[0], bytes[1], bytes[2], (unsigned char)last };
            check_bytes(four, 4);
        }
    }
}

/* Expected values from Python's bytes.decode("utf-8", "replace"); '#' stands for U+FFFD here. */
static const struct {
    const char *bytes, *lossy;
    size_t      first_bad;
} broken[] = {
    { "", "", SIZE_MAX },
    { "plain", "plain", SIZE_MAX },
    { "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", SIZE_MAX },
    { "a\xC2", "a#", 1 },
    { "\xE2\x82", "#", 0 },
    { "\xE2\x82x", "#x", 0 },
    { "\xF0\x9F\x98", "#", 0 },
    { "\xF0\x9F\x98\xE2\x82\xAC", "#\xE2\x82\xAC", 0 },
    { "\xC0\xAF", "##", 0 },
    { "ok\xE0\x80\xAF", "ok###", 2 },
    { "\xED\xA0\x80", "###", 0 },
    { "\xF4\x90\x80\x80", "####", 0 },
    { "\xF5\x80", "##", 0 },
    { "\x80\x80", "##", 0 },
    { "\xFF", "#", 0 },
    { "\xF0\x80\x80\x80", "####", 0 },
    { "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF" "A", "####A", 0 },
    { "\xC2\xC3\xA9", "#\xC3\xA9", 0 },
    { "\xF0\x9F\xC3\xA9", "#\xC3\xA9", 0 },
};

static void broken_bytes_are_found_and_replaced(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(broken); i++) {
        const size_t length = strlen(broken[i].bytes);
        char *const  bytes = exact_copy(broken[i].bytes, length);
        core_text    lossy = CORE_TEXT_INIT, shown = CORE_TEXT_INIT;
        const size_t bad = core_utf8_check(bytes, length);
        assert_int_equal(core_utf8_add_lossy(&lossy, bytes, length), OCLM_OK);
        for (const char *p = lossy.data; p < lossy.data + lossy.length;) { /* U+FFFD as '#' */
            const bool replaced = lossy.data + lossy.length - p >= 3 && memcmp(p, "\xEF\xBF\xBD", 3) == 0;
            assert_int_equal(core_text_add_char(&shown, replaced ? '#' : *p), OCLM_OK);
            p += replaced ? 3 : 1;
        }
        if (bad != broken[i].first_bad || (shown.length > 0 && strcmp(shown.data, broken[i].lossy) != 0) ||
            shown.length != strlen(broken[i].lossy))
            fail_msg("case %zu: \"%s\", first bad at %zu; want \"%s\", %zu", i, shown.length > 0 ? shown.data : "", bad,
                     broken[i].lossy, broken[i].first_bad);
        free(bytes);
        core_text_free(&lossy);
        core_text_free(&shown);
    }
}

static void a_failing_request_adds_nothing_lossy(void **state)
{
    (void)state;
    core_text text = { NULL, 0, 0, 9 };
    assert_int_equal(core_text_add_string(&text, "ok"), OCLM_OK);
    assert_int_equal(core_utf8_add_lossy(&text, "a\xFF\xFF\xFF", 4), OCLM_ERR_CAPACITY);
    assert_string_equal(text.data, "ok");
    core_text_free(&text);
}

static void half_a_character_at_the_end_is_counted(void **state)
{
    static const struct {
        const char *bytes;
        size_t      tail;
    } tails[] = {
        { "", 0 }, { "a", 0 }, { "\xC3", 1 }, { "\xC3\xA9", 0 }, { "a\xE2", 1 }, { "a\xE2\x82", 2 }, { "a\xE2\x82\xAC", 0 },
        { "\xF0", 1 }, { "\xF0\x9F", 2 }, { "\xF0\x9F\x98", 3 }, { "\xF0\x9F\x98\x80", 0 }, { "\x80", 0 }, { "\x80\x80\x80", 0 },
        { "\xE0\x80", 0 }, { "\xED\xA0", 0 }, { "\xF4\x90", 0 }, { "\xFF", 0 }, { "\xC0", 0 }, { "\xF5", 0 }, { "\xE2\xE2", 1 },
        { "\xF0\x9F\x41", 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(tails); i++) {
        const size_t length = strlen(tails[i].bytes);
        char *const  bytes = exact_copy(tails[i].bytes, length);
        const size_t got = core_utf8_incomplete_tail(bytes, length);
        free(bytes);
        if (got != tails[i].tail)
            fail_msg("case %zu: %zu bytes, want %zu", i, got, tails[i].tail);
    }
}

static void a_text_is_cut_between_characters(void **state)
{
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"; /* characters begin at 0, 1, 3, 6, 10, and 11 is the end */
    static const size_t want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11 };
    (void)state;
    for (size_t limit = 0; limit < COUNT(want); limit++)
        assert_int_equal(core_utf8_cut(text, sizeof text - 1, limit), want[limit]);
    assert_int_equal(core_utf8_cut("", 0, 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_survives_writing_and_reading),
        cmocka_unit_test(every_start_of_bytes_is_read_as_the_definition_says),
        cmocka_unit_test(broken_bytes_are_found_and_replaced),
        cmocka_unit_test(a_failing_request_adds_nothing_lossy),
        cmocka_unit_test(half_a_character_at_the_end_is_counted),
        cmocka_unit_test(a_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
