/* beams.c: records the kernels of cl/beam_top.cl and cl/beam_step.cl. */
#include "generation/beams.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Scores of a part: on a CPU enough to be worth waking a core for; on a GPU a few for each lane of a group, and all in local memory. */
#define PART_ON_CORES 4096u
#define PART_ON_LANES 1024u
#define MOST_ON_LANES 4096u
#define MAX_PARTS     64u
#define LANES         128u
#define NOTHING       -1.0e9f /* of a beam that is not there yet */

static void cut_into_parts(gen_beams *b, const dev_traits *traits)
{
    const bool     lanes = traits->lanes_in_items && traits->max_group >= LANES;
    const uint32_t wanted = lanes ? PART_ON_LANES : PART_ON_CORES, least = (b->vocab + MAX_PARTS - 1) / MAX_PARTS;
    b->group = lanes ? LANES : 1;
    b->part = ((least > wanted ? least : wanted) + 15u) / 16u * 16u;
    if (lanes && b->part > MOST_ON_LANES)
        b->part = MOST_ON_LANES;
    b->parts = (b->vocab + b->part - 1) / b->part;
}

static oclm_status check(const gen_beams *b)
{
    if (b->beams > GEN_MAX_BEAMS)
        return core_fail(OCLM_ERR_UNSUPPORTED, "num_beams is %u; at most %u are supported", b->beams, GEN_MAX_BEAMS);
    if (b->count > (uint64_t)b->beams * b->vocab)
        return core_fail(OCLM_ERR_ARGUMENT, "%u beams with %u end-of-sequence ids choose among %u continuations, a vocabulary of %u has fewer; "
                         "choose fewer eos_token_ids", b->beams, b->end_count, b->count, b->vocab);
    return OCLM_OK;
}

static oclm_status make_buffers(dev_device *device, cl_command_queue queue, gen_beams *b, bool asked)
{
    const size_t word = sizeof(uint32_t), choices = (size_t)b->prompts * b->count;
    const struct { dev_buffer *buffer; size_t bytes; const char *what; } wanted[] = {
        { &b->sums, b->rows * word, "the scores of beams" },
        { &b->lists, (size_t)b->rows * b->parts * b->count * sizeof(uint64_t), "the best continuations of parts" },
        { &b->numbers, choices * word, "the best continuations" },
        { &b->totals, choices * word, "the scores of continuations" },
        { &b->stops, asked ? choices * word : 0, "the continuations that finish" },
        { &b->ends, b->end_count * word, "the end-of-sequence ids" },
        { &b->powers, ((size_t)b->new_limit + 1) * word, "the length penalties" },
        { &b->control, sizeof(gen_beams_control), "the state of a beam search" },
        { &b->flags, b->prompts * word, "the states of prompts" },
        { &b->notes, (size_t)b->new_limit * b->rows * sizeof(gen_note), "the tokens of beams" },
        { &b->done, b->rows * sizeof(gen_finished), "the finished beams" },
        { &b->origins, (size_t)b->copies * b->rows * word, "the origins of beams" },
    };
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(wanted) && status == OCLM_OK; i++)
        if (wanted[i].bytes > 0)
            status = dev_buffer_new_zero(device, queue, wanted[i].bytes, wanted[i].what, wanted[i].buffer);
    return status;
}

/* What a search begins with: one beam of each prompt counts, none has finished, all can be improved. */
static oclm_status fill(cl_command_queue queue, const gen_config *config, gen_beams *b)
{
    const size_t  powers = (size_t)b->new_limit + 1, most = powers > b->rows ? powers : b->rows;
    float        *numbers = core_alloc_array(most, sizeof *numbers, "the scores of beams");
    gen_finished *done = core_alloc_array(b->rows, sizeof *done, "the finished beams");
    uint32_t     *flags = core_alloc_array(b->prompts, sizeof *flags, "the states of prompts");
    oclm_status   status = numbers && done && flags ? OCLM_OK : OCLM_ERR_MEMORY;
    if (status != OCLM_OK)
        goto end;
    for (uint32_t r = 0; r < b->rows; r++) {
        numbers[r] = r % b->beams == 0 ? 0.0f : NOTHING;
        done[r] = (gen_finished){ .value = NOTHING };
    }
    for (uint32_t p = 0; p < b->prompts; p++)
        flags[p] = 1;
    if ((status = dev_buffer_write(queue, &b->sums, 0, numbers, b->sums.bytes)) != OCLM_OK ||
        (status = dev_buffer_write(queue, &b->done, 0, done, b->done.bytes)) != OCLM_OK ||
        (status = dev_buffer_write(queue, &b->flags, 0, flags, b->flags.bytes)) != OCLM_OK ||
        (status = dev_buffer_write(queue, &b->ends, 0, config->eos_token_ids, b->ends.bytes)) != OCLM_OK)
        goto end;
    for (size_t i = 0; i < powers; i++)
        numbers[i] = (float)pow((double)i, (double)config->length_penalty);
    status = dev_buffer_write(queue, &b->powers, 0, numbers, b->powers.bytes);
end:
    core_free(numbers);
    core_free(done);
    core_free(flags);
    return status;
}

oclm_status gen_beams_new(dev_device *device, cl_command_queue queue, const gen_config *config, uint32_t prompts, uint32_t vocab, uint32_t stride,
                          bool asked, gen_beams *b)
{
    oclm_status status;
    memset(b, 0, sizeof *b);
    b->prompts = prompts;
    b->beams = config->num_beams;
    b->rows = prompts * config->num_beams;
    b->copies = gen_is_guided(config) ? 2 : 1;
    b->vocab = vocab;
    b->stride = stride;
    b->end_count = config->eos_token_count;
    b->count = (b->end_count > 0 ? 1 + b->end_count : 2) * b->beams;
    b->new_limit = config->limit - config->prompt_length;
    b->early_stopping = config->early_stopping;
    b->by_limit = config->early_stopping == OCLM_EARLY_STOPPING_NEVER && config->length_penalty > 0.0f;
    b->sample = config->do_sample;
    b->seed = config->seed;
    cut_into_parts(b, dev_get_traits(device));
    if ((status = check(b)) != OCLM_OK)
        return status;
    if ((status = make_buffers(device, queue, b, asked)) != OCLM_OK || (status = fill(queue, config, b)) != OCLM_OK)
        gen_beams_free(device, b);
    return status;
}

void gen_beams_free(dev_device *device, gen_beams *b)
{
    dev_buffer *const buffers[] = { &b->sums, &b->lists, &b->numbers, &b->totals, &b->stops, &b->ends, &b->powers, &b->control, &b->flags,
                                    &b->notes, &b->done, &b->origins };
    for (size_t i = 0; i < COUNT(buffers); i++)
        dev_buffer_free(device, buffers[i]);
}

/* ---- Recording */

static oclm_status add(const gen_beams *b, dev_work *work, const char *source, const char *kernel, uint32_t group, size_t groups0, size_t groups1,
                       const dev_arg *args, size_t count)
{
    char options[80];
    int  length = snprintf(options, sizeof options, "-DBEAMS=%u -DWG=%u", b->beams, group);
    if (strcmp(source, "beam_top") == 0) /* what others have no use for is not to make them programs of their own */
        length += snprintf(options + length, sizeof options - (size_t)length, " -DSAMPLE=%d", b->sample);
    if (strcmp(source, "beam_top") == 0 && group > 1)
        snprintf(options + length, sizeof options - (size_t)length, " -DPART=%u", b->part);
    const dev_launch launch = { .source = source, .kernel = kernel, .options = options, .dims = 2, .global = { groups0 * group, groups1 },
                                .local = { group, 1 }, .args = args, .arg_count = (cl_uint)count };
    return dev_work_add(work, &launch);
}

oclm_status gen_beams_add_choice(const gen_beams *b, dev_work *work, const dev_buffer *scores)
{
    const dev_arg top[] = { dev_arg_buffer(scores), dev_arg_u32(b->stride), dev_arg_u32(b->vocab), dev_arg_u32(b->part), dev_arg_buffer(&b->sums),
                            dev_arg_buffer(&b->lists), dev_arg_u32(b->count), dev_arg_buffer(&b->control), dev_arg_u64(b->seed) };
    const dev_arg join[] = { dev_arg_buffer(&b->lists), dev_arg_u32(b->parts), dev_arg_buffer(scores), dev_arg_u32(b->stride), dev_arg_u32(b->vocab),
                             dev_arg_buffer(&b->sums), dev_arg_buffer(&b->numbers), dev_arg_buffer(&b->totals), dev_arg_u32(b->count) };
    const oclm_status status = add(b, work, "beam_top", "beam_top", b->group, b->parts, b->rows, top, COUNT(top));
    return status == OCLM_OK ? add(b, work, "beam_top", "beam_join", b->group, 1, b->prompts, join, COUNT(join)) : status;
}

oclm_status gen_beams_add_step(const gen_beams *b, dev_work *work, const gen_beams_rows *rows, bool advance)
{
    const bool    history = rows->history != NULL && rows->history->memory != NULL;
    const dev_arg step[] = {
        dev_arg_buffer(&b->numbers), dev_arg_buffer(&b->totals), dev_arg_buffer(&b->stops), dev_arg_u32(b->count), dev_arg_u32(b->vocab),
        dev_arg_buffer(&b->ends), dev_arg_u32(b->end_count), dev_arg_buffer(&b->powers), dev_arg_u32(b->new_limit),
        dev_arg_u32((uint32_t)b->early_stopping), dev_arg_i32(b->by_limit), dev_arg_i32(b->sample), dev_arg_buffer(&b->control),
        dev_arg_buffer(&b->sums), dev_arg_buffer(&b->notes), dev_arg_buffer(&b->done), dev_arg_buffer(&b->flags), dev_arg_u32(b->prompts),
        dev_arg_buffer(rows->ids), dev_arg_buffer(rows->positions), dev_arg_buffer(history ? rows->lengths : NULL), dev_arg_buffer(&b->origins),
        dev_arg_u32(b->copies), dev_arg_i32(advance ? 1 : 0),
    };
    const oclm_status status = add(b, work, "beam_step", "beam_step", b->group, 1, 1, step, COUNT(step));
    if (status != OCLM_OK || !history)
        return status;
    const dev_arg follow[] = { dev_arg_buffer(rows->history), dev_arg_u32(rows->history_stride), dev_arg_buffer(rows->lengths),
                               dev_arg_buffer(&b->origins), dev_arg_buffer(rows->ids) };
    return add(b, work, "beam_step", "beam_history", 1, rows->history_stride, b->prompts, follow, COUNT(follow));
}
