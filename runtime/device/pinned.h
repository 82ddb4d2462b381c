/* pinned.h: host memory that a driver gives for being mapped: it stays in place, so that copies to the device and from it pass through no memory
 * of the driver's own. */
#ifndef OCLM_DEVICE_PINNED_H
#define OCLM_DEVICE_PINNED_H

#include "device/device.h"

/* Empty: all zero. */
typedef struct dev_pinned {
    void  *memory;
    cl_mem buffer; /* whose mapping the memory is */
} dev_pinned;

/* Waits on the device's own queue until it is there. On failure `pinned` is empty. */
cl_int dev_pinned_new(dev_device *device, size_t bytes, dev_pinned *pinned);
/* Nothing may use it any more. Accepts an empty one. */
void   dev_pinned_free(dev_device *device, dev_pinned *pinned);

#endif
