/* fetch.h: several files at once, in one thread. */
#ifndef OCLM_HUB_FETCH_H
#define OCLM_HUB_FETCH_H

#include "hub/download.h"

#define HUB_PARALLEL 8 /* files under way */

/* Brings all to HUB_DONE. The first that fails, or a progress callback that says no, stops the others, and that is the result;
 * files that do not exist, or are not in the cache while nothing may be asked, are no failure: see their outcome. */
oclm_status hub_fetch(hub_shared *shared, hub_download *downloads, size_t count);

#endif
