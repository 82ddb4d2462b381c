/* base64.c: four characters to three bytes. */
#include "core/base64.h"

#define NONE 64

static unsigned value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26u;
    if (c >= '0' && c <= '9')
        return c - '0' + 52u;
    return c == '+' ? 62 : c == '/' ? 63 : NONE;
}

oclm_status core_base64_add(core_text *out, const char *text, size_t length, bool *valid)
{
    const size_t written = length;
    uint32_t bits = 0;
    *valid = false;
    while (length > 0 && written - length < 2 && text[length - 1] == '=')
        length--;
    /* One character alone is no byte; padding, where there is any, makes the length a multiple of four. */
    if (length % 4 == 1 || (written != length && written % 4 != 0))
        return OCLM_OK;
    for (size_t i = 0; i < length; i++) {
        if (value_of((unsigned char)text[i]) == NONE)
            return OCLM_OK;
    }
    *valid = true;
    const oclm_status status = core_text_reserve(out, length / 4 * 3 + 3);
    if (status != OCLM_OK)
        return status;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 6 | value_of((unsigned char)text[i]);
        if (i % 4 == 0)
            continue; /* six bits: no byte is whole yet */
        out->data[out->length++] = (char)(unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    out->data[out->length] = '\0';
    return OCLM_OK;
}

oclm_status core_base64_write(core_text *out, const char *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t            size;
    oclm_status       status;
    if (!core_mul_size(length / 3 + 1, 4, &size))
        return core_fail_memory(SIZE_MAX, "base64");
    if ((status = core_text_reserve(out, size)) != OCLM_OK)
        return status;
    for (size_t i = 0; i < length; i += 3) {
        const size_t   left = length - i;
        const uint32_t bits = (uint32_t)(unsigned char)bytes[i] << 16 | (left > 1 ? (uint32_t)(unsigned char)bytes[i + 1] << 8 : 0) |
                              (left > 2 ? (uint32_t)(unsigned char)bytes[i + 2] : 0);
        out->data[out->length++] = digits[bits >> 18];
        out->data[out->length++] = digits[bits >> 12 & 63];
        out->data[out->length++] = left > 1 ? digits[bits >> 6 & 63] : '=';
        out->data[out->length++] = left > 2 ? digits[bits & 63] : '=';
    }
    out->data[out->length] = '\0';
    return OCLM_OK;
}
