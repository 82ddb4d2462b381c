/* settings_read.c: tokenizer_config.json, special_tokens_map.json and added_tokens.json, used as transformers 5 uses
 * them.
 *
 * tokenizer.json (or whatever stood in for it) is read already and stays the truth about how a text is cut. These files
 * name the special tokens, add tokens that it lacks, change the flags of those it has, and tell how to pad. The two
 * older files count only where tokenizer_config.json has no "added_tokens_decoder"; what they say then goes before it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/settings_read.h"

#define MAX_CONFIG_TOKENS 1000000 /* gemma 3's file has 6,415 */
#define MAX_GAP 100000            /* ids; Llama 3 reserves 251 tokens, and names them */
#define UNSET_LENGTH      1e9     /* transformers writes 1e30 where a model has no longest text */

typedef tok_settings_files sources;

/* ---- Reading the files */

static oclm_status read_if_there(const char *folder, const char *name, core_text *path, cJSON **tree)
{
    oclm_status status = core_path_join(path, folder, name);
    if (status != OCLM_OK || !core_path_is_file(path->data))
        return status;
    if ((status = core_json_read_file(path->data, CORE_JSON_MAX_CONFIG, tree)) == OCLM_OK && !cJSON_IsObject(*tree))
        status = core_fail(OCLM_ERR_FORMAT, "%s: is not an object", path->data);
    return status;
}

oclm_status tok_settings_open(const char *folder, tok_settings_files *from)
{
    oclm_status status;
    memset(from, 0, sizeof *from);
    from->folder = folder;
    if ((status = read_if_there(folder, "tokenizer_config.json", &from->config_path, &from->config)) != OCLM_OK ||
        core_json_has(from->config, "added_tokens_decoder"))
        return status;
    if ((status = read_if_there(folder, "special_tokens_map.json", &from->map_path, &from->map)) != OCLM_OK)
        return status;
    return read_if_there(folder, "added_tokens.json", &from->added_path, &from->added);
}

void tok_settings_files_free(tok_settings_files *from)
{
    core_text_free(&from->config_path);
    core_text_free(&from->map_path);
    core_text_free(&from->added_path);
    cJSON_Delete(from->config);
    cJSON_Delete(from->map);
    cJSON_Delete(from->added);
}


/* A member of the two files; the older one goes first. */
static const cJSON *find(const sources *from, const char *key)
{
    return core_json_has(from->map, key) ? core_json_member(from->map, key) : core_json_member(from->config, key);
}

/* ---- Tokens: a string, or an object with flags */

/* A string is a special token. An object says itself; the reference's defaults: not special, normalized unless special.
 */
static oclm_status read_token(const cJSON *value, const char *origin, bool special, tok_added_token *token)
{
    const char *content = NULL;
    oclm_status status;
    memset(token, 0, sizeof *token);
    token->id = -1;
    token->special = special || cJSON_IsString(value);
    if (cJSON_IsString(value)) {
        content = value->valuestring;
    } else if ((status = core_json_get_string(value, "content", origin, &content)) != OCLM_OK ||
               (status = core_json_get_bool(value, "lstrip", origin, &token->lstrip)) != OCLM_OK ||
               (status = core_json_get_bool(value, "rstrip", origin, &token->rstrip)) != OCLM_OK ||
               (status = core_json_get_bool(value, "single_word", origin, &token->single_word)) != OCLM_OK ||
               (!special && (status = core_json_get_bool(value, "special", origin, &token->special)) != OCLM_OK)) {
        return status;
    } else {
        token->normalized = !token->special;
        if ((status = core_json_get_bool(value, "normalized", origin, &token->normalized)) != OCLM_OK)
            return status;
    }
    if (content == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: a token is neither a string nor an object with a \"content\"", origin);
    token->content_length = strlen(content);
    token->content = (char *)(uintptr_t)content; /* only read: tok_added_add() copies it */
    return OCLM_OK;
}

/* ---- Names */

static bool ends_with_token(const char *key)
{
    const size_t length = strlen(key);
    return length > 6 && strcmp(key + length - 6, "_token") == 0;
}

/* `value` may be NULL: then the key has no token, whatever was named before. */
static oclm_status name_token(tok_settings *settings, const char *key, const cJSON *value, const char *origin)
{
    tok_added_token token;
    const oclm_status status = value != NULL ? read_token(value, origin, true, &token) : OCLM_OK;
    if (status != OCLM_OK || value == NULL) {
        tok_settings_unname(settings, key);
        return status;
    }
    if (token.content_length == 0)
        return OCLM_OK;
    return tok_settings_name(settings, key, token.content, token.content_length);
}

/* A model's own: "image_token": "<image>", anywhere in the file or in the object "extra_special_tokens". */
static oclm_status name_extra(tok_settings *settings, const cJSON *object, bool any_key, const char *origin)
{
    const cJSON *member;
    oclm_status status = OCLM_OK;
    cJSON_ArrayForEach(member, object)
    {
        const bool is_token = cJSON_IsString(member) || core_json_has(member, "content");
        if (is_token && tok_special_order(member->string) == TOK_SPECIAL_COUNT && (any_key || ends_with_token(member->string)) &&
            (status = name_token(settings, member->string, member, origin)) != OCLM_OK)
            return status;
    }
    return OCLM_OK;
}

static const cJSON *extra_tokens(const sources *from)
{
    const cJSON *extra = find(from, "extra_special_tokens");
    return extra != NULL && cJSON_GetArraySize(extra) > 0 ? extra : find(from, "additional_special_tokens");
}

static oclm_status read_names(const sources *from, tok_settings *settings)
{
    const cJSON *extra = extra_tokens(from);
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < TOK_SPECIAL_COUNT && status == OCLM_OK; i++) {
        const char *key = tok_special_keys[i];
        if (core_json_has(from->config, key) || core_json_has(from->map, key))
            status = name_token(settings, key, find(from, key),
                                core_json_has(from->map, key) ? from->map_path.data : from->config_path.data);
    }
    if (status == OCLM_OK)
        status = name_extra(settings, from->config, false, from->config_path.data);
    if (status == OCLM_OK && cJSON_IsObject(extra))
        status = name_extra(settings, extra, true, from->config_path.data);
    return status;
}

static bool is_named(const tok_settings *settings, const tok_added_token *token)
{
    for (size_t i = 0; i < settings->named_count; i++) {
        const tok_named_token *named = &settings->named[i];
        if (named->length == token->content_length && memcmp(named->text, token->content, named->length) == 0)
            return true;
    }
    return false;
}

/* ---- Adding tokens */

static oclm_status add(tok_tokenizer *tokenizer, const tok_added_token *token, const char *origin)
{
    return tok_added_add(&tokenizer->added, token, &tokenizer->model->vocab, origin);
}

static oclm_status add_if_missing(tok_tokenizer *tokenizer, const tok_added_token *token, const char *origin)
{
    if (tok_vocab_find(&tokenizer->added.by_content, token->content, token->content_length) >= 0)
        return OCLM_OK;
    return add(tokenizer, token, origin);
}

static int compare_ids(const void *a, const void *b)
{
    const int32_t x = ((const tok_added_token *)a)->id, y = ((const tok_added_token *)b)->id;
    return x < y ? -1 : x > y;
}

/* An entry of "added_tokens_decoder" is "id": token, one of added_tokens.json "token": id. */
static oclm_status read_numbered(const sources *from, const tok_tokenizer *tokenizer, const cJSON *entry,
                                 tok_added_token *token)
{
    const char *origin = from->added != NULL ? from->added_path.data : from->config_path.data;
    oclm_status status = OCLM_OK;
    uint64_t id = UINT64_MAX;
    if (from->added != NULL) {
        memset(token, 0, sizeof *token);
        token->content = entry->string;
        token->content_length = strlen(entry->string);
        token->special = is_named(&tokenizer->settings, token);
        token->normalized = !token->special;
        if (core_json_is_whole(entry, 0, TOK_MAX_ID))
            id = (uint64_t)entry->valuedouble;
    } else if ((status = read_token(entry, origin, false, token)) == OCLM_OK) {
        token->special = token->special || is_named(&tokenizer->settings, token);
        if (!core_parse_u64(entry->string, &id))
            id = UINT64_MAX;
    }
    if (tokenizer->settings.raw_tokens)
        token->normalized = false;
    if (status == OCLM_OK && id > TOK_MAX_ID)
        return core_fail(OCLM_ERR_FORMAT, "%s: added token \"%.200s\" has no id from 0 to %d", origin, entry->string,
                         TOK_MAX_ID);
    token->id = (int32_t)id;
    return status;
}

/* Names the ids below `id` that have no token. */
static oclm_status fill_gap(tok_tokenizer *tokenizer, int32_t id, const char *origin)
{
    oclm_status status = OCLM_OK;
    const int32_t first = tok_added_next_id(&tokenizer->added, &tokenizer->model->vocab);
    if (id - first > MAX_GAP)
        return core_fail(OCLM_ERR_FORMAT, "%s: an added token has id %d, but the vocabulary ends before %d", origin, (int)id, (int)first);
    for (int32_t next = first; next < id && status == OCLM_OK; next++) {
        char name[48];
        const int length = snprintf(name, sizeof name, "<|reserved_token_%d|>", (int)next);
        const tok_added_token token = tok_added_of(name, (size_t)length, next, true);
        status = add(tokenizer, &token, origin);
    }
    return status;
}

/* The tokens with ids, in the order of their ids. */
static oclm_status add_numbered(const sources *from, tok_tokenizer *tokenizer, const char *origin)
{
    const cJSON *list = from->added != NULL ? from->added : core_json_member(from->config, "added_tokens_decoder"),
                *entry;
    const int size = cJSON_IsObject(list) ? cJSON_GetArraySize(list) : 0;
    size_t count = 0;
    tok_added_token *tokens;
    oclm_status status = OCLM_OK;
    if (size <= 0)
        return OCLM_OK;
    if (size > MAX_CONFIG_TOKENS)
        return core_fail(OCLM_ERR_FORMAT, "%s: %d added tokens; at most %d are read", origin, size, MAX_CONFIG_TOKENS);
    if ((tokens = core_alloc_array((size_t)size, sizeof *tokens, "added tokens")) == NULL)
        return OCLM_ERR_MEMORY;
    cJSON_ArrayForEach(entry, list)
    {
        if ((status = read_numbered(from, tokenizer, entry, &tokens[count])) != OCLM_OK)
            goto done;
        count++;
    }
    qsort(tokens, count, sizeof *tokens, compare_ids);
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        if (tokenizer->settings.fill_gaps && (status = fill_gap(tokenizer, tokens[i].id, origin)) != OCLM_OK)
            break;
        status = from->added != NULL ? add_if_missing(tokenizer, &tokens[i], origin) : add(tokenizer, &tokens[i], origin);
    }
done:
    core_free(tokens);
    return status;
}

/* Named tokens, and the list of extra ones, where the tokenizer has none of that content. */
static oclm_status add_named(const sources *from, tok_tokenizer *tokenizer, const char *origin)
{
    const tok_settings *settings = &tokenizer->settings;
    const cJSON *extra = extra_tokens(from), *item;
    tok_added_token token;
    oclm_status status;
    for (size_t i = 0; i < settings->named_count; i++) {
        const cJSON *value = find(from, settings->named[i].key);
        if (value != NULL && !cJSON_IsString(value)) {
            if ((status = read_token(value, origin, true, &token)) != OCLM_OK)
                return status;
        } else {
            token = tok_added_of(settings->named[i].text, settings->named[i].length, -1, true);
        }
        if ((status = add_if_missing(tokenizer, &token, origin)) != OCLM_OK)
            return status;
    }
    if (!cJSON_IsArray(extra))
        return OCLM_OK;
    cJSON_ArrayForEach(item, extra)
    {
        if ((status = read_token(item, origin, false, &token)) != OCLM_OK ||
            (status = add_if_missing(tokenizer, &token, origin)) != OCLM_OK)
            return status;
    }
    return OCLM_OK;
}

/* ---- What readers of vocabularies ask for */

static oclm_status read_renames(const sources *from, tok_settings *settings)
{
    const cJSON *list = core_json_member(from->config, "added_tokens_decoder"), *entry;
    const int size = cJSON_IsObject(list) ? cJSON_GetArraySize(list) : 0;
    if (size <= 0 || size > MAX_CONFIG_TOKENS)
        return OCLM_OK; /* too many are told later */
    if ((settings->renames = core_alloc_zero((size_t)size, sizeof *settings->renames, "names of tokens")) == NULL)
        return OCLM_ERR_MEMORY;
    cJSON_ArrayForEach(entry, list)
    {
        const cJSON *content = core_json_member(entry, "content");
        tok_rename *made = &settings->renames[settings->rename_count];
        uint64_t id;
        if (!cJSON_IsString(content) || !core_parse_u64(entry->string, &id) || id > TOK_MAX_ID)
            continue; /* this is told later, too */
        if ((made->text = core_copy_string(content->valuestring, "a token's name")) == NULL)
            return OCLM_ERR_MEMORY;
        made->length = strlen(made->text);
        made->id = (int32_t)id;
        settings->rename_count++;
    }
    return OCLM_OK;
}

oclm_status tok_settings_prepare(const tok_settings_files *from, tok_settings *settings)
{
    oclm_status status;
    settings->legacy = true;
    if ((status = core_json_get_bool(from->config, "legacy", from->config_path.data, &settings->legacy)) != OCLM_OK)
        return status;
    return read_renames(from, settings);
}

/* ---- The other settings */

static oclm_status read_side(const cJSON *config, const char *key, const char *origin, bool *left)
{
    const char *side = NULL;
    const oclm_status status = core_json_get_string(config, key, origin, &side);
    if (status != OCLM_OK || side == NULL)
        return status;
    *left = strcmp(side, "left") == 0;
    if (!*left && strcmp(side, "right") != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"%s\" is \"%.80s\"; it must be \"left\" or \"right\"", origin, key,
                         side);
    return OCLM_OK;
}

static oclm_status read_scalars(const cJSON *config, const char *origin, tok_tokenizer *tokenizer)
{
    tok_settings *settings = &tokenizer->settings;
    double longest = 0;
    bool clean = false, clean_bpe = false;
    oclm_status status;
    if ((status =
             core_json_get_float(config, core_json_has(config, "model_max_length") ? "model_max_length" : "max_len",
                                 origin, &longest)) != OCLM_OK ||
        (status = read_side(config, "padding_side", origin, &settings->pad_left)) != OCLM_OK ||
        (status = read_side(config, "truncation_side", origin, &settings->truncate_left)) != OCLM_OK ||
        (status = core_json_get_bool(config, "split_special_tokens", origin, &settings->split_special_tokens)) !=
            OCLM_OK ||
        (status = core_json_get_bool(config, "clean_up_tokenization_spaces", origin, &clean)) != OCLM_OK ||
        (status = core_json_get_bool(config, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
                                     origin, &clean_bpe)) != OCLM_OK)
        return status;
    settings->model_max_length = longest >= 1 && longest <= UNSET_LENGTH ? (uint64_t)longest : 0;
    settings->clean_up_spaces = clean && (clean_bpe || !tokenizer->model->is_bpe);
    return OCLM_OK;
}

/* A flag whose token is not set counts as false. */
static int32_t id_of_named(const tok_tokenizer *tokenizer, const char *key)
{
    const tok_named_token *named = tok_settings_find(&tokenizer->settings, key);
    return named != NULL ? tok_id_of(tokenizer, named->text, named->length) : -1;
}

/* "[bos] A [eos]", where the files tell no post-processor but these flags. */
static oclm_status add_template(const cJSON *config, const char *origin, tok_tokenizer *tokenizer)
{
    bool add_bos = false, add_eos = false;
    oclm_status status;
    if ((status = core_json_get_bool(config, "add_bos_token", origin, &add_bos)) != OCLM_OK ||
        (status = core_json_get_bool(config, "add_eos_token", origin, &add_eos)) != OCLM_OK)
        return status;
    if (!core_json_has(config, "add_bos_token") && !core_json_has(config, "add_eos_token"))
        add_eos = tokenizer->settings.class_adds_eos;
    return tok_template_of_two(&tokenizer->post_processor, add_bos ? id_of_named(tokenizer, "bos_token") : -1,
                               add_eos ? id_of_named(tokenizer, "eos_token") : -1);
}

oclm_status tok_settings_apply(const tok_settings_files *from, bool from_json, tok_tokenizer *tokenizer)
{
    const char *origin = from->config_path.data;
    oclm_status status;
    if ((status = tok_class_apply(from->folder, from->config, &tokenizer->settings, tokenizer)) == OCLM_OK &&
        (status = read_names(from, &tokenizer->settings)) == OCLM_OK &&
        (status = add_numbered(from, tokenizer, origin)) == OCLM_OK &&
        (status = add_named(from, tokenizer, origin)) == OCLM_OK &&
        (status = read_scalars(from->config, origin, tokenizer)) == OCLM_OK && !from_json)
        status = add_template(from->config, origin, tokenizer);
    return status;
}
