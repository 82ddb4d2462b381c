/* passes.c: the passes of a state that are recorded, by the shape of their batch. */
#include "model/pieces.h"

#define MAX_PASSES 24 /* kept per state; a prompt needs two or three: whole chunks, the tail, the last with logits; checking guesses one for each number
                         of them that comes */

static bool same_shape(const model_pass_shape *a, const model_pass_shape *b)
{
    return a->rows == b->rows && a->tile_count == b->tile_count && a->tile_rows == b->tile_rows && a->single_rows == b->single_rows &&
           a->length_bound == b->length_bound && a->logit_rows == b->logit_rows && a->gather == b->gather;
}

static void free_pass(struct model_pass *pass)
{
    dev_work_free(pass->work);
    core_free(pass);
}

void model_passes_free(model_state *state)
{
    while (state->passes != NULL) {
        struct model_pass *pass = state->passes;
        state->passes = pass->next;
        free_pass(pass);
    }
}

/* Takes the pass of this shape out of the list; where there is none and the list is full, drops the one used longest ago. */
static struct model_pass *take_pass(model_state *state, const model_pass_shape *shape)
{
    struct model_pass **link = &state->passes;
    for (size_t i = 1; *link != NULL; i++, link = &(*link)->next) {
        struct model_pass *pass = *link;
        const bool         found = same_shape(&pass->shape, shape);
        if (!found && i < MAX_PASSES)
            continue;
        *link = pass->next;
        if (found)
            return pass;
        free_pass(pass);
        break;
    }
    return NULL;
}

static oclm_status record_pass(model_state *state, const model_pass_shape *shape, struct model_pass **out)
{
    struct model_pass *pass = core_alloc_zero(1, sizeof *pass, "a recorded pass");
    oclm_status        status = pass != NULL ? dev_work_new(state->device, &pass->work) : OCLM_ERR_MEMORY;
    if (status == OCLM_OK) {
        model_relay_writer writer = model_relay_begin(state, pass->work);
        pass->shape = *shape;
        status = model_pass_record(&writer, shape);
        pass->relays = writer.first;
    }
    if (status == OCLM_OK)
        *out = pass;
    else if (pass != NULL)
        free_pass(pass);
    return status;
}

oclm_status model_pass_find(model_state *state, const model_pass_shape *shape)
{
    struct model_pass *pass = take_pass(state, shape);
    oclm_status        status = pass == NULL ? record_pass(state, shape, &pass) : OCLM_OK;
    if (status != OCLM_OK)
        return status;
    pass->next = state->passes;
    state->passes = pass;
    return OCLM_OK;
}
