/* tekken.c: Mistral's tekken.json: special tokens take the first ids, byte strings in base64 follow in their order.
 *
 *     {"config": {"pattern": ..., "default_vocab_size": 131072, "default_num_special_tokens": 1000},
 *      "vocab": [{"rank": 0, "token_bytes": "AA==", "token_str": ...}, ...],
 *      "special_tokens": [{"rank": 0, "token_str": "<unk>", "is_control": true}, ...]}
 *
 * The vocabulary has more entries than the model has room for: those past the size are not used. As mistral-common and
 * transformers' MistralConverter read it. */
#include <stdio.h>
#include <string.h>

#include "tokenizer/byte_vocab.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/readers.h"

/* Of files that have no "special_tokens": what mistral-common takes then. */
static const char *const old_specials[] = {
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
};

static const struct {
    const char *key, *token;
} names[] = {
    { "bos_token", "<s>" },
    { "eos_token", "</s>" },
    { "pad_token", "<pad>" },
    { "unk_token", "<unk>" },
};

typedef struct tekken {
    cJSON *config, *specials; /* NULL: the file has none */
    core_json_reader vocab;   /* at the list; origin NULL: the file has none */
} tekken;

static oclm_status read_tree(core_json_reader *reader, cJSON **tree)
{
    core_json_kind kind;
    oclm_status status = core_json_peek(reader, &kind); /* moves to the value */
    const char *begin = reader->p;
    cJSON_Delete(*tree);
    *tree = NULL;
    if (status != OCLM_OK || (status = core_json_skip(reader)) != OCLM_OK)
        return status;
    return core_json_parse(begin, (size_t)(reader->p - begin), reader->origin, tree);
}

static oclm_status read_member(core_json_reader *reader, const char *key, size_t length, void *user)
{
    tekken *file = user;
    core_json_kind kind;
    if (core_is_word(key, length, "config"))
        return read_tree(reader, &file->config);
    if (core_is_word(key, length, "special_tokens"))
        return read_tree(reader, &file->specials);
    if (core_is_word(key, length, "vocab")) {
        const oclm_status status = core_json_peek(reader, &kind); /* moves to the value */
        if (status != OCLM_OK)
            return status;
        file->vocab = *reader;
        file->vocab.scratch = (core_text)CORE_TEXT_INIT;
    }
    return core_json_skip(reader);
}

/* The number of special tokens; those that the file does not name are <SPECIAL_7>. */
static oclm_status count_specials(const tekken *file, const char *path, uint32_t *count)
{
    const size_t named = file->specials != NULL ? (size_t)cJSON_GetArraySize(file->specials) : COUNT(old_specials);
    uint32_t told = named <= TOK_MAX_ID ? (uint32_t)named : TOK_MAX_ID;
    const oclm_status status =
        core_json_get_u32(file->config, "default_num_special_tokens", path, 0, TOK_MAX_ID, &told);
    if (status != OCLM_OK)
        return status;
    *count = told > named ? told : (uint32_t)named;
    if (told < named)
        return core_fail(OCLM_ERR_FORMAT, "%s: %zu special tokens, but \"default_num_special_tokens\" is %u", path,
                         named, told);
    return OCLM_OK;
}

/* Of each rank the name that the file gives it; NULL where it gives none. */
static void find_names(const tekken *file, const char **ranks, uint32_t count)
{
    const cJSON *entry;
    for (uint32_t rank = 0; file->specials == NULL && rank < COUNT(old_specials); rank++)
        ranks[rank] = old_specials[rank];
    cJSON_ArrayForEach(entry, file->specials)
    {
        const cJSON *number = core_json_member(entry, "rank"), *text = core_json_member(entry, "token_str");
        if (cJSON_IsNumber(number) && number->valuedouble >= 0 && number->valuedouble < count && cJSON_IsString(text))
            ranks[(uint32_t)number->valuedouble] = text->valuestring;
    }
}

static oclm_status add_special(tok_tokenizer *tokenizer, const char *name, uint32_t rank, const char *path)
{
    tok_vocab *vocab = &tokenizer->model->vocab;
    char made[32];
    oclm_status status;
    (void)snprintf(made, sizeof made, "<SPECIAL_%u>", rank);
    const char *const text = name != NULL ? name : made;
    const tok_added_token token = tok_added_of(text, strlen(text), (int32_t)rank, true);
    if ((status = tok_vocab_add(vocab, token.content, token.content_length, token.id)) != OCLM_OK)
        return status;
    return tok_added_add(&tokenizer->added, &token, vocab, path);
}

static oclm_status add_specials(const tekken *file, uint32_t count, const char *path, tok_tokenizer *tokenizer)
{
    const char **ranks = core_alloc_zero(count, sizeof *ranks, "special tokens");
    oclm_status status = OCLM_OK;
    if (ranks == NULL)
        return OCLM_ERR_MEMORY;
    find_names(file, ranks, count);
    for (uint32_t rank = 0; rank < count && status == OCLM_OK; rank++)
        status = add_special(tokenizer, ranks[rank], rank, path);
    core_free(ranks);
    for (size_t i = 0; i < COUNT(names) && status == OCLM_OK; i++) {
        if (tok_id_of(tokenizer, names[i].token, strlen(names[i].token)) >= 0)
            status = tok_settings_name(&tokenizer->settings, names[i].key, names[i].token, strlen(names[i].token));
    }
    return status == OCLM_OK ? tok_vocab_index_ids(&tokenizer->model->vocab) : status;
}

/* One entry of the vocabulary, of which only "token_bytes" counts: its place in the list is its rank. */
static oclm_status read_entry(core_json_reader *reader, tok_vocab *vocab, int32_t id, size_t number)
{
    bool first = true, more, found = false;
    const char *text;
    size_t length;
    oclm_status status = core_json_enter(reader, CORE_JSON_OBJECT);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_OBJECT, &first, &more)) == OCLM_OK && more) {
        if ((status = core_json_key(reader, &text, &length)) != OCLM_OK)
            break;
        if (!core_is_word(text, length, "token_bytes")) {
            status = core_json_skip(reader);
        } else if ((status = core_json_string(reader, &text, &length)) == OCLM_OK) {
            status = tok_byte_vocab_add(vocab, text, length, id, reader->origin, number);
            found = true;
        }
    }
    if (status == OCLM_OK && !found)
        status = core_json_error(reader, "entry %zu of the vocabulary has no \"token_bytes\"", number);
    return status;
}

static oclm_status read_vocab(core_json_reader *reader, uint32_t first_id, uint32_t size, tok_vocab *vocab)
{
    bool first = true, more;
    size_t number = 0;
    oclm_status status = core_json_enter(reader, CORE_JSON_ARRAY);
    while (status == OCLM_OK && number < size - first_id &&
           (status = core_json_next(reader, CORE_JSON_ARRAY, &first, &more)) == OCLM_OK && more) {
        status = read_entry(reader, vocab, (int32_t)(first_id + number), number + 1);
        number++;
    }
    return status;
}

/* Everything, once the parts of the file are found. */
static oclm_status build(tekken *file, const char *path, tok_tokenizer *tokenizer)
{
    tok_bpe *bpe;
    uint32_t specials, size = TOK_MAX_ID;
    const char *pattern = NULL;
    oclm_status status;
    if (file->vocab.origin == NULL || file->config == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: has no \"%s\"; is it a tekken.json?", path,
                         file->config == NULL ? "config" : "vocab");
    if (file->specials != NULL && !cJSON_IsArray(file->specials))
        return core_fail(OCLM_ERR_FORMAT, "%s: \"special_tokens\" is not a list", path);
    if ((status = core_json_get_string(file->config, "pattern", path, &pattern)) != OCLM_OK ||
        (status = core_json_get_u32(file->config, "default_vocab_size", path, 0, TOK_MAX_ID, &size)) != OCLM_OK ||
        (status = count_specials(file, path, &specials)) != OCLM_OK)
        return status;
    if (pattern == NULL || size < specials)
        return core_fail(OCLM_ERR_FORMAT,
                         pattern == NULL ? "%s: its \"config\" has no \"pattern\""
                                         : "%s: has more special tokens than tokens",
                         path);
    if ((status = tok_bpe_new(&bpe)) != OCLM_OK)
        return status;
    tokenizer->model = &bpe->model; /* freed with it */
    if ((status = read_vocab(&file->vocab, specials, size, &bpe->model.vocab)) != OCLM_OK ||
        (status = tok_byte_vocab_finish(tokenizer, bpe, pattern, path)) != OCLM_OK)
        return status;
    return add_specials(file, specials, path, tokenizer); /* after the merges, which they have no part in */
}

oclm_status tok_tekken_read(const char *text, size_t length, const char *path, tok_tokenizer *tokenizer)
{
    core_json_reader reader;
    tekken file;
    oclm_status status;
    memset(&file, 0, sizeof file);
    core_json_reader_init(&reader, text, length, path);
    if ((status = core_json_read_object(&reader, read_member, &file)) == OCLM_OK)
        status = build(&file, path, tokenizer);
    core_json_reader_deinit(&reader);
    core_json_reader_deinit(&file.vocab);
    cJSON_Delete(file.config);
    cJSON_Delete(file.specials);
    return status;
}
