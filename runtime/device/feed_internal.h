/* feed_internal.h: what the files of a feed share. Inside feed*.c. */
#ifndef OCLM_DEVICE_FEED_INTERNAL_H
#define OCLM_DEVICE_FEED_INTERNAL_H

#include "device/device_internal.h"
#include "device/feed_store.h"

#define DEV_FEED_SLOTS   3u
#define DEV_FEED_REGIONS 64u /* buffers of a unit */
#define DEV_FEED_READERS 8u  /* queues that read what a slot holds, before one is waited for */
#define DEV_FEED_ROW_PANELS 64u /* of which rows are read, at once */
#define DEV_NO_UNIT      UINT32_MAX

/* Regions that lie behind each other in the store: copied as one, to one buffer of the slot. */
typedef struct dev_feed_run {
    uint32_t first, count; /* regions */
    size_t   bytes;        /* with the room between them */
} dev_feed_run;

typedef struct dev_kept_unit {
    dev_region   regions[DEV_FEED_REGIONS];
    dev_buffer  *views[DEV_FEED_REGIONS];  /* the caller's */
    cl_mem       memory[DEV_FEED_REGIONS]; /* what they are: a part of the slot, or of the store where that is read in place */
    dev_feed_run runs[DEV_FEED_REGIONS];   /* mostly one; each is at most what the device takes for one buffer */
    uint32_t     count, run_count, slot;
    bool         ends;
    dev_feed_use use;
} dev_kept_unit;

/* An in-order queue that reads a slot, up to `done`. */
typedef struct dev_feed_reader {
    cl_command_queue queue;
    cl_event         done;
} dev_feed_reader;

typedef struct dev_feed_slot {
    dev_buffer buffers[DEV_FEED_REGIONS]; /* a run each */
    uint32_t   unit; /* whose bytes are there, or on their way */
    cl_event   copied;
    dev_feed_reader readers[DEV_FEED_READERS];
    uint32_t   reader_count;
} dev_feed_slot;

struct dev_feed {
    dev_device      *device;
    dev_store       *store;
    uint64_t         slot_bytes;
    bool             in_place;
    dev_kept_unit  **units;
    uint32_t         unit_count;
    dev_feed_slot    slots[DEV_FEED_SLOTS];
    uint32_t         slot_count;
    dev_feed_slot    rows; /* panels of which rows are read, in its first buffer */
    size_t           rows_bytes;
    cl_command_queue queue; /* of copies */
    core_mutex      *lock;  /* guards slots, and `copied` */
    uint64_t         copied, host_bytes, file_bytes;
};

/* Makes them, once all units are taken, and the caller's buffers parts of them. What is made on failure goes with the feed. */
oclm_status dev_feed_make_slots(dev_feed *feed);
/* Remembers until when a queue reads a slot; takes the event over. */
oclm_status dev_feed_note_reader(dev_feed_slot *slot, cl_command_queue queue, cl_event done);

#endif
