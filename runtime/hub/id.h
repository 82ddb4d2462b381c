/* id.h: what names on the hub may look like, and how they stand in URLs and in the cache. Whatever a stranger says passes here before it
 * touches a path. */
#ifndef OCLM_HUB_ID_H
#define OCLM_HUB_ID_H

#include "core/text.h"

#define HUB_COMMIT_LENGTH 40
#define HUB_MAX_NAME 96         /* of a repository, without its owner */
#define HUB_MAX_REVISION 250
#define HUB_MAX_FILE_NAME 1024
#define HUB_MAX_SEGMENT 255     /* between two slashes; of most file systems */
#define HUB_MAX_ETAG 200

/* Each gives OCLM_ERR_ARGUMENT with the value and the rule. */
oclm_status hub_id_check(const char *id);             /* "gpt2", "owner/name" */
oclm_status hub_revision_check(const char *revision); /* a branch, a tag, refs/pr/1, a commit */
oclm_status hub_file_name_check(const char *name);    /* "config.json", "sub/model.safetensors" */

bool hub_is_commit(const char *text); /* 40 lower-case hex digits */
bool hub_is_sha256(const char *text); /* 64 */
bool hub_is_etag(const char *text);   /* what may name a blob */
/* "….incomplete", "….tmp": a file that is being written, or was when its writer got killed. Python names its own so, in refs/ as well. */
bool hub_is_unfinished(const char *name);

/* "models--owner--name" */
oclm_status hub_id_folder(const char *id, core_text *out);
/* The other way; false where `folder` is none of a model. */
bool        hub_id_of_folder(const char *folder, core_text *id);
/* Percent-encodes all but A-Z a-z 0-9 _ . - ~, and slashes where `slashes` says so. Adds to `out`. */
oclm_status hub_url_encode(const char *text, bool slashes, core_text *out);
/* {endpoint}/{id}/resolve/{revision}/{file} */
oclm_status hub_url_file(const char *endpoint, const char *id, const char *revision, const char *file, core_text *out);

#endif
