/* choice.c: processors and sampler, one after the other. */
#include "generation/choice.h"

oclm_status gen_choice_init(gen_choice *choice, dev_device *device, cl_command_queue queue, const gen_config *config, const gen_rows *rows)
{
    *choice = (gen_choice){ .device = device };
    oclm_status status = gen_processors_new(device, queue, config, rows, &choice->processors);
    if (status == OCLM_OK)
        status = gen_sampler_new(device, queue, config, rows, choice->processors, 1, &choice->sampler);
    if (status != OCLM_OK)
        gen_choice_deinit(choice);
    return status;
}

void gen_choice_deinit(gen_choice *choice)
{
    if (choice->device == NULL)
        return;
    gen_sampler_free(choice->device, &choice->sampler);
    gen_processors_free(choice->processors);
    *choice = (gen_choice){ .device = NULL };
}

oclm_status gen_choice_add_scores(const gen_choice *choice, dev_work *work, const dev_buffer *logits)
{
    oclm_status status = OCLM_OK;
    for (int stage = GEN_STAGE_FIRST; stage <= GEN_STAGE_LAST && status == OCLM_OK; stage++)
        status = gen_processors_add(choice->processors, work, (gen_stage)stage, logits);
    return status;
}

oclm_status gen_choice_add(const gen_choice *choice, dev_work *work, const dev_buffer *logits, const dev_buffer *ids, const dev_buffer *positions,
                           bool advance)
{
    const oclm_status status = gen_choice_add_scores(choice, work, logits);
    return status == OCLM_OK ? gen_sampler_add(&choice->sampler, work, logits, ids, positions, advance) : status;
}

oclm_status gen_told_init(gen_told *told, dev_device *device, const gen_config *config, uint32_t room, uint32_t rows)
{
    *told = (gen_told){ .room = room, .rows = rows };
    if (!gen_processors_need_history(config))
        return OCLM_OK;
    oclm_status status = OCLM_ERR_MEMORY;
    told->host_lengths = core_alloc_array(rows, sizeof *told->host_lengths, "the lengths of texts");
    if (told->host_lengths != NULL && (status = dev_buffer_new(device, room * sizeof(int32_t), "the ids so far", &told->history)) == OCLM_OK)
        status = dev_buffer_new(device, rows * sizeof(uint32_t), "the lengths of texts", &told->lengths);
    return status;
}

void gen_told_deinit(gen_told *told, dev_device *device)
{
    dev_buffer_free(device, &told->history);
    dev_buffer_free(device, &told->lengths);
    core_free(told->host_lengths);
    *told = (gen_told){ .room = 0 };
}

void gen_told_to(const gen_told *told, gen_rows *rows)
{
    rows->history = told->history;
    rows->history_stride = told->room;
    rows->lengths = told->lengths;
}

oclm_status gen_told_send(const gen_told *told, cl_command_queue queue, const int32_t *text, uint32_t from, uint32_t end, uint32_t before,
                          uint32_t rows)
{
    if (told->history.memory == NULL)
        return OCLM_OK;
    for (uint32_t i = 0; i < rows; i++)
        told->host_lengths[i] = before + i;
    const oclm_status status = dev_buffer_write(queue, &told->history, from * sizeof *text, text + from, (end - from) * sizeof *text);
    return status == OCLM_OK ? dev_buffer_write(queue, &told->lengths, 0, told->host_lengths, rows * sizeof *told->host_lengths) : status;
}
