/* attention.c: which kernels attention takes, and how its work is cut: cl/rope.cl, cl/attention.cl or cl/attention_lanes.cl, and
 * cl/attention_join.cl where spans were split. */
#include "model/attention.h"

#include <assert.h>
#include <stdio.h>

/* With at most so many rows in a pass, spans are summed by work-items of their own and joined by another kernel: enough work for
 * every core when one row looks back at thousands of positions. With more, rows are work enough. */
#define SPLIT_ROWS 32u
/* Floats that a core's first cache holds beside a page of keys and one of values. */
#define TILE_FLOATS 8192u
#define MAX_TILE_ROWS 64u
/* Rows times heads of a work-group of lanes: as many accumulators in each lane. */
#define LANES_BLOCK 8u
#define CORES_BLOCK 6u /* the same of a work-item that runs vector code, in its registers */

static uint32_t spans_of(uint32_t length_bound)
{
    return length_bound / MODEL_SPAN + (length_bound % MODEL_SPAN != 0);
}

static uint32_t group_of(const model_attention_shape *shape) { return shape->heads / shape->kv_heads; }

/* Lanes need work-groups of a page's size; what a kernel query of some drivers answers is 32 at least, or 1. */
static bool takes_lanes(dev_device *device, model_attention_kernels kernels)
{
    const dev_traits *traits = dev_get_traits(device);
    return traits->max_group >= MODEL_PAGE &&
           (kernels == MODEL_ATTENTION_LANES || (kernels == MODEL_ATTENTION_AUTO && traits->lanes_in_items));
}

/* Rows of a block: of those that leave the least padding, the most. */
static uint32_t block_of(uint32_t states, uint32_t most)
{
    uint32_t best = 1, best_padded = UINT32_MAX;
    for (uint32_t block = most; block > most / 2; block--) {
        const uint32_t padded = (states + block - 1) / block * block;
        if (padded < best_padded) {
            best = block;
            best_padded = padded;
        }
    }
    return states < best ? states : best;
}

uint32_t model_attention_tile_rows(dev_device *device, const model_attention_shape *shape)
{
    const bool     lanes = takes_lanes(device, MODEL_ATTENTION_AUTO);
    const uint64_t group = group_of(shape);
    const uint64_t row_floats = group * (2u * shape->head_dim + MODEL_PAGE);
    uint32_t       rows = 1;
    while (rows < MAX_TILE_ROWS && (lanes ? 2u * rows * group <= LANES_BLOCK : 2u * rows * row_floats <= TILE_FLOATS))
        rows *= 2;
    return rows;
}

size_t model_attention_partial_floats(const model_attention_shape *shape, uint32_t rows, uint32_t length_bound)
{
    const uint32_t spans = spans_of(length_bound);
    if (spans <= 1)
        return 1;
    const size_t split_rows = rows < SPLIT_ROWS ? rows : SPLIT_ROWS;
    return split_rows * shape->heads * spans * (shape->head_dim + 2u);
}

/* Queries and keys are turned, keys and values go into the cache. */
static oclm_status add_rope(dev_work *work, const model_attention *a, uint32_t lanes)
{
    const model_attention_shape *shape = &a->shape;
    char options[160];
    snprintf(options, sizeof options, "-DHEAD_DIM=%u -DHEADS=%u -DKV_HEADS=%u -DROTARY_DIMS=%u -DINTERLEAVED=%d -DLANES=%u",
             shape->head_dim, shape->heads, shape->kv_heads, shape->rotary_dims, shape->rotary_interleaved ? 1 : 0, lanes);
    const dev_arg args[] = {
        dev_arg_buffer(a->qkv), dev_arg_u32(a->qkv_stride),
        dev_arg_buffer(&a->cache->keys[a->layer]), dev_arg_buffer(&a->cache->values[a->layer]),
        dev_arg_buffer(&a->cache->table), dev_arg_u32(a->cache->pages_per_sequence),
        dev_arg_buffer(a->positions), dev_arg_buffer(a->sequences),
        dev_arg_buffer(a->cos_table), dev_arg_buffer(a->sin_table),
    };
    const dev_launch launch = {
        .source = "rope", .kernel = "rope_cache", .options = options, .dims = 3,
        .global = { lanes, shape->heads + 2u * shape->kv_heads, a->rows }, .local = { lanes, 1, 1 },
        .args = args, .arg_count = COUNT(args),
    };
    return dev_work_add(work, &launch);
}

static oclm_status add_join(dev_work *work, const model_attention *a, uint32_t lanes, uint32_t spans)
{
    char options[64];
    snprintf(options, sizeof options, "-DHEAD_DIM=%u -DHEADS=%u -DLANES=%u", a->shape.head_dim, a->shape.heads, lanes);
    const dev_arg args[] = {
        dev_arg_buffer(a->partial), dev_arg_u32(spans), dev_arg_buffer(a->positions),
        dev_arg_buffer(a->out), dev_arg_u32(a->out_stride),
    };
    const dev_launch launch = {
        .source = "attention_join", .kernel = "attention_join", .options = options, .dims = 3,
        .global = { lanes, a->shape.heads, a->rows }, .local = { lanes, 1, 1 },
        .args = args, .arg_count = COUNT(args),
    };
    return dev_work_add(work, &launch);
}

/* What attention.cl and attention_tile.h are built with. */
static void write_options(const dev_device *device, const model_attention_shape *shape, uint32_t tile_rows, uint32_t block, bool turns,
                          char *options, size_t size)
{
    const size_t length = (size_t)snprintf(options, size, "-DHEAD_DIM=%u -DGROUP=%u -DKV_HEADS=%u -DTILE_ROWS=%u -DBLOCK=%u -DWIDTH=%u",
                                           shape->head_dim, group_of(shape), shape->kv_heads, tile_rows, block,
                                           dev_get_traits(device)->vector_width);
    if (turns)
        snprintf(options + length, size - length, " -DTURNS=1 -DROTARY_DIMS=%u -DINTERLEAVED=%d", shape->rotary_dims,
                 shape->rotary_interleaved ? 1 : 0);
}

void model_attention_row_options(const dev_device *device, const model_attention_shape *shape, char *options, size_t size)
{
    write_options(device, shape, 1, block_of(group_of(shape), CORES_BLOCK), true, options, size);
}

uint32_t model_attention_spans(uint32_t rows, uint32_t length_bound) { return rows <= SPLIT_ROWS ? spans_of(length_bound) : 1; }

/* The attention itself: every tile, or every span of every tile. */
static oclm_status add_tiles(dev_work *work, const model_attention *a, bool lanes, bool turns, uint32_t spans)
{
    static const char *const kernels[2][2] = { { "attention_tile", "attention_tile_split" },
                                               { "attention_lanes", "attention_lanes_split" } };
    const model_attention_shape *shape = &a->shape;
    const bool     split = spans > 1;
    const uint32_t states = a->tile_rows * group_of(shape);
    const uint32_t block = block_of(states, lanes ? LANES_BLOCK : CORES_BLOCK);
    const uint32_t chunks = lanes ? (states + block - 1) / block : 1;
    const uint32_t items = lanes ? MODEL_PAGE : 1;
    char           options[192];
    write_options(dev_work_device(work), shape, a->tile_rows, block, turns, options, sizeof options);
    dev_arg args[14] = {
        dev_arg_buffer(a->qkv), dev_arg_u32(a->qkv_stride),
        dev_arg_buffer(&a->cache->keys[a->layer]), dev_arg_buffer(&a->cache->values[a->layer]),
        dev_arg_buffer(&a->cache->table), dev_arg_u32(a->cache->pages_per_sequence),
        dev_arg_buffer(a->positions), dev_arg_buffer(a->sequences), dev_arg_buffer(a->tiles),
    };
    cl_uint count = 9;
    args[count++] = dev_arg_buffer(split ? a->partial : a->out);
    if (!split)
        args[count++] = dev_arg_u32(a->out_stride);
    args[count++] = dev_arg_f32(shape->scale);
    if (turns) {
        args[count++] = dev_arg_buffer(a->cos_table);
        args[count++] = dev_arg_buffer(a->sin_table);
    }
    const dev_launch launch = {
        .source = lanes ? "attention_lanes" : "attention", .kernel = kernels[lanes][split], .options = options, .dims = 3,
        .global = { (size_t)shape->kv_heads * chunks * items, a->tile_count, spans }, .local = { items, 1, 1 },
        .args = args, .arg_count = count,
    };
    return dev_work_add(work, &launch);
}

oclm_status model_attention_add(dev_work *work, const model_attention *attention)
{
    const model_attention_shape *shape = &attention->shape;
    assert(shape->kv_heads > 0 && shape->heads % shape->kv_heads == 0);
    assert(shape->rotary_dims <= shape->head_dim && shape->rotary_dims % 2 == 0);
    assert(attention->rows > 0 && attention->tile_count > 0 && attention->length_bound > 0);
    (void)shape;
    const bool     lanes = takes_lanes(dev_work_device(work), attention->kernels);
    const uint32_t items = lanes ? MODEL_PAGE : 1;
    const uint32_t spans = model_attention_spans(attention->rows, attention->length_bound);
    const bool     turns = !lanes && attention->single_rows && attention->tile_rows == 1;
    oclm_status    status = turns ? OCLM_OK : add_rope(work, attention, items);
    if (status == OCLM_OK)
        status = add_tiles(work, attention, lanes, turns, spans);
    return status == OCLM_OK && spans > 1 ? add_join(work, attention, items, spans) : status;
}
