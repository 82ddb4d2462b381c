/* decode.c: ids to token strings, the chain of decoders, the text.
 *
 * Where the decoder is ByteLevel alone, which most models have, each token's bytes are ready and are only joined. */
#include "tokenizer/decode.h"

#include <string.h>

#include "tokenizer/byte_level.h"
#include "tokenizer/clean_up.h"

static const tok_component components[] = {
    { "ByteLevel", tok_decode_byte_level_make },
    { "ByteFallback", tok_decode_byte_fallback_make },
    { "Fuse", tok_decode_fuse_make },
    { "Replace", tok_decode_replace_make },
    { "Strip", tok_decode_strip_make },
};
const tok_stage tok_decoders = { "decoder", "decoders", components, COUNT(components) };

/* What an id is to the decoder: an added token's searched form, else the vocabulary's string. */
static const char *decoded_token(const tok_tokenizer *tokenizer, int32_t id, size_t *length)
{
    const tok_added_token *added = tok_added_by_id(&tokenizer->added, id);
    if (added != NULL) {
        *length = added->length;
        return added->text;
    }
    return tok_vocab_text(&tokenizer->model->vocab, id, length);
}

/* The reference skips a token whose decoded string is the content of a special one: so not one that normalising changed. */
static bool is_special(const tok_added *added, const char *text, size_t length)
{
    const int32_t at = text != NULL ? tok_vocab_find(&added->by_content, text, length) : -1;
    return at >= 0 && added->tokens[at].special;
}

oclm_status tok_decode_prepare(tok_tokenizer *tokenizer)
{
    const size_t model_ids = tokenizer->model->vocab.id_count, added_ids = tokenizer->added.id_count;
    oclm_status  status = OCLM_OK;
    tokenizer->vocab_size = model_ids > added_ids ? model_ids : added_ids;
    tokenizer->decodes_bytes = tokenizer->decoder.count == 1 && tok_decode_is_byte_level(tokenizer->decoder.steps[0]);
    tokenizer->token_bytes = core_alloc_zero(tokenizer->vocab_size, sizeof *tokenizer->token_bytes, "the tokens' texts");
    if (tokenizer->token_bytes == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < tokenizer->vocab_size && status == OCLM_OK; i++) {
        tok_token_bytes *token = &tokenizer->token_bytes[i];
        size_t           length = 0;
        const char      *text = decoded_token(tokenizer, (int32_t)i, &length);
        token->known = text != NULL;
        token->special = is_special(&tokenizer->added, text, length);
        if (text == NULL || !tokenizer->decodes_bytes)
            continue;
        const size_t start = tokenizer->bytes.length;
        if (!tok_bytes_of_token(text, length, &tokenizer->bytes, &status) && status == OCLM_OK)
            status = core_text_add(&tokenizer->bytes, text, length);
        if (tokenizer->bytes.length > UINT32_MAX)
            return core_fail(OCLM_ERR_FORMAT, "the tokens' texts are longer than 4 GiB");
        token->start = (uint32_t)start;
        token->length = (uint32_t)(tokenizer->bytes.length - start);
    }
    return status;
}

static oclm_status decode_bytes(const tok_tokenizer *tokenizer, core_text *bytes, const int32_t *ids, size_t count,
                                bool skip_special_tokens, core_text *out)
{
    oclm_status status;
    core_text_clear(bytes);
    for (size_t i = 0; i < count; i++) {
        if (tok_is_skipped(tokenizer, ids[i], skip_special_tokens))
            continue;
        const tok_token_bytes *token = &tokenizer->token_bytes[ids[i]];
        if ((status = core_text_add(bytes, tokenizer->bytes.data + token->start, token->length)) != OCLM_OK)
            return status;
    }
    return bytes->length > 0 ? core_utf8_add_lossy(out, bytes->data, bytes->length) : OCLM_OK;
}

static oclm_status decode_strings(const tok_tokenizer *tokenizer, tok_strings lists[2], const int32_t *ids, size_t count,
                                  bool skip_special_tokens, core_text *out)
{
    tok_strings *in = &lists[0], *other = &lists[1];
    oclm_status  status = OCLM_OK;
    tok_strings_clear(in);
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        size_t length;
        if (!tok_is_skipped(tokenizer, ids[i], skip_special_tokens)) {
            const char *text = decoded_token(tokenizer, ids[i], &length);
            status = tok_strings_push(in, text, length);
        }
    }
    for (size_t i = 0; i < tokenizer->decoder.count && status == OCLM_OK; i++) {
        const tok_step *step = tokenizer->decoder.steps[i];
        tok_strings    *before = in;
        tok_strings_clear(other);
        status = step->does.decode(step, in, other);
        in = other;
        other = before;
    }
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length;
        const char *text = tok_strings_at(in, i, &length);
        if (i > 0 && tokenizer->decoder.count == 0 && (status = core_text_add_char(out, ' ')) != OCLM_OK)
            break; /* without a decoder tokens are joined by spaces */
        status = length > 0 ? core_text_add(out, text, length) : OCLM_OK;
    }
    return status;
}

oclm_status tok_decode_with(const tok_tokenizer *tokenizer, tok_scratch *scratch, const int32_t *ids, size_t count,
                            bool skip_special_tokens, core_text *out)
{
    const size_t before = out->length;
    oclm_status  status = tokenizer->decodes_bytes
                              ? decode_bytes(tokenizer, &scratch->text, ids, count, skip_special_tokens, out)
                              : decode_strings(tokenizer, scratch->strings, ids, count, skip_special_tokens, out);
    if (status != OCLM_OK && out->data != NULL) {
        out->length = before;
        out->data[before] = '\0';
    }
    return status;
}

oclm_status tok_decode(const tok_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens, core_text *out)
{
    tok_scratch *scratch;
    oclm_status  status = tok_scratch_take(tokenizer, &scratch);
    if (status != OCLM_OK)
        return status;
    const size_t before = out->length;
    status = tok_decode_with(tokenizer, scratch, ids, count, skip_special_tokens, out);
    tok_scratch_give(tokenizer, scratch);
    if (status == OCLM_OK && tokenizer->settings.clean_up_spaces)
        tok_clean_up(out, before);
    return status;
}
