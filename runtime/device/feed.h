/* feed.h: weights that live in the host's memory or in a file, and visit a device while it computes.
 *
 * A unit is what a device needs at once: the matrices of a layer. Its bytes lie in a store; the device has a few slots, buffers that units
 * share. While one unit is computed the next one is copied to another slot, on a queue of its own. Both queues are of one context and wait
 * for each other by events; the host waits for neither. A unit always visits the same slot, so that launches which read it are recorded once. Its
 * buffers lie behind each other in the store and are parts of one buffer of the slot: it is copied as one. (Copies of less have gaps between them:
 * on PoCL a fifth of a decoding step.)
 *
 *     compute   | unit 0 | unit 1 | unit 2 | unit 0 | ..        unit 0 and 1 in slots 0 and 1; the third of an odd number has a slot of its own,
 *     copy      | unit 1 | unit 2 | unit 0 | unit 1 | ..        for its neighbours are in both others
 *
 * A device that computes in the host's memory needs no slots: its buffers are the store's memory.
 *
 *     dev_feed_new(..)
 *     dev_feed_take(..)  for each unit, behind each other as a pass reads them: contents go to the store, the device's memory is given back
 *     dev_feed_open(..)  buffers are there again, in slots
 *     dev_feed_add(..)   while recording: a list for the launches that read a unit
 *
 * Threads: units are taken and the feed opened by one thread; afterwards lists of several threads may be enqueued at the same time. */
#ifndef OCLM_DEVICE_FEED_H
#define OCLM_DEVICE_FEED_H

#include "device/counter.h"
#include "device/launch.h"
#include "device/matrix.h"

/* Host memory that is counted, as a device's own is. Zeroed but for `most`; shared between threads. */
typedef struct dev_host_budget {
    uint64_t    most; /* bytes */
    dev_counter counter;
} dev_host_budget;

typedef enum dev_feed_place { DEV_FEED_HOST, DEV_FEED_FILE } dev_feed_place;

typedef struct dev_feed_options {
    dev_host_budget *budget; /* of units in host memory; outlives the feed */
    const char      *folder; /* for the file; must be there */
    uint64_t         slot_bytes; /* the most that slots may take of the device's memory, but for the first; 0: half of what is left */
    bool             copies; /* for tests: slots and copies also where the device could use the host's memory in place */
} dev_feed_options;

typedef struct dev_feed dev_feed;

/* Does a device read what would visit it in the host's memory? `copies` as above. */
bool   dev_feed_is_in_place(const dev_device *device, bool copies);
/* Each buffer of a unit begins at a multiple of that: in the store, and in a slot. */
size_t dev_feed_alignment(const dev_device *device, bool copies);

oclm_status dev_feed_new(dev_device *device, const dev_feed_options *options, dev_feed **feed);
/* The buffers of dev_feed_take() become empty. Lists that read its units are not enqueued any more and done. Accepts NULL. */
void        dev_feed_free(dev_feed *feed);

typedef enum dev_feed_use {
    DEV_FEED_IN_TURN, /* units are read in the order in which they are taken */
    DEV_FEED_LAST,    /* a table that is read behind all others */
    DEV_FEED_ROWS     /* never read whole: only dev_feed_rows_add() */
} dev_feed_use;

typedef struct dev_feed_unit {
    dev_feed_place     place;
    dev_feed_use       use;
    dev_buffer *const *buffers; /* filled, of the device. The structs stay where they are until the feed is freed */
    size_t             count;
    bool               ends;        /* a pass may end here: what follows then is the first unit */
    size_t             panel_bytes; /* of a matrix of which rows are asked for, the most; 0: of none */
    const char        *what;        /* for messages: "layer 3" */
} dev_feed_unit;

/* Takes the next unit: its contents are read back and its device memory freed, until dev_feed_open() fills the buffers in.
 * Errors: OCLM_ERR_MEMORY (the host's budget: needed, available), OCLM_ERR_IO (the folder, its free space), OCLM_ERR_DEVICE. The buffers of
 * this unit are then as they were. */
oclm_status dev_feed_take(dev_feed *feed, const dev_feed_unit *unit);
/* Makes the slots. Errors: OCLM_ERR_DEVICE_MEMORY where not even one slot fits. */
oclm_status dev_feed_open(dev_feed *feed);

/* A list for launches that read the buffers of a unit: of its own, played in its place in `work`, or `work` itself where nothing is copied.
 * `next`: the unit that is read after it in this pass; of the last, the first of the next pass. */
oclm_status dev_feed_add(dev_work *work, dev_feed *feed, uint32_t unit, uint32_t next, dev_work **inner);

/* Records dev_rows_add() of a matrix whose buffers are a unit's. Where nothing is in place, panels of the rows that ids name visit the device:
 * ids are read back for that, so the list's caller waits for all that the queue holds before, events of others included. */
oclm_status dev_feed_rows_add(dev_work *work, dev_feed *feed, uint32_t unit, const dev_matrix *matrix, const dev_buffer *ids, uint32_t count,
                              float scale, bool add, const dev_buffer *y, uint32_t y_stride);

/* Where the bytes lie of a buffer that it took, and how many there are (the buffer itself may be empty); NULL: it did not. After dev_feed_open(). */
const void *dev_feed_memory(const dev_feed *feed, const dev_buffer *buffer, size_t *bytes);
uint32_t    dev_feed_units(const dev_feed *feed);
uint32_t    dev_feed_slots(const dev_feed *feed); /* 0: used in place */
uint64_t    dev_feed_copied(const dev_feed *feed); /* bytes, so far */
/* Bytes of host memory and of the file that it holds. */
uint64_t    dev_feed_host_bytes(const dev_feed *feed);
uint64_t    dev_feed_file_bytes(const dev_feed *feed);

#endif
