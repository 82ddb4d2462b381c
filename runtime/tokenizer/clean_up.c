/* clean_up.c: ten replacements, one after the other, as the reference does them. */
#include "tokenizer/clean_up.h"

#include <string.h>

static const struct {
    const char *from, *to;
} replacements[] = {
    { " .", "." },     { " ?", "?" },   { " !", "!" },   { " ,", "," },     { " ' ", "'" },
    { " n't", "n't" }, { " 'm", "'m" }, { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
};

static size_t replace_all(char *text, size_t length, const char *from, const char *to)
{
    const size_t from_length = strlen(from), to_length = strlen(to);
    size_t written = 0;
    for (size_t i = 0; i < length;) {
        if (text[i] == from[0] && length - i >= from_length && memcmp(text + i, from, from_length) == 0) {
            memcpy(text + written, to, to_length); /* not longer than `from`: nothing unread is overwritten */
            written += to_length;
            i += from_length;
        } else {
            text[written++] = text[i++];
        }
    }
    return written;
}

void tok_clean_up(core_text *text, size_t begin)
{
    if (text->length <= begin)
        return;
    for (size_t i = 0; i < COUNT(replacements); i++)
        text->length =
            begin + replace_all(text->data + begin, text->length - begin, replacements[i].from, replacements[i].to);
    text->data[text->length] = '\0';
}
