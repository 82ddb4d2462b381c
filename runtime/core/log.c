/* log.c: the one callback of the process, and lines made only when somebody wants them. */
#include "core/log.h"

#include <stdarg.h>

#include "core/platform.h"

#define LINE_SIZE 2048

/* Set before other threads use oclm (see oclm_set_log()), so no lock guards it. */
static struct {
    oclm_log_callback callback;
    void             *user;
    oclm_log_level    level;
} listener;

bool core_log_enabled(oclm_log_level level)
{
    return listener.callback != NULL && level <= listener.level;
}

void core_log(oclm_log_level level, const char *format, ...)
{
    char    line[LINE_SIZE];
    va_list arguments;
    if (!core_log_enabled(level))
        return;
    va_start(arguments, format);
    (void)core_vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    core_make_printable(line, true);
    listener.callback(level, line, listener.user);
}

void core_log_set(oclm_log_callback callback, void *user, oclm_log_level level)
{
    listener.callback = callback;
    listener.user = user;
    listener.level = level;
}
