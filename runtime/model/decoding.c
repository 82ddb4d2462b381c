/* decoding.c: passes of a loop that the device runs by itself: recorded once, begun and ended by the host. */
#include "model/forward.h"
#include "model/pieces.h"

oclm_status model_record_decode(model_state *state, dev_work *work, uint32_t rows, uint32_t length_bound)
{
    const model_pass_shape shape = {
        .rows = rows, .tile_count = rows, .tile_rows = 1, .single_rows = true, .length_bound = length_bound, .logit_rows = rows, .decoding = true,
    };
    if (rows < 1 || rows > state->cache.sequences)
        return core_fail(OCLM_ERR_ARGUMENT, "decoding %u sequences was asked for; the state holds %u", rows, state->cache.sequences);
    model_relay_writer writer = model_relay_begin(state, work);
    oclm_status        status = model_logit_rows_check(state, rows);
    return status == OCLM_OK ? model_pass_record(&writer, &shape) : status;
}

/* What a part notes of a loop that begins, or did not. */
static void note_loop(model_state *part, uint32_t sequence, bool worked)
{
    if (worked) {
        model_recurrent_note(&part->cache.recurrent, sequence, MODEL_LENGTH_MOVES);
        model_ring_move(&part->cache.ring, sequence, part->cache.lengths[sequence]);
    } else {
        model_cache_truncate(&part->cache, sequence, part->cache.lengths[sequence]);
    }
}

oclm_status model_decode_begin(model_state *state, uint32_t rows, uint32_t length_bound)
{
    model_pass_shape shape = { .rows = rows, .tile_count = 0 };
    oclm_status      status = OCLM_OK;
    if (rows < 1 || rows > state->cache.sequences || length_bound > state->max_positions)
        return core_fail(OCLM_ERR_ARGUMENT, "decoding %u sequences up to %u positions was asked for; the state holds %u of %u", rows,
                         length_bound, state->cache.sequences, state->max_positions);
    for (uint32_t i = 0; i < rows && status == OCLM_OK; i++) {
        state->host_positions[i] = (int32_t)state->cache.lengths[i];
        state->host_sequences[i] = (int32_t)i;
        shape.tile_count = model_tiles_add(state->host_tiles, shape.tile_count, i, 1, 1);
        if ((status = model_states_check(state, i)) == OCLM_OK)
            status = model_pages_reserve(state, i, length_bound);
    }
    if (status == OCLM_OK)
        status = model_rows_send(state, &shape);
    for (uint32_t i = 0; i < rows; i++) {
        note_loop(state, i, status == OCLM_OK);
        for (uint32_t o = 0; o < state->other_count; o++)
            note_loop(state->others[o], i, status == OCLM_OK);
    }
    return status;
}

/* Asks the main device how far a decoding loop came: all parts came as far. */
static void settle_rings(model_state *state, uint32_t sequence)
{
    const model_ring *ring = &state->cache.ring;
    int32_t           end = 0;
    if (ring->pages == 0 || !ring->moving[sequence])
        return;
    const bool     read = dev_buffer_read(state->queue, &state->positions, sequence * sizeof end, &end, sizeof end) == OCLM_OK;
    const uint32_t known = read && end >= 0 ? (uint32_t)end : MODEL_RING_UNKNOWN;
    model_ring_settle(&state->cache.ring, sequence, known);
    for (uint32_t i = 0; i < state->other_count; i++)
        model_ring_settle(&state->others[i]->cache.ring, sequence, known);
}

static void end_loop(model_state *part, uint32_t sequence, uint32_t length)
{
    if (length > part->cache.lengths[sequence])
        part->cache.lengths[sequence] = length;
    model_cache_truncate(&part->cache, sequence, length);
    model_recurrent_settle(&part->cache.recurrent, part->queue, sequence);
}

void model_decode_end(model_state *state, uint32_t sequence, uint32_t length)
{
    settle_rings(state, sequence);
    end_loop(state, sequence, length);
    for (uint32_t i = 0; i < state->other_count; i++)
        end_loop(state->others[i], sequence, length);
}

uint64_t model_cache_read_per_token(const model_architecture *a, uint32_t length)
{
    uint64_t numbers = 0;
    for (uint32_t i = 0; i < a->layers; i++) {
        const uint32_t window = a->layer[i].window, seen = a->windows_are_chunks && window > 0 ? (length - 1) % window + 1 : window;
        if (a->layer[i].mixer == MODEL_MIXER_ATTENTION)
            numbers += (uint64_t)(seen > 0 && seen < length ? seen : length) * model_kv_heads(a, i) * model_head_dim(a, i);
    }
    return 2u * sizeof(float) * numbers;
}
