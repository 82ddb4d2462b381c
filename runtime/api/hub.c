/* hub.c: a model's name becomes a folder: one that is there, or one in the cache, which the hub fills. */
#include <string.h>

#include "api/api.h"
#include "checkpoint/checkpoint.h"
#include "core/platform.h"
#include "hub/repository.h"

static const oclm_hub_options defaults = { .struct_size = sizeof defaults };

void oclm_hub_options_init(oclm_hub_options *options, size_t struct_size)
{
    api_options_write(&defaults, sizeof defaults, options, struct_size);
}

oclm_status api_hub_options_read(const oclm_hub_options *options, oclm_hub_options *mine)
{
    oclm_status    status;
    const uint32_t all = OCLM_HUB_CONFIG | OCLM_HUB_TOKENIZER | OCLM_HUB_WEIGHTS;
    *mine = defaults;
    if ((status = api_options_read(options, mine, sizeof *mine, "oclm_hub_options")) != OCLM_OK)
        return status;
    if (mine->parts & ~all)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_hub_options: parts is %u; it is a sum of OCLM_HUB_CONFIG (1), _TOKENIZER (2), _WEIGHTS (4)", mine->parts);
    if (mine->gguf_file && mine->gguf_file[0] && !core_name_matches("*.gguf", mine->gguf_file))
        return core_fail(OCLM_ERR_ARGUMENT, "gguf_file is \"%s\"; it is the name of a file that ends in .gguf", mine->gguf_file);
    if ((mine->include_count > 0 && !mine->include) || (mine->exclude_count > 0 && !mine->exclude))
        return api_missing("oclm_hub_options", mine->include ? "exclude" : "include");
    return OCLM_OK;
}

/* What a path looks like that was meant to be a folder: no name on the hub begins so. */
static bool looks_like_path(const char *name)
{
    const char *slash = strchr(name, '/');
    return name[0] == '\0' || name[0] == '/' || name[0] == '.' || name[0] == '~' || strchr(name, '\\') || (slash && strchr(slash + 1, '/'));
}

/* The hub's room knows nothing of checkpoints; it asks here for what a model needs. */
static oclm_status name_weights(const char *folder, const char *variant, hub_weight_names *names)
{
    ckpt_names        found;
    const oclm_status status = ckpt_names_of(folder, variant, &found);
    if (status == OCLM_OK) {
        memcpy(names->single, found.single, sizeof names->single);
        memcpy(names->index, found.index, sizeof names->index);
    }
    return status;
}

#define PARTS_TAIL "-00001-of-00001.gguf" /* how the first of a model's files ends, whatever the numbers */

/* The pattern of a GGUF file in a repository, and of all its parts where it is the first of several. */
static oclm_status gguf_pattern(const oclm_hub_options *mine, core_text *pattern)
{
    const char  *name = mine->gguf_file;
    const size_t length = strlen(name), tail = strlen(PARTS_TAIL);
    const bool   parts = length > tail && core_name_matches("*-00001-of-*.gguf", name);
    oclm_status  status = OCLM_OK;
    if (mine->subfolder && mine->subfolder[0])
        status = core_text_printf(pattern, "%s/", mine->subfolder);
    if (status != OCLM_OK || !parts)
        return status == OCLM_OK ? core_text_add_string(pattern, name) : status;
    return core_text_printf(pattern, "%.*s-*%s", (int)(length - tail), name, name + length - tail + strlen("-00001"));
}

/* A GGUF file in a folder or in a repository, of which nothing else is fetched: it has all that a model needs. */
static oclm_status find_gguf(const char *name, const oclm_hub_options *mine, core_text *path)
{
    static const hub_weight_reader reader = { name_weights, ckpt_shard_files };
    oclm_hub_options one = *mine;
    core_text        pattern = CORE_TEXT_INIT, folder = CORE_TEXT_INIT;
    oclm_status      status = OCLM_OK;
    if (core_path_is_file(name))
        return core_fail(OCLM_ERR_ARGUMENT, "%s is a file already; leave gguf_file (\"%s\") out, or give the folder", name, mine->gguf_file);
    if (!core_path_is_folder(name) && looks_like_path(name))
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: no such folder, so no %s in it", name, mine->gguf_file);
    if (core_path_is_folder(name)) {
        status = mine->subfolder && mine->subfolder[0] ? core_path_join(&folder, name, mine->subfolder) : core_text_add_string(&folder, name);
    } else if ((status = gguf_pattern(mine, &pattern)) == OCLM_OK) {
        const char *const patterns[] = { pattern.data };
        one.include = patterns;
        one.include_count = COUNT(patterns);
        one.exclude_count = 0;
        status = hub_get(name, &one, &reader, &folder);
    }
    core_text_clear(path);
    if (status == OCLM_OK && (status = core_path_join(path, folder.data, mine->gguf_file)) == OCLM_OK && !core_path_is_file(path->data))
        status = core_fail(OCLM_ERR_NOT_FOUND, "%s: there is no such file", path->data);
    core_text_free(&pattern);
    core_text_free(&folder);
    return status;
}

static oclm_status find(const char *name, const oclm_hub_options *mine, core_text *folder)
{
    if (mine->gguf_file && mine->gguf_file[0])
        return find_gguf(name, mine, folder);
    if (core_path_is_folder(name)) {
        core_text_clear(folder);
        return mine->subfolder && mine->subfolder[0] ? core_path_join(folder, name, mine->subfolder) : core_text_add_string(folder, name);
    }
    if (core_path_is_file(name) && core_name_matches("*.gguf", name))
        return core_text_add_string(folder, name); /* a model whole, with its tokenizer */
    if (core_path_is_file(name))
        return core_fail(OCLM_ERR_NOT_FOUND, "%s is a file, and none of GGUF (.gguf); give the folder that holds config.json, model.safetensors and "
                         "tokenizer.json", name);
    if (looks_like_path(name))
        return core_fail(OCLM_ERR_NOT_FOUND, "%s: no such folder or file; give a folder with config.json, model.safetensors and tokenizer.json, a .gguf "
                         "file, or the name of a model on the hub: NAME or OWNER/NAME", name);
    static const hub_weight_reader reader = { name_weights, ckpt_shard_files };
    return hub_get(name, mine, &reader, folder);
}

oclm_status api_find_model(const char *name, const oclm_hub_options *hub, uint32_t parts, core_text *folder, oclm_hub_options *mine)
{
    const oclm_status status = api_hub_options_read(hub, mine);
    if (status != OCLM_OK)
        return status;
    if (mine->parts == 0)
        mine->parts = parts;
    mine->include_count = mine->exclude_count = 0;
    mine->local_dir = NULL;
    return find(name, mine, folder);
}

oclm_status oclm_hub_download(const char *name, const oclm_hub_options *options, char **folder)
{
    oclm_hub_options mine;
    core_text        found = CORE_TEXT_INIT;
    oclm_status      status;
    if (!folder)
        return api_missing("oclm_hub_download", "folder");
    *folder = NULL;
    if (!name)
        return api_missing("oclm_hub_download", "name");
    if ((status = api_hub_options_read(options, &mine)) == OCLM_OK && (status = find(name, &mine, &found)) == OCLM_OK &&
        !(*folder = core_text_take(&found, NULL)))
        status = OCLM_ERR_MEMORY;
    core_text_free(&found);
    return status;
}
