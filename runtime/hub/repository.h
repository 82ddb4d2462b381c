/* repository.h: a model by its name on the hub becomes a folder on this machine: which files it needs, in which order they are asked for,
 * all of one commit. */
#ifndef OCLM_HUB_REPOSITORY_H
#define OCLM_HUB_REPOSITORY_H

#include "core/text.h"

#define HUB_MAX_WEIGHT_NAME 255

/* The one file of a model's weights, and the index of shards that others have instead; "" where there cannot be one. */
typedef struct hub_weight_names {
    char single[HUB_MAX_WEIGHT_NAME + 1], index[HUB_MAX_WEIGHT_NAME + 1];
} hub_weight_names;

/* What the hub asks of those who know checkpoints. */
typedef struct hub_weight_reader {
    /* The names in a model's folder, whose config.json is there; `variant` may be NULL. */
    oclm_status (*names)(const char *folder, const char *variant, hub_weight_names *names);
    /* Calls `add` with the name of each file that the index of shards at `path` lists. */
    oclm_status (*shards)(const char *path, oclm_status (*add)(const char *name, void *user), void *user);
} hub_weight_reader;

/* Brings what `options` (complete, this version's) asks for into the cache, or into options->local_dir, and tells the folder.
 * Errors: OCLM_ERR_ARGUMENT (name, revision, subfolder), OCLM_ERR_NOT_FOUND (model, revision, file; offline and not cached),
 *         OCLM_ERR_ACCESS (gated, token refused), OCLM_ERR_HUB (out of reach, too many requests, its own trouble), OCLM_ERR_IO (disk full,
 *         permissions), OCLM_ERR_FORMAT (checksum, size, a broken index), OCLM_ERR_CANCELLED, OCLM_ERR_MEMORY. */
oclm_status hub_get(const char *id, const oclm_hub_options *options, const hub_weight_reader *reader, core_text *folder);

#endif
