/* decode.c: ids to token strings, the chain of decoders, the text. */
#include "tokenizer/decode.h"

#include <string.h>

static const tok_component components[] = {
    { "BPEDecoder", tok_decode_bpe_make },
    { "ByteFallback", tok_decode_byte_fallback_make },
    { "ByteLevel", tok_decode_byte_level_make },
    { "CTC", tok_decode_ctc_make },
    { "Fuse", tok_decode_fuse_make },
    { "Metaspace", tok_decode_metaspace_make },
    { "Replace", tok_decode_replace_make },
    { "Strip", tok_decode_strip_make },
    { "WordPiece", tok_decode_wordpiece_make },
};
const tok_stage tok_decoders = { "decoder", "decoders", components, COUNT(components) };

const char *tok_decode_string(const tok_tokenizer *tokenizer, int32_t id, size_t *length)
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
    const int32_t at = tok_vocab_find(&added->by_content, text, length);
    return at >= 0 && added->tokens[at].special;
}

oclm_status tok_decode_prepare(tok_tokenizer *tokenizer)
{
    const size_t model_ids = tokenizer->model->vocab.id_count, added_ids = tokenizer->added.id_count;
    tokenizer->vocab_size = model_ids > added_ids ? model_ids : added_ids;
    tokenizer->token_bytes = core_alloc_zero(tokenizer->vocab_size, sizeof *tokenizer->token_bytes, "the tokens' texts");
    if (tokenizer->token_bytes == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < tokenizer->vocab_size; i++) {
        tok_token_bytes *token = &tokenizer->token_bytes[i];
        size_t           length = 0;
        const char      *text = tok_decode_string(tokenizer, (int32_t)i, &length);
        if (text == NULL) /* most, where a file has few tokens and one with a huge id: nothing is written then */
            continue;
        token->known = true;
        token->special = is_special(&tokenizer->added, text, length);
    }
    return tok_decode_join_prepare(tokenizer);
}

oclm_status tok_decode_steps(const tok_chain *chain, size_t first, tok_strings lists[2], tok_strings **result)
{
    tok_strings *in = &lists[0], *other = &lists[1];
    oclm_status  status = OCLM_OK;
    for (size_t i = first; i < chain->count && status == OCLM_OK; i++) {
        tok_strings *before = in;
        tok_strings_clear(other);
        status = chain->steps[i]->does.decode(chain->steps[i], in, other);
        in = other;
        other = before;
    }
    *result = in;
    return status;
}

static oclm_status decode_lists(const tok_tokenizer *tokenizer, tok_strings lists[2], const int32_t *ids, size_t count,
                                bool skip_special_tokens, core_text *out)
{
    tok_strings *in = &lists[0];
    oclm_status  status = OCLM_OK;
    tok_strings_clear(in);
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        size_t length;
        if (!tok_is_skipped(tokenizer, ids[i], skip_special_tokens)) {
            const char *text = tok_decode_string(tokenizer, ids[i], &length);
            status = tok_strings_push(in, text, length);
        }
    }
    if (status == OCLM_OK)
        status = tok_decode_steps(&tokenizer->decoder, 0, lists, &in);
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length;
        const char *text = tok_strings_at(in, i, &length);
        if (i > 0 && !tokenizer->decoder.present && (status = core_text_add_char(out, ' ')) != OCLM_OK)
            break; /* without a decoder tokens are joined by spaces */
        status = length > 0 ? core_text_add(out, text, length) : OCLM_OK;
    }
    return status;
}

oclm_status tok_decode_with(const tok_tokenizer *tokenizer, tok_scratch *scratch, const int32_t *ids, size_t count,
                            bool skip_special_tokens, core_text *out)
{
    const size_t before = out->length;
    oclm_status  status = tokenizer->joining != TOK_JOIN_NOT
                              ? tok_decode_join(tokenizer, scratch, ids, count, skip_special_tokens, out)
                              : decode_lists(tokenizer, scratch->strings, ids, count, skip_special_tokens, out);
    if (status != OCLM_OK && out->data != NULL) {
        out->length = before;
        out->data[before] = '\0';
    }
    return status;
}

oclm_status tok_decode(const tok_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens, core_text *out)
{
    const bool   clean = tokenizer->settings.clean_up_spaces;
    core_text    raw = CORE_TEXT_INIT;
    tok_scratch *scratch;
    oclm_status  status = tok_scratch_take(tokenizer, &scratch);
    if (status != OCLM_OK)
        return status;
    status = tok_decode_with(tokenizer, scratch, ids, count, skip_special_tokens, clean ? &raw : out);
    tok_scratch_give(tokenizer, scratch);
    if (status == OCLM_OK && raw.length > 0)
        status = tok_clean_up(raw.data, raw.length, false, out);
    core_text_free(&raw);
    return status;
}
