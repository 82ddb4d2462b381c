/* loop_read.c: a loop's texts, read; and where processors ask for them, written where they look. */
#include "generation/loop.h"

static uint32_t longest_of(const gen_prompt *texts, uint32_t count)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < count; i++)
        longest = texts[i].count > longest ? texts[i].count : longest;
    return longest;
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
    const uint32_t longest = longest_of(prompts, loop->rows / loop->each);
    int32_t       *room;
    oclm_status    status = OCLM_OK;
    if (!loop->scored.history.memory)
        return OCLM_OK;
    if ((room = core_alloc_array(longest, sizeof *room, "a padded prompt")) == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t row = 0; row < loop->rows && status == OCLM_OK; row++)
        status = send_history(loop, row, &prompts[row / loop->each], room, longest);
    core_free(room);
    return status;
}

oclm_status gen_loop_prefill(gen_loop *loop, const gen_prompt *texts, uint32_t first, const gen_hooks *hooks, bool *cancelled)
{
    const oclm_status status = gen_read_texts(loop->state, texts, loop->texts, loop->each, first, hooks, cancelled);
    loop->position = longest_of(texts, loop->texts);
    return status == OCLM_OK && !*cancelled ? send_histories(loop, texts) : status;
}

oclm_status gen_loop_read_anew(gen_loop *loop, const gen_prompt *texts)
{
    static const gen_hooks none = { 0 };
    oclm_status            status;
    bool                   cancelled;
    for (uint32_t row = 0; row < loop->sequences; row++)
        model_decode_end(loop->state, row, 0);
    status = gen_read_texts(loop->state, texts, loop->sequences, 1, 0, &none, &cancelled);
    loop->position = longest_of(texts, loop->sequences);
    return status == OCLM_OK ? gen_loop_drain(loop) : status;
}
