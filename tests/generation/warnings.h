/* warnings.h: for tests of what is only a warning: listen() and unlisten() are a test's setup and teardown, and `warnings` what was said. */
#ifndef OCLM_TESTS_GENERATION_WARNINGS_H
#define OCLM_TESTS_GENERATION_WARNINGS_H

#include <string.h>

#include "core/log.h"

static char warnings[4096];

static inline void on_log(oclm_log_level level, const char *line, void *user)
{
    (void)level, (void)user;
    strncat(warnings, line, sizeof warnings - strlen(warnings) - 2);
    strcat(warnings, "\n");
}

static inline int listen(void **state)
{
    (void)state;
    warnings[0] = '\0';
    core_log_set(on_log, NULL, OCLM_LOG_WARNING);
    return 0;
}

static inline int unlisten(void **state)
{
    (void)state;
    core_log_set(NULL, NULL, OCLM_LOG_WARNING);
    return 0;
}

#endif
