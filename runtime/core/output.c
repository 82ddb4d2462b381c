/* output.c: written beside the path under a name of its own, synced, renamed. */
#include "core/output.h"

#include <stdio.h>
#include <string.h>

#include "core/dir.h"
#include "core/platform.h"

struct core_output {
    core_dir   *folder;
    core_file  *file;
    core_text   name;        /* in the end */
    core_text   beside;      /* until then */
    core_text   path;        /* of that */
    bool        there;       /* under that name */
};

static void free_output(core_output *output)
{
    core_dir_close(output->folder);
    core_text_free(&output->name);
    core_text_free(&output->beside);
    core_text_free(&output->path);
    core_free(output);
}

oclm_status core_dir_open_parent(const char *path, core_dir **parent, core_text *name)
{
    const char *slash = strrchr(path, '/');
    char       *folder = slash == NULL ? core_copy_string(".", "a path") : core_copy_part(path, slash == path ? 1 : (size_t)(slash - path), "a path");
    oclm_status status = folder == NULL ? OCLM_ERR_MEMORY : core_text_add_string(name, slash == NULL ? path : slash + 1);
    if (status == OCLM_OK && name->length > 0)
        status = core_dir_open(folder, false, parent);
    core_free(folder);
    return status;
}

static oclm_status open_folder(core_output *output, const char *path)
{
    const oclm_status status = core_dir_open_parent(path, &output->folder, &output->name);
    return status == OCLM_OK && output->folder == NULL ? core_fail(OCLM_ERR_ARGUMENT, "\"%s\" names no file to write", path) : status;
}

oclm_status core_output_begin(const char *path, core_output **output)
{
    core_output *made = core_alloc_zero(1, sizeof *made, "a file to write");
    uint32_t     number;
    oclm_status  status;
    *output = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    core_random(&number, sizeof number);
    if ((status = open_folder(made, path)) == OCLM_OK &&
        (status = core_text_printf(&made->beside, ".%s.%08x.tmp", made->name.data, (unsigned)number)) == OCLM_OK &&
        (status = core_text_printf(&made->path, "%.*s%s", (int)(strlen(path) - made->name.length), path, made->beside.data)) == OCLM_OK)
        status = core_file_create(made->folder, made->beside.data, &made->file);
    if (status != OCLM_OK) {
        free_output(made);
        return status;
    }
    made->there = true;
    *output = made;
    return OCLM_OK;
}

oclm_status core_output_add(core_output *output, const void *data, size_t bytes)
{
    return core_file_write(output->file, data, bytes);
}

oclm_status core_output_lengthen(core_output *output, uint64_t bytes) { return core_file_lengthen(output->file, bytes); }

const char *core_output_path(const core_output *output) { return output->path.data; }

oclm_status core_output_end(core_output *output)
{
    oclm_status status = core_file_sync(output->file);
    const oclm_status closed = core_file_close(output->file);
    output->file = NULL;
    if (status == OCLM_OK)
        status = closed;
    if (status == OCLM_OK && (status = core_dir_rename(output->folder, output->beside.data, output->folder, output->name.data)) == OCLM_OK) {
        output->there = false;
        core_dir_sync(output->folder);
    }
    core_output_drop(output);
    return status;
}

void core_output_drop(core_output *output)
{
    if (output == NULL)
        return;
    (void)core_file_close(output->file);
    if (output->there)
        (void)core_dir_remove(output->folder, output->beside.data);
    free_output(output);
}
