/* tuning.h: which of several providers is the fastest here, found by measuring once and remembered on disk.
 *
 * Asked by storage type and class of rows, not by shape: what decides is how a kernel reads weights and how many rows share them. */
#ifndef OCLM_DEVICE_TUNING_H
#define OCLM_DEVICE_TUNING_H

#include "device/provider.h"

typedef enum dev_rows_class {
    DEV_ROWS_ONE,  /* decoding */
    DEV_ROWS_FEW,  /* 2 to 4: a few sequences */
    DEV_ROWS_SOME, /* 5 to 255: a short prompt */
    DEV_ROWS_MANY, /* 256 and more: whole chunks of a long prompt */
    DEV_ROWS_CLASSES
} dev_rows_class;

/* Products of many rows are measured with this many rows and a weight of this many rows and columns, if there is memory. */
#define DEV_TUNING_ROWS 256u
#define DEV_TUNING_SIZE 2048u

dev_rows_class dev_rows_class_of(uint32_t rows);

/* Puts the fastest first, if that is known, in memory or on disk, for exactly these providers in this order. */
oclm_status dev_tuning_recall(dev_device *device, const core_storage *storage, dev_rows_class rows, dev_providers *providers, bool *known);
/* The same; measures where it is not known, and remembers. Where measuring fails, the order stays, until the process ends.
 * Errors: OCLM_ERR_MEMORY. Threads: safe; processes that measure at the same time wait for each other. */
oclm_status dev_tuning_rank(dev_device *device, const core_storage *storage, dev_rows_class rows, dev_providers *providers);

/* The two halves: puts the fastest first, on the device's own queue, or returns false where nothing could be measured, nor was:
 * on a renderer that emulates a GPU (those that cannot be come last); and remembers that `entrants` came in as `order`. */
bool        dev_tuning_measure(dev_device *device, const core_storage *storage, dev_rows_class rows, dev_providers *providers);
oclm_status dev_tuning_remember(dev_device *device, const core_storage *storage, dev_rows_class rows, const dev_providers *entrants,
                                const dev_providers *order);

#endif
