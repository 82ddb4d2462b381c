/* fuzz_tokenizer_pattern.c: a pattern of Split, then perhaps a NUL and a text: is it refused with a message, or do its matches
 * cover the text in order? */
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "fuzz/fuzz.h"
#include "tokenizer/regex.h"

#define MAX_TEXT 256 /* bytes: patterns may take ever longer on longer texts */

static const char sample[] = "Hello, world! 123  isn't\n\tit?\r\n \xE2\x96\x81the \xE6\x97\xA5\xE6\x9C\xAC e\xCC\x81 \xF0\x9F\x98\x80 aaaaaa";

static void search(const tok_regex *regex, const char *text, size_t length)
{
    tok_regex_state *state = NULL;
    const char      *begin, *stop;
    size_t           from = 0;
    while (from <= length && tok_regex_find(regex, &state, text, length, from, &begin, &stop) == OCLM_OK && begin != NULL) {
        FUZZ_CHECK(begin >= text + from && stop >= begin && stop <= text + length);
        FUZZ_CHECK(stop == text + length || ((unsigned char)*stop & 0xC0) != 0x80);
        from = (size_t)(stop - text);
        if (begin < stop)
            continue;
        do
            from++;
        while (from < length && ((unsigned char)text[from] & 0xC0) == 0x80);
    }
    tok_regex_state_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char  *nul = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t length = nul != NULL ? (size_t)(nul - (const char *)data) : size;
    const char  *text = sample;
    size_t       text_length = sizeof sample - 1;
    char        *pattern = core_alloc(length + 1, "fuzzing");
    tok_regex   *regex;
    if (pattern == NULL)
        return 0;
    if (length > 0)
        memcpy(pattern, data, length);
    pattern[length] = '\0';
    if (nul != NULL) {
        text = nul + 1;
        text_length = core_utf8_cut(text, size - length - 1, MAX_TEXT);
    }
    /* Patterns come from JSON, which is valid UTF-8. */
    if (core_utf8_check(pattern, length) == SIZE_MAX && core_utf8_check(text, text_length) == SIZE_MAX) {
        if (tok_regex_new(pattern, "fuzzing", &regex) == OCLM_OK)
            search(regex, text, text_length);
        else
            FUZZ_CHECK(regex == NULL && oclm_last_error()[0] != '\0');
        tok_regex_free(regex);
    }
    core_free(pattern);
    return 0;
}
