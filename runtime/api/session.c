/* session.c: sequences side by side, scored piece by piece. A long input is cut into passes that fit the state's rows; whatever
 * fails on the way, the sequences are cut back to where they stood. */
#include <string.h>

#include "api/generation.h"
#include "api/session.h"

#define LOGITS_BYTES ((size_t)32 << 20) /* of a session on the device, at most: enough rows to keep a pass busy */

static const oclm_session_options defaults = { .struct_size = sizeof defaults, .max_positions = 0, .batch = 1 };

void oclm_session_options_init(oclm_session_options *options, size_t struct_size)
{
    api_options_write(&defaults, sizeof defaults, options, struct_size);
}

oclm_status api_session_open(const oclm_model *model, const oclm_session_options *options, oclm_session **session)
{
    const uint32_t            positions = options->max_positions, batch = options->batch;
    const model_architecture *a = &model->inside->architecture;
    const uint32_t            room = a->max_position_embeddings;
    model_state_options       state = { .sequences = batch, .max_positions = positions ? positions : room,
                                        .quantized_cache = options->quantized_cache };
    oclm_session             *made;
    size_t                    rows;
    oclm_status               status;
    *session = NULL;
    if (positions > room && a->position == MODEL_POSITION_LEARNED)
        return core_fail(OCLM_ERR_ARGUMENT, "max_positions is %u; the model allows %u (max_position_embeddings)", positions, room);
    if (batch < 1 || batch > API_MAX_BATCH)
        return core_fail(OCLM_ERR_ARGUMENT, "batch is %u; it must be 1 to %u", batch, API_MAX_BATCH);
    state.whole_windows = batch > 1; /* they go back anywhere: nobody keeps the ids of many sequences, to read them again */
    rows = (size_t)state.max_positions * batch;
    state.max_rows = rows < MODEL_CHUNK_ROWS ? (uint32_t)rows : batch > MODEL_CHUNK_ROWS ? batch : MODEL_CHUNK_ROWS;
    rows = LOGITS_BYTES / (a->vocab_size * sizeof(float));
    state.max_logit_rows = rows < batch ? batch : rows < state.max_rows ? (uint32_t)rows : state.max_rows;
    if (!(made = core_alloc_zero(1, sizeof *made, "a session")))
        return OCLM_ERR_MEMORY;
    made->model = model;
    made->tokenizer = options->tokenizer;
    made->batch = batch;
    made->pieces = core_alloc_zero(batch, sizeof *made->pieces, "a session's pieces");
    if (batch == 1)
        made->ids = core_alloc_array(state.max_positions, sizeof *made->ids, "a session's ids");
    status = made->pieces && (made->ids || batch > 1) ? model_state_new(model->inside, &state, &made->state) : OCLM_ERR_MEMORY;
    if (status != OCLM_OK)
        oclm_session_free(made);
    else
        *session = made;
    return status;
}

oclm_status oclm_session_new(const oclm_model *model, const oclm_session_options *options, oclm_session **session)
{
    oclm_session_options mine = defaults;
    oclm_status          status;
    if (!session)
        return api_missing("oclm_session_new", "session");
    *session = NULL;
    if (!model)
        return api_missing("oclm_session_new", "model");
    if ((status = api_options_read(options, &mine, sizeof mine, "oclm_session_options")) != OCLM_OK)
        return status;
    return api_session_open(model, &mine, session);
}

void oclm_session_free(oclm_session *session)
{
    if (!session)
        return;
    if (session->state)
        (void)model_finish(session->state);
    model_state_free(session->state);
    core_free(session->pieces);
    core_free(session->ids);
    core_free(session);
}

size_t oclm_session_length(const oclm_session *session)
{
    return session ? session->length : 0;
}

static void cut_back(oclm_session *session, uint32_t length)
{
    (void)model_finish(session->state); /* nothing may still write to pages that are given back */
    for (uint32_t s = 0; s < session->batch; s++)
        model_truncate(session->state, s, length);
    session->length = length;
    if (session->known > length)
        session->known = length;
}

/* Remembers ids that stand from position `first` on. */
static void remember(oclm_session *session, uint32_t first, const int32_t *ids, size_t count)
{
    if (!session->ids || !ids || session->known < first || count == 0)
        return;
    memcpy(session->ids + first, ids, count * sizeof *ids);
    session->known = first + (uint32_t)count;
}

/* Can the next pass go on from `length` positions, be it by reading the ids again? */
static bool can_go_back(const oclm_session *session, uint32_t length)
{
    return model_can_go_on(session->state, 0, length) || (session->ids && session->known >= length);
}

oclm_status oclm_session_rewind(oclm_session *session, size_t length)
{
    if (!session)
        return api_missing("oclm_session_rewind", "session");
    if (length > session->length)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_session_rewind: length is %zu, but the session has %u positions", length,
                         session->length);
    if (length < session->length && !can_go_back(session, (uint32_t)length))
        return core_fail(OCLM_ERR_UNSUPPORTED, "oclm_session_rewind: length is %zu, but a %s model has layers that cannot go back so far, and the session "
                         "does not know its ids (it was opened for %u sequences, or they came from a buffer); rewind to 0 and read the ids again",
                         length, session->model->inside->architecture.model_type, session->batch);
    if (length < session->length)
        cut_back(session, (uint32_t)length);
    return OCLM_OK;
}

/* ---- Forward passes --------------------------------------------------------------------------------------------------------- */

/* One call's input and where its logits go. */
typedef struct input {
    const int32_t *ids;    /* [batch][length] on the host; NULL: in `buffer` */
    cl_mem         buffer; /* the same on the device, from element `offset` on */
    size_t         offset;
    cl_uint        wait_count;
    const cl_event *wait;  /* before `buffer` is read */
    size_t         length;
    model_logits   want;   /* ALL: every position's to `logits`; LAST: the last position's, to `logits` where that is not NULL */
    float         *logits;
} input;

/* Sends rows [first, first + count) of state->logits to the host. */
static oclm_status read_logits(const oclm_session *session, size_t first, size_t count, float *to)
{
    const model_state *state = session->state;
    const size_t       vocab = session->model->inside->architecture.vocab_size, stride = state->logits_stride;
    oclm_status        status = OCLM_OK;
    if (stride == vocab)
        return dev_buffer_read(state->queue, &state->logits, first * stride * sizeof *to, to, count * vocab * sizeof *to);
    for (size_t row = 0; row < count && status == OCLM_OK; row++)
        status = dev_buffer_read(state->queue, &state->logits, (first + row) * stride * sizeof *to, to + row * vocab,
                                 vocab * sizeof *to);
    return status;
}

/* Moves the last row of each sequence to the front, where oclm_session_logits() hands them out. A row's new place is never
 * behind its old one, nor on one that is still to be moved. */
static oclm_status gather_last(const oclm_session *session, size_t rows_each)
{
    const model_state *state = session->state;
    const size_t       bytes = state->logits_stride * sizeof(float);
    for (size_t b = 0; b < session->batch; b++) {
        const size_t from = (b + 1) * rows_each - 1;
        cl_int       error;
        if (from == b)
            continue;
        error = clEnqueueCopyBuffer(state->queue, state->logits.memory, state->logits.memory, from * bytes, b * bytes, bytes, 0,
                                    NULL, NULL);
        if (error != CL_SUCCESS)
            return dev_cl_fail(error, "moving the last position's logits");
    }
    return OCLM_OK;
}

/* The next `rows` positions of every sequence, from `done` on, as pieces. */
static void make_pieces(oclm_session *session, const input *in, size_t done, size_t rows)
{
    for (size_t b = 0; b < session->batch; b++) {
        const size_t from = b * in->length + done;
        session->pieces[b] = (model_piece){ .sequence = (uint32_t)b, .first = session->length, .count = (uint32_t)rows,
                                            .ids = in->ids ? in->ids + from : NULL, .buffer = in->buffer,
                                            .offset = in->offset + from, .wait_count = in->wait_count, .wait = in->wait };
    }
}

oclm_status api_session_read_again(oclm_session *session, uint32_t length)
{
    oclm_status status = OCLM_OK;
    model_truncate(session->state, 0, 0);
    model_state_expect(session->state, length);
    for (uint32_t done = 0, rows; done < length && status == OCLM_OK; done += rows) {
        rows = length - done < session->state->max_rows ? length - done : session->state->max_rows;
        const model_piece piece = { .sequence = 0, .first = done, .count = rows, .ids = session->ids + done };
        status = model_forward(session->state, &piece, 1, MODEL_LOGITS_NONE);
    }
    return status;
}

/* Some layers cannot be cut back so far. Where they stand elsewhere than the session, its ids are read again from the first on. */
static oclm_status catch_up(oclm_session *session)
{
    if (model_can_go_on(session->state, 0, session->length) || !can_go_back(session, session->length))
        return OCLM_OK; /* what cannot be done, the pass says */
    return api_session_read_again(session, session->length);
}

static oclm_status run_passes(oclm_session *session, const input *in)
{
    const size_t vocab = session->model->inside->architecture.vocab_size, batch = session->batch;
    const size_t largest = (in->want == MODEL_LOGITS_ALL ? session->state->max_logit_rows : session->state->max_rows) / batch;
    oclm_status  status;
    if (session->length == 0)
        model_state_expect(session->state, (uint32_t)in->length);
    for (size_t done = 0, rows; done < in->length; done += rows) {
        const bool   last = in->length - done <= largest;
        model_logits want = in->want == MODEL_LOGITS_LAST && !last ? MODEL_LOGITS_NONE : in->want;
        rows = last ? in->length - done : largest;
        make_pieces(session, in, done, rows);
        if ((status = model_forward(session->state, session->pieces, batch, want)) != OCLM_OK)
            return status;
        remember(session, session->length, in->ids ? in->ids + done : NULL, rows);
        session->length += (uint32_t)rows;
        if (want == MODEL_LOGITS_ALL) {
            for (size_t b = 0; b < batch; b++)
                if ((status = read_logits(session, b * rows, rows, in->logits + (b * in->length + done) * vocab)) != OCLM_OK)
                    return status;
            if (last && (status = gather_last(session, rows)) != OCLM_OK)
                return status;
        } else if (last && in->logits && (status = read_logits(session, 0, batch, in->logits)) != OCLM_OK) {
            return status;
        }
    }
    return OCLM_OK;
}

static oclm_status check_input(const char *function, oclm_session *session, size_t batch, size_t length)
{
    uint32_t room;
    if (!session)
        return api_missing(function, "session");
    room = session->state->max_positions - session->length;
    if (batch != session->batch)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: batch is %zu; the session was opened for %u", function, batch, session->batch);
    if (length == 0)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: length is 0; give at least one id for each sequence", function);
    if (length > room)
        return core_fail(OCLM_ERR_CAPACITY, "%s: %zu positions more than the %u in use; the session holds %u: rewind it, or open one "
                         "with more max_positions (the model allows %u)", function, length, session->length,
                         session->state->max_positions, session->model->inside->architecture.max_position_embeddings);
    return OCLM_OK;
}

/* `floats` is what the caller's memory must hold. */
static oclm_status forward(const char *function, oclm_session *session, const input *in, size_t floats, size_t capacity)
{
    const uint32_t before = session->length;
    oclm_status    status;
    if (in->logits && floats > capacity)
        return core_fail(OCLM_ERR_CAPACITY, "%s: the logits need room for %zu floats, capacity is %zu", function, floats, capacity);
    session->has_logits = false;
    if ((status = catch_up(session)) != OCLM_OK || (status = run_passes(session, in)) != OCLM_OK) {
        cut_back(session, before);
        return status;
    }
    session->has_logits = true;
    return OCLM_OK;
}

/* Both calls with ids on the host. */
static oclm_status forward_ids(const char *function, oclm_session *session, const int32_t *ids, size_t batch, size_t length,
                               model_logits want, float *logits, size_t capacity)
{
    const input in = { .ids = ids, .length = length, .want = want, .logits = logits };
    size_t      rows = batch, floats;
    oclm_status status;
    if ((status = check_input(function, session, batch, length)) != OCLM_OK)
        return status;
    if (!ids)
        return api_missing(function, "ids");
    if ((status = api_check_ids(session->model, ids, batch * length)) != OCLM_OK)
        return status;
    if (want == MODEL_LOGITS_ALL)
        rows *= length;
    if (!core_mul_size(rows, session->model->inside->architecture.vocab_size, &floats))
        return core_fail(OCLM_ERR_CAPACITY, "%s: the logits of %zu rows are more than memory can hold", function, rows);
    return forward(function, session, &in, floats, capacity);
}

oclm_status oclm_forward(oclm_session *session, const int32_t *ids, size_t batch, size_t length, float *logits, size_t capacity)
{
    return forward_ids("oclm_forward", session, ids, batch, length, logits ? MODEL_LOGITS_ALL : MODEL_LOGITS_LAST, logits, capacity);
}

oclm_status oclm_forward_last(oclm_session *session, const int32_t *ids, size_t batch, size_t length, float *logits, size_t capacity)
{
    if (!logits)
        return api_missing("oclm_forward_last", "logits");
    return forward_ids("oclm_forward_last", session, ids, batch, length, MODEL_LOGITS_LAST, logits, capacity);
}

/* ---- Generating ------------------------------------------------------------------------------------------------------------- */

/* How many ids a prompt begins with that the session holds already; never all, for the last one's logits are wanted. */
static uint32_t shared_with(const oclm_session *session, const int32_t *ids, size_t count)
{
    uint32_t shared = 0;
    while (shared < session->known && shared + 1 < count && session->ids[shared] == ids[shared])
        shared++;
    return shared;
}

oclm_status oclm_session_generate(oclm_session *session, const int32_t *ids, size_t count, const oclm_generate_options *options,
                                  oclm_generation **generation)
{
    oclm_generate_options mine = api_generate_defaults;
    gen_prompt            prompt = { ids, (uint32_t)count };
    api_call              call = { .function = "oclm_session_generate", .prompts = &prompt, .count = 1, .options = &mine };
    const int32_t        *made;
    size_t                made_count;
    oclm_status           status;
    if (!generation)
        return api_missing("oclm_session_generate", "generation");
    *generation = NULL;
    if (!session || (!ids && count > 0))
        return api_missing("oclm_session_generate", session ? "ids" : "session");
    if ((status = api_options_read(options, &mine, sizeof mine, "oclm_generate_options")) != OCLM_OK)
        return status;
    if (session->batch != 1)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_session_generate: the session was opened for %u sequences; it must be one of 1", session->batch);
    if (mine.on_text && !session->tokenizer)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_session_generate: on_text is set, but text needs a tokenizer: open the session with one, or use "
                         "on_tokens with an oclm_token_stream");
    if (mine.token_healing == OCLM_SWITCH_ON)
        return core_fail(OCLM_ERR_UNSUPPORTED, "oclm_session_generate: token_healing changes the prompt's last token, and here it is what the session "
                         "holds; oclm_generate_text() heals");
    mine.token_healing = OCLM_SWITCH_OFF; /* whatever a file says */
    if (count > MODEL_MAX_POSITIONS)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_session_generate: a prompt of %zu ids; %u are possible", count, MODEL_MAX_POSITIONS);
    gen_place place = { .state = session->state, .held = shared_with(session, ids, count) };
    place.held = model_state_keeps(session->state, (uint32_t)count) ? place.held : 0;
    session->has_logits = false;
    cut_back(session, place.held);
    call.model = session->model;
    call.tokenizer = session->tokenizer;
    call.place = &place;
    status = api_generate(&call, generation);
    session->length = place.held;
    session->known = session->known < place.held ? session->known : place.held;
    if (status != OCLM_OK)
        return status;
    remember(session, session->known, ids + session->known, (place.held < count ? place.held : count) - session->known);
    made = oclm_generation_ids(*generation, 0, &made_count);
    if (place.held > count)
        remember(session, (uint32_t)count, made, place.held - count);
    return OCLM_OK;
}

/* ---- On the device ---------------------------------------------------------------------------------------------------------- */

oclm_status oclm_forward_buffer(oclm_session *session, cl_mem ids, size_t offset, size_t batch, size_t length, cl_uint wait_count,
                                const cl_event *wait)
{
    input       in = { .buffer = ids, .offset = offset, .wait_count = wait_count, .wait = wait, .length = length,
                         .want = MODEL_LOGITS_LAST };
    size_t      bytes = 0;
    cl_int      error;
    oclm_status status;
    if ((status = check_input("oclm_forward_buffer", session, batch, length)) != OCLM_OK)
        return status;
    if (!ids || (wait_count > 0 && !wait))
        return api_missing("oclm_forward_buffer", ids ? "wait" : "ids");
    error = clGetMemObjectInfo(ids, CL_MEM_SIZE, sizeof bytes, &bytes, NULL);
    if (error != CL_SUCCESS)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_forward_buffer: ids is no buffer: %s", dev_cl_name(error));
    if (offset > bytes / sizeof(int32_t) || batch * length > bytes / sizeof(int32_t) - offset)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_forward_buffer: %zu ids from element %zu on, but the buffer has %zu bytes, room for "
                         "%zu", batch * length, offset, bytes, bytes / sizeof(int32_t));
    return forward("oclm_forward_buffer", session, &in, 0, 0);
}

oclm_status oclm_session_logits(oclm_session *session, cl_mem *logits, size_t *stride, cl_event *ready)
{
    cl_int error;
    if (!session || !logits)
        return api_missing("oclm_session_logits", session ? "logits" : "session");
    *logits = NULL;
    if (ready)
        *ready = NULL;
    if (!session->has_logits)
        return core_fail(OCLM_ERR_ARGUMENT, "oclm_session_logits: no forward pass has been made, or the last one failed; call "
                         "oclm_forward() first");
    if (ready) {
        error = clEnqueueMarkerWithWaitList(session->state->queue, 0, NULL, ready);
        if (error == CL_SUCCESS)
            error = clFlush(session->state->queue);
        if (error != CL_SUCCESS)
            return dev_cl_fail(error, "making the event for the logits");
    }
    *logits = session->state->logits.memory;
    if (stride)
        *stride = session->state->logits_stride;
    return OCLM_OK;
}
