/* gguf_pre.c: the names that llama.cpp's converter gives to rules of splitting, and the rules. Patterns are those of the
 * models' tokenizer.json; which names share one is as in llama.cpp and transformers. */
#include "tokenizer/gguf_pre.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
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
