/* names.c: a growing list. */
#include "hub/names.h"

#include <string.h>

#include "core/memory.h"

void hub_names_free(hub_names *list)
{
    for (size_t i = 0; i < list->count; i++)
        core_free(list->names[i]);
    core_free(list->names);
    memset(list, 0, sizeof *list);
}

oclm_status hub_names_add(hub_names *list, const char *name)
{
    char **names = core_grow_array(list->names, list->count, &list->capacity, 16, sizeof *names, "names of files");
    if (names == NULL)
        return OCLM_ERR_MEMORY;
    list->names = names;
    if ((list->names[list->count] = core_copy_string(name, "a file's name")) == NULL)
        return OCLM_ERR_MEMORY;
    list->count++;
    return OCLM_OK;
}

oclm_status hub_names_add_all(hub_names *list, const char *const *names, size_t count)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = hub_names_add(list, names[i]);
    return status;
}
