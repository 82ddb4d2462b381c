/* model_read.c: what the readers of models share. */
#include "tokenizer/model_read.h"

#include <string.h>

#include "tokenizer/vocab_batch.h"

#define BYTES_PER_ENTRY 70 /* of a tokenizer.json, roughly: 70 in Llama 3's, 72 in GPT-2's, 126 in Gemma 3's */

oclm_status tok_read_one_vocab(core_json_reader *reader, bool *seen)
{
    if (*seen)
        return core_json_error(reader, "the model has two vocabularies");
    *seen = true;
    return OCLM_OK;
}

oclm_status tok_read_optional_string(core_json_reader *reader, char **value)
{
    core_json_kind kind;
    const char    *text;
    size_t         length;
    oclm_status    status = core_json_peek(reader, &kind);
    if (status != OCLM_OK)
        return status;
    core_free(*value);
    *value = NULL;
    if (kind == CORE_JSON_NULL)
        return core_json_skip(reader);
    if ((status = core_json_string(reader, &text, &length)) != OCLM_OK || length == 0)
        return status;
    *value = core_copy_part(text, length, "a setting of a model");
    return *value != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

oclm_status tok_read_optional_bool(core_json_reader *reader, bool *value)
{
    core_json_kind    kind;
    const oclm_status status = core_json_peek(reader, &kind);
    if (status != OCLM_OK)
        return status;
    *value = false;
    return kind == CORE_JSON_NULL ? core_json_skip(reader) : core_json_bool(reader, value);
}

static oclm_status read_entry(core_json_reader *reader, tok_vocab_batch *batch)
{
    const char *text;
    size_t      length;
    int64_t     id;
    oclm_status status;
    if ((status = core_json_key(reader, &text, &length)) != OCLM_OK || (status = tok_vocab_batch_add(batch, text, length, -1)) != OCLM_OK)
        return status;
    if ((status = core_json_int(reader, 0, TOK_MAX_ID, &id)) == OCLM_OK)
        batch->ids[batch->count - 1] = (int32_t)id; /* reading it may have reused the key's memory */
    return status;
}

oclm_status tok_read_vocab(core_json_reader *reader, tok_vocab *vocab)
{
    bool            first = true, more;
    tok_vocab_batch batch = TOK_VOCAB_BATCH_INIT(vocab);
    oclm_status     status = core_json_enter(reader, CORE_JSON_OBJECT);
    if (status == OCLM_OK)
        status = tok_vocab_reserve(vocab, (size_t)(reader->end - reader->p) / BYTES_PER_ENTRY);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more)
        status = read_entry(reader, &batch);
    if (status == OCLM_OK && (status = tok_vocab_batch_end(&batch)) == OCLM_OK)
        status = tok_vocab_index_ids(vocab);
    tok_vocab_batch_deinit(&batch);
    return status;
}

void tok_find_byte_tokens(const tok_vocab *vocab, int32_t ids[256])
{
    static const char digits[] = "0123456789ABCDEF";
    char              token[6] = "<0x00>";
    for (size_t byte = 0; byte < 256; byte++) {
        token[3] = digits[byte >> 4];
        token[4] = digits[byte & 15];
        ids[byte] = tok_vocab_find(vocab, token, sizeof token);
    }
}
