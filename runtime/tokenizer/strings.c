/* strings.c: a list of strings in one buffer. */
#include "tokenizer/strings.h"

oclm_status tok_strings_end(tok_strings *list)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        size_t      *ends = core_realloc_array(list->ends, capacity, sizeof *ends, "a list of tokens");
        if (ends == NULL)
            return OCLM_ERR_MEMORY;
        list->ends = ends;
        list->capacity = capacity;
    }
    list->ends[list->count++] = list->text.length;
    return OCLM_OK;
}

oclm_status tok_strings_push(tok_strings *list, const char *text, size_t length)
{
    oclm_status status = tok_strings_add(list, text, length);
    return status == OCLM_OK ? tok_strings_end(list) : status;
}

void tok_strings_clear(tok_strings *list)
{
    core_text_clear(&list->text);
    list->count = 0;
}

void tok_strings_deinit(tok_strings *list)
{
    core_text_free(&list->text);
    core_free(list->ends);
    list->ends = NULL;
    list->count = list->capacity = 0;
}
