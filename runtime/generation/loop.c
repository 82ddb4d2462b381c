/* loop.c: one decoding step is recorded once and enqueued as often as needed: ids, positions and the step counter live on the
 * device and feed the next step there. It is recorded anew only when the longest row grows past what was recorded: the number of
 * attention spans to launch is part of the recording. */
#include "generation/loop.h"

#include "core/log.h"

static oclm_status make_state(const model_model *model, const gen_config *config, const gen_loop_size *size, gen_loop *loop)
{
    const model_state_options options = { .sequences = loop->sequences, .max_positions = size->limit,
        .max_rows = gen_prefill_rows(config, size->ids, loop->sequences), .max_logit_rows = loop->sequences,
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
        (status = dev_buffer_new_zero(device, queue, counts, "the number of ids so far", &loop->scored.lengths)) == OCLM_OK && loop->rows > loop->each)
        status = dev_buffer_new_zero(device, queue, counts, "the padding of prompts", &loop->scored.begins);
    return status;
}

oclm_status gen_loop_add_stage(const gen_loop *loop, dev_work *work, gen_stage stage)
{
    const dev_buffer *logits = &loop->state->logits;
    oclm_status       status = OCLM_OK;
    if (stage == GEN_STAGE_FIRST && loop->sequences > loop->rows)
        status = gen_guidance_add(loop->processors, work, logits, loop->guidance_scale);
    return status == OCLM_OK ? gen_processors_add(loop->processors, work, stage, logits) : status;
}

/* Rows without their prompt go on with what the others have chosen. */
static oclm_status add_followers(const gen_loop *loop, dev_work *work, bool advance)
{
    const dev_arg args[] = { dev_arg_buffer(&loop->state->ids), dev_arg_buffer(&loop->state->positions), dev_arg_u32(loop->rows),
                             dev_arg_i32(advance ? 1 : 0) };
    const dev_launch launch = { .source = "rows_follow", .kernel = "rows_follow", .options = "", .dims = 1, .global = { loop->rows },
                                .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

oclm_status gen_loop_add_choice(const gen_loop *loop, dev_work *work, bool advance)
{
    const model_state *state = loop->state;
    const oclm_status  status = gen_sampler_add(&loop->sampler, work, &state->logits, &state->ids, &state->positions, advance);
    return status == OCLM_OK && loop->sequences > loop->rows ? add_followers(loop, work, advance) : status;
}

/* Everything that makes scores a token; where somebody looks on, that is not one piece of work (observe.c). */
static oclm_status add_all(const gen_loop *loop, dev_work *work, bool advance)
{
    oclm_status status = OCLM_OK;
    if (loop->observed)
        return OCLM_OK;
    for (int stage = GEN_STAGE_FIRST; stage <= GEN_STAGE_LAST && status == OCLM_OK; stage++)
        status = gen_loop_add_stage(loop, work, (gen_stage)stage);
    return status == OCLM_OK ? gen_loop_add_choice(loop, work, advance) : status;
}

oclm_status gen_loop_new(const model_model *model, const gen_config *config, const gen_loop_size *size, model_state *state, gen_loop **out)
{
    gen_loop   *loop = core_alloc_zero(1, sizeof *loop, "a generation's loop");
    oclm_status status = OCLM_ERR_MEMORY;
    *out = NULL;
    if (!loop)
        return status;
    loop->limit = size->limit;
    loop->each = config->num_return_sequences;
    loop->rows = size->prompts * loop->each;
    loop->guidance_scale = config->guidance_scale;
    loop->texts = gen_is_guided(config) ? 2 * size->prompts : size->prompts;
    loop->sequences = loop->texts * loop->each;
    loop->observed = size->observed;
    loop->borrowed = state != NULL;
    loop->state = state;
    if (!state && (status = make_state(model, config, size, loop)) != OCLM_OK)
        goto done;
    if (state && config->quantized_cache && !state->cache.quantized)
        core_log(OCLM_LOG_WARNING, "cache_implementation (=quantized) has no effect in a session of 32 bits: open it with quantized_cache");
    loop->pad_token_id = config->pad_token_id;
    loop->scored = (gen_rows){ .rows = loop->rows, .vocab = model->architecture.vocab_size, .stride = loop->state->logits_stride,
                               .rows_per_prompt = loop->each };
    if (gen_processors_need_history(config) && (status = make_history(loop)) != OCLM_OK)
        goto done;
    if ((status = gen_processors_new(model->device, loop->state->queue, config, &loop->scored, &loop->processors)) != OCLM_OK ||
        (status = gen_sampler_new(model->device, loop->state->queue, config, &loop->scored, loop->processors, GEN_RING_STEPS, &loop->sampler)) != OCLM_OK)
        goto done;
    if ((status = dev_work_new(model->device, &loop->choose)) != OCLM_OK || (status = add_all(loop, loop->choose, false)) != OCLM_OK)
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
        if (!loop->borrowed)
            model_state_free(loop->state);
    }
    core_free(loop);
}

oclm_status gen_loop_drain(gen_loop *loop)
{
    return model_finish(loop->state);
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
    const oclm_status status = dev_work_enqueue(loop->choose, loop->state->queue, NULL);
    if (status == OCLM_OK)
        return gen_loop_chosen(loop, ids, ready);
    (void)gen_loop_drain(loop);
    return status;
}

oclm_status gen_loop_begin(gen_loop *loop)
{
    const uint32_t *lengths = loop->state->cache.lengths;
    oclm_status     status = model_decode_begin(loop->state, loop->sequences, loop->limit);
    if (status != OCLM_OK)
        return status;
    loop->position = 0;
    for (uint32_t i = 0; i < loop->sequences; i++)
        loop->position = lengths[i] > loop->position ? lengths[i] : loop->position;
    return OCLM_OK;
}

/* Records a step that may stand at any position of the same span as `position`. */
static oclm_status record(gen_loop *loop, uint32_t position)
{
    const uint32_t bound = model_decode_bound(position, loop->limit);
    dev_work      *work = NULL;
    oclm_status    status;
    if (loop->step && loop->bound == bound)
        return OCLM_OK;
    if ((status = dev_work_new(loop->state->model->device, &work)) != OCLM_OK)
        goto done;
    if ((status = model_record_decode(loop->state, work, loop->sequences, bound)) != OCLM_OK)
        goto done;
    if ((status = add_all(loop, work, true)) != OCLM_OK)
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

oclm_status gen_loop_step_alone(gen_loop *loop)
{
    oclm_status status = record(loop, loop->position);
    if (status == OCLM_OK && (status = dev_work_enqueue(loop->step, loop->state->queue, NULL)) == OCLM_OK)
        loop->position++;
    return status;
}

oclm_status gen_loop_chosen(gen_loop *loop, int32_t *ids, cl_event *ready)
{
    const oclm_status status = read_ring(loop, loop->chosen, 1, ids, ready);
    if (status == OCLM_OK)
        loop->chosen++;
    else
        (void)gen_loop_drain(loop);
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
