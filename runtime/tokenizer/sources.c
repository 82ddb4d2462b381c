/* sources.c: which files of a folder hold its tokenizer: the list of ways, best first. */
#include "tokenizer/sources.h"

#include <string.h>

#include "core/map.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/readers.h"

static oclm_status read_two(const tok_files *files, tok_tokenizer *tokenizer)
{
    return tok_open_files(files->paths[0].data, files->paths[1].data, tokenizer);
}

/* Two formats have this name. */
static oclm_status read_model(const char *data, size_t length, const char *path, tok_tokenizer *tokenizer)
{
    return tok_is_tiktoken(data, length) ? tok_tiktoken_read(data, length, path, tokenizer)
                                         : tok_sentencepiece_read(data, length, path, tokenizer);
}

static const tok_source sources[] = {
    { { "tokenizer.json", NULL }, true, NULL, tok_read_json, NULL },
    { { "vocab.json", "merges.txt" }, false, NULL, NULL, read_two },
    { { "tekken.json", NULL }, false, NULL, tok_tekken_read, NULL },
    { { "tokenizer.model", NULL }, false, NULL, read_model, NULL },
    { { "spiece.model", NULL }, false, NULL, read_model, NULL },
    { { "sentencepiece.bpe.model", NULL }, false, NULL, read_model, NULL },
    { { "tiktoken.model", NULL }, false, NULL, tok_tiktoken_read, NULL },
    { { "*.tiktoken", NULL }, false, NULL, tok_tiktoken_read, NULL },
    { { "*.gguf", NULL }, true, "GGUF", tok_gguf_read, NULL },
};

/* The first file by name that fits a pattern. */
typedef struct search {
    const char *pattern;
    core_text best;
    oclm_status status;
} search;

static bool consider(const char *name, void *user)
{
    search *found = user;
    if (core_name_matches(found->pattern, name) && (found->best.length == 0 || strcmp(name, found->best.data) < 0)) {
        core_text_clear(&found->best);
        found->status = core_text_add_string(&found->best, name);
    }
    return found->status == OCLM_OK;
}

static oclm_status find_file(const char *folder, const char *name, core_text *path)
{
    search found = { name, CORE_TEXT_INIT, OCLM_OK };
    oclm_status status;
    if (strchr(name, '*') == NULL)
        return core_path_join(path, folder, name);
    if ((status = core_folder_list(folder, consider, &found)) == OCLM_OK && (status = found.status) == OCLM_OK)
        status = core_path_join(path, folder, found.best.length > 0 ? found.best.data : name);
    core_text_free(&found.best);
    return status;
}

const tok_source *tok_source_of_file(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    for (size_t i = 0; i < COUNT(sources); i++) {
        if (sources[i].names[1] == NULL && core_name_matches(sources[i].names[0], name))
            return &sources[i];
    }
    return NULL;
}

static bool begins_with(const char *path, const char *magic)
{
    core_map map = CORE_MAP_INIT;
    const size_t length = strlen(magic);
    const bool same = core_map_open(&map, path) == OCLM_OK && map.size >= length && memcmp(map.data, magic, length) == 0;
    core_map_close(&map);
    return same;
}

/* Whether the folder has all files of the way; their paths. */
static oclm_status has_files(const char *folder, const tok_source *source, tok_files *files, bool *all)
{
    *all = true;
    for (size_t i = 0; i < TOK_SOURCE_FILES && source->names[i] != NULL && *all; i++) {
        const oclm_status status = find_file(folder, source->names[i], &files->paths[i]);
        if (status != OCLM_OK)
            return status;
        *all = core_path_is_file(files->paths[i].data) &&
               (source->magic == NULL || begins_with(files->paths[i].data, source->magic));
    }
    return OCLM_OK;
}

static oclm_status none_found(const char *folder)
{
    core_text names = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(sources) && status == OCLM_OK; i++) {
        const char *second = sources[i].names[1];
        status = core_text_printf(&names, "%s%s%s%s", i == 0 ? "" : ", ", sources[i].names[0],
                                  second != NULL ? " with " : "", second != NULL ? second : "");
    }
    if (status == OCLM_OK)
        status = core_fail(OCLM_ERR_NOT_FOUND,
                           "%s: the folder has no tokenizer: none of %s; fetch them too, or give token ids "
                           "instead of a text",
                           folder, names.data);
    core_text_free(&names);
    return status;
}

oclm_status tok_files_find(const char *folder, tok_files *files)
{
    memset(files, 0, sizeof *files);
    if (core_path_is_file(folder) && (files->source = tok_source_of_file(folder)) != NULL)
        return core_text_add_string(&files->paths[0], folder);
    for (size_t i = 0; i < COUNT(sources); i++) {
        bool all;
        const oclm_status status = has_files(folder, &sources[i], files, &all);
        if (status != OCLM_OK)
            return status;
        if (all) {
            files->source = &sources[i];
            return OCLM_OK;
        }
    }
    return none_found(folder);
}

oclm_status tok_files_read(const tok_files *files, tok_tokenizer *tokenizer)
{
    const char *path = files->paths[0].data;
    core_map map = CORE_MAP_INIT;
    oclm_status status;
    if (files->source->read == NULL)
        return files->source->read_files(files, tokenizer);
    if ((status = core_map_open(&map, path)) == OCLM_OK)
        status = files->source->read((const char *)map.data, map.size, path, tokenizer);
    core_map_close(&map);
    return status;
}

void tok_files_free(tok_files *files)
{
    for (size_t i = 0; i < TOK_SOURCE_FILES; i++)
        core_text_free(&files->paths[i]);
}
