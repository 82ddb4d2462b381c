/* pass.h: records one forward pass for a shape of batch. Inside the model room; see forward.h for how passes are used. */
#ifndef OCLM_MODEL_PASS_H
#define OCLM_MODEL_PASS_H

#include "model/forward.h"

typedef struct model_pass_shape {
    uint32_t rows;         /* of state->ids, positions and sequences */
    uint32_t tile_count;   /* of state->tiles */
    uint32_t tile_rows;
    bool     single_rows;  /* every row is of another sequence */
    uint32_t length_bound; /* no position reaches it */
    uint32_t logit_rows;   /* 0: no logits */
    bool     gather;       /* logits of the rows in state->logit_rows; false: of the first `logit_rows` */
} model_pass_shape;

/* Adds all launches of a pass to `work`: embedding, layers, final norm and head. */
oclm_status model_pass_record(model_state *state, dev_work *work, const model_pass_shape *shape);

/* Makes the tables of rotary positions for a prompt of this length (state.c). */
oclm_status model_state_turn(model_state *state, uint32_t prompt);
/* Frees the recorded passes of model_forward() (forward.c). */
void        model_passes_free(model_state *state);

/* Floats of scratch that passes of up to `rows`, with logits of up to `logit_rows`, may want. */
size_t model_pass_scratch(const model_model *model, uint32_t rows, uint32_t logit_rows);
model_attention_shape model_pass_attention_shape(const model_architecture *architecture, uint32_t layer);

#endif
