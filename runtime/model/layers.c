/* layers.c: the layers of a decoding step in few launches of cl/decode_layers.cl: where the device orders its work-groups, every row is of
 * another sequence, and the products' kernels are those of cl/matmul.cl. */
#include <string.h>

#include "core/text.h"
#include "model/pass.h"

#define LAYERS 6u      /* of a launch, as in the kernel: as many as 1,024 bytes of arguments name, which every device takes */
#define LAYER_ARGS 14u
#define COMMON_ARGS 35u
/* A driver may hand several groups to one core before the next has woken. */
#define GROUPS_PER_CORE 4u
#define PROGRESS_BYTES (48 * sizeof(uint32_t))

/* Layers alike, but for their weights and caches. */
typedef struct plan {
    model_state          *state;
    model_layer_products  products;  /* of the first */
    model_attention       attention; /* likewise */
    dev_tile              tile;
    uint32_t              cores, spans;
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
    return (size_t)p->tile.rows * most * sizeof(float);
}

/* Are all products of one layer served alike? The kernel has one storage type, one shape of tile. */
static oclm_status suits(const plan *p, uint32_t layer, dev_tile *tile, bool *good)
{
    const model_layer_products l = model_pass_products(p->state, p->products.qkv.rows, layer);
    const dev_matmul *const    all[] = { &l.qkv, &l.output, &l.up, &l.down };
    oclm_status                status = OCLM_OK;
    *good = true;
    for (size_t i = 0; i < COUNT(all) && *good && status == OCLM_OK; i++) {
        dev_tile other;
        status = dev_matmul_tile(p->state->model->device, all[i], &other, good);
        if (*good && i == 0)
            *tile = other;
        *good = *good && status == OCLM_OK && strcmp(tile->options, other.options) == 0;
    }
    return status;
}

static oclm_status check_layers(plan *p, bool *good)
{
    const uint32_t count = p->state->model->weights.layer_count;
    oclm_status    status = suits(p, 0, &p->tile, good);
    for (uint32_t i = 1; i < count && *good && status == OCLM_OK; i++) {
        dev_tile tile;
        status = suits(p, i, &tile, good);
        *good = *good && strcmp(tile.options, p->tile.options) == 0;
    }
    /* Half of local memory is left to the driver. */
    if (status == OCLM_OK && *good)
        *good = local_bytes(p) <= dev_get_traits(p->state->model->device)->info.local_mem_bytes / 2;
    return status;
}

static oclm_status write_options(plan *p)
{
    const model_layer_products *l = &p->products;
    const dev_device           *device = p->state->model->device;
    char                        attention[192];
    model_attention_row_options(device, &p->attention.shape, attention, sizeof attention);
    return core_text_printf(&p->options, "-cl-std=CL3.0 %s %s -DNORM=%d -DGATED=%d -DACTIVATION=%d -DSPLIT=%d", attention, p->tile.options,
                            (int)l->qkv.norm.kind, l->up.epilogue == DEV_GATED, (int)l->up.activation, p->spans > 1);
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
        dev_arg_f32(l->qkv.norm.eps), dev_arg_f32(l->up.norm.eps), dev_arg_buffer(&a->cache->table),
        dev_arg_u32(a->cache->pages_per_sequence), dev_arg_buffer(a->positions), dev_arg_buffer(a->sequences), dev_arg_buffer(a->cos_table),
        dev_arg_buffer(a->sin_table), dev_arg_f32(a->shape.scale), dev_arg_u32(p->spans), dev_arg_buffer(a->partial),
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

static void set_layer_args(const plan *p, uint32_t index, dev_arg *args)
{
    const model_layer_products l = model_pass_products(p->state, p->products.qkv.rows, index);
    const model_cache         *cache = &p->state->cache;
    const dev_arg              layer[LAYER_ARGS] = {
        dev_arg_buffer(&l.qkv.weight->parts[0].buffer), dev_arg_buffer(&l.output.weight->parts[0].buffer),
        dev_arg_buffer(&l.up.weight->parts[0].buffer), dev_arg_buffer(&l.down.weight->parts[0].buffer),
        dev_arg_buffer(l.qkv.bias), dev_arg_buffer(l.output.bias), dev_arg_buffer(l.up.bias), dev_arg_buffer(l.down.bias),
        dev_arg_buffer(&l.qkv.norm.weight), dev_arg_buffer(&l.qkv.norm.bias), dev_arg_buffer(&l.up.norm.weight),
        dev_arg_buffer(&l.up.norm.bias), dev_arg_buffer(&cache->keys[index]), dev_arg_buffer(&cache->values[index]),
    };
    memcpy(args, layer, sizeof layer);
}

/* Layers from `first` on; where there are fewer than LAYERS left, the last fills the arguments up. */
static oclm_status add_launch(const plan *p, dev_work *work, uint32_t first)
{
    const uint32_t    left = p->state->model->weights.layer_count - first, layers = left < LAYERS ? left : LAYERS;
    const dev_buffer *progress;
    dev_arg           args[COMMON_ARGS + LAYERS * LAYER_ARGS];
    oclm_status       status = dev_work_counters(work, PROGRESS_BYTES, &progress);
    if (status != OCLM_OK)
        return status;
    cl_uint count = add_common_args(p, progress, layers, args);
    for (uint32_t i = 0; i < LAYERS; i++, count += LAYER_ARGS)
        set_layer_args(p, first + (i < layers ? i : layers - 1), args + count);
    const dev_launch launch = { .source = "decode_layers", .kernel = "decode_layers", .options = p->options.data, .dims = 1,
                                .global = { (size_t)p->cores * GROUPS_PER_CORE }, .local = { 1 }, .args = args, .arg_count = count };
    return dev_work_add(work, &launch);
}

oclm_status model_layers_add(model_state *state, dev_work *work, const model_pass_shape *shape, bool *added)
{
    dev_device  *device = state->model->device;
    plan         p = { .state = state, .cores = dev_get_traits(device)->info.compute_units, .options = CORE_TEXT_INIT };
    oclm_status  status = OCLM_OK;
    *added = false;
    if (state->step_by_step || !shape->single_rows || state->model->architecture.attention_scale_by_layer ||
        state->model->architecture.experts.routing.count > 0 ||
        state->model->architecture.norm.kind == DEV_NORM_NONE || state->model->architecture.residual != MODEL_RESIDUAL_PRE ||
        state->model->architecture.residual_scale != 1.0f || state->model->architecture.xielu || !dev_orders_groups(device))
        return OCLM_OK;
    p.products = model_pass_products(state, shape->rows, 0);
    p.attention = model_pass_attention(state, shape, 0);
    p.spans = model_attention_spans(shape->rows, shape->length_bound);
    if ((status = check_layers(&p, added)) != OCLM_OK || !*added)
        return status;
    status = write_options(&p);
    for (uint32_t first = 0; first < state->model->weights.layer_count && status == OCLM_OK; first += LAYERS)
        status = add_launch(&p, work, first);
    core_text_free(&p.options);
    return status;
}
