/* words.c: all ids since the last line end are decoded anew with each id, as the reference does: what it prints may depend on that. */
#include "tokenizer/words.h"

#include <string.h>

#include "tokenizer/unicode.h"

struct tok_words {
    const tok_tokenizer *tokenizer;
    bool                 skip_special_tokens;
    tok_ids              ids;     /* since the last line end */
    core_text            text;    /* of them */
    size_t               printed; /* characters of it */
};

oclm_status tok_words_new(const tok_tokenizer *tokenizer, bool skip_special_tokens, tok_words **words)
{
    tok_words *made = core_alloc_zero(1, sizeof *made, "a stream of words");
    *words = made;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->tokenizer = tokenizer;
    made->skip_special_tokens = skip_special_tokens;
    return OCLM_OK;
}

void tok_words_free(tok_words *words)
{
    if (words == NULL)
        return;
    tok_ids_free(&words->ids);
    core_text_free(&words->text);
    core_free(words);
}

/* _is_chinese_char(): blocks of unified and compatibility ideographs. */
static bool is_cjk(uint32_t c)
{
    static const uint32_t blocks[][2] = {
        { 0x4E00, 0x9FFF }, { 0x3400, 0x4DBF }, { 0x20000, 0x2A6DF }, { 0x2A700, 0x2B73F },
        { 0x2B740, 0x2B81F }, { 0x2B820, 0x2CEAF }, { 0xF900, 0xFAFF }, { 0x2F800, 0x2FA1F },
    };
    for (size_t i = 0; i < COUNT(blocks); i++) {
        if (c >= blocks[i][0] && c <= blocks[i][1])
            return true;
    }
    return false;
}

/* Where the text's first `characters` characters end; its end where it has fewer. */
static size_t offset_of(const core_text *text, size_t characters)
{
    size_t at = 0;
    while (at < text->length && characters > 0) {
        do
            at++;
        while (at < text->length && ((unsigned char)text->data[at] & 0xC0) == 0x80);
        characters--;
    }
    return at;
}

static size_t count_characters(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

/* How many bytes may be printed. */
static size_t whole_words(const core_text *text)
{
    size_t      length = text->length;
    uint32_t    last = 0;
    const char *end = text->data + length;
    if (length == 0 || end[-1] == '\n')
        return length;
    if (core_utf8_read(tok_char_before(text->data, end), end, &last) > 0 && is_cjk(last))
        return length;
    while (length > 0 && text->data[length - 1] != ' ')
        length--;
    return length;
}

static oclm_status decode(tok_words *words)
{
    core_text_clear(&words->text);
    const oclm_status status = core_text_reserve(&words->text, 1);
    if (status != OCLM_OK)
        return status;
    words->text.data[words->text.length] = '\0';
    return tok_decode(words->tokenizer, words->ids.data, words->ids.count, words->skip_special_tokens, &words->text);
}

/* Tells the text from what is printed up to `end`. */
static void tell(tok_words *words, size_t end, const char **text, size_t *length)
{
    const size_t begin = offset_of(&words->text, words->printed);
    *text = words->text.data + begin;
    *length = end > begin ? end - begin : 0;
    words->printed += count_characters(*text, *length);
}

static void begin_line(tok_words *words)
{
    words->ids.count = 0;
    words->printed = 0;
}

oclm_status tok_words_push(tok_words *words, const int32_t *ids, size_t count, const char **text, size_t *length)
{
    oclm_status status = OCLM_OK;
    *text = "";
    *length = 0;
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = tok_ids_add(&words->ids, ids[i]);
    if (status != OCLM_OK || (status = decode(words)) != OCLM_OK)
        return status;
    tell(words, whole_words(&words->text), text, length);
    if (words->text.length > 0 && words->text.data[words->text.length - 1] == '\n')
        begin_line(words);
    return OCLM_OK;
}

oclm_status tok_words_flush(tok_words *words, const char **text, size_t *length)
{
    *text = "";
    *length = 0;
    if (words->ids.count > 0) {
        const oclm_status status = decode(words);
        if (status != OCLM_OK)
            return status;
        tell(words, words->text.length, text, length);
    }
    begin_line(words);
    return OCLM_OK;
}
