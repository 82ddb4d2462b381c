/* metadata.h: what the hub says of a file before it is fetched. Every value is checked here, because each becomes a part of a path. */
#ifndef OCLM_HUB_METADATA_H
#define OCLM_HUB_METADATA_H

#include "hub/http.h"
#include "hub/id.h"

typedef struct hub_metadata {
    char      commit[HUB_COMMIT_LENGTH + 1];
    char      etag[HUB_MAX_ETAG + 1]; /* of 64 digits: SHA-256 of the file; of 40: git's SHA-1 of it */
    uint64_t  size;
    core_text url;                    /* where the bytes are */
} hub_metadata;

/* Reads a HEAD's answer, one of 2xx or 3xx. False where it is no hub's: request->reason then tells what is wrong.
 * OCLM_ERR_MEMORY leaves by `*status`. */
bool hub_metadata_read(hub_request *request, hub_metadata *metadata, oclm_status *status);
void hub_metadata_deinit(hub_metadata *metadata);

/* The commit of an answer, also of a 404; false where there is none that is sound. */
bool hub_metadata_commit(const core_text *headers, char commit[HUB_COMMIT_LENGTH + 1]);

#endif
