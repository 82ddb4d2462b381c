/* stop_strings.c: strings are compared backwards, from each byte of the last token on, through the tokens before it.
 *
 * As transformers' StopStringCriteria, which looks back as many tokens as the longest string has characters, or bytes where tokens are bytes. */
#include "generation/stop_strings.h"

#include <stdio.h>
#include <string.h>

#include "tokenizer/token_text.h"

#define SHOWN 60 /* bytes of a string in a message */

struct gen_stop_strings {
    tok_token_texts *texts;
    size_t           vocab_size;
    char           **strings; /* [count] */
    size_t          *lengths; /* [count] bytes */
    uint32_t         count;
    size_t           look_back; /* tokens */
};

/* Ids as if `before` and `ids` were one list. */
typedef struct id_list {
    const int32_t *before, *ids;
    size_t         before_count, count;
} id_list;

static int32_t id_at(const id_list *list, size_t index)
{
    return index < list->before_count ? list->before[index] : list->ids[index - list->before_count];
}

/* Does the string end behind the first `end` bytes of token `last`? `oldest`: the first token that is looked at. */
static bool ends_at(const gen_stop_strings *stop, const id_list *list, size_t oldest, size_t last, size_t end, const char *string, size_t length)
{
    size_t      size, left = length;
    const char *text = tok_token_text(stop->texts, id_at(list, last), &size);
    size = end;
    for (;;) {
        const size_t part = size < left ? size : left;
        if (memcmp(text + size - part, string + left - part, part) != 0)
            return false;
        if ((left -= part) == 0)
            return true;
        if (last-- == oldest || (text = tok_token_text(stop->texts, id_at(list, last), &size)) == NULL)
            return false;
    }
}

bool gen_stop_strings_hit(const gen_stop_strings *stop, const int32_t *before, size_t before_count, const int32_t *ids, size_t count)
{
    const id_list list = { before, ids, before_count, count };
    const size_t  total = before_count + count, oldest = total > stop->look_back ? total - stop->look_back : 0;
    size_t        size;
    if (total == 0 || tok_token_text(stop->texts, id_at(&list, total - 1), &size) == NULL)
        return false;
    for (uint32_t i = 0; i < stop->count; i++) {
        for (size_t end = 1; end <= size; end++) {
            if (ends_at(stop, &list, oldest, total - 1, end, stop->strings[i], stop->lengths[i]))
                return true;
        }
    }
    return false;
}

/* Can the string end inside this text, whatever stands before it? */
static bool may_end_in(const char *text, size_t size, const char *string, size_t length)
{
    for (size_t end = 1; end <= size; end++) {
        const size_t part = end < length ? end : length;
        if (memcmp(text + end - part, string + length - part, part) == 0)
            return true;
    }
    return false;
}

/* transformers refuses where no token can end any of the strings. */
static bool may_be_hit(const gen_stop_strings *stop)
{
    for (size_t id = 0; id < stop->vocab_size; id++) {
        size_t      size;
        const char *text = tok_token_text(stop->texts, (int32_t)id, &size);
        for (uint32_t i = 0; i < stop->count && text != NULL; i++) {
            if (may_end_in(text, size, stop->strings[i], stop->lengths[i]))
                return true;
        }
    }
    return false;
}

static oclm_status refuse(const gen_stop_strings *stop)
{
    char shown[SHOWN + 1];
    (void)snprintf(shown, sizeof shown, "%.*s", (int)core_utf8_cut(stop->strings[0], stop->lengths[0], SHOWN), stop->strings[0]);
    core_make_printable(shown, true);
    return core_fail(OCLM_ERR_ARGUMENT, "stop_strings: no token of this model can end \"%s\"%s; its characters are not in the vocabulary", shown,
                     stop->count > 1 ? " or any of the others" : "");
}

static oclm_status add(gen_stop_strings *stop, uint32_t index, const char *string)
{
    const bool bytes = tok_token_texts_are_bytes(stop->texts);
    size_t     characters = 0;
    if (string == NULL || string[0] == '\0')
        return core_fail(OCLM_ERR_ARGUMENT, "stop_strings: string %u is empty, which every text contains; leave it out", (unsigned)index + 1);
    if ((stop->strings[index] = core_copy_string(string, "a stop string")) == NULL)
        return OCLM_ERR_MEMORY;
    stop->lengths[index] = strlen(string);
    stop->count = index + 1;
    for (const char *p = string; *p != '\0'; p++)
        characters += bytes || ((unsigned char)*p & 0xC0) != 0x80;
    if (characters > stop->look_back)
        stop->look_back = characters;
    return OCLM_OK;
}

oclm_status gen_stop_strings_new(const tok_tokenizer *tokenizer, const char *const *strings, uint32_t count, gen_stop_strings **stop)
{
    gen_stop_strings *made = core_alloc_zero(1, sizeof *made, "stop strings");
    oclm_status       status = OCLM_ERR_MEMORY;
    *stop = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->vocab_size = tok_vocab_size(tokenizer);
    made->strings = core_alloc_zero(count, sizeof *made->strings, "stop strings");
    made->lengths = core_alloc_zero(count, sizeof *made->lengths, "stop strings");
    if (made->strings != NULL && made->lengths != NULL)
        status = tok_token_texts_new(tokenizer, &made->texts);
    for (uint32_t i = 0; i < count && status == OCLM_OK; i++)
        status = add(made, i, strings[i]);
    if (status == OCLM_OK && count > 0 && !may_be_hit(made))
        status = refuse(made);
    if (status == OCLM_OK)
        *stop = made;
    else
        gen_stop_strings_free(made);
    return status;
}

void gen_stop_strings_free(gen_stop_strings *stop)
{
    if (stop == NULL)
        return;
    for (uint32_t i = 0; i < stop->count; i++)
        core_free(stop->strings[i]);
    core_free(stop->strings);
    core_free(stop->lengths);
    tok_token_texts_free(stop->texts);
    core_free(stop);
}
