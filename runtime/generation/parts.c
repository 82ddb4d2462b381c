/* parts.c: how large a part is, who takes it, and what a launch over parts looks like. */
#include "generation/parts.h"

#include <assert.h>
#include <stdio.h>

/* Scores of a part: on a CPU enough to be worth waking a core for, on a GPU a few for each lane of a group, because there groups are many. */
#define PART_ON_CORES 4096u
#define PART_ON_LANES 1024u
#define LANES         128u /* of a group that shares a part */
#define LEAST_LANES   32u  /* with less, work-items go alone */
#define ROW_LANES     256u /* of a group that shares a row: as many as there are bins, of which it picks a digit */
/* At most so many: each part adds up what all parts have counted (cl/filter.h), which with 64 on two cores cost more than what they had to count. */
#define MAX_PARTS_ON_CORES 16u
#define MAX_PARTS_ON_LANES 64u
#define MAX_PART           65536u /* 4096 vectors: what sums in halves hold (cl/filter.h) */
#define BINS          256u /* of cl/sample.h, as are the next and what follows */
#define LISTED        100u

static size_t workspace_words(uint32_t parts)
{
    return (size_t)parts * (2u * BINS + 5u) + 6u + 2u + 1u + LISTED;
}

/* The largest power of two up to `most` that the device takes; 1 where that is too few to share anything. */
static uint32_t group_within(const dev_device *device, uint32_t most)
{
    uint32_t group = most;
    while (group > dev_get_traits(device)->max_group)
        group /= 2;
    return group >= LEAST_LANES ? group : 1;
}

static void cut_into_parts(gen_parts *parts, bool lanes)
{
    const uint32_t wanted = lanes ? PART_ON_LANES : PART_ON_CORES;
    const uint32_t most = lanes ? MAX_PARTS_ON_LANES : MAX_PARTS_ON_CORES, least = (parts->vocab + most - 1) / most;
    parts->part = ((least > wanted ? least : wanted) + 15u) / 16u * 16u;
    parts->part = parts->part < MAX_PART ? parts->part : MAX_PART;
    parts->parts = (parts->vocab + parts->part - 1) / parts->part;
}

void gen_parts_share(gen_parts *parts, const dev_device *device, uint32_t group)
{
    parts->group = group_within(device, group);
    parts->row_group = parts->group > 1 ? group_within(device, ROW_LANES) : 1;
}

oclm_status gen_parts_new(dev_device *device, cl_command_queue queue, uint32_t rows, uint32_t vocab, uint32_t stride, gen_parts *parts)
{
    size_t bytes = 0;
    assert(rows > 0 && vocab > 0 && stride >= vocab);
    *parts = (gen_parts){ .rows = rows, .vocab = vocab, .stride = stride };
    gen_parts_share(parts, device, dev_get_traits(device)->lanes_in_items ? LANES : 1);
    cut_into_parts(parts, parts->group > 1);
    if (!core_mul_size(workspace_words(parts->parts) * sizeof(uint64_t), rows, &bytes))
        return core_fail(OCLM_ERR_ARGUMENT, "the scores of %u rows of %u tokens do not fit into memory", rows, vocab);
    return dev_buffer_new_zero(device, queue, bytes, "the sums of scores", &parts->workspace);
}

void gen_parts_free(dev_device *device, gen_parts *parts)
{
    dev_buffer_free(device, &parts->workspace);
}

oclm_status gen_parts_add(const gen_parts *parts, dev_work *work, gen_span span, uint32_t rows, const char *source, const char *kernel,
                          const dev_arg *args, size_t count)
{
    const size_t group = span == GEN_SPAN_PARTS || span == GEN_SPAN_PART ? parts->group : parts->row_group;
    char         options[32];
    snprintf(options, sizeof options, "-DWG=%zu", group);
    const dev_launch launch = {
        .source = source, .kernel = kernel, .options = options, .dims = 2,
        .global = { (span == GEN_SPAN_PARTS ? parts->parts : 1) * group, span == GEN_SPAN_ALL ? 1 : rows }, .local = { group, 1 },
        .args = args, .arg_count = (cl_uint)count,
    };
    return dev_work_add(work, &launch);
}

oclm_status gen_shape_add(const gen_parts *parts, dev_work *work, gen_span span, uint32_t rows, const char *source, const char *what,
                          const dev_arg *args, size_t count)
{
    char file[40], kernel[80];
    snprintf(file, sizeof file, "%s%s", source, parts->group > 1 ? "_lanes" : "");
    snprintf(kernel, sizeof kernel, "%s_%s", file, what);
    return gen_parts_add(parts, work, span, rows, file, kernel, args, count);
}

oclm_status gen_items_add(dev_work *work, uint32_t items, uint32_t rows, const char *source, const char *kernel, const dev_arg *args, size_t count)
{
    const dev_launch launch = { .source = source, .kernel = kernel, .options = "-DWG=1", .dims = 2, .global = { items, rows },
                                .args = args, .arg_count = (cl_uint)count };
    return dev_work_add(work, &launch);
}
