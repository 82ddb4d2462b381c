/* attention.c: which kernels attention takes, and how its work is cut: cl/rope.cl, cl/attention.cl or cl/attention_lanes.cl, and
 * cl/attention_join.cl where spans were split. */
#include "model/attention.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* With at most so many rows in a pass, spans are summed by work-items of their own and joined by another kernel: enough work for
 * every core when one row looks back at thousands of positions. With more, rows are work enough. */
#define SPLIT_ROWS 32u
/* Floats that a core's first cache holds beside a page of keys and one of values. */
#define TILE_FLOATS 8192u
#define MAX_TILE_ROWS 64u
/* Rows times heads of a work-group of lanes: as many accumulators in each lane. */
#define LANES_BLOCK 8u
#define NO_WINDOW (1u << 28) /* cl/score.h */
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

/* ---- What kernels are built with */

CORE_PRINTF(2, 3) static void add_option(char options[MODEL_ATTENTION_OPTIONS], const char *format, ...)
{
    const size_t length = strlen(options);
    va_list      values;
    va_start(values, format);
    const int written = vsnprintf(options + length, MODEL_ATTENTION_OPTIONS - length, format, values);
    va_end(values);
    assert(written >= 0 && (size_t)written < MODEL_ATTENTION_OPTIONS - length);
    (void)written;
}

/* A number as the bits of a float, which no locale writes its own way. */
static void add_number(char options[MODEL_ATTENTION_OPTIONS], const char *name, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_option(options, " -D%s=0x%x", name, bits);
}

/* cl/head.h. `norm`: heads are normalised on the way, too. */
static void add_head_options(char options[MODEL_ATTENTION_OPTIONS], const model_attention_shape *shape, bool norm)
{
    add_option(options, " -DROTARY_DIMS=%u -DINTERLEAVED=%d", shape->rotary_dims, shape->rotary_interleaved ? 1 : 0);
    if (shape->clip > 0.0f) {
        add_number(options, "CLIP", shape->clip);
        add_option(options, " -DCLIP_LATE=%d", shape->clip_late ? 1 : 0);
    }
    if (norm && shape->qk_norm != MODEL_QK_NORM_NONE)
        add_option(options, " -DQK_NORM=%d -DQK_NORM_KIND=%d -DQK_NORM_LATE=%d", (int)shape->qk_norm, (int)shape->qk_norm_kind,
                   shape->qk_norm_late ? 1 : 0);
    if ((norm && shape->qk_norm != MODEL_QK_NORM_NONE) || shape->value_norm)
        add_number(options, "QK_EPS", shape->qk_eps);
    if (shape->value_norm || shape->values_are_keys || shape->queries_only)
        add_option(options, " -DVALUE_NORM=%d -DVALUES_ARE_KEYS=%d -DQUERIES_ONLY=%d", shape->value_norm, shape->values_are_keys,
                   shape->queries_only);
    if (shape->query_length > 0)
        add_option(options, " -DQUERY_LENGTH=%u", shape->query_length);
}

/* cl/score.h, cl/softmax.h */
static void add_score_options(char options[MODEL_ATTENTION_OPTIONS], const model_attention_shape *shape)
{
    if (shape->softcap > 0.0f)
        add_number(options, "SOFTCAP", shape->softcap);
    if (shape->alibi)
        add_option(options, " -DALIBI=%d", shape->alibi_rounded ? 2 : 1);
    if (shape->sinks)
        add_option(options, " -DSINKS=1");
    if (shape->chunked)
        add_option(options, " -DCHUNKED=1");
}

/* What attention.cl, attention_lanes.cl and attention_tile.h are built with. */
static void write_options(const dev_device *device, const model_attention_shape *shape, uint32_t tile_rows, uint32_t block, bool turns,
                          char options[MODEL_ATTENTION_OPTIONS])
{
    options[0] = '\0';
    add_option(options, "-DHEAD_DIM=%u -DHEAD_GROUP=%u -DKV_HEADS=%u -DTILE_ROWS=%u -DBLOCK=%u -DWIDTH=%u", shape->head_dim, group_of(shape),
               shape->kv_heads, tile_rows, block, dev_get_traits(device)->vector_width);
    if (shape->quantized)
        add_option(options, " -DQUANTIZED=1");
    if (turns) {
        add_option(options, " -DTURNS=1");
        add_head_options(options, shape, true);
    }
    add_score_options(options, shape);
}

void model_attention_row_options(const dev_device *device, const model_attention_shape *shape, char options[MODEL_ATTENTION_OPTIONS])
{
    write_options(device, shape, 1, block_of(group_of(shape), CORES_BLOCK), true, options);
}

/* ---- Launches */

uint32_t model_attention_window(const model_attention_shape *shape)
{
    return shape->window == 0 || shape->window > NO_WINDOW ? NO_WINDOW : shape->window;
}

static const dev_buffer *weight_of(const dev_norm *norm) { return norm != NULL ? &norm->weight : NULL; }
static const dev_buffer *bias_of(const dev_norm *norm) { return norm != NULL ? &norm->bias : NULL; }

/* What cl/head.h calls head_tables. */
static cl_uint add_table_args(const model_attention *a, dev_arg *args)
{
    const dev_arg tables[] = {
        dev_arg_buffer(a->cos_table), dev_arg_buffer(a->sin_table), dev_arg_buffer(a->growth),
        dev_arg_buffer(weight_of(a->q_norm)), dev_arg_buffer(bias_of(a->q_norm)),
        dev_arg_buffer(weight_of(a->k_norm)), dev_arg_buffer(bias_of(a->k_norm)),
    };
    memcpy(args, tables, sizeof tables);
    return COUNT(tables);
}

/* All query heads as one row, all key heads as another, in place. */
static oclm_status add_norm_of_all(dev_work *work, const model_attention *a)
{
    const model_attention_shape *shape = &a->shape;
    const uint32_t               queries = shape->heads * shape->head_dim, keys = shape->kv_heads * shape->head_dim;
    dev_norm                     norm = *a->q_norm;
    norm.kind = shape->qk_norm_kind;
    norm.eps = shape->qk_eps;
    oclm_status status = dev_norm_in_place(work, &norm, a->qkv, 0, a->qkv_stride, a->rows, queries);
    norm.weight = a->k_norm->weight;
    norm.bias = a->k_norm->bias;
    return status == OCLM_OK ? dev_norm_in_place(work, &norm, a->qkv, queries, a->qkv_stride, a->rows, keys) : status;
}

/* Queries and keys become what they are to be, keys and values go into the cache. */
static oclm_status add_rope(dev_work *work, const model_attention *a, uint32_t lanes)
{
    const model_attention_shape *shape = &a->shape;
    const bool                   of_all = shape->qk_norm == MODEL_QK_NORM_ALL;
    char                         options[MODEL_ATTENTION_OPTIONS] = "";
    add_option(options, "-DHEAD_DIM=%u -DHEADS=%u -DKV_HEADS=%u -DLANES=%u", shape->head_dim, shape->heads, shape->kv_heads, lanes);
    add_head_options(options, shape, !of_all);
    if (shape->quantized)
        add_option(options, " -DQUANTIZED=1");
    dev_arg args[15] = {
        dev_arg_buffer(a->qkv), dev_arg_u32(a->qkv_stride),
        dev_arg_buffer(&a->cache->keys[a->layer]), dev_arg_buffer(&a->cache->values[a->layer]),
        dev_arg_buffer(model_cache_table(a->cache, a->layer)), dev_arg_u32(a->cache->pages_per_sequence),
        dev_arg_buffer(a->positions), dev_arg_buffer(a->sequences),
    };
    const cl_uint    count = 8 + add_table_args(a, args + 8);
    const dev_launch launch = {
        .source = "rope", .kernel = "rope_cache", .options = options, .dims = 3,
        .global = { lanes, shape->heads + (shape->queries_only ? 0 : 2u * shape->kv_heads), a->rows }, .local = { lanes, 1, 1 },
        .args = args, .arg_count = count,
    };
    const oclm_status status = of_all ? add_norm_of_all(work, a) : OCLM_OK;
    return status == OCLM_OK ? dev_work_add(work, &launch) : status;
}

static oclm_status add_join(dev_work *work, const model_attention *a, uint32_t lanes, uint32_t spans)
{
    char options[96];
    snprintf(options, sizeof options, "-DHEAD_DIM=%u -DHEADS=%u -DLANES=%u -DSINKS=%d -DCHUNKED=%d", a->shape.head_dim, a->shape.heads, lanes,
             a->shape.sinks ? 1 : 0, a->shape.chunked ? 1 : 0);
    const dev_arg args[] = {
        dev_arg_buffer(a->partial), dev_arg_u32(spans), dev_arg_buffer(a->positions),
        dev_arg_buffer(a->out), dev_arg_u32(a->out_stride), dev_arg_u32(model_attention_window(&a->shape)), dev_arg_buffer(a->sinks),
    };
    const dev_launch launch = {
        .source = "attention_join", .kernel = "attention_join", .options = options, .dims = 3,
        .global = { lanes, a->shape.heads, a->rows }, .local = { lanes, 1, 1 },
        .args = args, .arg_count = COUNT(args),
    };
    return dev_work_add(work, &launch);
}

uint32_t model_attention_spans(uint32_t rows, uint32_t length_bound) { return rows <= SPLIT_ROWS ? spans_of(length_bound) : 1; }

/* Of so many spans, how many a tile may see at most. */
static uint32_t spans_seen(const model_attention *a, uint32_t spans)
{
    const uint64_t positions = (uint64_t)model_attention_window(&a->shape) + a->tile_rows - 1;
    const uint64_t seen = (positions + MODEL_SPAN - 2) / MODEL_SPAN + 1;
    return seen < spans ? (uint32_t)seen : spans;
}

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
    char           options[MODEL_ATTENTION_OPTIONS];
    write_options(dev_work_device(work), shape, a->tile_rows, block, turns, options);
    dev_arg args[22] = {
        dev_arg_buffer(a->qkv), dev_arg_u32(a->qkv_stride),
        dev_arg_buffer(&a->cache->keys[a->layer]), dev_arg_buffer(&a->cache->values[a->layer]),
        dev_arg_buffer(model_cache_table(a->cache, a->layer)), dev_arg_u32(a->cache->pages_per_sequence),
        dev_arg_buffer(a->positions), dev_arg_buffer(a->sequences), dev_arg_buffer(a->tiles),
        dev_arg_buffer(split ? a->partial : a->out), dev_arg_u32(split ? spans : a->out_stride),
        dev_arg_f32(shape->scale), dev_arg_u32(model_attention_window(shape)), dev_arg_buffer(a->slopes), dev_arg_buffer(a->sinks),
    };
    const cl_uint    count = 15 + (turns ? add_table_args(a, args + 15) : 0);
    const dev_launch launch = {
        .source = lanes ? "attention_lanes" : "attention", .kernel = kernels[lanes][split], .options = options, .dims = 3,
        .global = { (size_t)shape->kv_heads * chunks * items, a->tile_count, split ? spans_seen(a, spans) : 1 }, .local = { items, 1, 1 },
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
    assert(shape->qk_norm == MODEL_QK_NORM_NONE || (attention->q_norm != NULL && attention->k_norm != NULL));
    assert(!shape->qk_norm_late || (shape->qk_norm != MODEL_QK_NORM_ALL && shape->qk_norm_kind != DEV_NORM_LAYER));
    assert(shape->clip == 0.0f || shape->clip_late || shape->qk_norm == MODEL_QK_NORM_NONE);
    assert(shape->quantized == attention->cache->quantized);
    assert(shape->clip == 0.0f || !shape->value_norm);
    assert(!shape->queries_only || shape->qk_norm != MODEL_QK_NORM_ALL);
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
