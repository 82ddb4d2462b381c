/* gguf_pre.c: the names that llama.cpp's converter gives to rules of splitting, and the rules. Patterns are those of the
 * models' tokenizer.json; which names share one is as in llama.cpp and transformers. */
#include "tokenizer/gguf_pre.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/map.h"
#include "core/platform.h"
#include "tokenizer/byte_vocab.h"
#include "tokenizer/pipeline.h"

#define DEEPSEEK3                                                                                                       \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"                  \
    "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define QWEN35                                                                                                         \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"    \
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const tok_gguf_pre rules[] = {
    /* GPT-2's comes first: it also stands for names that are not known. */
    { " default gpt-2 phi-2 jina-es jina-de jina-v2-code mpt olmo jais trillion granite-docling gigachat exaone4 ",
      { TOK_PATTERN_GPT2, NULL, NULL }, false, false, false, false },
    { " llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
      { TOK_PATTERN_CL100K, NULL, NULL }, false, false, true, true },
    { " dbrx smaug-bpe chatglm-bpe glm4 ", { TOK_PATTERN_CL100K, NULL, NULL }, false, false, false, false },
    { " qwen2 ", { TOK_PATTERN_QWEN2, NULL, NULL }, false, true, false, false },
    { " deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open ", { TOK_PATTERN_QWEN2, NULL, NULL }, false, false, false, false },
    { " qwen35 ", { QWEN35, NULL, NULL }, false, true, false, false },
    { " gpt-4o llama4 kanana2 talkie minimax-m2 ", { TOK_PATTERN_O200K, NULL, NULL }, false, false, true, false },
    { " tekken ", { TOK_PATTERN_TEKKEN, NULL, NULL }, false, false, true, true },
    { " deepseek-v3 ", { "\\p{N}{1,3}", "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+", DEEPSEEK3 },
      false, false, false, true },
    { " smollm starcoder refact command-r codeshell exaone minerva-7b ", { NULL, NULL, NULL }, true, false, false, false },
};

oclm_status tok_gguf_pre_find(const core_gguf *file, const tok_gguf_pre **pre)
{
    const char *name = NULL;
    size_t length = 0;
    char wanted[80];
    const oclm_status status = core_gguf_get_string(file, "tokenizer.ggml.pre", &name, &length);
    *pre = &rules[0];
    if (status != OCLM_OK || name == NULL)
        return status;
    (void)snprintf(wanted, sizeof wanted, " %.*s ", (int)(length < 64 ? length : 64), name);
    for (size_t i = 0; i < COUNT(rules); i++) {
        if (length > 0 && strchr(wanted + 1, ' ') == wanted + strlen(wanted) - 1 && strstr(rules[i].names, wanted) != NULL) {
            *pre = &rules[i];
            return OCLM_OK;
        }
    }
    core_log(OCLM_LOG_WARNING, "%s: \"tokenizer.ggml.pre\" is \"%.*s\", which oclm does not know: text is cut as GPT-2 does, which may be wrong",
             file->origin, (int)(length < 64 ? length : 64), name);
    return OCLM_OK;
}

static oclm_status add_split(tok_chain *chain, const char *pattern, const char *origin)
{
    core_text json = CORE_TEXT_INIT;
    oclm_status status;
    if ((status = core_text_add_string(&json, "{\"type\": \"Split\", \"pattern\": {\"Regex\": ")) == OCLM_OK &&
        (status = core_json_add_string(&json, pattern, strlen(pattern))) == OCLM_OK &&
        (status = core_text_add_string(&json, "}, \"behavior\": \"Isolated\", \"invert\": false}")) == OCLM_OK)
        status = tok_chain_read_text(chain, &tok_pre_tokenizers, json.data, origin);
    core_text_free(&json);
    return status;
}

oclm_status tok_gguf_pre_add(const tok_gguf_pre *pre, tok_tokenizer *tokenizer, const char *origin)
{
    tok_chain *chain = &tokenizer->pre_tokenizer;
    oclm_status status = pre->nfc ? tok_chain_read_text(&tokenizer->normalizer, &tok_normalizers, "{\"type\": \"NFC\"}", origin) : OCLM_OK;
    for (size_t i = 0; i < COUNT(pre->patterns) && pre->patterns[i] != NULL && status == OCLM_OK; i++)
        status = add_split(chain, pre->patterns[i], origin);
    if (status == OCLM_OK && pre->digits)
        status = tok_chain_read_text(chain, &tok_pre_tokenizers, "{\"type\": \"Digits\", \"individual_digits\": true}", origin);
    if (status != OCLM_OK)
        return status;
    return tok_chain_read_text(chain, &tok_pre_tokenizers,
                               pre->digits ? "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true}"
                                           : "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}",
                               origin);
}

/* ---- The other way: the name of what a tokenizer.json says */

typedef struct cutting {
    const char *patterns[3]; /* of Splits, in order; they live as the tree */
    size_t      count;
    bool        digits;
} cutting;

static void find_cutting(const cJSON *step, cutting *found)
{
    const cJSON *type = core_json_member(step, "type"), *each;
    if (!cJSON_IsString(type))
        return;
    if (strcmp(type->valuestring, "Digits") == 0)
        found->digits = true;
    if (strcmp(type->valuestring, "Split") == 0) {
        const cJSON *pattern = core_json_member(core_json_member(step, "pattern"), "Regex");
        if (found->count < COUNT(found->patterns))
            found->patterns[found->count] = cJSON_IsString(pattern) ? pattern->valuestring : "";
        found->count++;
    }
    cJSON_ArrayForEach(each, core_json_member(step, "pretokenizers"))
        find_cutting(each, found);
}

static bool cuts_so(const tok_gguf_pre *rule, const cutting *found)
{
    size_t count = 0;
    while (count < COUNT(rule->patterns) && rule->patterns[count] != NULL)
        count++;
    if (rule == &rules[0] && found->count == 0 && !found->digits)
        return true; /* ByteLevel's own pattern is GPT-2's */
    if (rule->digits != found->digits || count != found->count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rule->patterns[i], found->patterns[i]) != 0)
            return false;
    }
    return true;
}

/* The first name of a rule: "qwen2" of " qwen2 ". */
static oclm_status first_name(const tok_gguf_pre *rule, core_text *name)
{
    const char *begin = rule == &rules[0] ? "gpt-2 " : rule->names + 1;
    return core_text_add(name, begin, (size_t)(strchr(begin, ' ') - begin));
}

static oclm_status read_section(core_json_reader *reader, const char *key, size_t length, void *user)
{
    core_json_kind kind;
    oclm_status    status;
    if (!core_is_word(key, length, "pre_tokenizer"))
        return core_json_skip(reader);
    if ((status = core_json_peek(reader, &kind)) != OCLM_OK) /* moves to the value */
        return status;
    const char *begin = reader->p;
    cJSON     **tree = user;
    cJSON_Delete(*tree);
    *tree = NULL;
    return (status = core_json_skip(reader)) != OCLM_OK ? status : core_json_parse(begin, (size_t)(reader->p - begin), reader->origin, tree);
}

static oclm_status read_cutting(const char *path, cJSON **tree)
{
    core_map         map = CORE_MAP_INIT;
    core_json_reader reader;
    oclm_status      status = core_map_open(&map, path);
    if (status != OCLM_OK)
        return status;
    core_json_reader_init(&reader, (const char *)map.data, map.size, path);
    status = core_json_read_object(&reader, read_section, tree);
    core_json_reader_deinit(&reader);
    core_map_close(&map);
    return status;
}

oclm_status tok_gguf_pre_name(const char *folder, core_text *name)
{
    core_text   path = CORE_TEXT_INIT;
    cJSON      *tree = NULL;
    cutting     found = { { NULL, NULL, NULL }, 0, false };
    oclm_status status = core_path_join(&path, folder, "tokenizer.json");
    if (status == OCLM_OK && core_path_is_file(path.data))
        status = read_cutting(path.data, &tree);
    if (status == OCLM_OK) {
        const tok_gguf_pre *rule = NULL;
        find_cutting(tree, &found);
        for (size_t i = 0; i < COUNT(rules) && rule == NULL; i++)
            rule = cuts_so(&rules[i], &found) ? &rules[i] : NULL;
        if (rule == NULL)
            core_log(OCLM_LOG_WARNING, "%s: how it cuts text has no name in GGUF files that oclm knows: \"default\" is written, with which other "
                     "programs may cut otherwise", path.data);
        status = rule != NULL ? first_name(rule, name) : core_text_add_string(name, "default");
    }
    cJSON_Delete(tree);
    core_text_free(&path);
    return status;
}
