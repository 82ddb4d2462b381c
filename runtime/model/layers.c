/* layers.c: the layers of a decoding step in few launches of cl/decode_layers.cl: where the device orders its work-groups, every row is of
 * another sequence, and the products' kernels are those of cl/matmul.cl. */
#include <assert.h>
#include <string.h>

#include "core/text.h"
#include "model/layer_products.h"
#include "model/offload.h"

#define MOST_LAYERS 6u         /* of a launch, as in the kernel */
#define MOST_LAYER_ARGS 40u
#define MOST_COMMON_ARGS 80u
#define MOST_ARGUMENT_BYTES 1024u /* of a kernel: so many every device takes */
/* A driver may hand several groups to one core before the next has woken. */
#define GROUPS_PER_CORE 4u
#define PROGRESS_BYTES (48 * sizeof(uint32_t))
#define MOST_TILES 8u /* of rows: more are better off with launches of their own, cut along rows too */

/* Layers alike, but for their weights and caches. */
typedef struct plan {
    const model_state    *state;
    uint32_t              first, count;
    uint32_t              rows;
    bool                  experts;   /* they have */
    bool                  half;      /* only the MLP or the experts: what comes before is recorded already */
    model_products        products;  /* of the first */
    model_attention       attention; /* of the first that turns, if any does */
    dev_tile              tile;
    uint32_t              block;     /* rows that a tile takes, all but the last */
    uint32_t              cores, spans;
    uint32_t              launch_layers; /* layers of a launch */
    bool                  may_stand; /* some layers turn queries and keys, some do not */
    core_text             options;
} plan;

static const model_architecture *architecture_of(const plan *p) { return &p->state->model->architecture; }

/* ---- Arguments */

typedef struct arguments {
    dev_arg all[MOST_COMMON_ARGS + MOST_LAYERS * MOST_LAYER_ARGS];
    cl_uint count;
} arguments;

static void put(arguments *to, dev_arg arg)
{
    assert(to->count < COUNT(to->all));
    to->all[to->count++] = arg;
}

static void put_buffer(arguments *to, const dev_buffer *buffer) { put(to, dev_arg_buffer(buffer)); }
static void put_u32(arguments *to, uint32_t value) { put(to, dev_arg_u32(value)); }
static void put_f32(arguments *to, float value) { put(to, dev_arg_f32(value)); }

/* A row, and where the next one is. */
static void put_rows(arguments *to, const dev_buffer *buffer, uint32_t stride)
{
    put_buffer(to, buffer);
    put_u32(to, stride);
}

/* In how many pieces the kernel cuts so many units: piece_of() there. */
static uint32_t tickets_for(uint32_t units, uint32_t cores)
{
    uint32_t tickets = 0;
    for (uint32_t size; (size = units / (2 * cores)) > 1; tickets += cores)
        units -= cores * size;
    return tickets + units;
}

/* `slots`: how many experts each row has. */
static void put_units(arguments *to, const plan *p, model_product_name name, uint32_t slots)
{
    const uint32_t units = model_product_units(architecture_of(p), &p->products, name, &p->tile);
    put_u32(to, units);
    put_u32(to, tickets_for(slots * units, p->cores));
}

static size_t local_bytes(const plan *p)
{
    const dev_routing *r = &architecture_of(p)->experts.routing;
    const size_t       rows = (size_t)p->rows * model_products_columns(&p->products) * sizeof(float);
    const size_t       routing = p->experts ? (3 * (size_t)r->count + r->groups) * sizeof(float) : 0;
    return rows > routing ? rows : routing;
}

static uint32_t columns_of(const plan *p, model_product_name name)
{
    const dev_matrix *weight = p->products.all[name].weight;
    return weight != NULL ? weight->columns : 0;
}

static void put_latent(arguments *to, const plan *p)
{
    const model_latent_state *s = &p->state->latent;
    const model_latent       *m = &architecture_of(p)->latent;
    put_rows(to, &s->rows, s->stride);
    put_rows(to, &s->kv, s->kv_stride);
    put_u32(to, m->q_rank);
    put_u32(to, m->kv_rank);
    put_u32(to, m->nope_dim);
    put_u32(to, m->rope_dim);
    put_u32(to, m->value_dim);
    put_f32(to, m->norm.eps);
    put_units(to, p, MODEL_TO_LATENT, 1);
    put_units(to, p, MODEL_TO_HEADS_KV, 1);
}

static void put_experts(arguments *to, const plan *p)
{
    const model_expert_state *s = &p->state->experts;
    const dev_routing        *r = &architecture_of(p)->experts.routing;
    put_buffer(to, &s->logits);
    put_buffer(to, &s->routes.ids);
    put_buffer(to, &s->routes.weights);
    put_rows(to, &s->inner, s->width_stride);
    put_buffer(to, &s->outer);
    put_buffer(to, &s->shared);
    put_buffer(to, &s->gate);
    put_u32(to, r->count);
    put_u32(to, r->chosen);
    put_u32(to, r->groups);
    put_u32(to, r->groups_chosen);
    put_f32(to, r->eps);
    put_f32(to, r->scale);
    put_u32(to, columns_of(p, MODEL_TO_OUTER));
    put_units(to, p, MODEL_TO_LOGITS, 1);
    put_units(to, p, MODEL_TO_SHARED_GATE, 1);
    put_units(to, p, MODEL_TO_INNER, r->chosen);
    put_units(to, p, MODEL_TO_OUTER, r->chosen);
}

static void put_common(arguments *to, const plan *p, const dev_buffer *progress, uint32_t layers)
{
    const model_state        *s = p->state;
    const model_architecture *a = architecture_of(p);
    const model_attention    *attention = &p->attention;
    const model_cache        *cache = attention->cache;
    put_buffer(to, progress);
    put_u32(to, p->rows);
    put_u32(to, p->cores);
    put_u32(to, layers);
    put(to, dev_arg_local(local_bytes(p)));
    put_rows(to, &s->hidden, s->hidden_stride);
    put_rows(to, &s->qkv, s->qkv_stride);
    put_rows(to, &s->attention_out, s->attention_stride);
    put_rows(to, &s->mlp, s->mlp_stride);
    put_u32(to, a->hidden_size);
    put_u32(to, columns_of(p, MODEL_TO_OUTPUT));
    put_u32(to, columns_of(p, MODEL_TO_DOWN));
    put_units(to, p, MODEL_TO_QKV, 1);
    put_units(to, p, MODEL_TO_OUTPUT, 1);
    put_units(to, p, MODEL_TO_UP, 1);
    put_units(to, p, MODEL_TO_DOWN, 1);
    put_buffer(to, &s->branch);
    put_f32(to, a->residual_scale);
    put_f32(to, a->norm.eps);
    put_buffer(to, &cache->table);
    put_buffer(to, cache->ring.pages > 0 ? &cache->ring.table : NULL);
    put_u32(to, cache->pages_per_sequence);
    put_buffer(to, attention->positions);
    put_buffer(to, attention->sequences);
    put_buffer(to, &s->cos_table[0]);
    put_buffer(to, &s->sin_table[0]);
    put_buffer(to, &s->cos_table[1]);
    put_buffer(to, &s->sin_table[1]);
    put_buffer(to, attention->growth);
    put_buffer(to, attention->slopes);
    put_f32(to, attention->shape.scale);
    put_u32(to, p->spans);
    put_buffer(to, attention->partial);
    if (a->latent.kv_rank > 0)
        put_latent(to, p);
    if (p->experts)
        put_experts(to, p);
}

/* The kernel's `look`: the window, whether by the rings' page table, and in the highest bits by which rotary positions. */
static uint32_t look_of(const model_architecture *a, const model_cache *cache, const model_attention_shape *shape, uint32_t layer)
{
    const uint32_t rope = model_rope_of(a, layer) == NULL ? 2u : a->layer[layer].rope == MODEL_ROPE_SECOND ? 1u : 0u;
    const uint32_t ring = model_cache_table(cache, layer) != &cache->table;
    return model_attention_window(shape) | ring << 29 | rope << 30;
}

static void put_weight(arguments *to, const model_products *products, model_product_name name)
{
    const dev_matrix *weight = products->all[name].weight;
    put_buffer(to, weight != NULL ? &weight->parts[0].buffer : NULL);
}

static void put_layer_experts(arguments *to, const model_products *products, const model_expert_weights *w)
{
    put_weight(to, products, MODEL_TO_LOGITS);
    put_weight(to, products, MODEL_TO_SHARED_GATE);
    put_weight(to, products, MODEL_TO_INNER);
    put_weight(to, products, MODEL_TO_OUTER);
    put_buffer(to, products->all[MODEL_TO_LOGITS].bias);
    put_buffer(to, products->all[MODEL_TO_INNER].bias);
    put_buffer(to, products->all[MODEL_TO_OUTER].bias);
    put_buffer(to, &w->correction);
    put_buffer(to, &w->counts);
}

static void put_layer(arguments *to, const plan *p, const model_pass_shape *shape, uint32_t index)
{
    static const model_product_name first[] = { MODEL_TO_QKV, MODEL_TO_OUTPUT, MODEL_TO_UP, MODEL_TO_DOWN };
    const model_architecture *arch = architecture_of(p);
    const model_products      products = model_products_of(p->state, p->rows, index);
    const model_attention     a = model_pass_attention(p->state, shape, index);
    const model_cache        *cache = &p->state->cache;
    const model_layer        *weights = &p->state->model->weights.layers[index];
    const dev_norm           *attention_norm = &weights->attention_norm;
    const dev_norm           *mlp_norm = model_has_norm(arch, MODEL_MLP_NORM) ? &weights->mlp_norm : attention_norm;
    for (size_t i = 0; i < COUNT(first); i++)
        put_weight(to, &products, first[i]);
    for (size_t i = 0; i < COUNT(first); i++)
        put_buffer(to, products.all[first[i]].bias);
    put_buffer(to, &attention_norm->weight);
    put_buffer(to, &attention_norm->bias);
    put_buffer(to, &mlp_norm->weight);
    put_buffer(to, &mlp_norm->bias);
    put_buffer(to, &cache->keys[index]);
    put_buffer(to, &cache->values[index]);
    put_u32(to, look_of(arch, cache, &a.shape, index));
    if (a.shape.sinks)
        put_buffer(to, a.sinks);
    if (a.shape.qk_norm != MODEL_QK_NORM_NONE) {
        put_buffer(to, &a.q_norm->weight);
        put_buffer(to, &a.k_norm->weight);
    }
    if (model_between_of(arch) == MODEL_BETWEEN_ADDED) {
        put_buffer(to, &weights->post_attention_norm.weight);
        put_buffer(to, &weights->post_mlp_norm.weight);
    }
    if (arch->xielu)
        put_buffer(to, &weights->xielu);
    if (arch->latent.kv_rank > 0) {
        put_weight(to, &products, MODEL_TO_LATENT);
        put_weight(to, &products, MODEL_TO_HEADS_KV);
        put_buffer(to, products.all[MODEL_TO_LATENT].bias);
        put_buffer(to, &weights->latent_q_norm.weight);
        put_buffer(to, &weights->latent_kv_norm.weight);
    }
    if (p->experts)
        put_layer_experts(to, &products, &weights->experts);
}

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
    *good = local_bytes(p) <= dev_get_traits(p->state->device)->info.local_mem_bytes / 2;
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
    const model_architecture *a = architecture_of(p);
    const dev_activation      activation = p->experts ? all[MODEL_TO_INNER].activation : all[MODEL_TO_UP].activation;
    char                      attention[MODEL_ATTENTION_OPTIONS], routing[DEV_ROUTING_OPTIONS], gate[DEV_GATE_OPTIONS];
    model_attention_row_options(device, &p->attention.shape, attention);
    oclm_status status = core_text_printf(&p->options, "-cl-std=CL3.0 %s %s -DNORM=%d -DGATED=%d -DACTIVATION=%d -DSPLIT=%d -DLAYERS=%u -DMAY_STAND=%d"
                                          " -DPARALLEL=%d -DXIELU=%d -DBETWEEN=%d -DBETWEEN_NORM=%d -DLATENT=%d -DSECOND_HALF=%d",
                                          attention, p->tile.options, (int)all[MODEL_TO_QKV].norm.kind, p->experts || a->mlp_gated, (int)activation,
                                          p->spans > 1, p->launch_layers, p->may_stand, model_is_parallel(a), a->xielu,
                                          (int)model_between_of(a), (int)a->norm.kind, a->latent.kv_rank == 0 ? 0 : a->latent.q_rank > 0 ? 2 : 1, p->half);
    if (status != OCLM_OK || !p->experts)
        return status;
    dev_routing_options(&a->experts.routing, routing);
    dev_gate_options(activation, a->experts.swiglu_alpha, a->experts.swiglu_limit, gate);
    return core_text_printf(&p->options, " -DEXPERTS=1 %s%s", routing, gate);
}

/* Layers from `first` on; where they are fewer than a launch takes, the last fills the arguments up. */
static oclm_status add_launch(const plan *p, dev_work *work, const model_pass_shape *shape, uint32_t first, uint32_t layers)
{
    const dev_buffer *progress;
    arguments         to = { .count = 0 };
    oclm_status       status = dev_work_counters(work, PROGRESS_BYTES, &progress);
    if (status != OCLM_OK)
        return status;
    put_common(&to, p, progress, layers);
    for (uint32_t i = 0; i < p->launch_layers; i++)
        put_layer(&to, p, shape, first + (i < layers ? i : layers - 1));
    const dev_launch launch = { .source = "decode_layers", .kernel = "decode_layers", .options = p->options.data, .dims = 1,
                                .global = { (size_t)p->cores * GROUPS_PER_CORE }, .local = { 1 }, .args = to.all, .arg_count = to.count };
    return dev_work_add(work, &launch);
}

/* Does the kernel know all that attention does here? It has one way of turning, by up to two tables. Finds a layer that is turned, if
 * any is; `all`: every one is. */
static bool suits_attention(const plan *p, uint32_t *turned, bool *all)
{
    const model_architecture *a = architecture_of(p);
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

static size_t bytes_of(const arguments *a)
{
    size_t bytes = 0;
    for (cl_uint i = 0; i < a->count; i++)
        bytes += a->all[i].kind == DEV_ARG_U32 || a->all[i].kind == DEV_ARG_F32 ? 4 : 8;
    return bytes;
}

/* As many layers as the arguments have room for. */
static void plan_launches(plan *p, const model_pass_shape *shape)
{
    arguments common = { .count = 0 }, layer = { .count = 0 };
    put_common(&common, p, NULL, 1);
    put_layer(&layer, p, shape, p->first);
    const size_t   each = (bytes_of(&layer) + 7) / 8 * 8;
    const uint32_t room = (uint32_t)((MOST_ARGUMENT_BYTES - 8 - bytes_of(&common)) / each);
    p->launch_layers = room < MOST_LAYERS ? room : MOST_LAYERS;
}

/* Do the kernel's steps make up the second half of such a layer? */
static bool suits_half(const model_architecture *a, uint32_t layer, uint32_t rows)
{
    const model_experts *x = &a->experts;
    if (a->layer_input.size > 0 || a->layer_scalar || a->norm.kind == DEV_NORM_NONE)
        return false;
    /* More rows sort their choices, to read the weights of an expert once for all who chose it: steps of their own. */
    return !a->layer[layer].experts || (rows == 1 && !x->beside_mlp && !x->router_norm &&
                                        (x->shared_width == 0 || (a->mlp_gated && x->swiglu_limit == 0.0f)));
}

/* And all of it? */
static bool suits_layer(const model_architecture *a, uint32_t layer, uint32_t rows)
{
    const model_layer_shape *own = &a->layer[layer];
    if (own->mixer != MODEL_MIXER_ATTENTION || own->values_are_keys || own->cache_of > 0 || own->head_dim > 0 || own->kv_heads > 0 ||
        own->intermediate_size > 0 || a->attention_gate || (a->latent.kv_rank > 0 && a->latent.norm.kind != a->norm.kind))
        return false;
    return suits_half(a, layer, rows);
}

/* Layers from `first` on that are of one form: as many as may share kernels. */
static uint32_t alike_from(const model_architecture *a, uint32_t first, uint32_t count, uint32_t rows)
{
    uint32_t alike = 0;
    while (alike < count && suits_layer(a, first + alike, rows) && a->layer[first + alike].experts == a->layer[first].experts)
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
    dev_device  *device = state->device;
    plan         p = { .state = state, .first = first, .count = alike_from(a, first, count, shape->rows), .rows = shape->rows,
                       .experts = a->layer[first].experts, .cores = dev_get_traits(device)->info.compute_units, .options = CORE_TEXT_INIT };
    oclm_status  status = OCLM_OK;
    uint32_t     turned;
    bool         all_turned, good;
    *added = 0;
    if (p.count == 0 || state->step_by_step || !shape->single_rows || !suits_attention(&p, &turned, &all_turned) || !dev_orders_groups(device))
        return OCLM_OK;
    p.products = model_products_of(state, shape->rows, first);
    p.attention = model_pass_attention(state, shape, turned);
    p.may_stand = p.attention.shape.rotary_dims > 0 && !all_turned;
    p.spans = model_attention_spans(shape->rows, shape->length_bound);
    if ((status = check_layers(&p, &good)) != OCLM_OK || !good)
        return status;
    plan_launches(&p, shape);
    if ((status = write_options(&p)) == OCLM_OK)
        status = add_launches(&p, work, shape);
    core_text_free(&p.options);
    if (status == OCLM_OK)
        *added = p.count;
    return status;
}

oclm_status model_half_add(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t layer, bool *added)
{
    const model_architecture *a = &state->model->architecture;
    dev_device  *device = state->device;
    plan         p = { .state = state, .first = layer, .count = 1, .rows = shape->rows, .experts = a->layer[layer].experts, .half = true,
                       .cores = dev_get_traits(device)->info.compute_units, .spans = 1, .options = CORE_TEXT_INIT };
    oclm_status  status = OCLM_OK;
    *added = false;
    if (state->step_by_step || !shape->single_rows || !suits_half(a, layer, shape->rows) || model_is_parallel(a) ||
        model_between_of(a) != MODEL_BETWEEN_NOTHING || a->latent.kv_rank > 0 || !dev_orders_groups(device))
        return OCLM_OK;
    p.products = model_products_of(state, shape->rows, layer);
    p.attention = model_pass_attention(state, shape, layer);
    if ((status = check_layers(&p, added)) != OCLM_OK || !*added)
        return status;
    p.launch_layers = 1;
    if ((status = write_options(&p)) == OCLM_OK)
        status = add_launch(&p, work, shape, layer, 1);
    core_text_free(&p.options);
    return status;
}
