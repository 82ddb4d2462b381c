/* self_check.h: does a provider compute rightly on this very device? A small product of the same kind is compared with double
 * precision, once: drivers and libraries exist that are wrong (CLBlast before 1.6.3 on Apple M1 and Intel Arc). */
#ifndef OCLM_DEVICE_SELF_CHECK_H
#define OCLM_DEVICE_SELF_CHECK_H

#include "device/provider.h"

/* `right`: may `provider` serve products like this one? From memory, from disk, or found out now, which runs on the device's own
 * queue and waits. A provider that fails is told once as a warning, with the worst element. Only a good verdict goes to disk: a bad
 * one is found again by each process, so that a repaired driver or library serves at once.
 * Errors: OCLM_ERR_MEMORY, OCLM_ERR_DEVICE_MEMORY. What else goes wrong counts against the provider. Threads: safe. */
oclm_status dev_self_check(dev_device *device, const dev_provider *provider, const dev_matmul *like, bool *right);

#endif
