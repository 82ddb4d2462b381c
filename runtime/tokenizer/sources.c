/* sources.c: which files of a folder hold its tokenizer: the list of ways, best first. */
#include "tokenizer/sources.h"

#include <string.h>

#include "core/map.h"
#include "tokenizer/pipeline.h"

static oclm_status read_json(const tok_files *files, tok_tokenizer *tokenizer)
{
    const char *path = files->paths[0].data;
    core_map map = CORE_MAP_INIT;
    oclm_status status = core_map_open(&map, path);
    if (status == OCLM_OK)
        status = tok_read_json((const char *)map.data, map.size, path, tokenizer);
    core_map_close(&map);
    return status;
}

static oclm_status read_two(const tok_files *files, tok_tokenizer *tokenizer)
{
    return tok_open_files(files->paths[0].data, files->paths[1].data, tokenizer);
}

static const tok_source sources[] = {
    { { "tokenizer.json", NULL }, true, read_json },
    { { "vocab.json", "merges.txt" }, false, read_two },
};

/* Whether the folder has all files of the way; their paths. */
static oclm_status has_files(const char *folder, const tok_source *source, tok_files *files, bool *all)
{
    *all = true;
    for (size_t i = 0; i < TOK_SOURCE_FILES && source->names[i] != NULL && *all; i++) {
        const oclm_status status = core_path_join(&files->paths[i], folder, source->names[i]);
        if (status != OCLM_OK)
            return status;
        *all = core_path_is_file(files->paths[i].data);
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

void tok_files_free(tok_files *files)
{
    for (size_t i = 0; i < TOK_SOURCE_FILES; i++)
        core_text_free(&files->paths[i]);
}
