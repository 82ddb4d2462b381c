/* body.h: the bytes of one file on their way into the cache: written to a temporary file, counted and hashed as they come, continued where
 * an earlier attempt stopped, and believed only when size and hash are right. */
#ifndef OCLM_HUB_BODY_H
#define OCLM_HUB_BODY_H

#include "core/hash.h"
#include "hub/cache.h"
#include "hub/http.h"

/* Why a receiver stopped a transfer. */
typedef enum hub_body_fault {
    HUB_BODY_FINE,
    HUB_BODY_WRONG_PART, /* a part of the file was sent that was not asked for */
    HUB_BODY_TOO_LONG,   /* more bytes than the file has */
    HUB_BODY_ENCODED,    /* compressed, though nobody asked for that */
    HUB_BODY_LOCAL       /* could not be written: the message is set */
} hub_body_fault;

typedef struct hub_body {
    core_file     *file; /* NULL: not open */
    char           name[HUB_TEMP_NAME];
    char           etag[HUB_MAX_ETAG + 1];
    uint64_t       size, have;
    uint64_t       unflushed;
    hub_body_fault fault;
    core_sha256    sha256; /* by the etag's shape one of the two, or none */
    core_sha1      sha1;
} hub_body;

/* Opens a temporary file; `have` is then what an earlier run left of it. */
oclm_status hub_body_open(hub_body *body, const hub_cache *cache, const char *etag, uint64_t size);
oclm_status hub_body_restart(hub_body *body); /* from nothing */
/* The receivers of a request whose `user` is the body. */
oclm_status hub_body_begin(hub_request *request, void *user);
oclm_status hub_body_data(const void *bytes, size_t count, void *user);
/* Whether the bytes are those that the etag promises. Ends the hash: next is hub_body_restart() or the last two. */
bool        hub_body_is_right(hub_body *body);
/* Makes it a blob and links it; closes it. */
oclm_status hub_body_publish(hub_body *body, hub_cache *cache, const char *commit, const char *file);
/* Gives up: keeps a long beginning for the next run if `keep`. True if it was kept. Accepts one that is not open. */
bool        hub_body_abandon(hub_body *body, const hub_cache *cache, bool keep);

#endif
