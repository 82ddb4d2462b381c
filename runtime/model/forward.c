/* forward.c: from pieces of sequences to a pass: pages are reserved, rows sent, the pass for this shape of batch found or recorded, and
 * enqueued. */
#include "model/forward.h"

#include <string.h>

#include "model/pieces.h"

/* Some kinds of RoPE turn by the length of the prompt that begins with this pass. */
static oclm_status model_rope_prepare(model_state *state, const model_piece *pieces, size_t count)
{
    const model_architecture *a = &state->model->architecture;
    uint32_t                  prompt = 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].first == 0 && pieces[i].count > prompt)
            prompt = pieces[i].count;
    }
    if (prompt == 0 || a->position != MODEL_POSITION_ROPE)
        return OCLM_OK;
    if (state->expected_prompt > prompt)
        prompt = state->expected_prompt;
    state->expected_prompt = 0;
    prompt = model_rope_prompt(a, prompt);
    return prompt != state->rope_prompt ? model_state_turn(state, prompt) : OCLM_OK;
}

static oclm_status run_pieces(model_state *state, const model_piece *pieces, size_t count, model_pass_shape *shape)
{
    oclm_status status = model_rope_prepare(state, pieces, count);
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = model_pages_reserve(state, pieces[i].sequence, pieces[i].first + pieces[i].count);
    if (status != OCLM_OK)
        return status;
    model_rows_lay_out(state, pieces, count, shape);
    if ((status = model_pass_find(state, shape)) != OCLM_OK || (status = model_rows_send(state, shape)) != OCLM_OK ||
        (status = model_ids_bring(state, pieces, count, shape->rows)) != OCLM_OK)
        return status;
    return dev_work_enqueue(state->passes->work, state->queue, NULL);
}

/* What a part notes of a pass that was enqueued, or failed. */
static void note_piece(model_state *part, const model_piece *piece, bool worked)
{
    model_ring_note(&part->cache.ring, piece->sequence, piece->first, piece->first + piece->count);
    model_recurrent_note(&part->cache.recurrent, piece->sequence, worked ? piece->first + piece->count : MODEL_LENGTH_UNKNOWN);
    if (worked)
        part->cache.lengths[piece->sequence] += piece->count;
    else
        model_cache_truncate(&part->cache, piece->sequence, piece->first);
}

oclm_status model_forward(model_state *state, const model_piece *pieces, size_t count, model_logits logits)
{
    model_pass_shape shape;
    oclm_status      status;
    memset(&shape, 0, sizeof shape);
    if ((status = model_pieces_check(state, pieces, count, &shape.rows)) != OCLM_OK)
        return status;
    shape.logit_rows = logits == MODEL_LOGITS_ALL ? shape.rows : logits == MODEL_LOGITS_LAST ? (uint32_t)count : 0;
    shape.gather = shape.logit_rows > 0 && shape.logit_rows < shape.rows && count > 1; /* one piece: its last row */
    if ((status = model_logit_rows_check(state, shape.logit_rows)) != OCLM_OK)
        return status;
    status = run_pieces(state, pieces, count, &shape);
    for (size_t i = 0; i < count; i++) {
        note_piece(state, &pieces[i], status == OCLM_OK);
        for (uint32_t o = 0; o < state->other_count; o++)
            note_piece(state->others[o], &pieces[i], status == OCLM_OK);
    }
    return status;
}

static void forget_states(model_state *part)
{
    for (uint32_t i = 0; i < part->cache.sequences; i++)
        model_recurrent_note(&part->cache.recurrent, i, MODEL_LENGTH_UNKNOWN);
}

oclm_status model_profile_last(model_state *state)
{
    forget_states(state);
    for (uint32_t i = 0; i < state->other_count; i++)
        forget_states(state->others[i]);
    if (state->passes == NULL)
        return OCLM_OK;
    const oclm_status status = dev_work_profile(state->passes->work);
    return status == OCLM_OK ? model_relay_profile(state->passes->relays) : status;
}
