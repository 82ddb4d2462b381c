/* test_log.c: lines reach the one who listens, and nobody else. */
#include "core/unit.h"

#include "core/log.h"

typedef struct heard {
    size_t         lines;
    oclm_log_level level;
    char           line[256];
} heard;

static void listen(oclm_log_level level, const char *line, void *user)
{
    heard *const to = user;
    to->lines++;
    to->level = level;
    strncpy(to->line, line, sizeof to->line - 1);
}

static void nobody_listens_at_first(void **state)
{
    (void)state;
    core_log_set(NULL, NULL, OCLM_LOG_DEBUG);
    assert_false(core_log_enabled(OCLM_LOG_ERROR));
    core_log(OCLM_LOG_ERROR, "into the void");
}

static void lines_up_to_the_level_are_heard(void **state)
{
    (void)state;
    for (int limit = OCLM_LOG_ERROR; limit <= OCLM_LOG_DEBUG; limit++) {
        for (int level = OCLM_LOG_ERROR; level <= OCLM_LOG_DEBUG; level++) {
            heard to = { 0 };
            core_log_set(listen, &to, (oclm_log_level)limit);
            core_log((oclm_log_level)level, "line %d", level);
            assert_int_equal(core_log_enabled((oclm_log_level)level), level <= limit);
            assert_int_equal(to.lines, level <= limit);
            if (level <= limit) {
                assert_int_equal(to.level, level);
                assert_int_equal(to.line[5], '0' + level);
            }
        }
    }
    core_log_set(NULL, NULL, OCLM_LOG_ERROR);
}

static void a_line_is_one_line(void **state)
{
    (void)state;
    heard to = { 0 };
    core_log_set(listen, &to, OCLM_LOG_INFO);
    core_log(OCLM_LOG_INFO, "a%cb\x1B[1mc", '\n');
    core_log_set(NULL, NULL, OCLM_LOG_ERROR);
    assert_string_equal(to.line, "a?b?[1mc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_listens_at_first),
        cmocka_unit_test(lines_up_to_the_level_are_heard),
        cmocka_unit_test(a_line_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
