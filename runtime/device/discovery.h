/* discovery.h: which OpenCL devices there are, which is the best, which one a user means. */
#ifndef OCLM_DEVICE_DISCOVERY_H
#define OCLM_DEVICE_DISCOVERY_H

#include "device/opencl.h"

/* What tells one piece of hardware from another, as far as its driver says. */
typedef struct dev_identity {
    bool     is_gpu;
    bool     pci_known, domain_known; /* some drivers tell bus, device and function, but not the domain */
    bool     pci_shared;              /* another device of its platform has the same address: it says nothing */
    uint32_t pci_domain, pci_bus, pci_device, pci_function;
    bool     luid_known;
    uint8_t  luid[8];
    bool     uuid_known;
    uint8_t  uuid[16], driver_uuid[16];
} dev_identity;

typedef struct dev_entry {
    cl_platform_id   platform;
    cl_device_id     device;
    oclm_device_info info; /* strings belong to the list; info.index is the entry's place */
    bool             duplicate; /* a card seen before: never taken by default, but by its index it may be */
    dev_identity     identity;
    char            *strings, *reason; /* what info's strings lie in */
} dev_entry;

typedef struct dev_list {
    dev_entry *entries; /* best first; what cannot be used and duplicates of a card at the end, with info.unusable set */
    size_t     count;
} dev_list;

/* Errors: OCLM_ERR_NO_DEVICE: no ICD loader entry, platforms without devices, and what to install. */
oclm_status dev_list_new(dev_list **list);
void        dev_list_free(dev_list *list);

/* What `spec` means: NULL or "": $OCLM_DEVICE, else the first usable entry. An index, "platform:device" (two indexes), or a
 * part of a device's or platform's name, case ignored; a name that fits several devices takes the best.
 * Errors: OCLM_ERR_NO_DEVICE, listing what there is. */
oclm_status dev_list_choose(const dev_list *list, const char *spec, size_t *index);

/* The devices worth sharing a model, in the list's order: every GPU and accelerator and, behind them, the best CPU, for the CPUs of
 * several drivers are one. Of duplicates of a card, one. Software renderers only where there is nothing else, and then the best. Returns
 * how many, at least 1 where any is usable. `indexes`: room for list->count. */
size_t dev_list_several(const dev_list *list, size_t *indexes);

/* True if two devices of different platforms are one card: by PCI address, LUID, or UUIDs given by the same driver. */
bool dev_same_card(const dev_identity *a, const dev_identity *b);

#endif
