/* layers.c: the layers of a decoding step in few launches of cl/decode_layers.cl: where the device orders its work-groups, every row is of
 * another sequence, and the products' kernels are those of cl/matmul.cl. */
#include <string.h>

#include "model/layer_arguments.h"
#include "model/offload.h"

/* A driver may hand several groups to one core before the next has woken. */
#define GROUPS_PER_CORE 4u
#define PROGRESS_BYTES(cores) ((64 + 16 * (size_t)(cores)) * sizeof(uint32_t)) /* cl/tickets.h */
#define MOST_TILES 8u /* of rows: more are better off with launches of their own, cut along rows too */

typedef model_layer_plan plan;

/* ---- Who may share a launch */

/* All rows in one tile, or in as few as can hold them, equally full. */
static oclm_status choose_tile(plan *p, bool *good)
{
    oclm_status status = OCLM_OK;
    *good = false;
    for (uint32_t tiles = 1; tiles <= MOST_TILES && tiles <= p->rows && !*good && status == OCLM_OK; tiles++) {
        p->block = (p->rows + tiles - 1) / tiles;
        const model_products products = model_products_of(p->state, p->block, p->first);
        status = model_products_tile(p->state, &products, &p->tile, good);
    }
    return status;
}

/* The layers up to the first that is served in another way than the first of all. */
static oclm_status check_layers(plan *p, bool *good)
{
    /* Half of local memory is left to the driver. */
    *good = model_layers_local_bytes(p) <= dev_get_traits(p->state->device)->info.local_mem_bytes / 2;
    if (!*good)
        return OCLM_OK;
    oclm_status status = choose_tile(p, good);
    for (uint32_t i = 1; i < p->count && *good && status == OCLM_OK; i++) {
        const model_products products = model_products_of(p->state, p->block, p->first + i);
        dev_tile             tile;
        bool                 alike;
        status = model_products_tile(p->state, &products, &tile, &alike);
        if (!alike || strcmp(tile.options, p->tile.options) != 0)
            p->count = i;
    }
    return status;
}

static oclm_status write_options(plan *p)
{
    const dev_matmul         *all = p->products.all;
    const dev_device         *device = p->state->device;
    const model_architecture *a = model_plan_architecture(p);
    const dev_activation      activation = p->experts ? all[MODEL_TO_INNER].activation : all[MODEL_TO_UP].activation;
    char                      attention[MODEL_ATTENTION_OPTIONS], routing[DEV_ROUTING_OPTIONS], gate[DEV_GATE_OPTIONS], mixer[MODEL_MIXER_OPTIONS];
    oclm_status               status;
    model_attention_row_options(device, &p->attention.shape, attention);
    model_mixer_options(a, p->first, mixer);
    if ((status = core_text_printf(&p->options, "-cl-std=CL3.0 %s %s -DNORM=%d -DGATED=%d -DACTIVATION=%d -DSPLIT=%d -DLAYERS=%u -DMAY_STAND=%d"
                                   " -DPARALLEL=%d -DXIELU=%d -DBETWEEN=%d -DBETWEEN_NORM=%d -DLATENT=%d -DBIASES=%d%s", attention, p->tile.options,
                                   (int)all[MODEL_TO_QKV].norm.kind, p->experts || a->mlp_gated, (int)activation, p->spans > 1, p->launch_layers,
                                   p->may_stand, model_is_parallel(a), a->xielu, (int)model_between_of(a), (int)a->norm.kind,
                                   !p->latent ? 0 : a->latent.q_rank > 0 ? 2 : 1, p->biases, mixer)) != OCLM_OK)
        return status;
    if (p->mixer == MODEL_MIXER_ATTENTION && a->attention_gate &&
        (status = core_text_printf(&p->options, " -DATTENTION_GATE=1")) != OCLM_OK)
        return status;
    if ((a->layer_input.size > 0 || a->layer_scalar) &&
        (status = core_text_printf(&p->options, " -DLAYER_INPUT=%d -DLAYER_SCALAR=%d", a->layer_input.size > 0, a->layer_scalar)) != OCLM_OK)
        return status;
    if (!p->experts)
        return OCLM_OK;
    dev_routing_options(&a->experts.routing, routing);
    dev_gate_options(activation, a->experts.swiglu_alpha, a->experts.swiglu_limit, gate);
    return core_text_printf(&p->options, " -DEXPERTS=%d %s%s", a->experts.beside_mlp ? 2 : 1, routing, gate);
}

static oclm_status add_launch(const plan *p, dev_work *work, const model_pass_shape *shape, uint32_t first, uint32_t layers)
{
    const dev_buffer *progress;
    dev_arg           args[DEV_MAX_ARGS];
    oclm_status       status = dev_work_counters(work, PROGRESS_BYTES(p->cores), &progress);
    if (status != OCLM_OK)
        return status;
    const dev_launch launch = { .source = "decode_layers", .kernel = "decode_layers", .options = p->options.data, .dims = 1,
                                .global = { (size_t)p->cores * GROUPS_PER_CORE }, .local = { 1 }, .args = args,
                                .arg_count = model_layers_arguments(p, shape, progress, first, layers, args) };
    return dev_work_add(work, &launch);
}

/* Does the kernel know all that attention does here? It has one way of turning, by up to two tables. Finds a layer that is turned, if
 * any is; `all`: every one is. */
static bool suits_attention(const plan *p, uint32_t *turned, bool *all)
{
    const model_architecture *a = model_plan_architecture(p);
    const model_rope         *rope = NULL;
    *turned = p->first;
    *all = true;
    if (p->mixer != MODEL_MIXER_ATTENTION)
        return true;
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
    return !a->attention_scale_by_layer;
}

static bool has_bias(const plan *p, uint32_t layer)
{
    const model_layer   *weights = &p->state->model->weights.layers[layer];
    const model_products products = model_products_of(p->state, p->rows, layer);
    bool                 has = weights->attention_norm.bias.memory != NULL || weights->mlp_norm.bias.memory != NULL ||
                               weights->q_norm.bias.memory != NULL || weights->k_norm.bias.memory != NULL;
    for (size_t i = 0; i < MODEL_PRODUCTS; i++)
        has = has || products.all[i].bias != NULL;
    return has;
}

/* Do the kernel's steps make up such a layer? */
static bool suits_layer(const model_architecture *a, uint32_t layer, uint32_t rows)
{
    const model_experts *x = &a->experts;
    const bool           added = model_between_of(a) == MODEL_BETWEEN_ADDED, mlp_too = x->shared_width > 0 || x->beside_mlp;
    if ((a->latent.kv_rank > 0 && a->latent.norm.kind != a->norm.kind) || ((a->layer_input.size > 0 || a->layer_scalar) && !added))
        return false;
    /* More rows sort their choices, to read the weights of an expert once for all who chose it: steps of their own. */
    return !a->layer[layer].experts || (rows == 1 && x->beside_mlp == added && x->router_norm == added &&
                                        (!mlp_too || (a->mlp_gated && x->swiglu_limit == 0.0f)));
}

/* But for their windows, rotary positions, and whose cache they read. */
static bool are_alike(const model_layer_shape *one, const model_layer_shape *other)
{
    return one->mixer == other->mixer && one->experts == other->experts && one->values_are_keys == other->values_are_keys &&
           (one->cache_of > 0) == (other->cache_of > 0) && one->head_dim == other->head_dim && one->kv_heads == other->kv_heads &&
           one->intermediate_size == other->intermediate_size;
}

/* Layers from `first` on that are of one form: as many as may share kernels. */
static uint32_t alike_from(const model_architecture *a, uint32_t first, uint32_t count, uint32_t rows)
{
    uint32_t alike = 0;
    while (alike < count && suits_layer(a, first + alike, rows) && are_alike(&a->layer[first], &a->layer[first + alike]))
        alike++;
    return alike;
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

oclm_status model_layers_add(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t first, uint32_t count, uint32_t *added)
{
    const model_architecture *a = &state->model->architecture;
    const bool   attention = a->layer[first].mixer == MODEL_MIXER_ATTENTION;
    plan         p = { .state = state, .first = first, .count = alike_from(a, first, count, shape->rows), .rows = shape->rows,
                       .mixer = (model_mixer)a->layer[first].mixer, .latent = attention && a->latent.kv_rank > 0, .experts = a->layer[first].experts,
                       .cores = dev_get_traits(state->device)->info.compute_units, .spans = 1, .options = CORE_TEXT_INIT };
    oclm_status  status = OCLM_OK;
    uint32_t     turned;
    bool         all_turned, good;
    *added = 0;
    if (p.count == 0 || state->step_by_step || !shape->single_rows || !suits_attention(&p, &turned, &all_turned) || !dev_orders_groups(state->device))
        return OCLM_OK;
    p.products = model_products_of(state, shape->rows, first);
    p.attention = model_pass_attention(state, shape, turned);
    p.may_stand = p.attention.shape.rotary_dims > 0 && !all_turned;
    if (attention)
        p.spans = model_attention_spans(shape->rows, shape->length_bound);
    if ((status = check_layers(&p, &good)) != OCLM_OK || !good)
        return status;
    for (uint32_t i = first; i < first + p.count; i++)
        p.biases = p.biases || has_bias(&p, i);
    p.launch_layers = model_layers_of_launch(&p, shape);
    if ((status = write_options(&p)) == OCLM_OK)
        status = add_launches(&p, work, shape);
    core_text_free(&p.options);
    if (status == OCLM_OK)
        *added = p.count;
    return status;
}
