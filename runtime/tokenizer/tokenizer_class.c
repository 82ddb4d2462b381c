/* tokenizer_class.c: what the tokenizer classes of transformers set where no file does: names of special tokens, the
 * side of padding.
 *
 * Only tokens that the vocabulary has are named: a class may be the wrong one for the files beside it. */
#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/settings_read.h"

#define MODEL_TYPES 8

typedef struct class_row {
    const char *name;                      /* of the class, without a final "Fast" */
    const char *types[MODEL_TYPES];        /* config.json's model_type; a star at the end stands for anything */
    const char *tokens[TOK_SPECIAL_COUNT]; /* bos, eos, unk, sep, pad, cls, mask */
    bool        pad_left;
    bool        adds_eos; /* behind each text */
} class_row;

static const class_row classes[] = {
    { "GPT2Tokenizer",
      { "gpt2", "gpt_neo", "gptj", "codegen", "opt", "phi" },
      { "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", NULL, NULL, NULL, NULL },
      false, false },
    { "CodeGenTokenizer",
      { NULL },
      { "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", NULL, NULL, NULL, NULL },
      false, false },
    { "LlamaTokenizer", { "llama" }, { "<s>", "</s>", "<unk>", NULL, NULL, NULL, NULL }, true, false },
    { "CodeLlamaTokenizer", { NULL }, { "<s>", "</s>", "<unk>", NULL, NULL, NULL, NULL }, true, false },
    { "Qwen2Tokenizer",
      { "qwen2*", "qwen3*" },
      { NULL, "<|endoftext|>", "<|endoftext|>", NULL, "<|endoftext|>", NULL, NULL },
      false, false },
    { "GemmaTokenizer", { "gemma*" }, { "<bos>", "<eos>", "<unk>", NULL, "<pad>", NULL, "<mask>" }, true, false },
    { "GPTNeoXTokenizer",
      { "gpt_neox", "mamba*", "olmo", "olmoe", "mpt" },
      { "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", NULL, "<|padding|>", NULL, NULL },
      false, false },
    { "CohereTokenizer",
      { "cohere", "cohere2" },
      { "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", "<SEP>", "<PAD>", "<CLS>", "<MASK_TOKEN>" },
      true, false },
    { "T5Tokenizer", { "t5", "mt5" }, { NULL, "</s>", "<unk>", NULL, "<pad>", NULL, NULL }, false, true },
};

static bool is_class(const class_row *row, const char *name)
{
    const size_t length = strlen(row->name);
    return strncmp(name, row->name, length) == 0 && (name[length] == '\0' || strcmp(name + length, "Fast") == 0);
}

static bool has_type(const class_row *row, const char *type)
{
    for (size_t i = 0; i < MODEL_TYPES && row->types[i] != NULL; i++) {
        if (core_name_matches(row->types[i], type))
            return true;
    }
    return false;
}

static const class_row *find_class(const char *name, const char *type)
{
    for (size_t i = 0; i < COUNT(classes); i++) {
        if (name != NULL ? is_class(&classes[i], name) : type != NULL && has_type(&classes[i], type))
            return &classes[i];
    }
    return NULL;
}

/* The model's config.json has the class at times, and the model's type. One that cannot be read is not our matter. */
static oclm_status read_model_config(const char *folder, cJSON **tree)
{
    core_text path = CORE_TEXT_INIT;
    const oclm_status status = core_path_join(&path, folder, "config.json");
    *tree = NULL;
    if (status == OCLM_OK && core_path_is_file(path.data) &&
        core_json_read_file(path.data, CORE_JSON_MAX_CONFIG, tree) != OCLM_OK)
        *tree = NULL;
    core_text_free(&path);
    return status;
}

static const char *string_of(const cJSON *object, const char *key)
{
    const cJSON *item = core_json_member(object, key);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

oclm_status tok_class_apply(const char *folder, const cJSON *config, tok_settings *settings,
                            const tok_tokenizer *tokenizer)
{
    cJSON *model = NULL;
    const char *name = string_of(config, "tokenizer_class"), *type = NULL;
    oclm_status status = OCLM_OK;
    if (name == NULL) {
        if ((status = read_model_config(folder, &model)) != OCLM_OK)
            return status;
        name = string_of(model, "tokenizer_class");
        type = string_of(model, "model_type");
    }
    const class_row *row = find_class(name, type);
    cJSON_Delete(model);
    if (row == NULL)
        return OCLM_OK;
    settings->pad_left = row->pad_left;
    settings->class_adds_eos = row->adds_eos;
    for (size_t i = 0; i < TOK_SPECIAL_COUNT && status == OCLM_OK; i++) {
        const char *token = row->tokens[i];
        if (token != NULL && tok_id_of(tokenizer, token, strlen(token)) >= 0)
            status = tok_settings_name(settings, tok_special_keys[i], token, strlen(token));
    }
    return status;
}
