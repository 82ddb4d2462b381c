/* feed_store.h: where a feed's weights lie while they are not on the device: in host memory, or in a file that is mapped. Inside feed.c.
 *
 * A store is filled once, then read. It lives until the feed and all buffers are gone that use its memory in place: drivers may tell
 * that later than they are asked to, from a thread of theirs. */
#ifndef OCLM_DEVICE_FEED_STORE_H
#define OCLM_DEVICE_FEED_STORE_H

#include "device/feed.h"

typedef struct dev_store dev_store;

/* Bytes of one buffer in a store. */
typedef struct dev_region {
    size_t         bytes;
    unsigned char *memory; /* of the host's */
    size_t         offset; /* in the file, else */
    bool           in_file;
} dev_region;

typedef struct dev_store_options {
    dev_host_budget *budget;    /* outlives the store */
    const char      *folder;    /* of the file; NULL: there is none */
    size_t           alignment; /* of each region, at least 1 */
    bool             pinned;    /* memory that the device copies from fastest */
} dev_store_options;

oclm_status dev_store_new(dev_device *device, const dev_store_options *options, dev_store **store);
void        dev_store_drop(dev_store *store); /* the feed's hold on it; accepts NULL */
/* Reads the contents of buffers into the store, one behind the other, so that they can be copied as one. `what` names them in messages. On failure
 * nothing counts as taken, but its file may have grown: the store is of no use any more. */
oclm_status dev_store_take(dev_store *store, cl_command_queue queue, dev_feed_place place, const dev_buffer *const *buffers, size_t count,
                           const char *what, dev_region *regions);
/* What they take, but for room that is left free behind the last. */
size_t      dev_store_bytes(const dev_store *store, const dev_buffer *const *buffers, size_t count);
/* Its bytes count no more. */
void        dev_store_untake(dev_store *store, const dev_region *region);
/* From here on regions in the file have memory: dev_store_memory(). Nothing is taken afterwards. */
oclm_status dev_store_map(dev_store *store);
const void *dev_store_memory(const dev_store *store, const dev_region *region);
/* The region will be read soon. */
void        dev_store_will_need(const dev_store *store, const dev_region *region);
/* A buffer of this memory, for devices that compute in the host's. */
oclm_status dev_store_in_place(dev_store *store, const dev_region *region, const char *what, cl_mem *buffer);

#endif
