/* sampler.c: records the choice: the kernels of cl/sample.cl and cl/sample_lanes.cl. */
#include "generation/sampler.h"

#include <assert.h>

#include "generation/parts.h"

oclm_status gen_sampler_new(dev_device *device, cl_command_queue queue, const gen_config *config, const gen_rows *rows,
                            const gen_processors *processors, uint32_t ring_size, gen_sampler *sampler)
{
    oclm_status status;
    size_t      ring_bytes = 0;
    assert(ring_size > 0);
    *sampler = (gen_sampler){ .processors = processors, .rows = *rows, .ring_size = ring_size, .do_sample = config->do_sample, .seed = config->seed };
    if (!core_mul_size((size_t)ring_size * sizeof(int32_t), rows->rows, &ring_bytes))
        return core_fail(OCLM_ERR_ARGUMENT, "a sampler for %u rows of %u tokens does not fit into memory", rows->rows, rows->vocab);
    if ((status = dev_buffer_new_zero(device, queue, sizeof(uint32_t), "the count of chosen tokens", &sampler->step)) != OCLM_OK ||
        (status = dev_buffer_new_zero(device, queue, ring_bytes, "the ring of chosen tokens", &sampler->ring)) != OCLM_OK)
        gen_sampler_free(device, sampler);
    return status;
}

void gen_sampler_free(dev_device *device, gen_sampler *sampler)
{
    dev_buffer_free(device, &sampler->step);
    dev_buffer_free(device, &sampler->ring);
}

static oclm_status add_draw(const gen_sampler *sampler, dev_work *work, const dev_buffer *scores)
{
    const gen_parts *parts = gen_processors_parts(sampler->processors);
    const uint32_t   rows = sampler->rows.rows, each = sampler->rows.rows_per_prompt > 0 ? sampler->rows.rows_per_prompt : rows;
    const dev_arg    args[] = {
        dev_arg_buffer(scores), dev_arg_u32(parts->stride), dev_arg_u32(parts->vocab), dev_arg_u32(parts->part),
        dev_arg_buffer(&parts->workspace), dev_arg_u32(parts->parts), dev_arg_buffer(&sampler->step), dev_arg_u64(sampler->seed),
        dev_arg_u32(sampler->rows_are_steps ? 0 : each),
    };
    return gen_shape_add(parts, work, GEN_SPAN_PART, rows, "sample", "draw", args, COUNT(args));
}

static oclm_status add_greedy(const gen_sampler *sampler, dev_work *work, const dev_buffer *scores)
{
    const gen_parts *parts = gen_processors_parts(sampler->processors);
    const dev_arg    args[] = { dev_arg_buffer(scores), dev_arg_u32(parts->stride), dev_arg_u32(parts->vocab), dev_arg_u32(parts->part),
                                dev_arg_buffer(&parts->workspace) };
    return gen_shape_add(parts, work, GEN_SPAN_PARTS, sampler->rows.rows, "sample", "greedy", args, COUNT(args));
}

oclm_status gen_sampler_add(const gen_sampler *sampler, dev_work *work, const dev_buffer *scores, const dev_buffer *ids,
                            const dev_buffer *positions, bool advance)
{
    const gen_parts *parts = gen_processors_parts(sampler->processors);
    const gen_rows  *rows = &sampler->rows;
    const bool       tell = rows->history.memory != NULL && !rows->one_history;
    const dev_arg args[] = {
        dev_arg_buffer(&parts->workspace), dev_arg_u32(parts->parts), dev_arg_u32(sampler->do_sample ? 1 : parts->parts),
        dev_arg_u32(rows->rows), dev_arg_buffer(ids), dev_arg_buffer(&sampler->ring), dev_arg_u32(sampler->ring_size),
        dev_arg_buffer(positions), dev_arg_i32(advance ? 1 : 0), dev_arg_buffer(&sampler->step),
        dev_arg_buffer(tell ? &rows->history : NULL), dev_arg_u32(rows->history_stride), dev_arg_buffer(tell ? &rows->lengths : NULL),
    };
    oclm_status status = sampler->do_sample ? add_draw(sampler, work, scores) : add_greedy(sampler, work, scores);
    return status == OCLM_OK ? gen_parts_add(parts, work, GEN_SPAN_ALL, rows->rows, "sample", "sample_advance", args, COUNT(args)) : status;
}
