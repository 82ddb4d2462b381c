/* listing.h: the files of a repository, as the hub lists them. Only needed for patterns: what a model needs is asked for by name. */
#ifndef OCLM_HUB_LISTING_H
#define OCLM_HUB_LISTING_H

#include "hub/download.h"

#define HUB_MAX_PAGES 200
#define HUB_MAX_JSON (64u << 20)

/* Calls `visit` with each file of `revision`; its commit is told first. Every name has passed hub_file_name_check(). */
oclm_status hub_list_files(hub_shared *shared, const char *revision, char commit[HUB_COMMIT_LENGTH + 1],
                           oclm_status (*visit)(const char *name, void *user), void *user);

/* Python's fnmatch: a star spans slashes, "folder/" means all below it. */
bool hub_name_matches(const char *pattern, const char *name);

#endif
