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
