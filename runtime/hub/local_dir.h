/* local_dir.h: files of a snapshot as plain files in a folder of the user's. */
#ifndef OCLM_HUB_LOCAL_DIR_H
#define OCLM_HUB_LOCAL_DIR_H

#include "hub/cache.h"
#include "hub/names.h"

/* Copies `files` of the snapshot `commit`, which are all in the cache, into `folder`, which is made where it is missing.
 * Errors: OCLM_ERR_IO (what, and why), OCLM_ERR_MEMORY. */
oclm_status hub_copy_out(const hub_cache *cache, const char *commit, const hub_names *files, const char *folder);

#endif
