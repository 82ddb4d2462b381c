/* snapshot.h: what a state holds of its sequences, so that another state of the same model can hold it too: copied on the device, or by way of a file.
 *
 * A snapshot is the numbers; the memory is a list of parts of the device's buffers, in an order that follows from the numbers alone. */
#ifndef OCLM_MODEL_SNAPSHOT_H
#define OCLM_MODEL_SNAPSHOT_H

#include "model/forward.h"

/* Of one sequence. The last two are UINT32_MAX where nobody knows them: then the sequence cannot be gone on with but from 0. */
typedef struct model_held {
    uint32_t length;    /* positions */
    uint32_t ring_end;  /* of its rings (ring.h); 0: there are none, or they are empty */
    uint32_t recurrent; /* what states of layers without attention stand for; 0: there are none, or they are empty */
} model_held;

typedef struct model_snapshot {
    uint32_t    sequences, ring_pages;
    uint32_t    rope_prompt; /* for what prompt positions are turned (model_state_expect()) */
    uint64_t    bytes;       /* of all parts */
    model_held *held;        /* [sequences] */
} model_snapshot;

/* Waits for the state's queue, and notes what it holds. */
oclm_status model_snapshot_take(model_state *state, model_snapshot *snapshot);
void        model_snapshot_free(model_snapshot *snapshot); /* accepts an empty one */
/* Makes a new state's sequences as long as the snapshot's, contents undefined. `*fits` false: its rings are of other sizes, or pages, and nothing was
 * done. Errors: OCLM_ERR_CAPACITY, OCLM_ERR_MEMORY, OCLM_ERR_DEVICE. */
oclm_status model_snapshot_place(model_state *state, const model_snapshot *snapshot, bool *fits);

/* `part`: of the device that has the buffer; its queue is the one to use. */
typedef oclm_status (*model_part_sink)(void *user, const model_state *part, const dev_buffer *buffer, size_t offset, size_t bytes);
/* All parts, in order: the same wherever layers are computed. */
oclm_status model_snapshot_each_part(model_state *state, model_part_sink sink, void *user);
/* The same with a sink that writes them. */
oclm_status model_snapshot_fill(model_state *state, model_part_sink sink, void *user);
/* The pages of one layer, of all sequences. */
oclm_status model_snapshot_each_page(model_state *state, uint32_t layer, model_part_sink sink, void *user);
/* Copies all parts between states of equal snapshots, on the device, and waits. */
oclm_status model_snapshot_copy(model_state *from, model_state *to);

/* A digest of what a model is: shapes of its architecture, storage type, and some of its weights. */
oclm_status model_fingerprint(const model_model *model, uint8_t digest[32]);

#endif
