/* strings.h: a list of strings in one buffer, what decoders work on. */
#ifndef OCLM_TOKENIZER_STRINGS_H
#define OCLM_TOKENIZER_STRINGS_H

#include "core/text.h"

typedef struct tok_strings {
    core_text text;  /* all strings, one after the other */
    size_t   *ends;  /* [count] where each ends in `text` */
    size_t    count, capacity;
} tok_strings;

/* Adds bytes to the string that is being made; tok_strings_end() ends it. */
static inline oclm_status tok_strings_add(tok_strings *list, const char *text, size_t length)
{
    return core_text_add(&list->text, text, length);
}
oclm_status tok_strings_end(tok_strings *list);
oclm_status tok_strings_push(tok_strings *list, const char *text, size_t length); /* both */
void        tok_strings_clear(tok_strings *list);
void        tok_strings_deinit(tok_strings *list);

static inline const char *tok_strings_at(const tok_strings *list, size_t index, size_t *length)
{
    const size_t start = index == 0 ? 0 : list->ends[index - 1];
    *length = list->ends[index] - start;
    return list->text.data != NULL ? list->text.data + start : ""; /* NULL where all strings are empty */
}

#endif
