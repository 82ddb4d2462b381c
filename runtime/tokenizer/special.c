/* special.c: the special tokens that have a name. */
#include "tokenizer/special.h"

#include <string.h>

#include "tokenizer/pipeline.h"

const char *const tok_special_keys[TOK_SPECIAL_COUNT] = { "bos_token", "eos_token", "unk_token", "sep_token",
                                                          "pad_token", "cls_token", "mask_token" };

size_t tok_special_order(const char *key)
{
    size_t i = 0;
    while (i < TOK_SPECIAL_COUNT && strcmp(key, tok_special_keys[i]) != 0)
        i++;
    return i;
}

const tok_named_token *tok_settings_find(const tok_settings *settings, const char *key)
{
    for (size_t i = 0; i < settings->named_count; i++) {
        if (strcmp(settings->named[i].key, key) == 0)
            return &settings->named[i];
    }
    return NULL;
}

static void free_named(tok_named_token *token)
{
    core_free(token->key);
    core_free(token->text);
}

oclm_status tok_settings_name(tok_settings *settings, const char *key, const char *text, size_t length)
{
    const tok_named_token *old = tok_settings_find(settings, key);
    tok_named_token made = { NULL, NULL, length, -1 };
    if ((made.text = core_copy_part(text, length, "a special token")) == NULL ||
        (made.key = core_copy_string(key, "a token's name")) == NULL) {
        free_named(&made);
        return OCLM_ERR_MEMORY;
    }
    if (old != NULL) {
        const size_t at = (size_t)(old - settings->named);
        free_named(&settings->named[at]);
        settings->named[at] = made;
        return OCLM_OK;
    }
    if (settings->named_count == TOK_MAX_NAMED) {
        free_named(&made);
        return core_fail(OCLM_ERR_FORMAT, "more than %d named special tokens", TOK_MAX_NAMED);
    }
    size_t at = settings->named_count++;
    for (; at > 0 && tok_special_order(settings->named[at - 1].key) > tok_special_order(key); at--)
        settings->named[at] = settings->named[at - 1];
    settings->named[at] = made;
    return OCLM_OK;
}

void tok_settings_unname(tok_settings *settings, const char *key)
{
    const tok_named_token *old = tok_settings_find(settings, key);
    if (old == NULL)
        return;
    const size_t at = (size_t)(old - settings->named);
    free_named(&settings->named[at]);
    settings->named_count--;
    memmove(settings->named + at, settings->named + at + 1, (settings->named_count - at) * sizeof *settings->named);
}

void tok_settings_find_ids(tok_settings *settings, const tok_tokenizer *tokenizer)
{
    for (size_t i = 0; i < settings->named_count; i++)
        settings->named[i].id = tok_id_of(tokenizer, settings->named[i].text, settings->named[i].length);
}

void tok_settings_deinit(tok_settings *settings)
{
    for (size_t i = 0; i < settings->named_count; i++)
        free_named(&settings->named[i]);
    for (size_t i = 0; i < settings->rename_count; i++)
        core_free(settings->renames[i].text);
    core_free(settings->renames);
    memset(settings, 0, sizeof *settings);
}

/* ---- Of a tokenizer */

size_t tok_special_named(const tok_tokenizer *tokenizer)
{
    return tokenizer->settings.named_count;
}

const char *tok_special_at(const tok_tokenizer *tokenizer, size_t index, const char **text, size_t *length, int32_t *id)
{
    const tok_named_token *token = &tokenizer->settings.named[index];
    *text = token->text;
    if (length != NULL)
        *length = token->length;
    if (id != NULL)
        *id = token->id;
    return token->key;
}

bool tok_special(const tok_tokenizer *tokenizer, tok_special_name which, const char **text, size_t *length, int32_t *id)
{
    const tok_named_token *token = tok_settings_find(&tokenizer->settings, tok_special_keys[which]);
    if (token != NULL)
        (void)tok_special_at(tokenizer, (size_t)(token - tokenizer->settings.named), text, length, id);
    return token != NULL;
}

bool tok_pads_left(const tok_tokenizer *tokenizer)
{
    return tokenizer->settings.pad_left;
}

uint64_t tok_max_length(const tok_tokenizer *tokenizer)
{
    return tokenizer->settings.model_max_length;
}
