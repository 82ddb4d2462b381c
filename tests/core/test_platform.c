/* test_platform.c: environment, time, memory, locale and locks, as the operating system has them. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_setaffinity */
#endif

#include "core/unit.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include "core/json.h"
#include "core/platform.h"
#include "core/scratch.h"

static const char *program; /* argv[0] */

static void an_empty_variable_is_none(void **state)
{
    (void)state;
    assert_int_equal(setenv("OCLM_TEST_VARIABLE", "a value", 1), 0);
    assert_string_equal(core_env("OCLM_TEST_VARIABLE"), "a value");
    assert_int_equal(setenv("OCLM_TEST_VARIABLE", "", 1), 0);
    assert_null(core_env("OCLM_TEST_VARIABLE"));
    assert_int_equal(unsetenv("OCLM_TEST_VARIABLE"), 0);
    assert_null(core_env("OCLM_TEST_VARIABLE"));
}

static void time_never_goes_back(void **state)
{
    struct timespec now;
    const double    start = core_seconds();
    double          before = start;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        const double next = core_seconds();
        assert_true(next >= before);
        before = next;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_true(start <= (double)now.tv_sec + 1e-9 * (double)now.tv_nsec + 1e-3);
    assert_true(before >= (double)now.tv_sec - 60);
}

/* ---- Memory and processors */

#define MUCH ((size_t)128 << 20)

static void the_peak_is_this_process_s_own(void **state)
{
    char command[2 * SCRATCH_PATH], line[64];
    (void)state;
    assert_true(core_peak_host_bytes() > 0);
    char *memory = malloc(MUCH);
    assert_non_null(memory);
    for (size_t i = 0; i < MUCH; i += 1024)
        ((volatile char *)memory)[i] = (char)i;
    assert_true(core_peak_host_bytes() >= MUCH);
    /* A program started from here begins anew: getrusage() would tell it our peak. */
    snprintf(command, sizeof command, "exec '%s' --peak", program);
    FILE *child = popen(command, "r");
    assert_non_null(child);
    assert_non_null(fgets(line, sizeof line, child));
    assert_int_equal(pclose(child), 0);
    const unsigned long long peak = strtoull(line, NULL, 10);
    if (peak == 0 || peak >= MUCH)
        fail_msg("the child's peak is %llu bytes", peak);
    free(memory);
    assert_true(core_peak_host_bytes() >= MUCH); /* a peak stays */
}

static void the_available_memory_is_some_of_the_machine_s(void **state)
{
    const uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t available = core_host_memory_available();
    (void)state;
    if (available < (1u << 20) || available > all)
        fail_msg("%llu bytes are available of %llu", (unsigned long long)available, (unsigned long long)all);
}

static void processors_are_those_this_process_may_use(void **state)
{
    (void)state;
    assert_true(core_cpu_count() >= 1);
#if defined(__linux__)
    cpu_set_t before, one;
    size_t    first = 0;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(core_cpu_count(), CPU_COUNT(&before));
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(core_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
#endif
}

/* ---- Locale */

/* Sets a locale with a decimal comma, one of the system's or one made in `folder`. False where there is none to be had. */
static bool set_comma_locale(const char *folder)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "de_DE" };
    char command[2 * SCRATCH_PATH];
    for (int attempt = 0; attempt < 2; attempt++) {
        for (size_t i = 0; i < COUNT(names); i++) {
            if (setlocale(LC_ALL, names[i]) != NULL && strcmp(localeconv()->decimal_point, ",") == 0)
                return true;
        }
        snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1", folder);
        if (attempt > 0 || system(command) != 0 || setenv("LOCPATH", folder, 1) != 0)
            break;
    }
    setlocale(LC_ALL, "C");
    return false;
}

static int print(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = core_vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

static void check_numbers(void)
{
    char   buffer[32], *end;
    double value = 0;
    assert_int_equal(print(buffer, sizeof buffer, "%.2f %'d", 1234.5, 1234567), 15);
    assert_string_equal(buffer, "1234.50 1234567");
    assert_true(core_strtod("2.5,3", &end) == 2.5);
    assert_string_equal(end, ",3");
    assert_true(core_parse_double("-0.125", &value) && value == -0.125);
    assert_false(core_parse_double("0,125", &value));
    core_text text = CORE_TEXT_INIT;
    assert_int_equal(core_text_printf(&text, "%g", 0.5), OCLM_OK);
    assert_string_equal(text.data, "0.5");
    core_text_free(&text);
    core_fail(OCLM_ERR_FORMAT, "%.1f", 7.5);
    assert_string_equal(oclm_last_error(), "7.5");
    cJSON *tree = NULL;
    assert_int_equal(core_json_parse("[1.5, 2.25e2]", 13, "a.json", &tree), OCLM_OK);
    assert_true(cJSON_GetArrayItem(tree, 0)->valuedouble == 1.5 && cJSON_GetArrayItem(tree, 1)->valuedouble == 225);
    cJSON_Delete(tree);
}

static void numbers_are_the_same_in_every_locale(void **state)
{
    char folder[SCRATCH_PATH], buffer[32];
    (void)state;
    check_numbers();
    assert_true(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
    scratch_make(folder);
    const bool comma = set_comma_locale(folder);
    if (comma) {
        check_numbers();
        snprintf(buffer, sizeof buffer, "%.1f", 0.5); /* the embedding program's locale is as it was */
        assert_string_equal(buffer, "0,5");
        locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* and so is one of its thread's */
        locale_t before = uselocale(own);
        check_numbers();
        assert_true(uselocale(before) == own);
        freelocale(own);
        assert_true(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
    }
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    scratch_remove(folder);
    if (!comma) {
        print_message("skipped: no locale with a decimal comma, and no localedef to make one\n");
        skip();
    }
}

/* ---- Locks */

typedef struct counting {
    core_mutex *mutex;
    uint64_t    count;
} counting;

static void *count_up(void *user)
{
    counting *const shared = user;
    for (int i = 0; i < 20000; i++) {
        core_mutex_lock(shared->mutex);
        shared->count++;
        core_mutex_unlock(shared->mutex);
    }
    return NULL;
}

static void a_mutex_lets_one_thread_in(void **state)
{
    pthread_t threads[4];
    counting  shared = { NULL, 0 };
    (void)state;
    assert_int_equal(core_mutex_new(&shared.mutex), OCLM_OK);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &shared), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    core_mutex_free(shared.mutex);
    core_mutex_free(NULL);
    assert_int_equal(shared.count, 80000);
}

static void *set_signal(void *user)
{
    core_signal_set(user);
    return NULL;
}

static void a_signal_is_seen_once_and_waited_for_so_long_only(void **state)
{
    core_signal *signal;
    pthread_t    thread;
    (void)state;
    assert_int_equal(core_signal_new(&signal), OCLM_OK);
    const double begin = core_seconds();
    assert_false(core_signal_wait(signal, 0.05));
    assert_true(core_seconds() - begin >= 0.05);
    core_signal_set(signal);
    assert_true(core_signal_wait(signal, 0));
    assert_false(core_signal_wait(signal, 0));
    assert_int_equal(pthread_create(&thread, NULL, set_signal, signal), 0);
    assert_true(core_signal_wait(signal, 1e300)); /* as good as for ever */
    assert_int_equal(pthread_join(thread, NULL), 0);
    core_signal_free(signal);
    core_signal_free(NULL);
}

static oclm_status make_signal(void *user)
{
    return core_signal_new(user);
}

static void free_signal(void *user)
{
    core_signal_free(*(core_signal **)user);
}

static oclm_status make_mutex(void *user)
{
    return core_mutex_new(user);
}

static void free_mutex(void *user)
{
    core_mutex_free(*(core_mutex **)user);
}

static void a_failing_request_leaves_nothing_behind(void **state)
{
    core_mutex  *mutex;
    core_signal *signal;
    (void)state;
    fails_cleanly_at_every_request("a lock", make_mutex, free_mutex, &mutex);
    fails_cleanly_at_every_request("a signal", make_signal, free_signal, &signal);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_variable_is_none),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(the_peak_is_this_process_s_own),
        cmocka_unit_test(the_available_memory_is_some_of_the_machine_s),
        cmocka_unit_test(processors_are_those_this_process_may_use),
        cmocka_unit_test(numbers_are_the_same_in_every_locale),
        cmocka_unit_test(a_mutex_lets_one_thread_in),
        cmocka_unit_test(a_signal_is_seen_once_and_waited_for_so_long_only),
        cmocka_unit_test(a_failing_request_leaves_nothing_behind),
    };
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "--peak") == 0) {
        printf("%llu\n", (unsigned long long)core_peak_host_bytes());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
