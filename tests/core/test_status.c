/* test_status.c: the message of the last error. */
#include "core/unit.h"

#include <pthread.h>

static void a_failure_returns_its_status_and_keeps_its_message(void **state)
{
    (void)state;
    assert_int_equal(core_fail(OCLM_ERR_FORMAT, "%s: %d", "file", 7), OCLM_ERR_FORMAT);
    assert_string_equal(oclm_last_error(), "file: 7");
}

static void the_old_message_may_be_part_of_the_new_one(void **state)
{
    (void)state;
    core_fail(OCLM_ERR_IO, "disk full");
    core_fail(OCLM_ERR_IO, "%s, again: %s", oclm_last_error(), oclm_last_error());
    assert_string_equal(oclm_last_error(), "disk full, again: disk full");
}

static void a_caller_says_where_it_happened(void **state)
{
    (void)state;
    core_fail(OCLM_ERR_FORMAT, "no such key");
    assert_int_equal(core_fail_in(OCLM_ERR_FORMAT, "%s line %d", "a.json", 3), OCLM_ERR_FORMAT);
    assert_string_equal(oclm_last_error(), "a.json line 3: no such key");
}

static void out_of_memory_tells_how_much_for_what(void **state)
{
    (void)state;
    assert_int_equal(core_fail_memory(3u << 20, "the staging buffer"), OCLM_ERR_MEMORY);
    assert_non_null(strstr(oclm_last_error(), "3 MiB"));
    assert_non_null(strstr(oclm_last_error(), "the staging buffer"));
}

static void a_long_message_is_cut_between_characters(void **state)
{
    (void)state;
    char text[4096];
    for (size_t i = 0; i + 1 < sizeof text; i += 3)
        memcpy(text + i, "\xE2\x82\xAC", 3);
    text[4095] = '\0';
    core_fail(OCLM_ERR_FORMAT, "x%s", text);
    assert_int_equal(strlen(oclm_last_error()), 1 + 2046 / 3 * 3);
    core_fail(OCLM_ERR_FORMAT, "%s", text);
    assert_int_equal(strlen(oclm_last_error()), 2047 / 3 * 3);
}

static void control_characters_do_not_reach_a_terminal(void **state)
{
    (void)state;
    core_fail(OCLM_ERR_FORMAT, "tensor \"%s\"\n\tat %s", "\x1B[2J\x7F\x01", "\xC2\x9B" "1m\xC3\xA9");
    assert_string_equal(oclm_last_error(), "tensor \"?[2J??\"\n\tat ??1m\xC3\xA9");
}

static void *fail_elsewhere(void *user)
{
    core_fail(OCLM_ERR_IO, "the other thread's");
    *(bool *)user = strcmp(oclm_last_error(), "the other thread's") == 0;
    return NULL;
}

static void each_thread_has_its_own_message(void **state)
{
    (void)state;
    pthread_t thread;
    bool      right = false;
    core_fail(OCLM_ERR_FORMAT, "this thread's");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &right), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(right);
    assert_string_equal(oclm_last_error(), "this thread's");
}

static void every_status_has_its_name(void **state)
{
    static const struct {
        oclm_status status;
        const char *name;
    } names[] = {
        { OCLM_OK, "OCLM_OK" }, { OCLM_ERR_INTERNAL, "OCLM_ERR_INTERNAL" }, { OCLM_ERR_ARGUMENT, "OCLM_ERR_ARGUMENT" },
        { OCLM_ERR_CAPACITY, "OCLM_ERR_CAPACITY" }, { OCLM_ERR_UNSUPPORTED, "OCLM_ERR_UNSUPPORTED" },
        { OCLM_ERR_NOT_FOUND, "OCLM_ERR_NOT_FOUND" }, { OCLM_ERR_IO, "OCLM_ERR_IO" }, { OCLM_ERR_HUB, "OCLM_ERR_HUB" },
        { OCLM_ERR_ACCESS, "OCLM_ERR_ACCESS" }, { OCLM_ERR_MEMORY, "OCLM_ERR_MEMORY" },
        { OCLM_ERR_DEVICE_MEMORY, "OCLM_ERR_DEVICE_MEMORY" }, { OCLM_ERR_NO_DEVICE, "OCLM_ERR_NO_DEVICE" },
        { OCLM_ERR_DEVICE, "OCLM_ERR_DEVICE" }, { OCLM_ERR_FORMAT, "OCLM_ERR_FORMAT" },
        { OCLM_ERR_CANCELLED, "OCLM_ERR_CANCELLED" }, { (oclm_status)77, "OCLM_ERR_UNKNOWN" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(oclm_status_name(names[i].status), names[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_returns_its_status_and_keeps_its_message),
        cmocka_unit_test(the_old_message_may_be_part_of_the_new_one),
        cmocka_unit_test(a_caller_says_where_it_happened),
        cmocka_unit_test(out_of_memory_tells_how_much_for_what),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(control_characters_do_not_reach_a_terminal),
        cmocka_unit_test(each_thread_has_its_own_message),
        cmocka_unit_test(every_status_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
