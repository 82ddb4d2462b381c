/* scan.h: what is in the whole cache: sizes as Python's scan_cache_dir() counts them, whether the bytes are right, and removing. */
#ifndef OCLM_HUB_SCAN_H
#define OCLM_HUB_SCAN_H

#include "core/dir.h"
#include "hub/id.h"

typedef struct hub_revision {
    char     commit[HUB_MAX_SEGMENT + 1];
    char    *path;       /* the snapshot's folder */
    char    *refs;       /* "main, v1.0"; "" */
    uint64_t bytes;      /* each blob once */
    size_t   files;
    double   changed;    /* seconds since 1970: the youngest blob */
} hub_revision;

typedef struct hub_repo {
    char         *type;  /* "model", "dataset", "space", "kernel" */
    char         *id;
    char         *path;
    uint64_t      bytes; /* of all revisions, each blob once */
    size_t        files; /* likewise */
    uint64_t      unfinished; /* bytes of downloads that broke off */
    hub_revision *revisions;
    size_t        count;
} hub_repo;

typedef struct hub_scan {
    hub_repo *repos; /* in order of type and id; revisions in order of commit */
    size_t    count;
    uint64_t  bytes;
} hub_scan;

#define HUB_SCAN_INIT { NULL, 0, 0 }

/* Looks through the cache at `folder`; one that is not there is empty. What Python would call corrupted is left out, with a warning. */
oclm_status hub_scan_cache(const char *folder, hub_scan *scan);
void        hub_scan_free(hub_scan *scan);

/* Calls `visit` for everything below `folder` that is no folder. `relative` is below it, `info` without following a link. */
oclm_status hub_walk(const char *folder, oclm_status (*visit)(const char *path, const char *relative, const core_info *info, void *user), void *user);

/* Reads every blob of `id` (NULL: of all models) and compares it with its name; looks for links and refs that lead nowhere.
 * `problem` is told of each; `progress` as in oclm_hub_options. */
typedef struct hub_verify {
    void (*problem)(const char *path, const char *what, void *user);
    bool (*progress)(const char *file, uint64_t done, uint64_t total, void *user);
    void  *user, *progress_user;
    uint64_t bytes; /* read */
    size_t   files;
} hub_verify;
oclm_status hub_verify_cache(const char *folder, const char *id, hub_verify *verify);

/* Removes a model, or one revision with the blobs that no other has. `*bytes`: freed. OCLM_ERR_NOT_FOUND where it is not in the cache. */
oclm_status hub_remove(const char *folder, const char *id, const char *revision, uint64_t *bytes);

#endif
