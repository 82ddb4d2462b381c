/* templates.c: where the templates of a model are. Files of their own take the place of what tokenizer_config.json
 * says. */
#include <string.h>

#include "core/gguf.h"
#include "core/map.h"
#include "core/platform.h"
#include "tokenizer/chat/chat.h"

#define MOST_TEMPLATES 64u
#define SUFFIX         ".jinja"

void tok_templates_free(tok_templates *templates)
{
    for (size_t i = 0; i < templates->count; i++) {
        core_free(templates->items[i].name);
        core_free(templates->items[i].text);
    }
    core_free(templates->items);
    *templates = (tok_templates)TOK_TEMPLATES_INIT;
}

const tok_template *tok_templates_find(const tok_templates *templates, const char *name)
{
    for (size_t i = 0; i < templates->count; i++)
        if (strcmp(templates->items[i].name, name) == 0)
            return &templates->items[i];
    return NULL;
}

/* Adds one; `text` is taken over, also where that fails. A name that is there already gets the new text. */
static oclm_status add(tok_templates *templates, const char *name, size_t name_length, char *text, size_t length)
{
    char *copy = core_copy_part(name, name_length, "a template's name");
    tok_template *items;
    if (!copy)
        goto failed;
    for (size_t i = 0; i < templates->count; i++)
        if (strcmp(templates->items[i].name, copy) == 0) {
            core_free(copy);
            core_free(templates->items[i].text);
            templates->items[i].text = text;
            templates->items[i].length = length;
            return OCLM_OK;
        }
    if (!(items = core_realloc_array(templates->items, templates->count + 1, sizeof *items, "chat templates")))
        goto failed;
    templates->items = items;
    items[templates->count++] = (tok_template){ copy, text, length };
    return OCLM_OK;
failed:
    core_free(copy);
    core_free(text);
    return OCLM_ERR_MEMORY;
}

static oclm_status add_file(tok_templates *templates, const char *path, const char *name, size_t name_length)
{
    char *text;
    size_t length;
    oclm_status status = core_read_file(path, JINJA_MAX_SOURCE, &text, &length);
    return status == OCLM_OK ? add(templates, name, name_length, text, length) : status;
}

/* ---- Files of their own */

typedef struct reading {
    const char *folder;
    tok_templates *templates;
    oclm_status status;
} reading;

static bool visit(const char *name, void *user)
{
    reading *r = user;
    const size_t length = strlen(name), suffix = strlen(SUFFIX);
    core_text path = CORE_TEXT_INIT;
    if (length <= suffix || strcmp(name + length - suffix, SUFFIX) != 0)
        return true;
    if (r->templates->count >= MOST_TEMPLATES)
        r->status = core_fail(OCLM_ERR_FORMAT, "%s: more than %u templates; remove some", r->folder, MOST_TEMPLATES);
    else if ((r->status = core_path_join(&path, r->folder, name)) == OCLM_OK)
        r->status = add_file(r->templates, path.data, name, length - suffix);
    core_text_free(&path);
    return r->status == OCLM_OK;
}

static oclm_status read_files(const char *folder, tok_templates *templates)
{
    core_text path = CORE_TEXT_INIT;
    reading r = { .templates = templates, .status = OCLM_OK };
    oclm_status status = core_path_join(&path, folder, "chat_template.jinja");
    if (status == OCLM_OK && core_path_is_file(path.data))
        status = add_file(templates, path.data, "default", strlen("default"));
    if (status == OCLM_OK && (status = core_path_join(&path, folder, "additional_chat_templates")) == OCLM_OK &&
        core_path_is_folder(path.data)) {
        r.folder = path.data;
        status = core_folder_list(path.data, visit, &r);
        if (status == OCLM_OK)
            status = r.status;
    }
    core_text_free(&path);
    return status;
}

/* ---- tokenizer_config.json */

static oclm_status add_member(tok_templates *templates, const char *name, const char *text)
{
    const size_t length = strlen(text);
    char *copy = core_copy(text, length + 1, "a chat template");
    return copy ? add(templates, name, strlen(name), copy, length) : OCLM_ERR_MEMORY;
}

/* [{"name": "default", "template": "..."}, ...] */
static oclm_status add_list(tok_templates *templates, const cJSON *list, const char *path)
{
    const cJSON *item;
    oclm_status status;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *name = core_json_member(item, "name"), *text = core_json_member(item, "template");
        if (!cJSON_IsString(name) || !cJSON_IsString(text))
            return core_fail(
                OCLM_ERR_FORMAT,
                "%s: an entry of \"chat_template\" has no \"name\" or no \"template\"; both must be strings", path);
        if (templates->count >= MOST_TEMPLATES)
            return core_fail(OCLM_ERR_FORMAT, "%s: \"chat_template\" has more than %u entries", path, MOST_TEMPLATES);
        if ((status = add_member(templates, name->valuestring, text->valuestring)) != OCLM_OK)
            return status;
    }
    return OCLM_OK;
}

static oclm_status read_config(const char *folder, tok_templates *templates)
{
    core_text path = CORE_TEXT_INIT;
    cJSON *tree = NULL;
    const cJSON *member;
    oclm_status status = core_path_join(&path, folder, "tokenizer_config.json");
    if (status != OCLM_OK || !core_path_is_file(path.data))
        goto done;
    if ((status = core_json_read_file(path.data, CORE_JSON_MAX_CONFIG, &tree)) != OCLM_OK)
        goto done;
    member = core_json_member(tree, "chat_template");
    if (cJSON_IsString(member))
        status = add_member(templates, "default", member->valuestring);
    else if (cJSON_IsArray(member))
        status = add_list(templates, member, path.data);
    else if (member)
        status = core_fail(OCLM_ERR_FORMAT, "%s: \"chat_template\" must be a string, or a list of names and templates",
                           path.data);
done:
    cJSON_Delete(tree);
    core_text_free(&path);
    return status;
}

/* ---- GGUF: one template, among the key-values ---- */

static oclm_status read_gguf(const char *path, tok_templates *templates)
{
    core_map map = CORE_MAP_INIT;
    core_gguf file = { 0 };
    const char *text = NULL;
    char *copy;
    size_t length = 0;
    oclm_status status;
    if ((status = core_map_open(&map, path)) != OCLM_OK)
        return status;
    if ((status = core_gguf_open(&file, map.data, map.size, path)) == OCLM_OK &&
        (status = core_gguf_get_string(&file, "tokenizer.chat_template", &text, &length)) == OCLM_OK && text) {
        if (length > JINJA_MAX_SOURCE)
            status =
                core_fail(OCLM_ERR_FORMAT, "%s: \"tokenizer.chat_template\" has %zu bytes; a template may have %zu",
                          path, length, JINJA_MAX_SOURCE);
        else if (!(copy = core_copy_part(text, length, "a chat template")))
            status = OCLM_ERR_MEMORY;
        else
            status = add(templates, "default", strlen("default"), copy, length);
    }
    core_gguf_free(&file);
    core_map_close(&map);
    return status;
}

typedef struct gguf_search {
    core_text name; /* of the only one so far */
    size_t count;
    oclm_status status;
} gguf_search;

static bool visit_gguf(const char *name, void *user)
{
    gguf_search *found = user;
    if (!core_name_matches("*.gguf", name))
        return true;
    core_text_clear(&found->name);
    found->count++;
    found->status = core_text_add_string(&found->name, name);
    return found->status == OCLM_OK;
}

/* Files of its own: then a GGUF file beside them does not say how the model is spoken to. */
static bool has_tokenizer(const char *folder)
{
    core_text path = CORE_TEXT_INIT;
    const bool there = core_path_join(&path, folder, "tokenizer.json") == OCLM_OK && core_path_is_file(path.data);
    core_text_free(&path);
    return there;
}

/* Of a folder, its only GGUF file; of several none counts. */
static oclm_status read_gguf_of(const char *folder, tok_templates *templates)
{
    gguf_search found = { CORE_TEXT_INIT, 0, OCLM_OK };
    core_text path = CORE_TEXT_INIT;
    oclm_status status = core_folder_list(folder, visit_gguf, &found);
    if (status == OCLM_OK)
        status = found.status;
    if (status == OCLM_OK && found.count == 1 && (status = core_path_join(&path, folder, found.name.data)) == OCLM_OK &&
        core_path_is_file(path.data))
        status = read_gguf(path.data, templates);
    core_text_free(&path);
    core_text_free(&found.name);
    return status;
}

oclm_status tok_templates_read(const char *folder, tok_templates *templates)
{
    oclm_status status;
    *templates = (tok_templates)TOK_TEMPLATES_INIT;
    if (core_path_is_file(folder))
        status = core_name_matches("*.gguf", folder) ? read_gguf(folder, templates) : OCLM_OK;
    else if ((status = read_files(folder, templates)) == OCLM_OK && templates->count == 0 &&
             (status = read_config(folder, templates)) == OCLM_OK && templates->count == 0 && !has_tokenizer(folder))
        status = read_gguf_of(folder, templates);
    if (status != OCLM_OK)
        tok_templates_free(templates);
    return status;
}
