/* retry.h: when to ask again: after 1, 2, 4, 8, 8 seconds, or when the hub says. */
#ifndef OCLM_HUB_RETRY_H
#define OCLM_HUB_RETRY_H

#include "hub/http.h"

#define HUB_RETRIES 5
#define HUB_MAX_WAIT 305.0 /* seconds: a window of the hub's rate limits, and a little */

typedef struct hub_retry {
    uint32_t used;
} hub_retry;

/* False where no try is left, or the hub asks to wait longer than anybody would; else `*seconds` before the next. */
bool hub_retry_next(hub_retry *retry, const hub_request *request, double *seconds);

#endif
