/* loop.c: one decoding step is recorded once and enqueued as often as needed: ids, positions and the step counter live on the
 * device and feed the next step there. It is recorded anew only when the sequence grows past what was recorded: the number of
 * attention spans to launch is part of the recording. */
#include "generation/loop.h"

#include "core/log.h"

static oclm_status new_history(gen_loop *loop, uint32_t limit)
{
    dev_device      *device = loop->state->model->device;
    cl_command_queue queue = loop->state->queue;
    oclm_status      status;
    loop->rows.history_stride = limit;
    if ((status = dev_buffer_new(device, limit * sizeof(int32_t), "the ids so far", &loop->rows.history)) == OCLM_OK)
        status = dev_buffer_new_zero(device, queue, sizeof(uint32_t), "the number of ids so far", &loop->rows.lengths);
    return status;
}

/* Everything that makes scores a token. */
static oclm_status add_choice(const gen_loop *loop, dev_work *work, bool advance)
{
    const model_state *state = loop->state;
    oclm_status        status;
    for (int stage = GEN_STAGE_FIRST; stage <= GEN_STAGE_LAST; stage++)
        if ((status = gen_processors_add(loop->processors, work, (gen_stage)stage, &state->logits)) != OCLM_OK)
            return status;
    return gen_sampler_add(&loop->sampler, work, &state->logits, &state->ids, &state->positions, advance);
}

oclm_status gen_loop_new(const model_model *model, const gen_config *config, uint32_t prompt, uint32_t limit, model_state *state, gen_loop **out)
{
    const model_state_options options = { .sequences = 1, .max_positions = limit,
        .max_rows = prompt < MODEL_CHUNK_ROWS ? prompt : MODEL_CHUNK_ROWS, .max_logit_rows = 1 };
    gen_loop   *loop = core_alloc_zero(1, sizeof *loop, "a generation's loop");
    oclm_status status = OCLM_ERR_MEMORY;
    *out = NULL;
    if (!loop)
        return status;
    loop->limit = limit;
    loop->borrowed = state != NULL;
    loop->state = state;
    if (!state && (status = model_state_new(model, &options, &loop->state)) != OCLM_OK)
        goto done;
    loop->rows = (gen_rows){ .rows = 1, .vocab = model->architecture.vocab_size, .stride = loop->state->logits_stride, .rows_per_prompt = 1 };
    if (gen_processors_need_history(config) && (status = new_history(loop, limit)) != OCLM_OK)
        goto done;
    if ((status = gen_processors_new(model->device, loop->state->queue, config, &loop->rows, &loop->processors)) != OCLM_OK)
        goto done;
    if ((status = gen_sampler_new(model->device, loop->state->queue, config, &loop->rows, loop->processors, GEN_RING_STEPS,
                                  &loop->sampler)) != OCLM_OK)
        goto done;
    if ((status = dev_work_new(model->device, &loop->choose)) != OCLM_OK)
        goto done;
    if ((status = add_choice(loop, loop->choose, false)) != OCLM_OK)
        goto done;
    *out = loop;
    loop = NULL;
done:
    gen_loop_free(loop);
    return status;
}

void gen_loop_free(gen_loop *loop)
{
    if (!loop)
        return;
    if (loop->state) {
        (void)gen_loop_drain(loop);
        dev_work_free(loop->step);
        dev_work_free(loop->choose);
        gen_sampler_free(loop->state->model->device, &loop->sampler);
        gen_processors_free(loop->processors);
        dev_buffer_free(loop->state->model->device, &loop->rows.history);
        dev_buffer_free(loop->state->model->device, &loop->rows.lengths);
        if (!loop->borrowed)
            model_state_free(loop->state);
    }
    core_free(loop);
}

oclm_status gen_loop_drain(gen_loop *loop)
{
    return dev_finish(loop->state->queue);
}

oclm_status gen_loop_prefill(gen_loop *loop, const int32_t *ids, uint32_t first, uint32_t count, oclm_progress_callback progress, void *user,
                             const volatile int *cancel, bool *cancelled)
{
    oclm_status status;
    *cancelled = false;
    if (first == 0)
        model_state_expect(loop->state, count);
    for (uint32_t done = first; done < count;) {
        const uint32_t    left = count - done, rows = left < loop->state->max_rows ? left : loop->state->max_rows;
        const model_piece piece = { .sequence = 0, .first = done, .count = rows, .ids = ids + done };
        if (cancel && *cancel) {
            *cancelled = true;
            return OCLM_OK;
        }
        if (progress && !progress("prefill", done - first, count - first, user))
            return core_fail(OCLM_ERR_CANCELLED, "cancelled after %u of %u prompt tokens", done - first, count - first);
        status = model_forward(loop->state, &piece, 1, rows == left ? MODEL_LOGITS_LAST : MODEL_LOGITS_NONE);
        if (status != OCLM_OK)
            return status;
        done += rows;
        if (done < count && (status = gen_loop_drain(loop)) != OCLM_OK)
            return status;
    }
    loop->position = count;
    if (!loop->rows.history.memory)
        return OCLM_OK;
    if ((status = dev_buffer_write(loop->state->queue, &loop->rows.history, 0, ids, count * sizeof *ids)) != OCLM_OK)
        return status;
    return dev_buffer_write(loop->state->queue, &loop->rows.lengths, 0, &count, sizeof count);
}

/* Sends the ids of `steps` steps, from number `first` on, to the host: in two parts where they pass the end of the ring. */
static oclm_status read_ring(gen_loop *loop, uint32_t first, uint32_t steps, int32_t *ids, cl_event *ready)
{
    const uint32_t   slot = first % GEN_RING_STEPS;
    const uint32_t   until_end = GEN_RING_STEPS - slot, head = steps < until_end ? steps : until_end;
    cl_command_queue queue = loop->state->queue;
    cl_mem           ring = loop->sampler.ring.memory;
    cl_int           error = clEnqueueReadBuffer(queue, ring, CL_FALSE, slot * sizeof *ids, head * sizeof *ids, ids, 0, NULL,
                                                 head == steps ? ready : NULL);
    if (error == CL_SUCCESS && head < steps)
        error = clEnqueueReadBuffer(queue, ring, CL_FALSE, 0, (steps - head) * sizeof *ids, ids + head, 0, NULL, ready);
    if (error == CL_SUCCESS)
        error = clFlush(queue);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "reading new tokens from the device");
}

oclm_status gen_loop_first(gen_loop *loop, int32_t *id, cl_event *ready)
{
    oclm_status status;
    if ((status = dev_work_enqueue(loop->choose, loop->state->queue, NULL)) != OCLM_OK ||
        (status = read_ring(loop, loop->chosen, 1, id, ready)) != OCLM_OK) {
        (void)gen_loop_drain(loop);
        return status;
    }
    loop->chosen++;
    return OCLM_OK;
}

oclm_status gen_loop_begin(gen_loop *loop, uint32_t position)
{
    oclm_status status;
    model_decode_end(loop->state, 0, position);
    if ((status = model_decode_begin(loop->state, 1, loop->limit)) == OCLM_OK)
        loop->position = position;
    return status;
}

/* Records a step that may stand at any position of the same span as `position`. */
static oclm_status record(gen_loop *loop, uint32_t position)
{
    const uint32_t spans = position / MODEL_SPAN + 1;
    const uint32_t bound = spans < loop->limit / MODEL_SPAN + 1 ? spans * MODEL_SPAN : loop->limit;
    dev_work      *work = NULL;
    oclm_status    status;
    if (loop->step && loop->bound == bound)
        return OCLM_OK;
    if ((status = dev_work_new(loop->state->model->device, &work)) != OCLM_OK)
        goto done;
    if ((status = model_record_decode(loop->state, work, 1, bound)) != OCLM_OK)
        goto done;
    if ((status = add_choice(loop, work, true)) != OCLM_OK)
        goto done;
    core_log(OCLM_LOG_DEBUG, "decoding step for positions below %u: %zu launches", bound, dev_work_count(work));
    dev_work_free(loop->step); /* OpenCL keeps what is enqueued */
    loop->step = work;
    loop->bound = bound;
    work = NULL;
done:
    dev_work_free(work);
    return status;
}

oclm_status gen_loop_steps(gen_loop *loop, uint32_t steps, int32_t *ids, cl_event *ready)
{
    const uint32_t first = loop->chosen;
    oclm_status    status = OCLM_OK;
    for (uint32_t i = 0; i < steps && status == OCLM_OK; i++) {
        if ((status = record(loop, loop->position)) != OCLM_OK)
            break;
        if ((status = dev_work_enqueue(loop->step, loop->state->queue, NULL)) != OCLM_OK)
            break;
        loop->position++;
        loop->chosen++;
    }
    if (status == OCLM_OK)
        status = read_ring(loop, first, steps, ids, ready);
    if (status != OCLM_OK)
        (void)gen_loop_drain(loop);
    return status;
}
