/* relay.h: records what a pass does on several devices in turn, as one list of launches of the main device. Inside the model room.
 *
 * What the main device does lies in the list itself. What others do between is one call in it, a relay: their own lists, enqueued in their own
 * queues, and what is handed from device to device. A list may be played as often as any other. */
#ifndef OCLM_MODEL_RELAY_H
#define OCLM_MODEL_RELAY_H

#include "model/forward.h"

typedef struct model_relay model_relay;

/* What is being recorded. */
typedef struct model_relay_writer {
    model_state *state; /* the main device's part */
    dev_work    *work;  /* likewise */
    model_relay *open;  /* not in `work` yet; NULL: none */
    model_relay *first; /* of those that were recorded: they belong to `work` */
} model_relay_writer;

model_relay_writer model_relay_begin(model_state *state, dev_work *work);
/* The list to which what a part does next is added. */
oclm_status model_relay_work(model_relay_writer *writer, const model_state *part, dev_work **work);
/* The first `bytes` of a buffer of `from` become those of a buffer of `to`, in the order of both. */
oclm_status model_relay_send(model_relay_writer *writer, const model_state *from, const dev_buffer *source, const model_state *to,
                             const dev_buffer *target, size_t bytes);
/* To be called at the end, also where recording failed. */
oclm_status model_relay_end(model_relay_writer *writer);
/* As dev_work_profile(), of what the main device's list does not show. */
oclm_status model_relay_profile(const model_relay *first);

/* From any part of a state to any other, made when it is first asked for (state: the main device's part). */
oclm_status model_link(model_state *state, const model_state *from, const model_state *to, dev_link **link);

#endif
