/* download.h: one file from the hub into the cache, as a machine that is stepped on: it asks for the file's metadata, takes the lock, fetches,
 * checks and publishes, and never waits itself. So one thread moves several files at once (fetch.h). */
#ifndef OCLM_HUB_DOWNLOAD_H
#define OCLM_HUB_DOWNLOAD_H

#include "hub/body.h"
#include "hub/fault.h"
#include "hub/metadata.h"
#include "hub/retry.h"

/* What all files of one call share. */
typedef struct hub_shared {
    const hub_settings *settings;
    const char         *id;
    hub_cache           cache;
    hub_http           *http;         /* NULL: offline */
    /* After a file had to come from the cache because the hub could not tell about it, nothing more is asked. */
    bool                down;
    bool                answered;     /* the hub has told about a file */
    bool                warned;       /* that it does not */
    hub_fault           down_fault;
    char                down_reason[CURL_ERROR_SIZE + 64];
    bool              (*progress)(const char *file, uint64_t done, uint64_t total, void *user); /* may be NULL */
    void               *progress_user;
} hub_shared;

typedef enum hub_stage { HUB_START, HUB_HEAD, HUB_HEAD_WAIT, HUB_LOCK, HUB_GET, HUB_GET_WAIT, HUB_DONE } hub_stage;
typedef enum hub_outcome { HUB_FAILED, HUB_READY, HUB_NO_SUCH_FILE, HUB_NOT_CACHED } hub_outcome;

typedef struct hub_download {
    /* ---- Asked */
    hub_shared *shared;
    char       *file;
    char       *revision;
    bool        optional;  /* HUB_NOT_CACHED at once where the hub gives no answer, to this as to nothing before */
    bool        probe;     /* only whether it exists: HUB_READY without a file */
    /* ---- Answered, at HUB_DONE */
    hub_outcome outcome;   /* NOT_CACHED: offline, or the hub is down */
    oclm_status status;    /* of HUB_FAILED; the message is then in `message` */
    char       *message;
    char        commit[HUB_COMMIT_LENGTH + 1]; /* "": not known */
    core_text   path;      /* of the file in the cache */
    bool        received;  /* bytes came over the net */
    /* ---- Inside */
    hub_stage      stage;
    double         due;    /* when a waiting one goes on; core_seconds() */
    hub_request    request;
    hub_metadata   metadata;
    hub_body       body;
    hub_retry      retry;
    core_dir_lock *lock;
    double         waiting_since, told_at;
    uint64_t       have_at_retry; /* bytes when the last try began */
    uint32_t       heads, renewals;
    bool           restarted, hashed_again, renewing;
} hub_download;

oclm_status hub_download_init(hub_download *download, hub_shared *shared, const char *file, const char *revision);
void        hub_download_deinit(hub_download *download); /* an unfinished one lets go of its lock, and keeps a long beginning */
/* Goes on as far as it can without waiting. Returns OCLM_OK also where the file failed: see `outcome`. */
void        hub_download_step(hub_download *download);
/* Stops it: a long beginning stays for the next run. */
void        hub_download_stop(hub_download *download);

#endif
