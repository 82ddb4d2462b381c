/* cache.h: one repository in the cache that Python's huggingface_hub keeps too:
 *
 *     <cache>/models--owner--name/blobs/<etag>                  the bytes, immutable once they have this name
 *                                /snapshots/<commit>/<path>     a link, "../../blobs/<etag>"
 *                                /refs/<revision>               40 digits: the commit
 *                                /.no_exist/<commit>/<path>     empty: the repository has no such file
 *     <cache>/.locks/models--owner--name/<etag>.lock            held while a blob is fetched or linked
 *
 * Reading takes no lock and writes nothing. A blob gets its name by a rename, when it is whole and checked. */
#ifndef OCLM_HUB_CACHE_H
#define OCLM_HUB_CACHE_H

#include "core/dir.h"
#include "hub/id.h"
#include "hub/settings.h"

#define HUB_TEMP_NAME (HUB_MAX_ETAG + 32)

typedef struct hub_cache {
    const hub_settings *settings;
    core_text name;                /* models--owner--name */
    core_text folder;              /* <cache>/<name> */
    core_dir *root, *repo, *blobs, *locks; /* open once something is to be written */
    bool      told;                /* that there are no links here */
} hub_cache;

oclm_status hub_cache_init(hub_cache *cache, const hub_settings *settings, const char *id);
void        hub_cache_deinit(hub_cache *cache);

/* ---- Reading */
/* The commit that a revision meant when it was last looked up; a commit means itself. */
bool hub_cache_ref(const hub_cache *cache, const char *revision, char commit[HUB_COMMIT_LENGTH + 1]);

typedef enum hub_presence { HUB_UNKNOWN, HUB_PRESENT, HUB_ABSENT } hub_presence;
/* PRESENT: `path` is the file. ABSENT: the hub said that the commit has none. */
hub_presence hub_cache_find(const hub_cache *cache, const char *commit, const char *file, core_text *path);
/* The same without asking what the hub said. */
bool         hub_cache_has(const hub_cache *cache, const char *commit, const char *file, core_text *path);

/* ---- Writing. hub_cache_open() first; it makes the folders and tells whose permission is missing. */
oclm_status hub_cache_open(hub_cache *cache);
oclm_status hub_cache_lock_try(const hub_cache *cache, const char *etag, core_dir_lock **lock, bool *unsupported);
bool        hub_cache_has_blob(const hub_cache *cache, const char *etag, uint64_t size);
/* A fresh file for a blob's bytes, or one that an earlier run left (`adopted`): a beginning of it, shorter than `size`. */
oclm_status hub_cache_temp(const hub_cache *cache, const char *etag, uint64_t size, char name[HUB_TEMP_NAME], core_file **file, bool *adopted);
void        hub_cache_drop_temp(const hub_cache *cache, const char *name);
/* Leaves an unfinished one for a later run, under the name that hub_cache_temp() and old versions of Python look for. */
void        hub_cache_keep_temp(const hub_cache *cache, const char *name, const char *etag);
/* Gives a whole file its name as a blob and links it. */
oclm_status hub_cache_publish(hub_cache *cache, const char *temp, const char *etag, const char *commit, const char *file);
/* Links a blob that is there. */
oclm_status hub_cache_link(hub_cache *cache, const char *etag, const char *commit, const char *file);
/* Best effort, with a warning: a model that is there loads without. */
void        hub_cache_write_ref(hub_cache *cache, const char *revision, const char *commit);
void        hub_cache_note_absent(hub_cache *cache, const char *commit, const char *file);

/* Copies a file by way of a temporary one beside `as`. */
oclm_status hub_copy_file(const core_dir *from, const char *name, const core_dir *to, const char *as);

#endif
