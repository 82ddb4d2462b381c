/* headers.c: looking things up in an answer's header lines. */
#include "hub/headers.h"

#include <string.h>

bool hub_same_word(const char *line, size_t length, const char *name)
{
    for (size_t i = 0; i < length; i++) {
        const char c = line[i] >= 'A' && line[i] <= 'Z' ? (char)(line[i] - 'A' + 'a') : line[i];
        const char n = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
        if (c != n) /* also at name's end */
            return false;
    }
    return name[length] == '\0';
}

bool hub_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool hub_header_cut(const char *line, size_t length, size_t *name_length, const char **value, size_t *value_length)
{
    const char *colon = memchr(line, ':', length);
    if (colon == NULL || colon == line)
        return false;
    const char *begin = colon + 1, *end = line + length;
    while (begin < end && hub_is_blank(*begin))
        begin++;
    while (end > begin && hub_is_blank(end[-1]))
        end--;
    *name_length = (size_t)(colon - line);
    *value = begin;
    *value_length = (size_t)(end - begin);
    return true;
}

bool hub_header_next(const core_text *headers, size_t *at, const char **line, size_t *length)
{
    if (*at >= headers->length)
        return false;
    const char *end = memchr(headers->data + *at, '\n', headers->length - *at);
    *line = headers->data + *at;
    *length = end != NULL ? (size_t)(end - *line) : headers->length - *at;
    *at += *length + 1;
    return true;
}

hub_header hub_header_get(const core_text *headers, const char *name, core_text *value)
{
    hub_header  found = HUB_HEADER_NONE;
    const char *line, *text;
    size_t      length, name_length, text_length;
    core_text_clear(value);
    for (size_t at = 0; hub_header_next(headers, &at, &line, &length);) {
        if (!hub_header_cut(line, length, &name_length, &text, &text_length) || !hub_same_word(line, name_length, name))
            continue;
        if (found == HUB_HEADER_ONE && (value->length != text_length || memcmp(value->data, text, text_length) != 0))
            return HUB_HEADER_CONFLICT;
        if (found == HUB_HEADER_NONE && core_text_add(value, text, text_length) != OCLM_OK)
            return HUB_HEADER_CONFLICT; /* a value that cannot be kept is not believed */
        found = HUB_HEADER_ONE;
    }
    return found;
}
