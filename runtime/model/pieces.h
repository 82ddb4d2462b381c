/* pieces.h: the pieces of a ragged batch (forward.h) become rows on the devices, for forward.c and decoding.c. */
#ifndef OCLM_MODEL_PIECES_H
#define OCLM_MODEL_PIECES_H

#include "model/pass.h"

/* A recorded pass of model_forward(). */
struct model_pass {
    struct model_pass *next;
    model_pass_shape   shape;
    dev_work          *work;
    const model_relay *relays; /* in it */
};
/* Puts the pass of this shape first in the list, recorded where there is none. Recording may measure and check kernels, and waits for them: so it
 * comes before anything of this pass is enqueued, which might wait for the caller's events. */
oclm_status model_pass_find(model_state *state, const model_pass_shape *shape);

/* Is that what the state can do? Each says what is wrong. */
oclm_status model_pieces_check(const model_state *state, const model_piece *pieces, size_t count, uint32_t *rows);
oclm_status model_states_check(const model_state *state, uint32_t sequence); /* that all layers can go on from the length of a sequence */
oclm_status model_logit_rows_check(const model_state *state, uint32_t rows);

/* Pages for `length` positions of a sequence, on all devices. */
oclm_status model_pages_reserve(model_state *state, uint32_t sequence, uint32_t length);

/* Lays the pieces' rows out in host memory; fills in what it says about the pass. */
void        model_rows_lay_out(model_state *state, const model_piece *pieces, size_t count, model_pass_shape *shape);
/* Cuts `count` rows from `first_row` on into tiles of at most `tile_rows`, behind the `tile_count` there are. How many there are then. */
uint32_t    model_tiles_add(uint32_t *tiles, uint32_t tile_count, uint32_t first_row, uint32_t count, uint32_t tile_rows);
/* The rows of all devices, and the pages they find; but not ids. */
oclm_status model_rows_send(model_state *state, const model_pass_shape *shape);
/* The ids go where the embedding is: from the host, or, where not all are there, by way of the main device. */
oclm_status model_ids_bring(model_state *state, const model_piece *pieces, size_t count, uint32_t rows);

#endif
