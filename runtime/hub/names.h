/* names.h: a growing list of files' names. */
#ifndef OCLM_HUB_NAMES_H
#define OCLM_HUB_NAMES_H

#include "core/status.h"

typedef struct hub_names {
    char **names;
    size_t count, capacity;
} hub_names;

oclm_status hub_names_add(hub_names *list, const char *name); /* a copy */
oclm_status hub_names_add_all(hub_names *list, const char *const *names, size_t count);
void        hub_names_free(hub_names *list); /* which is empty then */

#endif
