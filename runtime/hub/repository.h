/* repository.h: a model by its name on the hub becomes a folder on this machine: which files it needs, in which order they are asked for,
 * all of one commit. */
#ifndef OCLM_HUB_REPOSITORY_H
#define OCLM_HUB_REPOSITORY_H

#include "core/text.h"

/* Calls `add` with the name of each file that the index of shards at `path` lists. */
typedef oclm_status (*hub_shard_reader)(const char *path, oclm_status (*add)(const char *name, void *user), void *user);

/* Brings what `options` (complete, this version's) asks for into the cache, or into options->local_dir, and tells the folder.
 * Errors: OCLM_ERR_ARGUMENT (name, revision, subfolder), OCLM_ERR_NOT_FOUND (model, revision, file; offline and not cached),
 *         OCLM_ERR_ACCESS (gated, token refused), OCLM_ERR_HUB (out of reach, too many requests, its own trouble), OCLM_ERR_IO (disk full,
 *         permissions), OCLM_ERR_FORMAT (checksum, size, a broken index), OCLM_ERR_CANCELLED, OCLM_ERR_MEMORY. */
oclm_status hub_get(const char *id, const oclm_hub_options *options, hub_shard_reader read_shards, core_text *folder);

#endif
