/* fault.h: what an answer of the hub means, and what to tell the user about it. */
#ifndef OCLM_HUB_FAULT_H
#define OCLM_HUB_FAULT_H

#include "hub/http.h"

typedef enum hub_fault {
    HUB_FINE,
    HUB_UNREACHABLE,  /* no answer */
    HUB_TLS,
    HUB_PROXY,
    HUB_NO_HUB,       /* an answer that no hub gives */
    HUB_REVISION_NOT_FOUND, HUB_ENTRY_NOT_FOUND, HUB_GATED, HUB_DISABLED, HUB_REPO_NOT_FOUND, HUB_BAD_REQUEST, HUB_FORBIDDEN,
    HUB_RATE_LIMITED, HUB_RANGE, HUB_UNAUTHORIZED,
    HUB_HTTP_ERROR,   /* another 4xx */
    HUB_SERVER_ERROR  /* 5xx */
} hub_fault;

/* What is asked for, for messages. `file` may be NULL. */
typedef struct hub_subject {
    const hub_settings *settings;
    const char         *id, *revision, *file;
} hub_subject;

hub_fault hub_fault_of(const hub_request *request); /* of one that is done */

/* Whether what is in the cache does where the hub answers so. */
bool hub_fault_leaves_cache(hub_fault fault);
/* Whether asking again may help: no connection, or a status that says "later". */
bool hub_fault_may_pass(const hub_request *request);

/* The message and the status of a fault; `request` is the one it was found in. For HUB_NO_HUB, request->reason tells more. */
oclm_status hub_fault_tell(const hub_subject *subject, hub_fault fault, const hub_request *request);

/* What the hub allows: r requests left in a bucket, t seconds until that begins anew, of q. */
typedef struct hub_rate {
    bool     known;
    uint64_t left, seconds, quota;
    char     bucket[32];
} hub_rate;
hub_rate hub_rate_of(const core_text *headers);

#endif
