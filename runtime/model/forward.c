/* forward.c: from pieces of sequences to a recorded pass: pages are reserved, rows sent, the pass for this shape of batch found
 * or recorded, and enqueued. */
#include "model/forward.h"

#include <string.h>

#include "model/pass.h"

#define MAX_PASSES 24 /* kept per state; a prompt needs two or three: whole chunks, the tail, the last with logits; checking guesses one for each number
                         of them that comes */

struct model_pass {
    struct model_pass *next;
    model_pass_shape   shape;
    dev_work          *work;
    const model_relay *relays; /* in it */
};

/* ---- Recorded passes */

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

/* Puts the pass of this shape first in the list. Recording may measure and check kernels, and waits for them: so it comes before
 * anything of this pass is enqueued, which might wait for the caller's events. */
static oclm_status find_pass(model_state *state, const model_pass_shape *shape)
{
    struct model_pass *pass = take_pass(state, shape);
    oclm_status        status = pass == NULL ? record_pass(state, shape, &pass) : OCLM_OK;
    if (status != OCLM_OK)
        return status;
    pass->next = state->passes;
    state->passes = pass;
    return OCLM_OK;
}

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

/* That all layers can go on from the length of a sequence. */
static oclm_status check_states(const model_state *state, uint32_t sequence)
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
    const oclm_status status = check_states(state, piece->sequence);
    return status == OCLM_OK ? check_ids(state, piece) : status;
}

static oclm_status check_pieces(const model_state *state, const model_piece *pieces, size_t count, uint32_t *rows)
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

static oclm_status check_logit_rows(const model_state *state, uint32_t rows)
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

/* Cuts `count` rows from `first_row` on into tiles. */
static uint32_t add_tiles(uint32_t *tiles, uint32_t tile_count, uint32_t first_row, uint32_t count, uint32_t tile_rows)
{
    for (uint32_t i = 0; i < count; i += tile_rows) {
        uint32_t *tile = tiles + 4 * (size_t)tile_count++;
        tile[0] = first_row + i;
        tile[1] = count - i < tile_rows ? count - i : tile_rows;
        tile[2] = tile[3] = 0;
    }
    return tile_count;
}

/* Lays the pieces' rows out in host memory; fills in what it says about the pass. */
static void lay_out_rows(model_state *state, const model_piece *pieces, size_t count, model_pass_shape *shape)
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
        shape->tile_count = add_tiles(state->host_tiles, shape->tile_count, row, piece->count, shape->tile_rows);
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

/* The rows of all parts, and the pages they find. */
static oclm_status send_rows(model_state *state, const model_pass_shape *shape)
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

/* Some kinds of RoPE turn by the length of the prompt that begins with this pass. */
static oclm_status prepare_rope(model_state *state, const model_piece *pieces, size_t count)
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

/* ---- The pass */

/* Do all ids lie on the host? */
static bool all_on_host(const model_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].ids == NULL)
            return false;
    }
    return true;
}

/* The ids go where the embedding is: from the host, or, where not all are there, by way of the main device. */
static oclm_status bring_ids(model_state *state, const model_piece *pieces, size_t count, uint32_t rows)
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

static oclm_status reserve(model_state *state, uint32_t sequence, uint32_t length)
{
    oclm_status status = model_cache_reserve(&state->cache, sequence, length);
    for (uint32_t i = 0; i < state->other_count && status == OCLM_OK; i++)
        status = model_cache_reserve(&state->others[i]->cache, sequence, length);
    return status;
}

static oclm_status run_pieces(model_state *state, const model_piece *pieces, size_t count, model_pass_shape *shape)
{
    oclm_status status = prepare_rope(state, pieces, count);
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = reserve(state, pieces[i].sequence, pieces[i].first + pieces[i].count);
    if (status != OCLM_OK)
        return status;
    lay_out_rows(state, pieces, count, shape);
    if ((status = find_pass(state, shape)) != OCLM_OK || (status = send_rows(state, shape)) != OCLM_OK ||
        (status = bring_ids(state, pieces, count, shape->rows)) != OCLM_OK)
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
    if ((status = check_pieces(state, pieces, count, &shape.rows)) != OCLM_OK)
        return status;
    shape.logit_rows = logits == MODEL_LOGITS_ALL ? shape.rows : logits == MODEL_LOGITS_LAST ? (uint32_t)count : 0;
    shape.gather = shape.logit_rows > 0 && shape.logit_rows < shape.rows && count > 1; /* one piece: its last row */
    if ((status = check_logit_rows(state, shape.logit_rows)) != OCLM_OK)
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

/* ---- Decoding */

oclm_status model_record_decode(model_state *state, dev_work *work, uint32_t rows, uint32_t length_bound)
{
    const model_pass_shape shape = {
        .rows = rows, .tile_count = rows, .tile_rows = 1, .single_rows = true, .length_bound = length_bound, .logit_rows = rows, .decoding = true,
    };
    if (rows < 1 || rows > state->cache.sequences)
        return core_fail(OCLM_ERR_ARGUMENT, "decoding %u sequences was asked for; the state holds %u", rows, state->cache.sequences);
    model_relay_writer writer = model_relay_begin(state, work);
    oclm_status        status = check_logit_rows(state, rows);
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
        shape.tile_count = add_tiles(state->host_tiles, shape.tile_count, i, 1, 1);
        if ((status = check_states(state, i)) == OCLM_OK)
            status = reserve(state, i, length_bound);
    }
    if (status == OCLM_OK)
        status = send_rows(state, &shape);
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
