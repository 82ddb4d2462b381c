/* names.c: what a model's weight files are called.
 *
 * As transformers looks for them (modeling_utils.py): "transformers_weights" of config.json, else model.safetensors,
 * else model.safetensors.index.json; a variant stands before the last extension. */
#include <stdio.h>
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "core/json.h"
#include "core/platform.h"
#include "core/status.h"

#define SINGLE_END ".safetensors"
#define INDEX_END  ".safetensors.index.json"

static bool ends_with(const char *name, const char *suffix)
{
    const size_t length = strlen(name), suffix_length = strlen(suffix);
    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

static bool is_plain(const char *text, size_t most)
{
    const size_t length = strlen(text);
    return length > 0 && length <= most && text[0] != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length;
}

static oclm_status take_name(const char *name, const char *path, ckpt_names *names)
{
    const bool index = ends_with(name, INDEX_END);
    if (!is_plain(name, CKPT_MAX_NAME) || (!index && !ends_with(name, SINGLE_END)))
        return core_fail(
            OCLM_ERR_FORMAT,
            "%s: \"transformers_weights\" is \"%.*s\"; oclm reads a file of the same folder that ends in " SINGLE_END
            " or in " INDEX_END,
            path, (int)core_utf8_cut(name, strlen(name), 100), name);
    names->single[0] = names->index[0] = '\0';
    memcpy(index ? names->index : names->single, name, strlen(name) + 1);
    return OCLM_OK;
}

/* A config.json that is absent or broken names no file: whoever needs it says what is wrong with it. */
static oclm_status ask_config(const char *folder, ckpt_names *names)
{
    core_text path = CORE_TEXT_INIT;
    cJSON *config = NULL;
    oclm_status status = core_path_join(&path, folder, "config.json");
    if (status == OCLM_OK && core_path_is_file(path.data) &&
        core_json_read_file(path.data, CORE_JSON_MAX_CONFIG, &config) == OCLM_OK) {
        const cJSON *const name = core_json_member(config, "transformers_weights");
        if (cJSON_IsString(name))
            status = take_name(name->valuestring, path.data, names);
        cJSON_Delete(config);
    }
    core_text_free(&path);
    return status;
}

oclm_status ckpt_names_of(const char *folder, const char *variant, ckpt_names *names)
{
    const bool plain = variant == NULL || variant[0] == '\0';
    if (!plain && !is_plain(variant, CKPT_MAX_VARIANT))
        return core_fail(OCLM_ERR_ARGUMENT,
                         "variant \"%.*s\" is none: it is the word between model. and " SINGLE_END
                         ", such as fp16 (letters, digits, "
                         "_ - and ., at most %d)",
                         (int)core_utf8_cut(variant, strlen(variant), 100), variant, CKPT_MAX_VARIANT);
    (void)snprintf(names->single, sizeof names->single, "model%s%s" SINGLE_END, plain ? "" : ".", plain ? "" : variant);
    (void)snprintf(names->index, sizeof names->index, "model.safetensors.index%s%s.json", plain ? "" : ".",
                   plain ? "" : variant);
    return ask_config(folder, names);
}
