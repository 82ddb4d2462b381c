/* layers.c: the layers of a decoding step in few launches of cl/decode_layers.cl: where the device orders its work-groups, every row is of
 * another sequence, and the products' kernels are those of cl/matmul.cl. */
#include <string.h>

#include "core/text.h"
#include "model/offload.h"
#include "model/pass.h"

#define MOST_LAYERS 6u         /* of a launch, as in the kernel */
#define MOST_LAYER_ARGS 21u
#define COMMON_ARGS 41u
#define MOST_ARGUMENT_BYTES 1024u /* of a kernel: so many every device takes */
#define COMMON_BYTES 296u         /* of them that the common arguments take, each aligned to 8 */
/* A driver may hand several groups to one core before the next has woken. */
#define GROUPS_PER_CORE 4u
#define PROGRESS_BYTES (48 * sizeof(uint32_t))
#define MOST_TILES 8u /* of rows: more are better off with launches of their own, cut along rows too */

/* Layers alike, but for their weights and caches. */
typedef struct plan {
    const model_state    *state;
    uint32_t              first, count;
    model_layer_products  products;  /* of the first */
    model_attention       attention; /* of the first that turns, if any does */
    dev_tile              tile;
    uint32_t              block;     /* rows that a tile takes, all but the last */
    uint32_t              cores, spans;
    uint32_t              launch_layers, layer_args; /* layers of a launch, arguments of each */
    bool                  may_stand; /* some layers turn queries and keys, some do not */
    core_text             options;
} plan;

static uint32_t units_of(const plan *p, const dev_matmul *m)
{
    return (m->epilogue == DEV_GATED ? m->weight->panels / 2 : m->weight->panels) * (DEV_PANEL / p->tile.cols);
}

/* In how many pieces the kernel cuts so many units: piece_of() there. */
static uint32_t tickets_for(uint32_t units, uint32_t cores)
{
    uint32_t tickets = 0;
    for (uint32_t size; (size = units / (2 * cores)) > 1; tickets += cores)
        units -= cores * size;
    return tickets + units;
}

static size_t local_bytes(const plan *p)
{
    const model_layer_products *l = &p->products;
    const dev_matmul *const     all[] = { &l->qkv, &l->output, &l->up, &l->down };
    uint32_t                    most = 0;
    for (size_t i = 0; i < COUNT(all); i++)
        most = all[i]->weight->columns > most ? all[i]->weight->columns : most;
    return (size_t)p->products.qkv.rows * most * sizeof(float);
}

/* Are all products of one layer served alike? The kernel has one storage type, one shape of tile. */
static oclm_status suits(const plan *p, uint32_t layer, dev_tile *tile, bool *good)
{
    const model_layer_products l = model_pass_products(p->state, p->block, layer);
    const dev_matmul *const    all[] = { &l.qkv, &l.output, &l.up, &l.down };
    oclm_status                status = OCLM_OK;
    *good = true;
    for (size_t i = 0; i < COUNT(all) && *good && status == OCLM_OK; i++) {
        dev_tile other;
        status = dev_matmul_tile(p->state->device, all[i], &other, good);
        if (*good && i == 0)
            *tile = other;
        *good = *good && status == OCLM_OK && strcmp(tile->options, other.options) == 0;
    }
    return status;
}

/* All rows in one tile, or in as few as can hold them, equally full. */
static oclm_status choose_tile(plan *p, bool *good)
{
    const uint32_t rows = p->products.qkv.rows;
    oclm_status    status = OCLM_OK;
    *good = false;
    for (uint32_t tiles = 1; tiles <= MOST_TILES && tiles <= rows && !*good && status == OCLM_OK; tiles++) {
        p->block = (rows + tiles - 1) / tiles;
        status = suits(p, p->first, &p->tile, good);
    }
    return status;
}

static oclm_status check_layers(plan *p, bool *good)
{
    /* Half of local memory is left to the driver. */
    *good = local_bytes(p) <= dev_get_traits(p->state->device)->info.local_mem_bytes / 2;
    if (!*good)
        return OCLM_OK;
    oclm_status status = choose_tile(p, good);
    for (uint32_t i = p->first + 1; i < p->first + p->count && *good && status == OCLM_OK; i++) {
        dev_tile tile;
        status = suits(p, i, &tile, good);
        *good = *good && strcmp(tile.options, p->tile.options) == 0;
    }
    return status;
}

static oclm_status write_options(plan *p)
{
    const model_layer_products *l = &p->products;
    const dev_device           *device = p->state->device;
    const model_architecture   *a = &p->state->model->architecture;
    char                        attention[MODEL_ATTENTION_OPTIONS];
    model_attention_row_options(device, &p->attention.shape, attention);
    return core_text_printf(&p->options, "-cl-std=CL3.0 %s %s -DNORM=%d -DGATED=%d -DACTIVATION=%d -DSPLIT=%d -DLAYERS=%u -DMAY_STAND=%d"
                            " -DPARALLEL=%d -DXIELU=%d -DBETWEEN=%d -DBETWEEN_NORM=%d",
                            attention, p->tile.options, (int)l->qkv.norm.kind, l->up.epilogue == DEV_GATED, (int)l->up.activation,
                            p->spans > 1, p->launch_layers, p->may_stand, model_is_parallel(a), a->xielu, (int)model_between_of(a), (int)a->norm.kind);
}

static cl_uint add_common_args(const plan *p, const dev_buffer *progress, uint32_t layers, dev_arg *args)
{
    const model_layer_products *l = &p->products;
    const model_attention      *a = &p->attention;
    const dev_matmul *const     all[] = { &l->qkv, &l->output, &l->up, &l->down };
    const dev_arg               first[] = {
        dev_arg_buffer(progress), dev_arg_u32(l->qkv.rows), dev_arg_u32(p->cores), dev_arg_u32(layers), dev_arg_local(local_bytes(p)),
        dev_arg_buffer(l->qkv.x), dev_arg_u32(l->qkv.x_stride), dev_arg_buffer(l->qkv.y), dev_arg_u32(l->qkv.y_stride),
        dev_arg_buffer(l->output.x), dev_arg_u32(l->output.x_stride), dev_arg_buffer(l->down.x), dev_arg_u32(l->down.x_stride),
        dev_arg_u32(l->qkv.weight->columns), dev_arg_u32(l->output.weight->columns), dev_arg_u32(l->down.weight->columns),
    };
    const dev_arg last[] = {
        dev_arg_buffer(&p->state->branch), dev_arg_f32(p->state->model->architecture.residual_scale),
        dev_arg_f32(p->state->model->architecture.norm.eps), dev_arg_buffer(&a->cache->table),
        dev_arg_buffer(a->cache->ring.pages > 0 ? &a->cache->ring.table : NULL), dev_arg_u32(a->cache->pages_per_sequence), dev_arg_buffer(a->positions), dev_arg_buffer(a->sequences),
        dev_arg_buffer(&p->state->cos_table[0]), dev_arg_buffer(&p->state->sin_table[0]), dev_arg_buffer(&p->state->cos_table[1]),
        dev_arg_buffer(&p->state->sin_table[1]), dev_arg_buffer(a->growth), dev_arg_buffer(a->slopes), dev_arg_f32(a->shape.scale), dev_arg_u32(p->spans), dev_arg_buffer(a->partial),
    };
    cl_uint count = COUNT(first);
    memcpy(args, first, sizeof first);
    for (size_t i = 0; i < COUNT(all); i++) {
        const uint32_t units = units_of(p, all[i]);
        args[count++] = dev_arg_u32(units);
        args[count++] = dev_arg_u32(tickets_for(units, p->cores));
    }
    memcpy(args + count, last, sizeof last);
    return count + COUNT(last);
}

/* The kernel's `look`: the window, whether by the rings' page table, and in the highest bits by which rotary positions. */
static uint32_t look_of(const model_architecture *a, const model_cache *cache, const model_attention_shape *shape, uint32_t layer)
{
    const uint32_t rope = model_rope_of(a, layer) == NULL ? 2u : a->layer[layer].rope == MODEL_ROPE_SECOND ? 1u : 0u;
    const uint32_t ring = model_cache_table(cache, layer) != &cache->table;
    return model_attention_window(shape) | ring << 29 | rope << 30;
}

static void set_layer_args(const plan *p, const model_pass_shape *shape, uint32_t index, dev_arg *args)
{
    const model_layer_products l = model_pass_products(p->state, p->products.qkv.rows, index);
    const model_attention      a = model_pass_attention(p->state, shape, index);
    const model_cache         *cache = &p->state->cache;
    const model_layer         *weights = &p->state->model->weights.layers[index];
    const dev_norm            *attention_norm = &weights->attention_norm;
    const dev_norm            *mlp_norm = model_has_norm(&p->state->model->architecture, MODEL_MLP_NORM) ? &weights->mlp_norm : attention_norm;
    const dev_arg              layer[] = {
        dev_arg_buffer(&l.qkv.weight->parts[0].buffer), dev_arg_buffer(&l.output.weight->parts[0].buffer),
        dev_arg_buffer(&l.up.weight->parts[0].buffer), dev_arg_buffer(&l.down.weight->parts[0].buffer),
        dev_arg_buffer(l.qkv.bias), dev_arg_buffer(l.output.bias), dev_arg_buffer(l.up.bias), dev_arg_buffer(l.down.bias),
        dev_arg_buffer(&attention_norm->weight), dev_arg_buffer(&attention_norm->bias), dev_arg_buffer(&mlp_norm->weight),
        dev_arg_buffer(&mlp_norm->bias), dev_arg_buffer(&cache->keys[index]), dev_arg_buffer(&cache->values[index]),
        dev_arg_u32(look_of(&p->state->model->architecture, cache, &a.shape, index)),
    };
    size_t count = COUNT(layer);
    memcpy(args, layer, sizeof layer);
    if (a.shape.sinks)
        args[count++] = dev_arg_buffer(a.sinks);
    if (a.shape.qk_norm != MODEL_QK_NORM_NONE) {
        args[count++] = dev_arg_buffer(&a.q_norm->weight);
        args[count++] = dev_arg_buffer(&a.k_norm->weight);
    }
    if (model_between_of(&p->state->model->architecture) == MODEL_BETWEEN_ADDED) {
        args[count++] = dev_arg_buffer(&weights->post_attention_norm.weight);
        args[count++] = dev_arg_buffer(&weights->post_mlp_norm.weight);
    }
    if (p->state->model->architecture.xielu)
        args[count++] = dev_arg_buffer(&weights->xielu);
}

/* Layers from `first` on; where they are fewer than a launch takes, the last fills the arguments up. */
static oclm_status add_launch(const plan *p, dev_work *work, const model_pass_shape *shape, uint32_t first, uint32_t layers)
{
    const dev_buffer *progress;
    dev_arg           args[COMMON_ARGS + MOST_LAYERS * MOST_LAYER_ARGS];
    oclm_status       status = dev_work_counters(work, PROGRESS_BYTES, &progress);
    if (status != OCLM_OK)
        return status;
    cl_uint count = add_common_args(p, progress, layers, args);
    for (uint32_t i = 0; i < p->launch_layers; i++, count += p->layer_args)
        set_layer_args(p, shape, first + (i < layers ? i : layers - 1), args + count);
    const dev_launch launch = { .source = "decode_layers", .kernel = "decode_layers", .options = p->options.data, .dims = 1,
                                .global = { (size_t)p->cores * GROUPS_PER_CORE }, .local = { 1 }, .args = args, .arg_count = count };
    return dev_work_add(work, &launch);
}

/* Does the kernel know all that attention does here? It has one way of turning, by up to two tables. Finds a layer that is turned, if
 * any is; `all`: every one is. */
static bool suits_attention(const plan *p, uint32_t *turned, bool *all)
{
    const model_architecture *a = &p->state->model->architecture;
    const model_rope         *rope = NULL;
    *turned = p->first;
    *all = true;
    for (uint32_t i = p->first; i < p->first + p->count; i++) {
        const model_rope *own = model_rope_of(a, i);
        *all = *all && own != NULL;
        if (own == NULL)
            continue;
        if (rope == NULL)
            *turned = i;
        else if (own->dims != rope->dims || own->interleaved != rope->interleaved)
            return false;
        rope = own;
    }
    return !a->attention_scale_by_layer && !a->qk_norm_shape.has_bias;
}

/* As many layers as the arguments have room for. */
static void plan_launches(plan *p)
{
    const model_attention_shape *shape = &p->attention.shape;
    const model_architecture    *a = &p->state->model->architecture;
    const uint32_t pointers = 14u + (shape->sinks ? 1u : 0u) + (shape->qk_norm != MODEL_QK_NORM_NONE ? 2u : 0u) +
                              (model_between_of(a) == MODEL_BETWEEN_ADDED ? 2u : 0u) + (a->xielu ? 1u : 0u);
    const uint32_t room = (MOST_ARGUMENT_BYTES - COMMON_BYTES) / (pointers * 8 + 8);
    p->layer_args = pointers + 1;
    p->launch_layers = room < MOST_LAYERS ? room : MOST_LAYERS;
}

/* Are all layers of one form, and no more is done in them than the kernel knows? */
static bool suits_form(const plan *p)
{
    const model_architecture *a = &p->state->model->architecture;
    for (uint32_t i = p->first; i < p->first + p->count; i++) {
        const model_layer_shape *own = &a->layer[i];
        if (own->values_are_keys || own->cache_of > 0 || own->head_dim > 0 || own->kv_heads > 0 || own->intermediate_size > 0)
            return false;
    }
    return a->experts.routing.count == 0 && a->latent.kv_rank == 0 && !a->attention_gate && !model_has_mixers(a) &&
           a->layer_input.size == 0 && !a->layer_scalar && a->norm.kind != DEV_NORM_NONE;
}

/* How many layers from `first` on may share a launch: one that visits the device is there alone. */
static uint32_t layers_together(const plan *p, uint32_t first)
{
    const model_offload *offload = p->state->model->weights.offload;
    const uint32_t       left = p->first + p->count - first, most = left < p->launch_layers ? left : p->launch_layers;
    uint32_t             count = 1;
    while (count < most && !model_offload_visits(offload, MODEL_KEPT_LAYERS + first) &&
           !model_offload_visits(offload, MODEL_KEPT_LAYERS + first + count))
        count++;
    return count;
}

static oclm_status add_launches(const plan *p, dev_work *work, const model_pass_shape *shape)
{
    const model_offload *offload = p->state->model->weights.offload;
    oclm_status          status = OCLM_OK;
    for (uint32_t first = p->first, layers; first < p->first + p->count && status == OCLM_OK; first += layers) {
        dev_work *inner = work;
        layers = layers_together(p, first);
        for (uint32_t i = 0; i < layers && status == OCLM_OK; i++)
            status = model_offload_begin(offload, work, MODEL_KEPT_LAYERS + first + i, shape->logit_rows > 0, &inner);
        if (status == OCLM_OK)
            status = add_launch(p, inner, shape, first, layers);
    }
    return status;
}

oclm_status model_layers_add(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t first, uint32_t count, bool *added)
{
    dev_device  *device = state->device;
    plan         p = { .state = state, .first = first, .count = count, .cores = dev_get_traits(device)->info.compute_units,
                       .options = CORE_TEXT_INIT };
    oclm_status  status = OCLM_OK;
    uint32_t     turned;
    bool         all_turned;
    *added = false;
    if (count == 0 || state->step_by_step || !shape->single_rows || !suits_attention(&p, &turned, &all_turned) || !suits_form(&p) ||
        !dev_orders_groups(device))
        return OCLM_OK;
    p.products = model_pass_products(state, shape->rows, first);
    p.attention = model_pass_attention(state, shape, turned);
    p.may_stand = p.attention.shape.rotary_dims > 0 && !all_turned;
    p.spans = model_attention_spans(shape->rows, shape->length_bound);
    if ((status = check_layers(&p, added)) != OCLM_OK || !*added)
        return status;
    plan_launches(&p);
    if ((status = write_options(&p)) == OCLM_OK)
        status = add_launches(&p, work, shape);
    core_text_free(&p.options);
    return status;
}
