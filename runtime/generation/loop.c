/* loop.c: one decoding step is recorded once and enqueued as often as needed: ids, positions and the step counter live on the
 * device and feed the next step there. It is recorded anew only when the longest row grows past what was recorded: the number of
 * attention spans to launch is part of the recording. */
#include "generation/loop.h"

#include <string.h>

#include "core/log.h"

static uint32_t returned(const gen_config *config) { return config->num_return_sequences; }

static oclm_status make_state(const model_model *model, const gen_config *config, const gen_loop_size *size, gen_loop *loop)
{
    const uint32_t most = config->prefill_chunk_size > 0 && config->prefill_chunk_size < MODEL_CHUNK_ROWS ? config->prefill_chunk_size : MODEL_CHUNK_ROWS;
    const uint32_t rows = size->ids < most ? (uint32_t)size->ids : most;
    const model_state_options options = { .sequences = loop->rows, .max_positions = size->limit,
        .max_rows = rows < loop->rows ? loop->rows : rows, .max_logit_rows = loop->rows,
        .quantized_cache = config->quantized_cache };
    return model_state_new(model, &options, &loop->state);
}

/* What processors look at: as transformers would see the rows, padded on the left. */
static oclm_status make_history(gen_loop *loop)
{
    dev_device      *device = loop->state->model->device;
    cl_command_queue queue = loop->state->queue;
    const size_t     ids = (size_t)loop->rows * loop->limit * sizeof(int32_t), counts = loop->rows * sizeof(uint32_t);
    oclm_status      status;
    loop->scored.history_stride = loop->limit;
    if ((status = dev_buffer_new(device, ids, "the ids so far", &loop->scored.history)) == OCLM_OK &&
        (status = dev_buffer_new_zero(device, queue, counts, "the number of ids so far", &loop->scored.lengths)) == OCLM_OK && loop->prompts > 1)
        status = dev_buffer_new_zero(device, queue, counts, "the padding of prompts", &loop->scored.begins);
    return status;
}

/* Everything that makes scores a token. */
static oclm_status add_choice(const gen_loop *loop, dev_work *work, bool advance)
{
    const model_state *state = loop->state;
    oclm_status        status = OCLM_OK;
    for (int stage = GEN_STAGE_FIRST; stage <= GEN_STAGE_LAST && status == OCLM_OK; stage++)
        status = gen_processors_add(loop->processors, work, (gen_stage)stage, &state->logits);
    return status == OCLM_OK ? gen_sampler_add(&loop->sampler, work, &state->logits, &state->ids, &state->positions, advance) : status;
}

oclm_status gen_loop_new(const model_model *model, const gen_config *config, const gen_loop_size *size, model_state *state, gen_loop **out)
{
    gen_loop   *loop = core_alloc_zero(1, sizeof *loop, "a generation's loop");
    oclm_status status = OCLM_ERR_MEMORY;
    *out = NULL;
    if (!loop)
        return status;
    loop->limit = size->limit;
    loop->prompts = size->prompts;
    loop->rows = size->prompts * returned(config);
    loop->borrowed = state != NULL;
    loop->state = state;
    if (!state && (status = make_state(model, config, size, loop)) != OCLM_OK)
        goto done;
    if (state && config->quantized_cache && !state->cache.quantized)
        core_log(OCLM_LOG_WARNING, "cache_implementation (=quantized) has no effect in a session, which keeps 32 bits");
    const size_t row_bytes = loop->state->logits_stride * sizeof(float);
    if (loop->prompts > 1 &&
        (status = dev_buffer_new(model->device, loop->prompts * row_bytes, "the logits of prompts read side by side", &loop->kept)) != OCLM_OK)
        goto done;
    loop->pad_token_id = config->pad_token_id;
    loop->scored = (gen_rows){ .rows = loop->rows, .vocab = model->architecture.vocab_size, .stride = loop->state->logits_stride,
                               .rows_per_prompt = returned(config) };
    if (gen_processors_need_history(config) && (status = make_history(loop)) != OCLM_OK)
        goto done;
    if ((status = gen_processors_new(model->device, loop->state->queue, config, &loop->scored, &loop->processors)) != OCLM_OK ||
        (status = gen_sampler_new(model->device, loop->state->queue, config, &loop->scored, loop->processors, GEN_RING_STEPS, &loop->sampler)) != OCLM_OK)
        goto done;
    if ((status = dev_work_new(model->device, &loop->choose)) != OCLM_OK || (status = add_choice(loop, loop->choose, false)) != OCLM_OK)
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
        dev_device *device = loop->state->model->device;
        (void)gen_loop_drain(loop);
        dev_work_free(loop->step);
        dev_work_free(loop->choose);
        gen_sampler_free(device, &loop->sampler);
        gen_processors_free(loop->processors);
        dev_buffer_free(device, &loop->scored.history);
        dev_buffer_free(device, &loop->scored.lengths);
        dev_buffer_free(device, &loop->scored.begins);
        dev_buffer_free(device, &loop->kept);
        if (!loop->borrowed)
            model_state_free(loop->state);
    }
    core_free(loop);
}

oclm_status gen_loop_drain(gen_loop *loop)
{
    return dev_finish(loop->state->queue);
}

/* Gives each row that continues a prompt a copy of the logits behind it. */
static oclm_status spread_logits(gen_loop *loop)
{
    const model_state *state = loop->state;
    const uint32_t     each = loop->rows / loop->prompts;
    const size_t       bytes = state->logits_stride * sizeof(float);
    const cl_mem       from = loop->prompts > 1 ? loop->kept.memory : state->logits.memory;
    cl_int             error = CL_SUCCESS;
    for (uint32_t row = loop->prompts > 1 ? 0 : 1; row < loop->rows && error == CL_SUCCESS; row++)
        error = clEnqueueCopyBuffer(state->queue, from, state->logits.memory, row / each * bytes, row * bytes, bytes, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "copying the logits of prompts to %u rows", loop->rows);
}

/* Makes the rows that continue a prompt, but the first, share what that has read. */
static oclm_status share_prompts(gen_loop *loop)
{
    const uint32_t each = loop->rows / loop->prompts;
    oclm_status    status = OCLM_OK;
    for (uint32_t row = 0; row < loop->rows && status == OCLM_OK; row++) {
        if (row % each > 0)
            status = model_cache_fork(&loop->state->cache, loop->state->queue, row - row % each, row);
    }
    return status;
}

static oclm_status read_prompts(gen_loop *loop, const gen_prompt *prompts, uint32_t first, const gen_hooks *hooks, bool *cancelled)
{
    const uint32_t each = loop->rows / loop->prompts;
    gen_reading   *readings = core_alloc_array(loop->prompts, sizeof *readings, "the prompts to read");
    oclm_status    status;
    *cancelled = false;
    if (readings == NULL)
        return OCLM_ERR_MEMORY;
    loop->position = 0;
    for (uint32_t i = 0; i < loop->prompts; i++) {
        readings[i] = (gen_reading){ .sequence = i * each, .ids = prompts[i].ids, .first = first, .count = prompts[i].count };
        loop->position = prompts[i].count > loop->position ? prompts[i].count : loop->position;
    }
    status = gen_prefill(loop->state, readings, loop->prompts, MODEL_LOGITS_LAST, hooks, loop->prompts > 1 ? &loop->kept : NULL, cancelled);
    if (status == OCLM_OK && !*cancelled && (status = spread_logits(loop)) == OCLM_OK)
        status = share_prompts(loop);
    core_free(readings);
    return status;
}

/* Writes a row's padding and prompt where processors see them. */
static oclm_status send_history(const gen_loop *loop, uint32_t row, const gen_prompt *prompt, int32_t *room, uint32_t longest)
{
    const gen_rows  *r = &loop->scored;
    cl_command_queue queue = loop->state->queue;
    const uint32_t   padding = longest - prompt->count;
    oclm_status      status;
    for (uint32_t i = 0; i < padding; i++)
        room[i] = loop->pad_token_id;
    memcpy(room + padding, prompt->ids, prompt->count * sizeof *room);
    if ((status = dev_buffer_write(queue, &r->history, (size_t)row * r->history_stride * sizeof *room, room, longest * sizeof *room)) != OCLM_OK ||
        (status = dev_buffer_write(queue, &r->lengths, row * sizeof longest, &longest, sizeof longest)) != OCLM_OK)
        return status;
    return r->begins.memory ? dev_buffer_write(queue, &r->begins, row * sizeof padding, &padding, sizeof padding) : OCLM_OK;
}

static oclm_status send_histories(const gen_loop *loop, const gen_prompt *prompts)
{
    const uint32_t longest = loop->position, each = loop->rows / loop->prompts;
    int32_t       *room;
    oclm_status    status = OCLM_OK;
    if (!loop->scored.history.memory)
        return OCLM_OK;
    if ((room = core_alloc_array(longest, sizeof *room, "a padded prompt")) == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t row = 0; row < loop->rows && status == OCLM_OK; row++)
        status = send_history(loop, row, &prompts[row / each], room, longest);
    core_free(room);
    return status;
}

oclm_status gen_loop_prefill(gen_loop *loop, const gen_prompt *prompts, uint32_t first, const gen_hooks *hooks, bool *cancelled)
{
    const oclm_status status = read_prompts(loop, prompts, first, hooks, cancelled);
    return status == OCLM_OK && !*cancelled ? send_histories(loop, prompts) : status;
}

oclm_status gen_loop_read_anew(gen_loop *loop, const gen_prompt *texts)
{
    static const gen_hooks none = { 0 };
    gen_loop               alone = *loop; /* each row is a prompt of its own */
    const size_t           bytes = (size_t)loop->rows * loop->state->logits_stride * sizeof(float);
    oclm_status            status = OCLM_OK;
    bool                   cancelled;
    alone.prompts = loop->rows;
    alone.kept = (dev_buffer){ NULL, 0 };
    for (uint32_t row = 0; row < loop->rows; row++)
        model_decode_end(loop->state, row, 0);
    if (loop->rows > 1)
        status = dev_buffer_new(loop->state->model->device, bytes, "the logits of rows read anew", &alone.kept);
    if (status == OCLM_OK)
        status = read_prompts(&alone, texts, 0, &none, &cancelled);
    loop->position = alone.position;
    if (status == OCLM_OK)
        status = gen_loop_drain(loop);
    dev_buffer_free(loop->state->model->device, &alone.kept);
    return status;
}

/* Sends the ids of `steps` steps, from number `first` on, to the host: in two parts where they pass the end of the ring. */
static oclm_status read_ring(gen_loop *loop, uint32_t first, uint32_t steps, int32_t *ids, cl_event *ready)
{
    const uint32_t   slot = first % GEN_RING_STEPS;
    const uint32_t   until_end = GEN_RING_STEPS - slot, head = steps < until_end ? steps : until_end;
    const size_t     bytes = loop->rows * sizeof *ids; /* of a step */
    cl_command_queue queue = loop->state->queue;
    cl_mem           ring = loop->sampler.ring.memory;
    cl_int           error = clEnqueueReadBuffer(queue, ring, CL_FALSE, slot * bytes, head * bytes, ids, 0, NULL, head == steps ? ready : NULL);
    if (error == CL_SUCCESS && head < steps)
        error = clEnqueueReadBuffer(queue, ring, CL_FALSE, 0, (steps - head) * bytes, ids + (size_t)head * loop->rows, 0, NULL, ready);
    if (error == CL_SUCCESS)
        error = clFlush(queue);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "reading new tokens from the device");
}

oclm_status gen_loop_first(gen_loop *loop, int32_t *ids, cl_event *ready)
{
    oclm_status status;
    if ((status = dev_work_enqueue(loop->choose, loop->state->queue, NULL)) != OCLM_OK ||
        (status = read_ring(loop, loop->chosen, 1, ids, ready)) != OCLM_OK) {
        (void)gen_loop_drain(loop);
        return status;
    }
    loop->chosen++;
    return OCLM_OK;
}

oclm_status gen_loop_begin(gen_loop *loop)
{
    const uint32_t *lengths = loop->state->cache.lengths;
    oclm_status     status = model_decode_begin(loop->state, loop->rows, loop->limit);
    if (status != OCLM_OK)
        return status;
    loop->position = 0;
    for (uint32_t i = 0; i < loop->rows; i++)
        loop->position = lengths[i] > loop->position ? lengths[i] : loop->position;
    return OCLM_OK;
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
    if ((status = model_record_decode(loop->state, work, loop->rows, bound)) != OCLM_OK)
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
