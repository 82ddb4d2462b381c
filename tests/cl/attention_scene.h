/* attention_scene.h: for tests and benchmarks of attention: sequences with their queries, keys and values for every position, a
 * shuffled page table, and a way to compute them in passes of any cut. Whatever must not be read is NaN. */
#ifndef OCLM_TESTS_CL_ATTENTION_SCENE_H
#define OCLM_TESTS_CL_ATTENTION_SCENE_H

#include "cl/matrices.h"
#include "model/attention.h"

typedef struct scene {
    model_attention_shape shape;
    uint32_t sequences, length; /* positions of each sequence */
    uint32_t width, stride;     /* floats of a row of queries, keys and values, and between rows */
    uint32_t out_width, out_stride;
    uint32_t pages;             /* of a sequence */
    float   *qkv;               /* [sequences][length][width] */
    float   *cosines, *sines;   /* [length][rotary_dims / 2] */
    float   *slopes, *sinks;    /* [heads] */
    float   *growth;            /* [length], more than the shape may ask for */
    float   *q_factors, *q_biases, *k_factors, *k_biases; /* [heads][head_dim], [kv_heads][head_dim]: the first head's may be for all */
    int32_t *table;             /* [sequences][pages] */
} scene;

static inline scene new_scene(model_attention_shape shape, uint32_t sequences, uint32_t length)
{
    scene s = { .shape = shape, .sequences = sequences, .length = length };
    s.width = (shape.heads + 2 * shape.kv_heads) * shape.head_dim;
    s.stride = s.width + 3;
    s.out_width = shape.heads * shape.head_dim;
    s.out_stride = s.out_width + 5;
    s.pages = (length + MODEL_PAGE - 1) / MODEL_PAGE;
    s.qkv = new_numbers(7, (size_t)sequences * length * s.width);
    for (size_t i = 0; i < (size_t)sequences * length * s.width; i++)
        s.qkv[i] *= 2.0f; /* scores that matter */
    const uint32_t half = shape.rotary_dims / 2;
    s.cosines = core_alloc_array((size_t)length * (half + 1), sizeof(float), "cosines");
    s.sines = core_alloc_array((size_t)length * (half + 1), sizeof(float), "sines");
    s.table = core_alloc_array((size_t)sequences * s.pages, sizeof(int32_t), "a page table");
    assert_true(s.cosines && s.sines && s.table);
    for (uint32_t t = 0; t < length; t++)
        for (uint32_t i = 0; i < half; i++) {
            const double angle = t * pow(10000.0, -2.0 * i / shape.rotary_dims);
            s.cosines[t * half + i] = (float)cos(angle);
            s.sines[t * half + i] = (float)sin(angle);
        }
    s.slopes = new_numbers(11, shape.heads);
    s.sinks = new_numbers(12, shape.heads);
    s.growth = new_numbers(13, length);
    for (uint32_t i = 0; i < shape.heads; i++) {
        s.slopes[i] = shape.alibi_rounded ? 0.0625f * (float)(i + 1) : 0.1f * s.slopes[i]; /* a bfloat16 */
        s.sinks[i] *= 3.0f;
    }
    s.q_factors = new_numbers(14, (size_t)shape.heads * shape.head_dim);
    s.q_biases = new_numbers(15, (size_t)shape.heads * shape.head_dim);
    s.k_factors = new_numbers(16, (size_t)shape.kv_heads * shape.head_dim);
    s.k_biases = new_numbers(17, (size_t)shape.kv_heads * shape.head_dim);
    for (uint32_t i = 0; i < sequences * s.pages; i++) /* sequences interleaved, the last page first */
        s.table[i] = (int32_t)((s.pages - 1 - i % s.pages) * sequences + i / s.pages);
    return s;
}

static inline void free_scene(scene *s)
{
    core_free(s->qkv);
    core_free(s->cosines);
    core_free(s->sines);
    core_free(s->table);
    core_free(s->slopes);
    core_free(s->sinks);
    core_free(s->growth);
    core_free(s->q_factors);
    core_free(s->q_biases);
    core_free(s->k_factors);
    core_free(s->k_biases);
}

/* How a scene is computed. */
typedef struct cut {
    const char *label;
    uint32_t    chunk;     /* rows of each sequence in a pass; 0: all */
    uint32_t    tile_rows; /* 0: what suits the device */
    model_attention_kernels kernels;
    uint32_t    length_bound; /* 0: the scene's length */
} cut;

/* What lies on the device while a scene is computed. */
typedef struct stage {
    dev_device *device;
    const scene *s;
    model_cache cache;
    dev_buffer  keys, values, cosines, sines, positions, sequences, tiles, qkv, out, partial;
    dev_buffer  slopes, sinks, growth;
    dev_norm    q_norm, k_norm;
    uint32_t    max_rows;
} stage;

static inline dev_buffer new_filled(dev_device *device, const void *data, size_t bytes)
{
    dev_buffer buffer = { NULL, 0 };
    assert_ok(dev_buffer_new(device, bytes, "a test's buffer", &buffer));
    if (data)
        assert_ok(dev_buffer_write(dev_queue(device), &buffer, 0, data, bytes));
    return buffer;
}

static inline void open_stage(stage *g, dev_device *device, const scene *s, uint32_t max_rows, uint32_t length_bound)
{
    const size_t   head_bytes = s->shape.quantized ? s->shape.head_dim + sizeof(float) : s->shape.head_dim * sizeof(float);
    const size_t   cache_floats = (size_t)s->sequences * s->pages * s->shape.kv_heads * MODEL_PAGE * head_bytes / sizeof(float);
    const uint32_t half = s->shape.rotary_dims / 2;
    memset(g, 0, sizeof *g);
    g->device = device;
    g->s = s;
    g->max_rows = max_rows;
    g->keys = new_nan_buffer(device, cache_floats);
    g->values = new_nan_buffer(device, cache_floats);
    g->cache.keys = &g->keys;
    g->cache.values = &g->values;
    g->cache.quantized = s->shape.quantized;
    g->cache.pages_per_sequence = s->pages;
    g->cache.table = new_filled(device, s->table, (size_t)s->sequences * s->pages * sizeof(int32_t));
    g->cosines = new_filled(device, s->cosines, (size_t)s->length * (half + 1) * sizeof(float));
    g->sines = new_filled(device, s->sines, (size_t)s->length * (half + 1) * sizeof(float));
    g->slopes = new_filled(device, s->slopes, s->shape.heads * sizeof(float));
    g->sinks = new_filled(device, s->sinks, s->shape.heads * sizeof(float));
    g->growth = new_filled(device, s->growth, s->length * sizeof(float));
    g->q_norm.weight = new_filled(device, s->q_factors, (size_t)s->shape.heads * s->shape.head_dim * sizeof(float));
    g->k_norm.weight = new_filled(device, s->k_factors, (size_t)s->shape.kv_heads * s->shape.head_dim * sizeof(float));
    if (s->shape.qk_norm_kind == DEV_NORM_LAYER) {
        g->q_norm.bias = new_filled(device, s->q_biases, (size_t)s->shape.heads * s->shape.head_dim * sizeof(float));
        g->k_norm.bias = new_filled(device, s->k_biases, (size_t)s->shape.kv_heads * s->shape.head_dim * sizeof(float));
    }
    g->positions = new_filled(device, NULL, max_rows * sizeof(int32_t));
    g->sequences = new_filled(device, NULL, max_rows * sizeof(int32_t));
    g->tiles = new_filled(device, NULL, max_rows * 4 * sizeof(uint32_t));
    g->qkv = new_nan_buffer(device, (size_t)max_rows * s->stride);
    g->out = new_nan_buffer(device, (size_t)max_rows * s->out_stride);
    g->partial = new_nan_buffer(device, model_attention_partial_floats(&s->shape, max_rows, length_bound));
}

static inline void close_stage(stage *g)
{
    dev_buffer *all[] = { &g->keys, &g->values, &g->cache.table, &g->cosines, &g->sines, &g->positions, &g->sequences, &g->tiles,
                          &g->qkv, &g->out, &g->partial, &g->slopes, &g->sinks, &g->growth, &g->q_norm.weight, &g->q_norm.bias,
                          &g->k_norm.weight, &g->k_norm.bias };
    for (size_t i = 0; i < COUNT(all); i++)
        dev_buffer_free(g->device, all[i]);
}

/* Records one pass: positions first .. first + count - 1 of each sequence. */
static inline void record_pass(stage *g, dev_work *work, const cut *c, uint32_t tile_rows, uint32_t first, uint32_t count)
{
    const scene   *s = g->s;
    const uint32_t rows = count * s->sequences;
    int32_t       *ints = core_alloc_array(2 * (size_t)rows, sizeof *ints, "positions and sequences");
    uint32_t      *tiles = core_alloc_array(4 * (size_t)rows, sizeof *tiles, "tiles");
    uint32_t       tile_count = 0;
    assert_true(ints && tiles && rows <= g->max_rows);
    for (uint32_t q = 0; q < s->sequences; q++) {
        for (uint32_t i = 0; i < count; i++) {
            ints[q * count + i] = (int32_t)(first + i);
            ints[rows + q * count + i] = (int32_t)q;
            assert_ok(dev_buffer_write(dev_queue(g->device), &g->qkv, (size_t)(q * count + i) * s->stride * sizeof(float),
                                       s->qkv + ((size_t)q * s->length + first + i) * s->width, s->width * sizeof(float)));
        }
        for (uint32_t i = 0; i < count; i += tile_rows, tile_count++) {
            const uint32_t tile[4] = { q * count + i, count - i < tile_rows ? count - i : tile_rows, 0, 0 };
            memcpy(tiles + 4 * (size_t)tile_count, tile, sizeof tile);
        }
    }
    assert_ok(dev_buffer_write(dev_queue(g->device), &g->positions, 0, ints, rows * sizeof *ints));
    assert_ok(dev_buffer_write(dev_queue(g->device), &g->sequences, 0, ints + rows, rows * sizeof *ints));
    assert_ok(dev_buffer_write(dev_queue(g->device), &g->tiles, 0, tiles, 4 * (size_t)tile_count * sizeof *tiles));
    const model_attention attention = {
        .shape = s->shape, .cache = &g->cache, .layer = 0, .rows = rows, .positions = &g->positions, .sequences = &g->sequences,
        .tiles = &g->tiles, .tile_count = tile_count, .tile_rows = tile_rows, .single_rows = count == 1, .cos_table = &g->cosines, .sin_table = &g->sines,
        .length_bound = c->length_bound ? c->length_bound : s->length, .qkv = &g->qkv, .qkv_stride = s->stride, .out = &g->out,
        .slopes = &g->slopes, .sinks = &g->sinks, .growth = &g->growth, .q_norm = &g->q_norm, .k_norm = &g->k_norm,
        .out_stride = s->out_stride, .partial = &g->partial, .kernels = c->kernels,
    };
    assert_ok(model_attention_add(work, &attention));
    core_free(ints);
    core_free(tiles);
}

/* Computes a scene pass by pass: [sequences][length][out_width]. What lies between the rows of `out` must be NaN still. */
static inline float *compute_scene(dev_device *device, const scene *s, const cut *c)
{
    const uint32_t chunk = c->chunk ? c->chunk : s->length;
    const uint32_t tile_rows = c->tile_rows ? c->tile_rows : model_attention_tile_rows(device, &s->shape);
    float         *result = core_alloc_array((size_t)s->sequences * s->length * s->out_width, sizeof *result, "a result");
    stage          g;
    assert_non_null(result);
    open_stage(&g, device, s, chunk * s->sequences, c->length_bound ? c->length_bound : s->length);
    for (uint32_t first = 0; first < s->length; first += chunk) {
        const uint32_t count = s->length - first < chunk ? s->length - first : chunk;
        dev_work      *work = NULL;
        assert_ok(dev_work_new(device, &work));
        record_pass(&g, work, c, tile_rows, first, count);
        run_work(device, work);
        dev_work_free(work);
        float *out = read_floats(device, &g.out);
        for (uint32_t q = 0; q < s->sequences; q++)
            for (uint32_t i = 0; i < count; i++) {
                const float *row = out + (size_t)(q * count + i) * s->out_stride;
                memcpy(result + ((size_t)q * s->length + first + i) * s->out_width, row, s->out_width * sizeof *row);
                for (uint32_t d = s->out_width; d < s->out_stride; d++)
                    if (!isnan(row[d]))
                        fail_msg("%s: element %u behind a row of %u was written: %g", c->label, d, s->out_width, (double)row[d]);
            }
        core_free(out);
    }
    close_stage(&g);
    return result;
}

#endif
