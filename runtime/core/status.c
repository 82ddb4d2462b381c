/* status.c: the message of the last error, kept per thread in fixed memory, so that even "out of memory" can be told. */
#include "core/status.h"

#include <stdarg.h>
#include <string.h>

#include "core/platform.h"

#define MESSAGE_SIZE 2048

static _Thread_local char message[MESSAGE_SIZE];

oclm_status core_fail(oclm_status status, const char *format, ...)
{
    char    text[MESSAGE_SIZE]; /* apart, because the old message may be one of the arguments */
    va_list arguments;
    va_start(arguments, format);
    (void)core_vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    core_make_printable(text, false);
    memcpy(message, text, strlen(text) + 1);
    return status;
}

oclm_status core_fail_in(oclm_status status, const char *format, ...)
{
    char    text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)core_vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return core_fail(status, "%s: %s", text, message);
}

oclm_status core_fail_memory(size_t bytes, const char *what)
{
    char buffer[32];
    return core_fail(OCLM_ERR_MEMORY, "out of memory: no %s left for %s; close other programs or use a smaller model",
                     core_format_bytes(bytes, buffer), what);
}

const char *oclm_last_error(void)
{
    return message;
}

const char *oclm_status_name(oclm_status status)
{
    switch (status) {
    case OCLM_OK: return "OCLM_OK";
    case OCLM_ERR_INTERNAL: return "OCLM_ERR_INTERNAL";
    case OCLM_ERR_ARGUMENT: return "OCLM_ERR_ARGUMENT";
    case OCLM_ERR_CAPACITY: return "OCLM_ERR_CAPACITY";
    case OCLM_ERR_UNSUPPORTED: return "OCLM_ERR_UNSUPPORTED";
    case OCLM_ERR_NOT_FOUND: return "OCLM_ERR_NOT_FOUND";
    case OCLM_ERR_IO: return "OCLM_ERR_IO";
    case OCLM_ERR_HUB: return "OCLM_ERR_HUB";
    case OCLM_ERR_ACCESS: return "OCLM_ERR_ACCESS";
    case OCLM_ERR_MEMORY: return "OCLM_ERR_MEMORY";
    case OCLM_ERR_DEVICE_MEMORY: return "OCLM_ERR_DEVICE_MEMORY";
    case OCLM_ERR_NO_DEVICE: return "OCLM_ERR_NO_DEVICE";
    case OCLM_ERR_DEVICE: return "OCLM_ERR_DEVICE";
    case OCLM_ERR_FORMAT: return "OCLM_ERR_FORMAT";
    case OCLM_ERR_CANCELLED: return "OCLM_ERR_CANCELLED";
    }
    return "OCLM_ERR_UNKNOWN";
}
