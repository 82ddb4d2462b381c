/* sequences.c: what is done with a state's sequences is done on all its devices alike, in the same order, so that a page has the same number
 * everywhere. */
#include "model/forward.h"

void model_truncate(model_state *state, uint32_t sequence, uint32_t length)
{
    model_cache_truncate(&state->cache, sequence, length);
    for (uint32_t i = 0; i < state->other_count; i++)
        model_cache_truncate(&state->others[i]->cache, sequence, length);
}

oclm_status model_fork(model_state *state, uint32_t from, uint32_t to)
{
    oclm_status status = model_cache_fork(&state->cache, state->queue, from, to);
    for (uint32_t i = 0; i < state->other_count && status == OCLM_OK; i++)
        status = model_cache_fork(&state->others[i]->cache, state->others[i]->queue, from, to);
    if (status != OCLM_OK)
        model_truncate(state, to, 0);
    return status;
}

oclm_status model_record_reorder(model_state *state, dev_work *work, const model_reorder *reorder)
{
    return model_reorder_add(&state->cache, work, reorder);
}

void model_reordered(model_state *state)
{
    model_reorder_end(&state->cache);
    for (uint32_t i = 0; i < state->other_count; i++)
        model_reorder_end(&state->others[i]->cache);
}

bool model_can_go_on(const model_state *state, uint32_t sequence, uint32_t length)
{
    bool can = model_cache_can_go_on(&state->cache, sequence, length);
    for (uint32_t i = 0; i < state->other_count && can; i++)
        can = model_cache_can_go_on(&state->others[i]->cache, sequence, length);
    return can;
}

oclm_status model_finish(const model_state *state)
{
    oclm_status status = dev_finish(state->queue);
    for (uint32_t i = 0; i < state->other_count; i++) {
        const oclm_status other = dev_finish(state->others[i]->queue);
        status = status == OCLM_OK ? other : status;
    }
    return status;
}
