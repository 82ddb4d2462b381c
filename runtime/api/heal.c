/* heal.c: token healing: a prompt's last token may be the beginning of another one that its text would have been cut into, had the text gone on: so it
 * is made anew, with a bias for all tokens that begin with its text.
 *
 * As transformers' heal_tokens(), where that works. It puts the padding token in the place of a leading BOS; here the BOS stays. Where it ends
 * with an exception (the token's text is not what the vocabulary writes), the prompt stays. */
#include "api/generation.h"

#include <string.h>

#include "tokenizer/special.h"
#include "tokenizer/unicode.h"

#define BIAS 10.0f     /* of tokens that begin with the text of the last one */
#define OWN_BIAS 11.0f /* of that itself */

/* str.isspace() of Python. */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* The text without the white space around it. */
static void strip(const char **text, size_t *length)
{
    const char *begin = *text, *end = begin + *length;
    uint32_t    c = 0;
    for (size_t size; begin < end && (size = core_utf8_read(begin, end, &c)) > 0 && is_space(c); begin += size)
        ;
    while (end > begin && core_utf8_read(tok_char_before(begin, end), end, &c) > 0 && is_space(c))
        end = tok_char_before(begin, end);
    *text = begin;
    *length = (size_t)(end - begin);
}

/* Reads the prompt anew: as text without special tokens and without white space around it, encoded again. */
static oclm_status encode_again(const tok_tokenizer *tokenizer, const gen_prompt *prompt, tok_ids *ids)
{
    core_text   text = CORE_TEXT_INIT;
    oclm_status status = tok_decode(tokenizer, prompt->ids, prompt->count, true, &text);
    const char *stripped = text.data != NULL ? text.data : "";
    size_t      length = text.length;
    strip(&stripped, &length);
    if (status == OCLM_OK && length > 0)
        status = tok_encode(tokenizer, stripped, length, true, ids);
    core_text_free(&text);
    return status;
}

/* What the vocabulary writes for a space, as far as the reference looks: the first character of the token that " " is, or of the unknown one. */
static size_t space_of(const tok_tokenizer *tokenizer, const char **space)
{
    int32_t     id = tok_id_of(tokenizer, " ", 1);
    const char *text;
    size_t      size = 0;
    if (id < 0 && !tok_special(tokenizer, TOK_UNK, &text, &size, &id))
        return 0;
    if ((text = tok_token(tokenizer, id)) == NULL || text[0] == '\0')
        return 0;
    (void)tok_char_at(text, &size);
    *space = text;
    return size;
}

/* The text of a token by itself, with spaces as the vocabulary writes them. */
static oclm_status spell(const tok_tokenizer *tokenizer, int32_t id, core_text *out)
{
    core_text    text = CORE_TEXT_INIT;
    const char  *space = " ";
    const size_t size = space_of(tokenizer, &space);
    oclm_status  status = tok_decode(tokenizer, &id, 1, false, &text);
    for (size_t i = 0; i < text.length && status == OCLM_OK; i++)
        status = text.data[i] == ' ' && size > 0 ? core_text_add(out, space, size) : core_text_add_char(out, text.data[i]);
    core_text_free(&text);
    return status;
}

/* Tokens that begin with a text, each with its bias; `ids` is what `bias` points into. */
typedef struct choice {
    int32_t            *ids;
    oclm_sequence_bias *bias;
    size_t              count;
    bool                own; /* the last token is among them */
} choice;

static oclm_status find(const tok_tokenizer *tokenizer, uint32_t vocab, int32_t last, choice *found)
{
    core_text   prefix = CORE_TEXT_INIT;
    size_t      most = tok_vocab_size(tokenizer);
    oclm_status status = spell(tokenizer, last, &prefix);
    most = most < vocab ? most : vocab; /* what the model does not know cannot come */
    found->ids = core_alloc_array(most, sizeof *found->ids, "tokens to choose from");
    found->bias = core_alloc_array(most, sizeof *found->bias, "tokens to choose from");
    if (found->ids == NULL || found->bias == NULL)
        status = OCLM_ERR_MEMORY;
    for (size_t i = 0; i < most && status == OCLM_OK; i++) {
        const char *token = tok_token(tokenizer, (int32_t)i);
        if (token == NULL || (prefix.length > 0 && strncmp(token, prefix.data, prefix.length) != 0))
            continue;
        found->ids[found->count] = (int32_t)i;
        found->bias[found->count] = (oclm_sequence_bias){ &found->ids[found->count], 1, (int32_t)i == last ? OWN_BIAS : BIAS };
        found->count++;
        found->own = found->own || (int32_t)i == last;
    }
    core_text_free(&prefix);
    return status;
}

static oclm_status choose(const api_call *call, tok_ids *ids, const choice *found)
{
    oclm_generate_options o = api_generate_defaults;
    oclm_generation      *made;
    size_t                count;
    o.max_new_tokens = 1;
    o.token_healing = OCLM_SWITCH_OFF;
    o.sequence_bias = found->bias;
    o.sequence_bias_count = found->count;
    o.seed = call->options->seed;
    o.cancel = call->options->cancel;
    const oclm_status status = oclm_generate(call->model, ids->data, ids->count - 1, &o, &made);
    if (status != OCLM_OK)
        return status;
    const int32_t *new_ids = oclm_generation_ids(made, 0, &count);
    if (count > 0)
        ids->data[ids->count - 1] = new_ids[0];
    oclm_generation_free(made);
    return OCLM_OK;
}

/* The prompt with its last token made anew. */
static oclm_status heal(const api_call *call, const gen_prompt *prompt, tok_ids *ids)
{
    const tok_tokenizer *tokenizer = call->tokenizer->inside;
    choice               found = { 0 };
    oclm_status          status = encode_again(tokenizer, prompt, ids);
    if (status == OCLM_OK && ids->count == 0) { /* nothing but white space and special tokens */
        for (uint32_t i = 0; i < prompt->count && status == OCLM_OK; i++)
            status = tok_ids_add(ids, prompt->ids[i]);
        return status;
    }
    if (status == OCLM_OK && (status = api_check_ids(call->model, ids->data, ids->count)) == OCLM_OK && ids->count > 1 &&
        (status = find(tokenizer, call->model->inside->architecture.vocab_size, ids->data[ids->count - 1], &found)) == OCLM_OK && found.own &&
        found.count > 1)
        status = choose(call, ids, &found);
    core_free(found.ids);
    core_free(found.bias);
    return status;
}

oclm_status api_generation_new_healed(const api_call *call, oclm_generation **generation)
{
    oclm_generate_options options = *call->options;
    api_call              healed = *call;
    gen_prompt           *prompts = core_alloc_array(call->count, sizeof *prompts, "the prompts");
    tok_ids              *ids = core_alloc_zero(call->count, sizeof *ids, "the prompts");
    oclm_status           status = prompts != NULL && ids != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    *generation = NULL;
    options.token_healing = OCLM_SWITCH_OFF;
    healed.options = &options;
    healed.prompts = prompts;
    for (uint32_t i = 0; i < call->count && status == OCLM_OK; i++) {
        if ((status = heal(call, &call->prompts[i], &ids[i])) == OCLM_OK)
            prompts[i] = (gen_prompt){ ids[i].data, (uint32_t)ids[i].count };
    }
    if (status == OCLM_OK)
        status = api_generation_new(&healed, generation);
    for (uint32_t i = 0; ids != NULL && i < call->count; i++)
        tok_ids_free(&ids[i]);
    core_free(ids);
    core_free(prompts);
    return status;
}
