/* sequences.c: what is done with a state's sequences is done on all its devices alike, in the same order, so that a page has the same number
 * everywhere. */
#include "model/relay.h"

model_state *model_part_on(model_state *state, uint32_t device)
{
    uint32_t i = 0;
    if (state->device_index == device)
        return state;
    while (state->others[i]->device_index != device)
        i++;
    return state->others[i];
}

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
    const size_t       bytes = (size_t)reorder->groups * reorder->group * sizeof(int32_t);
    model_relay_writer writer = model_relay_begin(state, work);
    oclm_status        status = model_reorder_add(&state->cache, work, reorder);
    for (uint32_t i = 0; i < state->other_count && status == OCLM_OK; i++) {
        const model_state  *other = state->others[i];
        const model_reorder same = { reorder->groups, reorder->group, other->origins, other->origin_positions };
        dev_work           *its;
        if ((status = model_relay_send(&writer, state, &reorder->origins, other, &other->origins, bytes)) == OCLM_OK &&
            (status = model_relay_send(&writer, state, &reorder->positions, other, &other->origin_positions, bytes)) == OCLM_OK &&
            (status = model_relay_work(&writer, other, &its)) == OCLM_OK)
            status = model_reorder_add(&other->cache, its, &same);
    }
    const oclm_status ended = model_relay_end(&writer);
    return status == OCLM_OK ? ended : status;
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
