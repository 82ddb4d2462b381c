/* text.h: a growing string with a ceiling, and the few things oclm does with UTF-8. */
#ifndef OCLM_CORE_TEXT_H
#define OCLM_CORE_TEXT_H

#include "core/memory.h"

/* Always NUL-ended once anything was added; `data` is NULL before. Bytes may be NUL. */
typedef struct core_text {
    char  *data;
    size_t length;
    size_t capacity;
    size_t limit; /* most bytes it may hold; 0: no limit */
} core_text;

#define CORE_TEXT_INIT { NULL, 0, 0, 0 }

/* Each adds at the end. On failure the text stays as it was: OCLM_ERR_MEMORY, or OCLM_ERR_CAPACITY past `limit`. */
oclm_status core_text_add(core_text *text, const void *data, size_t length);
oclm_status core_text_add_string(core_text *text, const char *string);
oclm_status core_text_add_char(core_text *text, char byte);
oclm_status core_text_add_code_point(core_text *text, uint32_t code_point); /* as UTF-8 */
oclm_status core_text_printf(core_text *text, const char *format, ...) CORE_PRINTF(2, 3);
oclm_status core_text_reserve(core_text *text, size_t more);
void        core_text_clear(core_text *text); /* keeps the memory */
void        core_text_free(core_text *text);
/* Hands the memory to the caller (core_free); an empty text gives "". NULL if there is no memory for that. */
char       *core_text_take(core_text *text, size_t *length);

/* Reads one code point of valid UTF-8 at `p`, returns its length, 1 to 4; 0 where it is malformed, truncated at `end`,
 * overlong, a surrogate or above U+10FFFF. */
size_t core_utf8_read(const char *p, const char *end, uint32_t *code_point);
size_t core_utf8_write(uint32_t code_point, char out[4]); /* returns the length */
/* SIZE_MAX if all of it is valid UTF-8, else where the first bad byte stands. */
size_t core_utf8_check(const char *text, size_t length);
/* Appends bytes, each maximal invalid part replaced by U+FFFD (the rule of WHATWG and of Rust's from_utf8_lossy). */
oclm_status core_utf8_add_lossy(core_text *out, const char *bytes, size_t length);
/* How many bytes at the end may still grow into a character: 0 to 3. */
size_t core_utf8_incomplete_tail(const char *bytes, size_t length);
/* The length of the longest beginning of at most `limit` bytes that ends between two characters; for messages. */
size_t core_utf8_cut(const char *text, size_t length, size_t limit);

/* For a message that shows what a file says: control characters become '?' (a terminal would obey them; line ends stay unless
 * `one_line`), and a character cut at the end is removed. */
void core_make_printable(char *text, bool one_line);

/* Whether these bytes are just that word. */
bool core_is_word(const char *text, size_t length, const char *word);
/* Whether a list separated by blanks has it; "cl_khr_fp16" is not part of "cl_khr_fp16_x". */
bool core_has_word(const char *list, const char *word);

/* "1.5 GiB", "12 MiB", "345 bytes"; for messages. */
const char *core_format_bytes(uint64_t bytes, char buffer[32]);
/* Locale-free number reading: the whole string must be the number. */
bool core_parse_u64(const char *text, uint64_t *value);
bool core_parse_i64(const char *text, int64_t *value);
bool core_parse_double(const char *text, double *value);

#endif
