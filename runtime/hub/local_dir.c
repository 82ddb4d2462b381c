/* local_dir.c: each file is copied beside its name and renamed, as in the cache itself. */
#include "hub/local_dir.h"

#include <string.h>

#include "core/dir.h"
#include "core/memory.h"
#include "core/platform.h"
#include "core/text.h"

static oclm_status copy_out(const hub_cache *cache, const char *commit, const char *name, const core_dir *to)
{
    core_text   from = CORE_TEXT_INIT, real = CORE_TEXT_INIT;
    core_dir   *blobs = NULL, *below = NULL;
    char       *folder = core_copy_string(name, "a path"), *slash;
    oclm_status status = folder != NULL ? core_text_printf(&from, "%s/snapshots/%s/%s", cache->folder.data, commit, name) : OCLM_ERR_MEMORY;
    if (status != OCLM_OK || (status = core_path_resolve(from.data, &real)) != OCLM_OK)
        goto done;
    if ((slash = strrchr(folder, '/')) != NULL)
        *slash = '\0';
    char *const cut = strrchr(real.data, '/'); /* a resolved path has one */
    *cut = '\0';
    if ((status = core_dir_open(real.data, false, &blobs)) == OCLM_OK &&
        (status = core_dir_enter(to, slash != NULL ? folder : "", true, &below)) == OCLM_OK)
        status = hub_copy_file(blobs, cut + 1, below, slash != NULL ? slash + 1 : folder);
done:
    core_dir_close(blobs);
    core_dir_close(below);
    core_text_free(&from);
    core_text_free(&real);
    core_free(folder);
    return status;
}

oclm_status hub_copy_out(const hub_cache *cache, const char *commit, const hub_names *files, const char *folder)
{
    core_dir   *to;
    oclm_status status = core_dir_open(folder, true, &to);
    if (status != OCLM_OK)
        return status;
    for (size_t i = 0; i < files->count && status == OCLM_OK; i++)
        status = copy_out(cache, commit, files->names[i], to);
    core_dir_close(to);
    return status;
}
