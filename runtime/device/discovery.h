/* discovery.h: which OpenCL devices there are, which is the best, which one a user means. */
#ifndef OCLM_DEVICE_DISCOVERY_H
#define OCLM_DEVICE_DISCOVERY_H

#include "device/opencl.h"

typedef struct dev_entry {
    cl_platform_id   platform;
    cl_device_id     device;
    oclm_device_info info; /* strings belong to the list; info.index is the entry's place */
} dev_entry;

typedef struct dev_list {
    dev_entry *entries; /* best first; duplicates of a card at the end, with info.unusable set */
    size_t     count;
} dev_list;

/* Errors: OCLM_ERR_NO_DEVICE: no ICD loader entry, platforms without devices, and what to install. */
oclm_status dev_list_new(dev_list **list);
void        dev_list_free(dev_list *list);

/* What `spec` means: NULL or "": $OCLM_DEVICE, else the first usable entry. An index, "platform:device" (two indexes), or a
 * part of a device's or platform's name, case ignored; a name that fits several devices takes the best.
 * Errors: OCLM_ERR_NO_DEVICE, listing what there is. */
oclm_status dev_list_choose(const dev_list *list, const char *spec, size_t *index);

#endif
