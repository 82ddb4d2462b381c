/* sampler.c: records the kernels of cl/sample.cl and cl/sample_lanes.cl: what changes the logits, one after the other, then the choice. */
#include "generation/sampler.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

/* Logits of a part: on a CPU enough to be worth waking a core for, on a GPU a few for each lane of a group, because there groups are many. */
#define PART_ON_CORES 4096u
#define PART_ON_LANES 1024u
#define LANES         128u /* of a group that shares a part */
#define LEAST_LANES   32u  /* with less, work-items go alone */
#define PICKING_LANES 256u /* of a group that picks a digit: as many as there are bins */
#define MAX_PARTS     64u
#define BINS          256u /* of cl/sample.cl, as is what follows */

static size_t workspace_words(uint32_t parts)
{
    return (size_t)parts * (BINS + 3u) + 4u;
}

static void cut_into_parts(gen_sampler *sampler, bool lanes)
{
    const uint32_t wanted = lanes ? PART_ON_LANES : PART_ON_CORES;
    const uint32_t least = (sampler->vocab + MAX_PARTS - 1) / MAX_PARTS;
    sampler->part = ((least > wanted ? least : wanted) + 15u) / 16u * 16u;
    sampler->parts = (sampler->vocab + sampler->part - 1) / sampler->part;
}

/* The largest power of two up to `most` that the device takes; 1 where that is too few to share anything. */
static uint32_t group_within(const dev_traits *traits, uint32_t most)
{
    uint32_t group = most;
    while (group > traits->max_group)
        group /= 2;
    return group >= LEAST_LANES ? group : 1;
}

oclm_status gen_sampler_new(dev_device *device, cl_command_queue queue, const gen_config *config, uint32_t rows, uint32_t vocab,
                            uint32_t logits_stride, uint32_t ring_size, gen_sampler *sampler)
{
    assert(rows > 0 && vocab > 0 && logits_stride >= vocab && ring_size > 0);
    oclm_status status;
    size_t ring_bytes = 0, work_bytes = 0;
    *sampler = (gen_sampler){ .rows = rows, .vocab = vocab, .logits_stride = logits_stride, .ring_size = ring_size,
                              .config = *config };
    const dev_traits *traits = dev_get_traits(device);
    sampler->group = traits->lanes_in_items ? group_within(traits, LANES) : 1;
    cut_into_parts(sampler, sampler->group > 1);
    if (!core_mul_size((size_t)ring_size * sizeof(int32_t), rows, &ring_bytes) ||
        !core_mul_size(workspace_words(sampler->parts) * sizeof(uint64_t), rows, &work_bytes))
        return core_fail(OCLM_ERR_ARGUMENT, "a sampler for %u rows of %u tokens does not fit into memory", rows, vocab);
    if ((status = dev_buffer_new_zero(device, queue, sizeof(uint32_t), "the count of chosen tokens", &sampler->step)) != OCLM_OK ||
        (status = dev_buffer_new_zero(device, queue, ring_bytes, "the ring of chosen tokens", &sampler->ring)) != OCLM_OK ||
        (status = dev_buffer_new_zero(device, queue, work_bytes, "the sampler's sums", &sampler->workspace)) != OCLM_OK)
        goto done;
    if (config->eos_token_count > 0) {
        const size_t bytes = config->eos_token_count * sizeof(int32_t);
        if ((status = dev_buffer_new(device, bytes, "the end-of-sequence ids", &sampler->eos)) != OCLM_OK ||
            (status = dev_buffer_write(queue, &sampler->eos, 0, config->eos_token_ids, bytes)) != OCLM_OK)
            goto done;
    }
done:
    if (status != OCLM_OK)
        gen_sampler_free(device, sampler);
    return status;
}

void gen_sampler_free(dev_device *device, gen_sampler *sampler)
{
    dev_buffer_free(device, &sampler->step);
    dev_buffer_free(device, &sampler->ring);
    dev_buffer_free(device, &sampler->eos);
    dev_buffer_free(device, &sampler->workspace);
}

/* What all launches of one sampler share. */
typedef struct recording {
    const gen_sampler *sampler;
    dev_work          *work;
    const dev_buffer  *logits;
    size_t             group; /* work-items of the kernels that take a whole group for a row */
} recording;

/* `groups0` by `groups1` groups of `group` work-items; `wg`: what the file is built for. */
static oclm_status add_from(const recording *r, const char *source, size_t wg, const char *kernel, size_t groups0, size_t groups1,
                            size_t group, const dev_arg *args, size_t count)
{
    char options[32];
    snprintf(options, sizeof options, "-DWG=%zu", wg);
    const dev_launch launch = {
        .source = source, .kernel = kernel, .options = options, .dims = 2,
        .global = { groups0 * group, groups1 }, .local = { group, 1 },
        .args = args, .arg_count = (cl_uint)count,
    };
    return dev_work_add(r->work, &launch);
}

static oclm_status add(const recording *r, const char *kernel, size_t groups0, size_t groups1, size_t group, const dev_arg *args,
                       size_t count)
{
    return add_from(r, "sample", r->group, kernel, groups0, groups1, group, args, count);
}

/* A kernel that both files have, as "sample_x" and "sample_lanes_x": a work-item a part, or a group. */
static oclm_status add_either(const recording *r, const char *what, size_t parts, const dev_arg *args, size_t count)
{
    const gen_sampler *s = r->sampler;
    char               kernel[40];
    snprintf(kernel, sizeof kernel, "sample_%s%s", s->group > 1 ? "lanes_" : "", what);
    return s->group > 1 ? add_from(r, "sample_lanes", s->group, kernel, parts, s->rows, s->group, args, count)
                        : add(r, kernel, parts, s->rows, 1, args, count);
}

/* One that goes over all parts of all rows: (logits, stride, vocab, part, `first`, more...). */
static oclm_status add_parts(const recording *r, const char *what, dev_arg first, const dev_arg *more, size_t more_count)
{
    const gen_sampler *s = r->sampler;
    dev_arg args[8] = { dev_arg_buffer(r->logits), dev_arg_u32(s->logits_stride), dev_arg_u32(s->vocab), dev_arg_u32(s->part), first };
    size_t count = 5;
    for (size_t i = 0; i < more_count; i++)
        args[count++] = more[i];
    return add_either(r, what, s->parts, args, count);
}

/* Finds a key digit by digit: `pick` chooses each from the counts, by `target`. */
static oclm_status add_search(const recording *r, const char *pick, dev_arg target, bool by_mass)
{
    const gen_sampler *s = r->sampler;
    const dev_arg workspace = dev_arg_buffer(&s->workspace);
    oclm_status status = OCLM_OK;
    for (int shift = 24; shift >= 0 && status == OCLM_OK; shift -= 8) {
        const dev_arg digit[] = { dev_arg_u32((uint32_t)shift), dev_arg_u32(by_mass) };
        const dev_arg args[] = { workspace, dev_arg_u32(s->parts), dev_arg_u32((uint32_t)shift), target };
        if ((status = add_parts(r, "count", workspace, digit, COUNT(digit))) == OCLM_OK)
            status = add(r, pick, 1, s->rows, r->group, args, COUNT(args));
    }
    return status;
}

static oclm_status add_suppression(const recording *r)
{
    const gen_sampler *s = r->sampler;
    const dev_arg args[] = {
        dev_arg_buffer(r->logits), dev_arg_u32(s->logits_stride), dev_arg_u32(s->vocab),
        dev_arg_buffer(&s->eos), dev_arg_buffer(&s->step), dev_arg_u32(s->config.min_new_tokens),
    };
    return add(r, "sample_suppress", s->config.eos_token_count, s->rows, 1, args, COUNT(args));
}

static oclm_status add_top_k(const recording *r)
{
    const dev_arg workspace = dev_arg_buffer(&r->sampler->workspace);
    oclm_status status = add_search(r, "sample_pick_rank", dev_arg_u32(r->sampler->config.top_k), false);
    return status == OCLM_OK ? add_parts(r, "cut_rank", workspace, NULL, 0) : status;
}

static oclm_status add_top_p(const recording *r)
{
    const dev_arg workspace = dev_arg_buffer(&r->sampler->workspace);
    /* What goes is the share 1 - p, as a fraction of 2^64; ldexp() of what is below 1 in steps of 2^-53 fits. */
    const double out = 1.0 - (double)r->sampler->config.top_p;
    const uint64_t share = out >= 1.0 ? UINT64_MAX : (uint64_t)ldexp(out > 0.0 ? out : 0.0, 64);
    oclm_status status = add_parts(r, "largest", workspace, NULL, 0);
    if (status == OCLM_OK)
        status = add_search(r, "sample_pick_mass", dev_arg_u64(share), true);
    return status == OCLM_OK ? add_parts(r, "cut_mass", workspace, NULL, 0) : status;
}

static oclm_status add_draw(const recording *r)
{
    const gen_sampler *s = r->sampler;
    const dev_arg workspace = dev_arg_buffer(&s->workspace);
    const dev_arg args[] = {
        dev_arg_buffer(r->logits), dev_arg_u32(s->logits_stride), dev_arg_u32(s->vocab), dev_arg_u32(s->part),
        workspace, dev_arg_u32(s->parts), dev_arg_buffer(&s->step), dev_arg_u64(s->config.seed),
    };
    oclm_status status;
    if ((status = add_parts(r, "largest", workspace, NULL, 0)) != OCLM_OK ||
        (status = add_parts(r, "mass", workspace, NULL, 0)) != OCLM_OK)
        return status;
    return add_either(r, "draw", 1, args, COUNT(args));
}

/* Everything that changes logits before the choice, in transformers' order; more processors take their place here. */
static oclm_status add_processors(const recording *r)
{
    const gen_config *config = &r->sampler->config;
    oclm_status status = OCLM_OK;
    if (config->min_new_tokens > 0 && config->eos_token_count > 0)
        status = add_suppression(r);
    if (!config->do_sample)
        return status;
    if (status == OCLM_OK && config->temperature != 1.0f)
        status = add_parts(r, "temperature", dev_arg_f32(config->temperature), NULL, 0);
    if (status == OCLM_OK && config->top_k > 0 && config->top_k < r->sampler->vocab)
        status = add_top_k(r);
    if (status == OCLM_OK && config->top_p < 1.0f)
        status = add_top_p(r);
    return status;
}

oclm_status gen_sampler_add(const gen_sampler *sampler, dev_work *work, const dev_buffer *logits, const dev_buffer *ids,
                            const dev_buffer *positions, bool advance)
{
    recording r = { .sampler = sampler, .work = work, .logits = logits, .group = 1 };
    if (sampler->group > 1)
        r.group = group_within(dev_get_traits(dev_work_device(work)), PICKING_LANES);
    const dev_arg workspace = dev_arg_buffer(&sampler->workspace);
    const dev_arg args[] = {
        workspace, dev_arg_u32(sampler->parts), dev_arg_u32(sampler->config.do_sample ? 1 : sampler->parts),
        dev_arg_u32(sampler->rows), dev_arg_buffer(ids), dev_arg_buffer(&sampler->ring), dev_arg_u32(sampler->ring_size),
        dev_arg_buffer(positions), dev_arg_i32(advance ? 1 : 0), dev_arg_buffer(&sampler->step),
    };
    oclm_status status = add_processors(&r);
    if (status == OCLM_OK)
        status = sampler->config.do_sample ? add_draw(&r) : add_parts(&r, "greedy", workspace, NULL, 0);
    return status == OCLM_OK ? add(&r, "sample_advance", 1, 1, r.group, args, COUNT(args)) : status;
}
