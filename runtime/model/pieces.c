/* pieces.c: the pieces of a batch become rows on the devices (pieces.h). */
#include "model/pieces.h"

/* ---- Checking what is asked */

static oclm_status check_ids(const model_state *state, const model_piece *piece)
{
    const uint32_t vocab_size = state->model->architecture.vocab_size;
    for (uint32_t i = 0; piece->ids != NULL && i < piece->count; i++) {
        if (piece->ids[i] < 0 || (uint32_t)piece->ids[i] >= vocab_size)
            return core_fail(OCLM_ERR_ARGUMENT, "token id %d at position %u is outside the vocabulary: ids are 0 to %u", (int)piece->ids[i],
                             piece->first + i, vocab_size - 1);
    }
    return OCLM_OK;
}

oclm_status model_states_check(const model_state *state, uint32_t sequence)
{
    const uint32_t length = state->cache.lengths[sequence];
    return model_can_go_on(state, sequence, length)
               ? OCLM_OK
               : core_fail(OCLM_ERR_UNSUPPORTED, "sequence %u was cut back to %u positions, but some layers of this %s model cannot go back "
                           "so far: they are no attention or have a window; read it again from its start", sequence, length, state->model->architecture.model_type);
}

static oclm_status check_piece(const model_state *state, const model_piece *pieces, size_t index)
{
    const model_piece *piece = &pieces[index];
    if (piece->sequence >= state->cache.sequences)
        return core_fail(OCLM_ERR_ARGUMENT, "sequence %u was asked for; the state holds %u", piece->sequence, state->cache.sequences);
    const uint32_t length = state->cache.lengths[piece->sequence];
    if (piece->first != length)
        return core_fail(OCLM_ERR_ARGUMENT, "a piece begins at position %u of a sequence that holds %u positions", piece->first, length);
    if (piece->count == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "a piece of sequence %u is empty", piece->sequence);
    if (piece->count > state->max_positions - length)
        return core_fail(OCLM_ERR_CAPACITY, "%u positions and %u more were asked for; the state has room for %u", length, piece->count,
                         state->max_positions);
    for (size_t i = 0; i < index; i++) {
        if (pieces[i].sequence == piece->sequence)
            return core_fail(OCLM_ERR_ARGUMENT, "sequence %u occurs twice in one pass", piece->sequence);
    }
    const oclm_status status = model_states_check(state, piece->sequence);
    return status == OCLM_OK ? check_ids(state, piece) : status;
}

oclm_status model_pieces_check(const model_state *state, const model_piece *pieces, size_t count, uint32_t *rows)
{
    uint64_t    sum = 0;
    oclm_status status = count > 0 ? OCLM_OK : core_fail(OCLM_ERR_ARGUMENT, "a pass without any piece was asked for");
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        sum += pieces[i].count;
        status = check_piece(state, pieces, i);
    }
    if (status == OCLM_OK && sum > state->max_rows)
        status = core_fail(OCLM_ERR_ARGUMENT, "a pass of %llu rows was asked for; the state takes %u at once", (unsigned long long)sum,
                           state->max_rows);
    *rows = (uint32_t)sum;
    return status;
}

oclm_status model_logit_rows_check(const model_state *state, uint32_t rows)
{
    return rows <= state->max_logit_rows
               ? OCLM_OK
               : core_fail(OCLM_ERR_ARGUMENT, "logits of %u rows were asked for; the state has room for %u", rows, state->max_logit_rows);
}

/* ---- Preparing the rows */

/* The smallest of 1, 2, 4, ... spans that holds `length`, but no more than the longest sequence needs: few passes are recorded. */
static uint32_t length_class(const model_state *state, uint32_t length)
{
    const uint32_t most = (state->max_positions + MODEL_SPAN - 1) / MODEL_SPAN;
    uint32_t       spans = 1;
    while (spans * MODEL_SPAN < length)
        spans *= 2;
    return (spans < most ? spans : most) * MODEL_SPAN;
}

uint32_t model_tiles_add(uint32_t *tiles, uint32_t tile_count, uint32_t first_row, uint32_t count, uint32_t tile_rows)
{
    for (uint32_t i = 0; i < count; i += tile_rows) {
        uint32_t *tile = tiles + 4 * (size_t)tile_count++;
        tile[0] = first_row + i;
        tile[1] = count - i < tile_rows ? count - i : tile_rows;
        tile[2] = tile[3] = 0;
    }
    return tile_count;
}

void model_rows_lay_out(model_state *state, const model_piece *pieces, size_t count, model_pass_shape *shape)
{
    uint32_t row = 0, longest = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        longest = pieces[i].first + pieces[i].count > longest ? pieces[i].first + pieces[i].count : longest;
        most = pieces[i].count > most ? pieces[i].count : most;
    }
    shape->single_rows = most == 1;
    shape->tile_rows = most == 1 ? 1 : state->tile_rows;
    shape->length_bound = length_class(state, longest);
    for (size_t i = 0; i < count; i++) {
        const model_piece *piece = &pieces[i];
        shape->tile_count = model_tiles_add(state->host_tiles, shape->tile_count, row, piece->count, shape->tile_rows);
        for (uint32_t j = 0; j < piece->count; j++, row++) {
            state->host_positions[row] = (int32_t)(piece->first + j);
            state->host_sequences[row] = (int32_t)piece->sequence;
            if (piece->ids != NULL)
                state->host_ids[row] = piece->ids[j];
        }
        if (shape->gather)
            state->host_logit_rows[i] = (int32_t)row - 1;
    }
}

static oclm_status post(model_state *part, const dev_buffer *buffer, uint32_t first, const int32_t *rows, uint32_t count)
{
    return model_post_send(&part->post, part->queue, buffer, first * sizeof *rows, rows, count * sizeof *rows);
}

/* Sends the ids that lie on the host to the main device, neighbouring pieces together. */
static oclm_status send_ids(model_state *state, const model_piece *pieces, size_t count)
{
    oclm_status status = OCLM_OK;
    uint32_t    first = 0, end = 0;
    for (size_t i = 0; i <= count && status == OCLM_OK; i++) {
        if (i < count && pieces[i].ids != NULL) {
            end += pieces[i].count;
            continue;
        }
        status = post(state, &state->ids, first, state->host_ids + first, end - first);
        end += i < count ? pieces[i].count : 0;
        first = end;
    }
    return status;
}

/* What a part needs of the rows but for their ids. */
static oclm_status send_part(const model_state *state, model_state *part, const model_pass_shape *shape)
{
    oclm_status status;
    if ((status = post(part, &part->positions, 0, state->host_positions, shape->rows)) != OCLM_OK ||
        (status = post(part, &part->sequences, 0, state->host_sequences, shape->rows)) != OCLM_OK)
        return status;
    return model_post_send(&part->post, part->queue, &part->tiles, 0, state->host_tiles, shape->tile_count * 4 * sizeof(uint32_t));
}

oclm_status model_rows_send(model_state *state, const model_pass_shape *shape)
{
    oclm_status status = send_part(state, state, shape);
    if (status == OCLM_OK && shape->gather)
        status = post(state, &state->logit_rows, 0, state->host_logit_rows, shape->logit_rows);
    if (status == OCLM_OK)
        status = model_cache_sync(&state->cache, state->queue);
    for (uint32_t i = 0; i < state->other_count && status == OCLM_OK; i++) {
        model_state *other = state->others[i];
        if ((status = send_part(state, other, shape)) == OCLM_OK)
            status = model_cache_sync(&other->cache, other->queue);
    }
    return status;
}

/* Copies ids that lie in a caller's buffer to their rows: last of all that is sent, because what is enqueued behind it waits for
 * the caller's events, and the sends before must not. */
static oclm_status copy_ids(model_state *state, const model_piece *pieces, size_t count)
{
    size_t row = 0;
    for (size_t i = 0; i < count; row += pieces[i++].count) {
        const model_piece *piece = &pieces[i];
        if (piece->ids != NULL || piece->buffer == NULL)
            continue;
        const cl_int error = clEnqueueCopyBuffer(state->queue, piece->buffer, state->ids.memory, piece->offset * sizeof(int32_t),
                                                 row * sizeof(int32_t), piece->count * sizeof(int32_t), piece->wait_count,
                                                 piece->wait_count > 0 ? piece->wait : NULL, NULL);
        if (error != CL_SUCCESS)
            return dev_cl_fail(error, "reading %u ids from the caller's buffer, from element %zu on", piece->count, piece->offset);
    }
    return OCLM_OK;
}

/* ---- Where they go */

/* Do all ids lie on the host? */
static bool all_on_host(const model_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].ids == NULL)
            return false;
    }
    return true;
}

oclm_status model_ids_bring(model_state *state, const model_piece *pieces, size_t count, uint32_t rows)
{
    model_state *first = model_part_on(state, state->model->placement.embedding.device);
    dev_link    *link;
    oclm_status  status;
    if (first != state && all_on_host(pieces, count))
        return post(first, &first->ids, 0, state->host_ids, rows);
    if ((status = send_ids(state, pieces, count)) != OCLM_OK || (status = copy_ids(state, pieces, count)) != OCLM_OK || first == state)
        return status;
    if ((status = model_link(state, state, first, &link)) != OCLM_OK)
        return status;
    return dev_link_send(link, state->queue, &state->ids, 0, first->queue, &first->ids, 0, rows * sizeof(int32_t));
}

oclm_status model_pages_reserve(model_state *state, uint32_t sequence, uint32_t length)
{
    oclm_status status = model_cache_reserve(&state->cache, sequence, length);
    for (uint32_t i = 0; i < state->other_count && status == OCLM_OK; i++)
        status = model_cache_reserve(&state->others[i]->cache, sequence, length);
    return status;
}
