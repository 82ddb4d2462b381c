/* decode_join.c: decoding as joining texts that are ready.
 *
 * Most chains of decoders are: some that look at each token alone, then perhaps ByteFallback, then Fuse, then something for the
 * whole text; or ByteLevel alone. What the first ones make of each token is worked out at load, once for all tokens that are not
 * the first of a text; the first goes through the steps. */
#include "tokenizer/decode.h"

#include <string.h>

#include "tokenizer/byte_level.h"

static tok_decoder_kind kind_of(const tok_chain *chain, size_t index)
{
    return index < chain->count ? ((const tok_decoder *)chain->steps[index])->kind : TOK_DECODER_OTHER;
}

/* How the chain can be served; tokenizer->per_token steps come first, tokenizer->tail is the first step for the whole text. */
static tok_joining plan(tok_tokenizer *tokenizer)
{
    const tok_chain *chain = &tokenizer->decoder;
    size_t           at = 0;
    tok_joining      joining = TOK_JOIN;
    if (!chain->present)
        return TOK_JOIN_NOT;
    while (kind_of(chain, at) == TOK_DECODER_PER_TOKEN)
        at++;
    tokenizer->per_token = at;
    if (kind_of(chain, at) == TOK_DECODER_BYTE_LEVEL) {
        joining = TOK_JOIN_BYTES;
        at++;
    } else {
        if (kind_of(chain, at) == TOK_DECODER_BYTE_FALLBACK) {
            joining = TOK_JOIN_FALLBACK;
            at++;
        }
        if (kind_of(chain, at) == TOK_DECODER_FUSE)
            at++;
        else if (at < chain->count)
            return TOK_JOIN_NOT;
    }
    tokenizer->tail = at;
    return joining;
}

/* The strings of all known ids, in order, after a first one that counts as the text's beginning. */
static oclm_status list_tokens(const tok_tokenizer *tokenizer, tok_strings *list)
{
    oclm_status status = tok_strings_push(list, "", 0);
    for (size_t i = 0; i < tokenizer->vocab_size && status == OCLM_OK; i++) {
        size_t      length = 0;
        const char *text = tokenizer->token_bytes[i].known ? tok_decode_string(tokenizer, (int32_t)i, &length) : NULL;
        if (text != NULL)
            status = tok_strings_push(list, text, length);
    }
    return status;
}

static oclm_status run_per_token(const tok_tokenizer *tokenizer, tok_strings lists[2], tok_strings **result)
{
    const tok_chain first = { tokenizer->decoder.steps, tokenizer->per_token, true };
    return tok_decode_steps(&first, 0, lists, result);
}

static oclm_status add_token(tok_tokenizer *tokenizer, size_t id, const char *text, size_t length)
{
    core_text       *bytes = &tokenizer->bytes;
    tok_token_bytes *token = &tokenizer->token_bytes[id];
    const size_t     start = bytes->length;
    oclm_status      status = OCLM_OK;
    token->byte = -1;
    if (tokenizer->joining == TOK_JOIN_FALLBACK)
        token->byte = (int16_t)tok_byte_of_token(text, length);
    if (token->byte >= 0)
        status = core_text_add_char(bytes, (char)token->byte);
    else if (tokenizer->joining != TOK_JOIN_BYTES || (!tok_bytes_of_token(text, length, bytes, &status) && status == OCLM_OK))
        status = core_text_add(bytes, text, length);
    if (bytes->length > UINT32_MAX)
        return core_fail(OCLM_ERR_FORMAT, "the tokens' texts are longer than 4 GiB");
    token->start = (uint32_t)start;
    token->length = (uint32_t)(bytes->length - start);
    return status;
}

oclm_status tok_decode_join_prepare(tok_tokenizer *tokenizer)
{
    tok_strings lists[2], *made = NULL;
    size_t      at = 0;
    oclm_status status = OCLM_OK;
    if ((tokenizer->joining = plan(tokenizer)) == TOK_JOIN_NOT)
        return OCLM_OK;
    memset(lists, 0, sizeof lists);
    if (tokenizer->per_token > 0 && (status = list_tokens(tokenizer, &lists[0])) == OCLM_OK)
        status = run_per_token(tokenizer, lists, &made);
    for (size_t i = 0; i < tokenizer->vocab_size && status == OCLM_OK; i++) {
        size_t length = 0;
        if (!tokenizer->token_bytes[i].known)
            continue;
        const char *text = made != NULL ? tok_strings_at(made, ++at, &length) : tok_decode_string(tokenizer, (int32_t)i, &length);
        status = add_token(tokenizer, i, text != NULL ? text : "", length);
    }
    if (status == OCLM_OK) /* the last words are copied in blocks */
        status = core_text_reserve(&tokenizer->bytes, TOK_JOIN_BLOCK);
    tok_strings_deinit(&lists[0]);
    tok_strings_deinit(&lists[1]);
    return status;
}

/* ---- Decoding */

typedef struct joined {
    core_text *text;
    size_t     run; /* where a run of byte tokens began; SIZE_MAX: there is none */
} joined;

static oclm_status end_run(joined *to)
{
    const size_t begin = to->run;
    to->run = SIZE_MAX;
    return begin != SIZE_MAX ? tok_finish_bytes(to->text, begin) : OCLM_OK;
}

/* Copies a block of fixed size where there is room, which for most tokens is all there is to do. */
static inline oclm_status add_bytes(core_text *out, const char *bytes, size_t length)
{
    if (length > TOK_JOIN_BLOCK || out->capacity - out->length <= TOK_JOIN_BLOCK)
        return core_text_add(out, bytes, length);
    memcpy(out->data + out->length, bytes, TOK_JOIN_BLOCK);
    out->length += length;
    return OCLM_OK;
}

static inline oclm_status add(const tok_tokenizer *tokenizer, joined *to, const tok_token_bytes *token)
{
    if (token->byte < 0) {
        if (to->run != SIZE_MAX) {
            const oclm_status status = end_run(to);
            if (status != OCLM_OK)
                return status;
        }
    } else if (to->run == SIZE_MAX) {
        to->run = to->text->length;
    }
    return add_bytes(to->text, tokenizer->bytes.data + token->start, token->length);
}

/* The first token of a text goes through the steps. */
static oclm_status add_first(const tok_tokenizer *tokenizer, tok_scratch *scratch, joined *to, int32_t id)
{
    tok_strings *lists = scratch->strings, *made;
    size_t       length = 0;
    const char  *text = tok_decode_string(tokenizer, id, &length);
    oclm_status  status;
    tok_strings_clear(&lists[0]);
    if ((status = tok_strings_push(&lists[0], text, length)) != OCLM_OK ||
        (status = run_per_token(tokenizer, lists, &made)) != OCLM_OK)
        return status;
    text = tok_strings_at(made, 0, &length);
    const int byte = tokenizer->joining == TOK_JOIN_FALLBACK && length > 0 ? tok_byte_of_token(text, length) : -1;
    if (byte >= 0) {
        to->run = to->text->length;
        return core_text_add_char(to->text, (char)byte);
    }
    if (tokenizer->joining == TOK_JOIN_BYTES && length > 0 && tok_bytes_of_token(text, length, to->text, &status))
        return OCLM_OK;
    return status == OCLM_OK && length > 0 ? core_text_add(to->text, text, length) : status;
}

static oclm_status join(const tok_tokenizer *tokenizer, tok_scratch *scratch, const int32_t *ids, size_t count,
                        bool skip_special_tokens, core_text *text)
{
    joined      to = { text, SIZE_MAX };
    oclm_status status = OCLM_OK;
    size_t      i = 0;
    if (tokenizer->per_token > 0) {
        while (i < count && tok_is_skipped(tokenizer, ids[i], skip_special_tokens))
            i++;
        if (i < count)
            status = add_first(tokenizer, scratch, &to, ids[i++]);
    }
    for (; i < count && status == OCLM_OK; i++) {
        if (!tok_is_skipped(tokenizer, ids[i], skip_special_tokens))
            status = add(tokenizer, &to, &tokenizer->token_bytes[ids[i]]);
    }
    return status == OCLM_OK ? end_run(&to) : status;
}

/* The steps that come after all is one string. */
static oclm_status run_tail(const tok_tokenizer *tokenizer, tok_scratch *scratch, core_text *out)
{
    tok_strings *lists = scratch->strings, *made;
    oclm_status  status;
    tok_strings_clear(&lists[0]);
    if ((status = tok_strings_push(&lists[0], scratch->text.data, scratch->text.length)) != OCLM_OK ||
        (status = tok_decode_steps(&tokenizer->decoder, tokenizer->tail, lists, &made)) != OCLM_OK)
        return status;
    return made->text.length > 0 ? core_text_add(out, made->text.data, made->text.length) : OCLM_OK;
}

oclm_status tok_decode_join(const tok_tokenizer *tokenizer, tok_scratch *scratch, const int32_t *ids, size_t count,
                            bool skip_special_tokens, core_text *out)
{
    const bool  bytes = tokenizer->joining == TOK_JOIN_BYTES, tail = tokenizer->tail < tokenizer->decoder.count;
    core_text  *text = &scratch->text, valid = CORE_TEXT_INIT;
    oclm_status status;
    core_text_clear(text);
    if ((status = join(tokenizer, scratch, ids, count, skip_special_tokens, text)) != OCLM_OK)
        return status;
    if (!tail) {
        if (text->length == 0)
            return OCLM_OK;
        return bytes ? core_utf8_add_lossy(out, text->data, text->length) : core_text_add(out, text->data, text->length);
    }
    if (bytes && text->length > 0) {
        if ((status = core_utf8_add_lossy(&valid, text->data, text->length)) != OCLM_OK)
            return status;
        core_text_free(text);
        *text = valid;
    }
    return run_tail(tokenizer, scratch, out);
}
