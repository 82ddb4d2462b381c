/* tokenizer.c: text to ids and back. */
#include "api/api.h"

struct oclm_token_stream {
    tok_stream *inside;
};

oclm_status oclm_tokenizer_load(const char *name, const oclm_hub_options *hub, oclm_tokenizer **tokenizer)
{
    core_text        folder = CORE_TEXT_INIT;
    oclm_hub_options mine;
    oclm_tokenizer  *made;
    oclm_status      status;
    if (!tokenizer)
        return api_missing("oclm_tokenizer_load", "tokenizer");
    *tokenizer = NULL;
    if (!name)
        return api_missing("oclm_tokenizer_load", "name");
    if ((status = api_find_model(name, hub, OCLM_HUB_TOKENIZER, &folder, &mine)) != OCLM_OK)
        goto done;
    if (!(made = core_alloc_zero(1, sizeof *made, "a tokenizer")))
        status = OCLM_ERR_MEMORY;
    else if ((status = tok_open(folder.data, &made->inside)) != OCLM_OK || (status = tok_templates_read(folder.data, &made->templates)) != OCLM_OK)
        oclm_tokenizer_free(made);
    else
        *tokenizer = made;
done:
    core_text_free(&folder);
    return status;
}

void oclm_tokenizer_free(oclm_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    tok_close(tokenizer->inside);
    tok_templates_free(&tokenizer->templates);
    core_free(tokenizer);
}

size_t oclm_tokenizer_vocab_size(const oclm_tokenizer *tokenizer)
{
    return tokenizer ? tok_vocab_size(tokenizer->inside) : 0;
}

const char *oclm_tokenizer_token(const oclm_tokenizer *tokenizer, int32_t id)
{
    return tokenizer ? tok_token(tokenizer->inside, id) : NULL;
}

oclm_status oclm_tokenizer_encode(const oclm_tokenizer *tokenizer, const char *text, size_t length, bool add_special_tokens,
                                  int32_t **ids, size_t *count)
{
    tok_ids     found = TOK_IDS_INIT;
    oclm_status status;
    if (!ids || !count)
        return api_missing("oclm_tokenizer_encode", ids ? "count" : "ids");
    *ids = NULL;
    *count = 0;
    if (!tokenizer || (!text && length > 0))
        return api_missing("oclm_tokenizer_encode", tokenizer ? "text" : "tokenizer");
    status = tok_encode(tokenizer->inside, text ? text : "", length, add_special_tokens, &found);
    if (status == OCLM_OK && !found.data && !(found.data = core_alloc(0, "ids")))
        status = OCLM_ERR_MEMORY;
    if (status != OCLM_OK) {
        tok_ids_free(&found);
        return status;
    }
    *ids = found.data;
    *count = found.count;
    return OCLM_OK;
}

oclm_status oclm_tokenizer_decode(const oclm_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens,
                                  char **text, size_t *length)
{
    core_text   out = CORE_TEXT_INIT;
    oclm_status status;
    if (!text)
        return api_missing("oclm_tokenizer_decode", "text");
    *text = NULL;
    if (length)
        *length = 0;
    if (!tokenizer || (!ids && count > 0))
        return api_missing("oclm_tokenizer_decode", tokenizer ? "ids" : "tokenizer");
    status = tok_decode(tokenizer->inside, ids, count, skip_special_tokens, &out);
    if (status == OCLM_OK && !(*text = core_text_take(&out, length)))
        status = OCLM_ERR_MEMORY;
    core_text_free(&out);
    return status;
}

oclm_status oclm_token_stream_new(const oclm_tokenizer *tokenizer, bool skip_special_tokens, oclm_token_stream **stream)
{
    oclm_token_stream *made;
    oclm_status        status;
    if (!stream)
        return api_missing("oclm_token_stream_new", "stream");
    *stream = NULL;
    if (!tokenizer)
        return api_missing("oclm_token_stream_new", "tokenizer");
    if (!(made = core_alloc_zero(1, sizeof *made, "a token stream")))
        return OCLM_ERR_MEMORY;
    if ((status = tok_stream_new(tokenizer->inside, skip_special_tokens, &made->inside)) != OCLM_OK)
        core_free(made);
    else
        *stream = made;
    return status;
}

void oclm_token_stream_free(oclm_token_stream *stream)
{
    if (!stream)
        return;
    tok_stream_free(stream->inside);
    core_free(stream);
}

/* What both calls leave behind when they fail: an empty text, so that a caller who prints it is safe. */
static void nothing(const char **text, size_t *length)
{
    *text = "";
    if (length)
        *length = 0;
}

oclm_status oclm_token_stream_push(oclm_token_stream *stream, int32_t id, const char **text, size_t *length)
{
    size_t      bytes = 0;
    oclm_status status;
    if (!text)
        return api_missing("oclm_token_stream_push", "text");
    nothing(text, length);
    if (!stream)
        return api_missing("oclm_token_stream_push", "stream");
    if ((status = tok_stream_push(stream->inside, id, text, &bytes)) != OCLM_OK)
        nothing(text, length);
    else if (length)
        *length = bytes;
    return status;
}

oclm_status oclm_token_stream_flush(oclm_token_stream *stream, const char **text, size_t *length)
{
    size_t      bytes = 0;
    oclm_status status;
    if (!text)
        return api_missing("oclm_token_stream_flush", "text");
    nothing(text, length);
    if (!stream)
        return api_missing("oclm_token_stream_flush", "stream");
    if ((status = tok_stream_flush(stream->inside, text, &bytes)) != OCLM_OK)
        nothing(text, length);
    else if (length)
        *length = bytes;
    return status;
}
