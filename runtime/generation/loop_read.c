/* loop_read.c: a loop's texts are read side by side; the rows that continue one then share its pages and begin with its logits. */
#include "generation/loop.h"

/* Gives each row that continues a text a copy of the logits behind it. */
static oclm_status spread_logits(gen_loop *loop)
{
    const model_state *state = loop->state;
    const size_t       bytes = state->logits_stride * sizeof(float);
    const bool         several = loop->texts > 1;
    const cl_mem       from = several ? loop->kept.memory : state->logits.memory;
    cl_int             error = CL_SUCCESS;
    for (uint32_t row = several ? 0 : 1; row < loop->sequences && error == CL_SUCCESS; row++)
        error = clEnqueueCopyBuffer(state->queue, from, state->logits.memory, row / loop->each * bytes, row * bytes, bytes, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "copying the logits of prompts to %u rows", loop->sequences);
}

/* Makes the rows that continue a text, but the first, share what that has read. */
static oclm_status share_texts(gen_loop *loop)
{
    oclm_status status = OCLM_OK;
    for (uint32_t row = 0; row < loop->sequences && status == OCLM_OK; row++) {
        if (row % loop->each > 0)
            status = model_cache_fork(&loop->state->cache, loop->state->queue, row - row % loop->each, row);
    }
    return status;
}

static oclm_status read_texts(gen_loop *loop, const gen_prompt *texts, uint32_t first, const gen_hooks *hooks, bool *cancelled)
{
    gen_reading *readings = core_alloc_array(loop->texts, sizeof *readings, "the prompts to read");
    oclm_status  status;
    *cancelled = false;
    if (readings == NULL)
        return OCLM_ERR_MEMORY;
    loop->position = 0;
    for (uint32_t i = 0; i < loop->texts; i++) {
        readings[i] = (gen_reading){ .sequence = i * loop->each, .ids = texts[i].ids, .first = first, .count = texts[i].count };
        loop->position = texts[i].count > loop->position ? texts[i].count : loop->position;
    }
    status = gen_prefill(loop->state, readings, loop->texts, MODEL_LOGITS_LAST, hooks, loop->texts > 1 ? &loop->kept : NULL, cancelled);
    if (status == OCLM_OK && !*cancelled && (status = spread_logits(loop)) == OCLM_OK)
        status = share_texts(loop);
    core_free(readings);
    return status;
}

/* Writes a row's padding and prompt where processors see them. */
static oclm_status send_history(const gen_loop *loop, uint32_t row, const gen_prompt *prompt, int32_t *room, uint32_t longest)
{
    const gen_rows  *r = &loop->scored;
    cl_command_queue queue = loop->state->queue;
    const uint32_t   padding = gen_prompt_pad(prompt, longest, loop->pad_token_id, room);
    oclm_status      status;
    if ((status = dev_buffer_write(queue, &r->history, (size_t)row * r->history_stride * sizeof *room, room, longest * sizeof *room)) != OCLM_OK ||
        (status = dev_buffer_write(queue, &r->lengths, row * sizeof longest, &longest, sizeof longest)) != OCLM_OK)
        return status;
    return r->begins.memory ? dev_buffer_write(queue, &r->begins, row * sizeof padding, &padding, sizeof padding) : OCLM_OK;
}

static oclm_status send_histories(const gen_loop *loop, const gen_prompt *prompts)
{
    uint32_t    longest = 0;
    int32_t    *room;
    oclm_status status = OCLM_OK;
    if (!loop->scored.history.memory)
        return OCLM_OK;
    for (uint32_t row = 0; row < loop->rows; row += loop->each)
        longest = prompts[row / loop->each].count > longest ? prompts[row / loop->each].count : longest;
    if ((room = core_alloc_array(longest, sizeof *room, "a padded prompt")) == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t row = 0; row < loop->rows && status == OCLM_OK; row++)
        status = send_history(loop, row, &prompts[row / loop->each], room, longest);
    core_free(room);
    return status;
}

oclm_status gen_loop_prefill(gen_loop *loop, const gen_prompt *texts, uint32_t first, const gen_hooks *hooks, bool *cancelled)
{
    const oclm_status status = read_texts(loop, texts, first, hooks, cancelled);
    return status == OCLM_OK && !*cancelled ? send_histories(loop, texts) : status;
}

oclm_status gen_loop_read_anew(gen_loop *loop, const gen_prompt *texts)
{
    static const gen_hooks none = { 0 };
    gen_loop               alone = *loop; /* each row continues a text of its own */
    const size_t           bytes = (size_t)loop->sequences * loop->state->logits_stride * sizeof(float);
    oclm_status            status = OCLM_OK;
    bool                   cancelled;
    alone.texts = loop->sequences;
    alone.each = 1;
    alone.kept = (dev_buffer){ NULL, 0 };
    for (uint32_t row = 0; row < loop->sequences; row++)
        model_decode_end(loop->state, row, 0);
    if (loop->sequences > 1)
        status = dev_buffer_new(loop->state->model->device, bytes, "the logits of rows read anew", &alone.kept);
    if (status == OCLM_OK)
        status = read_texts(&alone, texts, 0, &none, &cancelled);
    loop->position = alone.position;
    if (status == OCLM_OK)
        status = gen_loop_drain(loop);
    dev_buffer_free(loop->state->model->device, &alone.kept);
    return status;
}
