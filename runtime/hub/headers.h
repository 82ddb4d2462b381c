/* headers.h: the header lines of an answer, kept as "name: value\n" each. */
#ifndef OCLM_HUB_HEADERS_H
#define OCLM_HUB_HEADERS_H

#include "core/text.h"

typedef enum hub_header { HUB_HEADER_NONE, HUB_HEADER_ONE, HUB_HEADER_CONFLICT } hub_header;
/* The value of a header, without spaces around it. CONFLICT: it is there several times with different values. */
hub_header hub_header_get(const core_text *headers, const char *name, core_text *value);

/* Cuts a line "Name: value\r\n" into its two parts; false for what is no such line. */
bool hub_header_cut(const char *line, size_t length, size_t *name_length, const char **value, size_t *value_length);
/* The next of the lines, from `*at` on. */
bool hub_header_next(const core_text *headers, size_t *at, const char **line, size_t *length);
/* Whether the `length` bytes of `line` are `name`, in any case. */
bool hub_same_word(const char *line, size_t length, const char *name);
bool hub_is_blank(char c);

#endif
