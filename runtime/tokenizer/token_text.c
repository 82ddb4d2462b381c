/* token_text.c: the texts of tokens behind others: the tokenizer's own where it joins them as they are, else each decoded once behind a prefix. */
#include "tokenizer/token_text.h"

#include <string.h>

#include "tokenizer/byte_level.h"
#include "tokenizer/decode.h"

#define PREFIX "abcdef" /* that of transformers: a tokenizer may treat texts differently */

typedef enum token_form { FORM_TEXT, FORM_BYTE_FALLBACK, FORM_BYTE_LEVEL } token_form;

struct tok_token_texts {
    const tok_tokenizer *tokenizer;
    token_form           form;
    core_text            text;  /* of all tokens; unused where the tokenizer's are at hand */
    size_t              *ends;  /* [vocab_size]; NULL: they are */
};

static token_form form_of(const tok_chain *decoder)
{
    token_form found = FORM_TEXT;
    for (size_t i = 0; i < decoder->count; i++) {
        const tok_decoder_kind kind = ((const tok_decoder *)decoder->steps[i])->kind;
        if (kind == TOK_DECODER_BYTE_FALLBACK)
            return FORM_BYTE_FALLBACK;
        if (kind == TOK_DECODER_BYTE_LEVEL)
            found = FORM_BYTE_LEVEL;
    }
    return found;
}

/* Is a token's text behind others what decode_join.c has ready? Steps for the whole text may change it, unless they look at its beginning alone. */
static bool is_at_hand(const tok_tokenizer *tokenizer)
{
    if (tokenizer->joining == TOK_JOIN_NOT || (tokenizer->joining == TOK_JOIN_BYTES && tokenizer->per_token > 0))
        return false;
    for (size_t i = tokenizer->tail; i < tokenizer->decoder.count; i++) {
        if (!tok_decode_strips_first_spaces(tokenizer->decoder.steps[i]))
            return false;
    }
    return true;
}

/* A token as the vocabulary writes it, which for added tokens need not be what decoding makes of it; NULL if there is none. */
static const char *written(const tok_tokenizer *tokenizer, int32_t id, size_t *length)
{
    const tok_added_token *added = tok_added_by_id(&tokenizer->added, id);
    if (added == NULL)
        return tok_vocab_text(&tokenizer->model->vocab, id, length);
    *length = added->content_length;
    return added->content;
}

/* Adds the bytes that a token stands for by itself. */
static bool add_bytes(core_text *out, token_form form, const char *token, size_t length, oclm_status *status)
{
    const int byte = form == FORM_BYTE_FALLBACK ? tok_byte_of_token(token, length) : -1;
    if (byte >= 0)
        *status = core_text_add_char(out, (char)byte);
    return byte >= 0 || (form == FORM_BYTE_LEVEL && length > 0 && tok_bytes_of_token(token, length, out, status));
}

/* What comes behind the prefix; where decoding changed that too (it is not of this vocabulary), what comes behind as many bytes. */
static oclm_status add_rest(core_text *out, const core_text *whole, size_t prefix_length)
{
    const char *begin = whole->data != NULL ? strstr(whole->data, PREFIX) : NULL;
    size_t      at = begin != NULL ? (size_t)(begin - whole->data) + strlen(PREFIX) : prefix_length;
    if (at >= whole->length)
        return OCLM_OK;
    return core_text_add(out, whole->data + at, whole->length - at);
}

/* Decodes the prefix's tokens and `token` into lists[0] or lists[1], then `whole`. */
static oclm_status decode(const tok_tokenizer *tokenizer, tok_strings lists[2], const tok_ids *prefix, const char *token, size_t length, core_text *whole)
{
    tok_strings *made = &lists[0];
    oclm_status  status = OCLM_OK;
    tok_strings_clear(made);
    core_text_clear(whole);
    for (size_t i = 0; i < prefix->count && status == OCLM_OK; i++) {
        size_t      part;
        const char *text = written(tokenizer, prefix->data[i], &part);
        status = tok_strings_push(made, text, part);
    }
    if (status == OCLM_OK && token != NULL)
        status = tok_strings_push(made, token, length);
    if (status == OCLM_OK)
        status = tok_decode_steps(&tokenizer->decoder, 0, lists, &made);
    for (size_t i = 0; i < made->count && status == OCLM_OK; i++) {
        size_t      part;
        const char *text = tok_strings_at(made, i, &part);
        if (i > 0 && !tokenizer->decoder.present && (status = core_text_add_char(whole, ' ')) != OCLM_OK)
            break;
        status = part > 0 ? core_text_add(whole, text, part) : OCLM_OK;
    }
    return status;
}

static oclm_status decode_all(tok_token_texts *texts)
{
    const tok_tokenizer *tokenizer = texts->tokenizer;
    tok_strings          lists[2];
    tok_ids              prefix = TOK_IDS_INIT;
    core_text            whole = CORE_TEXT_INIT;
    size_t               prefix_length = 0;
    oclm_status          status = tok_encode_text(tokenizer, PREFIX, strlen(PREFIX), &prefix);
    memset(lists, 0, sizeof lists);
    if (status == OCLM_OK && (status = decode(tokenizer, lists, &prefix, NULL, 0, &whole)) == OCLM_OK)
        prefix_length = whole.length;
    for (size_t i = 0; i < tokenizer->vocab_size && status == OCLM_OK; i++) {
        size_t      length = 0;
        const char *token = written(tokenizer, (int32_t)i, &length);
        if (token != NULL && !add_bytes(&texts->text, texts->form, token, length, &status) && status == OCLM_OK &&
            (status = decode(tokenizer, lists, &prefix, token, length, &whole)) == OCLM_OK)
            status = add_rest(&texts->text, &whole, prefix_length);
        texts->ends[i] = texts->text.length;
    }
    tok_strings_deinit(&lists[0]);
    tok_strings_deinit(&lists[1]);
    tok_ids_free(&prefix);
    core_text_free(&whole);
    return status;
}

oclm_status tok_token_texts_new(const tok_tokenizer *tokenizer, tok_token_texts **texts)
{
    tok_token_texts *made = core_alloc_zero(1, sizeof *made, "the tokens' texts");
    oclm_status      status = OCLM_OK;
    *texts = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->tokenizer = tokenizer;
    made->form = form_of(&tokenizer->decoder);
    if (!is_at_hand(tokenizer)) {
        made->ends = core_alloc_array(tokenizer->vocab_size, sizeof *made->ends, "the tokens' texts");
        status = made->ends == NULL ? OCLM_ERR_MEMORY : decode_all(made);
    }
    if (status == OCLM_OK)
        *texts = made;
    else
        tok_token_texts_free(made);
    return status;
}

void tok_token_texts_free(tok_token_texts *texts)
{
    if (texts == NULL)
        return;
    core_text_free(&texts->text);
    core_free(texts->ends);
    core_free(texts);
}

bool tok_token_texts_are_bytes(const tok_token_texts *texts)
{
    return texts->form != FORM_TEXT;
}

const char *tok_token_text(const tok_token_texts *texts, int32_t id, size_t *length)
{
    const tok_tokenizer *tokenizer = texts->tokenizer;
    *length = 0;
    if (id < 0 || (size_t)id >= tokenizer->vocab_size || !tokenizer->token_bytes[id].known)
        return NULL;
    if (texts->ends == NULL) {
        *length = tokenizer->token_bytes[id].length;
        return tokenizer->bytes.data + tokenizer->token_bytes[id].start;
    }
    const size_t start = id > 0 ? texts->ends[id - 1] : 0;
    *length = texts->ends[id] - start;
    return texts->text.data != NULL ? texts->text.data + start : "";
}
