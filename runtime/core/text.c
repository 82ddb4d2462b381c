/* text.c: a growing string with a ceiling, UTF-8, and numbers as text. */
#include "core/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/platform.h"

/* ---- A growing string */

oclm_status core_text_reserve(core_text *text, size_t more)
{
    size_t needed, capacity;
    char  *data;
    if (!core_add_size(text->length, more, &needed) || needed == SIZE_MAX)
        return core_fail_memory(SIZE_MAX, "text");
    if (text->limit != 0 && needed > text->limit)
        return core_fail(OCLM_ERR_CAPACITY, "text of %zu bytes is more than the %zu allowed here", needed, text->limit);
    if (needed < text->capacity) /* one byte is for the NUL */
        return OCLM_OK;
    capacity = text->capacity < SIZE_MAX / 2 ? text->capacity * 2 : SIZE_MAX;
    if (capacity < needed + 1)
        capacity = needed + 1;
    if (capacity < 32)
        capacity = 32;
    if ((data = core_realloc_array(text->data, capacity, 1, "text")) == NULL)
        return OCLM_ERR_MEMORY;
    if (text->data == NULL)
        data[0] = '\0';
    text->data = data;
    text->capacity = capacity;
    return OCLM_OK;
}

oclm_status core_text_add(core_text *text, const void *data, size_t length)
{
    oclm_status status = core_text_reserve(text, length);
    if (status != OCLM_OK)
        return status;
    if (length > 0)
        memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
    return OCLM_OK;
}

oclm_status core_text_add_string(core_text *text, const char *string)
{
    return core_text_add(text, string, strlen(string));
}

oclm_status core_text_add_char(core_text *text, char byte)
{
    return core_text_add(text, &byte, 1);
}

oclm_status core_text_add_code_point(core_text *text, uint32_t code_point)
{
    char         bytes[4];
    const size_t length = core_utf8_write(code_point, bytes);
    return core_text_add(text, bytes, length);
}

oclm_status core_text_printf(core_text *text, const char *format, ...)
{
    oclm_status status;
    va_list     arguments;
    va_start(arguments, format);
    const int length = core_vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return core_fail(OCLM_ERR_INTERNAL, "the format \"%s\" cannot be printed", format);
    if ((status = core_text_reserve(text, (size_t)length)) != OCLM_OK)
        return status;
    va_start(arguments, format);
    (void)core_vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
    return OCLM_OK;
}

void core_text_clear(core_text *text)
{
    text->length = 0;
    if (text->data != NULL)
        text->data[0] = '\0';
}

void core_text_free(core_text *text)
{
    core_free(text->data);
    text->data = NULL;
    text->length = text->capacity = 0;
}

char *core_text_take(core_text *text, size_t *length)
{
    char *data = text->data != NULL ? text->data : core_copy("", 1, "text");
    if (length != NULL)
        *length = text->length;
    text->data = NULL;
    text->length = text->capacity = 0;
    return data;
}

/* ---- UTF-8. Table 3-7 of the Unicode standard: only the second byte's range depends on the first. */

/* How long a character that starts with `lead` is, and what its second byte may be. 0: no character starts so. */
static size_t utf8_lead(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (lead == 0xE0)
            *low = 0xA0; /* below: overlong */
        if (lead == 0xED)
            *high = 0x9F; /* above: surrogates */
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (lead == 0xF0)
            *low = 0x90; /* below: overlong */
        if (lead == 0xF4)
            *high = 0x8F; /* above: beyond U+10FFFF */
        return 4;
    }
    return 0;
}

/* How many bytes at `p` < `end` are a character, or the beginning of one; at least 1. `*whole` tells which. */
static size_t utf8_span(const char *p, const char *end, bool *whole)
{
    unsigned char low, high;
    const size_t  length = utf8_lead((unsigned char)*p, &low, &high);
    size_t        i;
    for (i = 1; i < length && i < (size_t)(end - p); i++) {
        const unsigned char byte = (unsigned char)p[i];
        if (byte < low || byte > high)
            break;
        low = 0x80;
        high = 0xBF;
    }
    *whole = i == length; /* never where length is 0 */
    return i;
}

size_t core_utf8_read(const char *p, const char *end, uint32_t *code_point)
{
    static const unsigned char lead_bits[5] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    bool whole;
    if (p >= end)
        return 0;
    const size_t length = utf8_span(p, end, &whole);
    if (!whole)
        return 0;
    uint32_t value = (unsigned char)p[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++)
        value = value << 6 | ((unsigned char)p[i] & 0x3Fu);
    *code_point = value;
    return length;
}

size_t core_utf8_write(uint32_t code_point, char out[4])
{
    static const unsigned char lead_mark[5] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    const size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (char)(lead_mark[length] | code_point);
    return length;
}

size_t core_utf8_check(const char *text, size_t length)
{
    const char *const end = text + length;
    const char       *p = text;
    while (p < end) {
        bool whole;
        const size_t span = utf8_span(p, end, &whole);
        if (!whole)
            return (size_t)(p - text);
        p += span;
    }
    return SIZE_MAX;
}

oclm_status core_utf8_add_lossy(core_text *out, const char *bytes, size_t length)
{
    const char *const end = bytes + length;
    const size_t      length_before = out->length;
    const char       *good = bytes; /* from here to p all is valid and not added yet */
    const char       *p = bytes;
    oclm_status       status = OCLM_OK;
    while (p < end && status == OCLM_OK) {
        bool whole;
        const size_t span = utf8_span(p, end, &whole);
        if (!whole) {
            if ((status = core_text_add(out, good, (size_t)(p - good))) == OCLM_OK)
                status = core_text_add_code_point(out, 0xFFFD);
            good = p + span;
        }
        p += span;
    }
    if (status == OCLM_OK)
        status = core_text_add(out, good, (size_t)(p - good));
    if (status != OCLM_OK && out->data != NULL) { /* all or nothing */
        out->length = length_before;
        out->data[length_before] = '\0';
    }
    return status;
}

size_t core_utf8_incomplete_tail(const char *bytes, size_t length)
{
    const char *const end = bytes + length;
    for (size_t tail = 1; tail <= 3 && tail <= length; tail++) {
        unsigned char low, high;
        bool          whole;
        if (utf8_lead((unsigned char)end[-(ptrdiff_t)tail], &low, &high) > tail)
            return utf8_span(end - tail, end, &whole) == tail ? tail : 0;
    }
    return 0;
}

size_t core_utf8_cut(const char *text, size_t length, size_t limit)
{
    return length <= limit ? length : limit - core_utf8_incomplete_tail(text, limit);
}

void core_make_printable(char *text, bool one_line)
{
    const size_t length = strlen(text);
    text[length - core_utf8_incomplete_tail(text, length)] = '\0';
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
        if ((*p < 0x20 && *p != '\t' && (*p != '\n' || one_line)) || *p == 0x7F)
            *p = '?';
        if (*p == 0xC2 && p[1] >= 0x80 && p[1] <= 0x9F) /* U+0080 to U+009F: controls too */
            p[0] = p[1] = '?';
    }
}

/* ---- Numbers as text */

bool core_is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(text, word, length) == 0;
}

bool core_has_word(const char *list, const char *word)
{
    for (list += strspn(list, " "); *list != '\0'; list += strspn(list, " ")) {
        const size_t length = strcspn(list, " ");
        if (core_is_word(list, length, word))
            return true;
        list += length;
    }
    return false;
}

const char *core_format_bytes(uint64_t bytes, char buffer[32])
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    size_t   unit = 0;
    uint64_t scale = 1024;
    if (bytes < 1024) {
        (void)snprintf(buffer, 32, "%" PRIu64 " %s", bytes, bytes == 1 ? "byte" : "bytes");
        return buffer;
    }
    while (unit + 1 < COUNT(units) && bytes / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    /* Tenths below 100, so that "needed" and "available" differ where they do; in integers, so that no locale's comma gets in. */
    const uint64_t whole = bytes / scale, tenths = bytes % scale / (scale / 1024) * 10 / 1024;
    if (whole < 100 && tenths > 0)
        (void)snprintf(buffer, 32, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, units[unit]);
    else
        (void)snprintf(buffer, 32, "%" PRIu64 " %s", whole, units[unit]);
    return buffer;
}

/* Decimal digits up to the end of the string. */
static bool parse_digits(const char *text, uint64_t max, uint64_t *value)
{
    uint64_t number = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        const uint64_t digit = (uint64_t)(*text - '0');
        if (number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}

bool core_parse_u64(const char *text, uint64_t *value)
{
    return parse_digits(text, UINT64_MAX, value);
}

bool core_parse_i64(const char *text, int64_t *value)
{
    const bool     negative = *text == '-';
    const uint64_t max = (uint64_t)INT64_MAX + negative;
    uint64_t       size;
    if (!parse_digits(text + negative, max, &size))
        return false;
    *value = negative ? (size == max ? INT64_MIN : -(int64_t)size) : (int64_t)size;
    return true;
}

bool core_parse_double(const char *text, double *value)
{
    /* strtod() also takes leading space, hexadecimal, "inf" and "nan"; we take decimal numbers alone. */
    const char *p = text + (*text == '-' || *text == '+');
    if (!((*p >= '0' && *p <= '9') || (*p == '.' && p[1] >= '0' && p[1] <= '9')) || strpbrk(p, "xX") != NULL)
        return false;
    char        *end;
    const double number = core_strtod(text, &end);
    if (*end != '\0' || number - number != 0.0) /* too large for a double */
        return false;
    *value = number;
    return true;
}
