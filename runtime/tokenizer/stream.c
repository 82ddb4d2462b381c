/* stream.c: ids to text one at a time: the reference's DecodeStream, without its failures, and with a flush.
 *
 * Text is told once it no longer ends in U+FFFD, which may be half a character. Where the decoder only joins bytes, those
 * not told yet are all that is kept. Other decoders look at several tokens: a window of ids is decoded at each step, and
 * what was told of it before is cut off. Ids that decoding leaves out never enter. */
#include <string.h>

#include "tokenizer/decode.h"

#define MAX_WINDOW 4096 /* ids; a longer run that always ends in U+FFFD, which the reference never tells, is told as it is */

struct tok_stream {
    const tok_tokenizer *tokenizer;
    tok_scratch         *scratch; /* the stream's own */
    bool                 skip_special_tokens;
    bool                 bytes;   /* the decoder joins bytes, and does nothing else */
    core_text            out;     /* what the last call told */
    core_text            pending; /* bytes not told yet, where the decoder joins bytes */
    tok_ids              window;  /* other decoders: ids, the first `told` of which were told, as `prefix` */
    size_t               told;
    core_text            prefix, decoded;
};

oclm_status tok_stream_new(const tok_tokenizer *tokenizer, bool skip_special_tokens, tok_stream **stream)
{
    tok_stream *made = core_alloc_zero(1, sizeof *made, "a token stream");
    oclm_status status;
    *stream = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->tokenizer = tokenizer;
    made->skip_special_tokens = skip_special_tokens;
    made->bytes = tokenizer->joining == TOK_JOIN_BYTES && tokenizer->per_token == 0 && tokenizer->tail == tokenizer->decoder.count;
    if ((status = tok_scratch_new(&made->scratch)) != OCLM_OK || (status = core_text_reserve(&made->out, 64)) != OCLM_OK) {
        tok_stream_free(made);
        return status;
    }
    *stream = made;
    return OCLM_OK;
}

void tok_stream_free(tok_stream *stream)
{
    if (stream == NULL)
        return;
    tok_scratch_free(stream->scratch);
    core_text_free(&stream->out);
    core_text_free(&stream->pending);
    tok_ids_free(&stream->window);
    core_text_free(&stream->prefix);
    core_text_free(&stream->decoded);
    core_free(stream);
}

/* Would these bytes, read as UTF-8, end in U+FFFD? Looks at the last character only: a lead byte always begins one. */
static bool ends_in_replacement(const char *bytes, size_t length)
{
    uint32_t code_point = 0;
    size_t   back = 1;
    if (length == 0)
        return false;
    while (back < 4 && back < length && ((unsigned char)bytes[length - back] & 0xC0) == 0x80)
        back++;
    return core_utf8_read(bytes + length - back, bytes + length, &code_point) != back || code_point == 0xFFFD;
}

static oclm_status tell_pending(tok_stream *stream)
{
    const oclm_status status = core_utf8_add_lossy(&stream->out, stream->pending.data, stream->pending.length);
    if (status == OCLM_OK)
        core_text_clear(&stream->pending);
    return status;
}

static oclm_status push_bytes(tok_stream *stream, int32_t id)
{
    const tok_token_bytes *token = &stream->tokenizer->token_bytes[id];
    const oclm_status      status = core_text_add(&stream->pending, stream->tokenizer->bytes.data + token->start, token->length);
    if (status != OCLM_OK || stream->pending.length == 0 || ends_in_replacement(stream->pending.data, stream->pending.length))
        return status;
    return tell_pending(stream);
}

/* ---- Other decoders */

static oclm_status decode_window(tok_stream *stream, size_t from, core_text *text)
{
    core_text_clear(text);
    return tok_decode_with(stream->tokenizer, stream->scratch, stream->window.data + from, stream->window.count - from, false, text);
}

/* Tells what the window holds beyond the prefix; the ids told before leave it. */
static oclm_status tell_window(tok_stream *stream)
{
    const core_text *decoded = &stream->decoded, *prefix = &stream->prefix;
    oclm_status      status;
    if (decoded->length >= prefix->length && (prefix->length == 0 || memcmp(decoded->data, prefix->data, prefix->length) == 0)) {
        if (decoded->length > prefix->length &&
            (status = core_text_add(&stream->out, decoded->data + prefix->length, decoded->length - prefix->length)) != OCLM_OK)
            return status;
    } else { /* new ids changed the text of told ones: a broken run of bytes. The reference fails; the new ids alone are told */
        if ((status = tok_decode_with(stream->tokenizer, stream->scratch, stream->window.data + stream->told,
                                      stream->window.count - stream->told, false, &stream->out)) != OCLM_OK)
            return status;
    }
    stream->window.count -= stream->told;
    memmove(stream->window.data, stream->window.data + stream->told, stream->window.count * sizeof *stream->window.data);
    if ((status = decode_window(stream, 0, &stream->prefix)) == OCLM_OK)
        stream->told = stream->window.count;
    return status;
}

static oclm_status push_window(tok_stream *stream, int32_t id)
{
    oclm_status status;
    if (stream->prefix.length == 0 && stream->window.count > 0) {
        if ((status = decode_window(stream, 0, &stream->decoded)) != OCLM_OK)
            return status;
        if (stream->decoded.length == 0 || !ends_in_replacement(stream->decoded.data, stream->decoded.length)) {
            core_text_clear(&stream->prefix);
            if ((status = core_text_add(&stream->prefix, stream->decoded.data, stream->decoded.length)) != OCLM_OK)
                return status;
            stream->told = stream->window.count;
        }
    }
    if ((status = tok_ids_add(&stream->window, id)) != OCLM_OK || (status = decode_window(stream, 0, &stream->decoded)) != OCLM_OK)
        return status;
    const bool more = stream->decoded.length > stream->prefix.length &&
                      !ends_in_replacement(stream->decoded.data, stream->decoded.length);
    return more || stream->window.count > MAX_WINDOW ? tell_window(stream) : OCLM_OK;
}

/* ---- Both */

oclm_status tok_stream_push(tok_stream *stream, int32_t id, const char **text, size_t *length)
{
    oclm_status status = OCLM_OK;
    core_text_clear(&stream->out);
    if (!tok_is_skipped(stream->tokenizer, id, stream->skip_special_tokens))
        status = stream->bytes ? push_bytes(stream, id) : push_window(stream, id);
    *text = stream->out.data;
    *length = stream->out.length;
    return status;
}

oclm_status tok_stream_flush(tok_stream *stream, const char **text, size_t *length)
{
    oclm_status status = OCLM_OK;
    core_text_clear(&stream->out);
    if (stream->pending.length > 0)
        status = tell_pending(stream);
    if (stream->window.count > stream->told && (status = decode_window(stream, 0, &stream->decoded)) == OCLM_OK)
        status = tell_window(stream);
    stream->window.count = stream->told = 0;
    core_text_clear(&stream->prefix);
    *text = stream->out.data;
    *length = stream->out.length;
    return status;
}
