/* accept.c: a group of lanes takes a row, or a core does. */
#include "generation/accept.h"

#include <assert.h>
#include <stdio.h>

#define LANES 128u
#define LAST_LANES 32u /* with less, a work-item takes a row alone */

static size_t lanes_of(const dev_device *device)
{
    const dev_traits *traits = dev_get_traits(device);
    size_t            lanes = LANES;
    while (lanes > traits->max_group)
        lanes /= 2;
    return traits->lanes_in_items && lanes >= LAST_LANES ? lanes : 1;
}

static oclm_status add(dev_work *work, const char *kernel, uint32_t wanted, size_t rows, const dev_arg *args, size_t count)
{
    const size_t lanes = wanted > 0 ? wanted : lanes_of(dev_work_device(work));
    char         options[32];
    snprintf(options, sizeof options, "-DWG=%zu", lanes);
    const dev_launch launch = { .source = "accept", .kernel = kernel, .options = options, .dims = 2, .global = { lanes, rows },
                                .local = { lanes, 1 }, .args = args, .arg_count = (cl_uint)count };
    return dev_work_add(work, &launch);
}

oclm_status gen_chance_add(dev_work *work, const gen_score_rows *rows, uint32_t count, const dev_buffer *ids, uint32_t first,
                           const dev_buffer *chances, const dev_buffer *at, const gen_score_rows *kept)
{
    assert(rows->stride % 16 == 0 && (at == NULL || count == 1));
    const dev_arg args[] = {
        dev_arg_buffer(rows->scores), dev_arg_u32(rows->stride), dev_arg_u32(rows->vocab), dev_arg_buffer(ids), dev_arg_u32(first),
        dev_arg_buffer(chances), dev_arg_buffer(at), dev_arg_buffer(kept ? kept->scores : NULL), dev_arg_u32(kept ? kept->stride : 0),
    };
    return add(work, "accept_chance", rows->lanes, count, args, COUNT(args));
}

oclm_status gen_accept_add(dev_work *work, const gen_score_rows *rows, const dev_buffer *chances, const gen_score_rows *drafts,
                           const dev_buffer *guesses, uint32_t count, const dev_buffer *step, uint64_t seed, const dev_buffer *result)
{
    assert(rows->stride % 16 == 0 && drafts->stride % 16 == 0 && rows->vocab == drafts->vocab);
    const dev_arg args[] = {
        dev_arg_buffer(rows->scores), dev_arg_u32(rows->stride), dev_arg_u32(rows->vocab), dev_arg_buffer(chances),
        dev_arg_buffer(drafts->scores), dev_arg_u32(drafts->stride), dev_arg_buffer(guesses), dev_arg_u32(count), dev_arg_buffer(step),
        dev_arg_u64(seed), dev_arg_buffer(result),
    };
    return add(work, "accept_draw", rows->lanes, 1, args, COUNT(args));
}
