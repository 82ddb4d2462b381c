/* size.c: a size as transformers' max_memory has it (accelerate's convert_file_size_to_int): a number and a unit, whatever its case, but for a small
 * b at the end of KB, MB and GB, which makes bits of bytes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/device_map.h"

static const struct { const char *name; double bytes; bool decimal; } units[] = {
    { "GIB", 1 << 30, false }, { "MIB", 1 << 20, false }, { "KIB", 1 << 10, false }, { "GB", 1e9, true }, { "MB", 1e6, true }, { "KB", 1e3, true },
};

static bool ends_with(const char *text, size_t length, const char *unit)
{
    const size_t n = strlen(unit);
    if (length <= n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((text[length - n + i] & ~0x20) != unit[i])
            return false;
    return true;
}

/* The first `length` bytes as a number, spaces around it passed over, as Python's float() does. */
static bool read_number(const char *text, size_t length, double *number)
{
    char buffer[64];
    while (length > 0 && text[length - 1] == ' ')
        length--;
    for (; length > 0 && *text == ' '; length--)
        text++;
    if (length == 0 || length >= sizeof buffer || strspn(text, "0123456789.eE+") < length)
        return false;
    memcpy(buffer, text, length);
    buffer[length] = '\0';
    return core_parse_double(buffer, number);
}

oclm_status api_size_read(const char *key, const char *text, uint64_t *bytes)
{
    const size_t length = strlen(text);
    double       number;
    *bytes = 0;
    for (size_t i = 0; i < COUNT(units); i++) {
        if (!ends_with(text, length, units[i].name) || !read_number(text, length - strlen(units[i].name), &number))
            continue;
        const double whole = floor(number * units[i].bytes);
        if (!(whole < 0x1p62))
            return core_fail(OCLM_ERR_ARGUMENT, "max_memory: \"%s\" is \"%.40s\", more than any device has; give a size such as \"10GiB\"", key, text);
        *bytes = (uint64_t)whole;
        if (units[i].decimal && text[length - 1] == 'b')
            *bytes /= 8;
        return OCLM_OK;
    }
    return core_fail(OCLM_ERR_ARGUMENT, "max_memory: \"%s\" is \"%.40s\"; it must be a number of bytes without quotes, or text such as \"10GiB\", \"1.5GB\" or "
                     "\"800MB\"", key, text);
}
