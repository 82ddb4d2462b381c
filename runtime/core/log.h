/* log.h: one line to whoever listens. The library never prints. */
#ifndef OCLM_CORE_LOG_H
#define OCLM_CORE_LOG_H

#include "core/status.h"

/* False where a line of that level would go nowhere; ask before building an expensive one. */
bool core_log_enabled(oclm_log_level level);
void core_log(oclm_log_level level, const char *format, ...) CORE_PRINTF(2, 3);
void core_log_set(oclm_log_callback callback, void *user, oclm_log_level level);

#endif
