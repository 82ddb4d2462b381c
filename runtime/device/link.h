/* link.h: one way from a device to another: bytes of a buffer here become bytes of a buffer there.
 *
 * They pass through the host's memory, for devices share no context here, also those of one platform: in a context of two devices
 * PoCL 3.1 loses bytes of a partly overwritten buffer and dead-locks in copies that wait for the other's queue, and NVIDIA's driver takes
 * memory on every card of a context. What a decoding step sends has some kilobytes, so the way costs little more than two waits. */
#ifndef OCLM_DEVICE_LINK_H
#define OCLM_DEVICE_LINK_H

#include "device/memory.h"

typedef struct dev_link dev_link; /* belongs to one thread at a time */

/* For sends of at most `most_bytes` > 0, with two stagings of that size in the host's memory.
 * Errors: OCLM_ERR_MEMORY, OCLM_ERR_DEVICE_MEMORY, OCLM_ERR_DEVICE. */
oclm_status dev_link_new(dev_device *from, dev_device *to, size_t most_bytes, dev_link **link);

/* Sends `bytes` as what is in `from_queue` already leaves them; what is enqueued in `to_queue` afterwards sees them, what was in it before
 * still reads what they replace. Holds the caller until `from_queue` is there, and until the last send but one has arrived: whoever
 * sends is two sends ahead, at most. Both queues are flushed. bytes 0 does nothing.
 * Errors: OCLM_ERR_DEVICE, OCLM_ERR_DEVICE_MEMORY: what arrived is unspecified. */
oclm_status dev_link_send(dev_link *link, cl_command_queue from_queue, const dev_buffer *from, size_t from_offset, cl_command_queue to_queue,
                          const dev_buffer *to, size_t to_offset, size_t bytes);

/* Waits for what is under way. Accepts NULL. */
void dev_link_free(dev_link *link);

#endif
