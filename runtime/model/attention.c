/* attention.c: which kernels attention takes, and how its work is cut: cl/rope.cl, then cl/attention.cl. */
#include "model/attention.h"

#include <assert.h>
#include <stdio.h>

/* With fewer rows than this in a pass, spans are summed by work-items of their own and joined by another kernel: enough work for
 * every core when one row looks back at thousands of positions. With more, rows are work enough. */
#define SPLIT_ROWS 32u
/* Private memory of a work-item, in floats, that stays in a core's first cache together with a page of keys and values. */
#define TILE_FLOATS 8192u
#define MAX_TILE_ROWS 64u

static uint32_t spans_of(uint32_t length_bound)
{
    return length_bound / MODEL_SPAN + (length_bound % MODEL_SPAN != 0);
}

uint32_t model_attention_tile_rows(dev_device *device, const model_attention_shape *shape)
{
    (void)device;
    const uint64_t group = shape->heads / shape->kv_heads;
    const uint64_t row_floats = group * (shape->head_dim + 2u * MODEL_PAGE);
    uint32_t rows = 1;
    while (rows < MAX_TILE_ROWS && 2u * rows * row_floats <= TILE_FLOATS)
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
static oclm_status add_rope(dev_work *work, const model_attention *a)
{
    const model_attention_shape *shape = &a->shape;
    char options[160];
    snprintf(options, sizeof options, "-DHEAD_DIM=%u -DHEADS=%u -DKV_HEADS=%u -DROTARY_DIMS=%u -DINTERLEAVED=%d -DLANES=1",
             shape->head_dim, shape->heads, shape->kv_heads, shape->rotary_dims, shape->rotary_interleaved ? 1 : 0);
    const dev_arg args[] = {
        dev_arg_buffer(a->qkv), dev_arg_u32(a->qkv_stride),
        dev_arg_buffer(&a->cache->keys[a->layer]), dev_arg_buffer(&a->cache->values[a->layer]),
        dev_arg_buffer(&a->cache->table), dev_arg_u32(a->cache->pages_per_sequence),
        dev_arg_buffer(a->positions), dev_arg_buffer(a->sequences),
        dev_arg_buffer(a->cos_table), dev_arg_buffer(a->sin_table),
    };
    const dev_launch launch = {
        .source = "rope", .kernel = "rope_cache", .options = options, .dims = 3,
        .global = { 1, shape->heads + 2u * shape->kv_heads, a->rows }, .local = { 1, 1, 1 },
        .args = args, .arg_count = COUNT(args),
    };
    return dev_work_add(work, &launch);
}

static oclm_status add_join(dev_work *work, const model_attention *a, const char *options, uint32_t spans)
{
    const dev_arg args[] = {
        dev_arg_buffer(a->partial), dev_arg_u32(spans), dev_arg_buffer(a->positions),
        dev_arg_buffer(a->out), dev_arg_u32(a->out_stride),
    };
    const dev_launch launch = {
        .source = "attention", .kernel = "attention_join", .options = options, .dims = 2,
        .global = { a->shape.heads, a->rows }, .local = { 1, 1 },
        .args = args, .arg_count = COUNT(args),
    };
    return dev_work_add(work, &launch);
}

static oclm_status add_tiles(dev_work *work, const model_attention *a)
{
    const model_attention_shape *shape = &a->shape;
    const uint32_t spans = spans_of(a->length_bound);
    const bool split = spans > 1 && a->rows <= SPLIT_ROWS;
    char options[160];
    snprintf(options, sizeof options, "-DHEAD_DIM=%u -DGROUP=%u -DKV_HEADS=%u -DTILE_ROWS=%u", shape->head_dim,
             shape->heads / shape->kv_heads, shape->kv_heads, a->tile_rows);
    dev_arg args[12] = {
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
    const dev_launch launch = {
        .source = "attention", .kernel = split ? "attention_tile_split" : "attention_tile", .options = options, .dims = 3,
        .global = { shape->kv_heads, a->tile_count, split ? spans : 1 }, .local = { 1, 1, 1 },
        .args = args, .arg_count = count,
    };
    oclm_status status = dev_work_add(work, &launch);
    return status == OCLM_OK && split ? add_join(work, a, options, spans) : status;
}

oclm_status model_attention_add(dev_work *work, const model_attention *attention)
{
    const model_attention_shape *shape = &attention->shape;
    assert(shape->kv_heads > 0 && shape->heads % shape->kv_heads == 0);
    assert(shape->rotary_dims <= shape->head_dim && shape->rotary_dims % 2 == 0);
    assert(attention->rows > 0 && attention->tile_count > 0 && attention->length_bound > 0);
    (void)shape;
    oclm_status status = add_rope(work, attention);
    return status == OCLM_OK ? add_tiles(work, attention) : status;
}
