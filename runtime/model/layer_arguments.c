/* layer_arguments.c: the arguments of cl/decode_layers.cl, in its order: first what all layers share, then each layer's own
 * (cl/layer_arguments.h). */
#include "model/layer_arguments.h"

#include <assert.h>

#define MOST_ARGUMENT_BYTES 1024u /* of a kernel: so many every device takes */

typedef model_layer_plan plan;

typedef struct arguments {
    dev_arg *all; /* [DEV_MAX_ARGS] */
    cl_uint  count;
} arguments;

static void put(arguments *to, dev_arg arg)
{
    assert(to->count < DEV_MAX_ARGS);
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

static void put_units(arguments *to, const plan *p, model_product_name name)
{
    put_u32(to, model_product_units(model_plan_architecture(p), &p->products, name, &p->tile));
}

size_t model_layers_local_bytes(const plan *p)
{
    const dev_routing *r = &model_plan_architecture(p)->experts.routing;
    const size_t       rows = (size_t)p->rows * model_products_columns(&p->products) * sizeof(float);
    const size_t       routing = p->experts ? (3 * (size_t)r->count + r->groups) * sizeof(float) : 0;
    return rows > routing ? rows : routing;
}

static uint32_t columns_of(const plan *p, model_product_name name)
{
    const dev_matrix *weight = p->products.all[name].weight;
    return weight != NULL ? weight->columns : 0;
}

/* ---- What all layers share */

static void put_mixer(arguments *to, const plan *p)
{
    const model_state     *s = p->state;
    const model_delta_net *d = &model_plan_architecture(p)->delta_net;
    put_rows(to, &s->mixed, s->mixed_stride);
    put_buffer(to, &s->cache.recurrent.reached);
    put_u32(to, model_mix_channels(model_plan_architecture(p), p->first));
    put_u32(to, d->key_heads);
    put_u32(to, d->value_heads);
    put_u32(to, d->value_dim);
    put_u32(to, model_delta_share(d));
}

static void put_latent(arguments *to, const plan *p)
{
    const model_latent_state *s = &p->state->latent;
    const model_latent       *m = &model_plan_architecture(p)->latent;
    put_rows(to, &s->rows, s->stride);
    put_rows(to, &s->kv, s->kv_stride);
    put_u32(to, m->q_rank);
    put_u32(to, m->kv_rank);
    put_u32(to, m->nope_dim);
    put_u32(to, m->rope_dim);
    put_u32(to, m->value_dim);
    put_f32(to, m->norm.eps);
    put_units(to, p, MODEL_TO_LATENT);
    put_units(to, p, MODEL_TO_HEADS_KV);
}

static void put_experts(arguments *to, const plan *p)
{
    const model_expert_state *s = &p->state->experts;
    const dev_routing        *r = &model_plan_architecture(p)->experts.routing;
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
    put_units(to, p, MODEL_TO_LOGITS);
    put_units(to, p, MODEL_TO_SHARED_GATE);
    put_units(to, p, MODEL_TO_INNER);
    put_units(to, p, MODEL_TO_OUTER);
}

static void put_input(arguments *to, const plan *p)
{
    const model_layer_input_state *s = &p->state->inputs;
    put_rows(to, &s->made, s->made_stride);
    put_u32(to, s->made_stride / model_plan_architecture(p)->layers);
    put_rows(to, &s->found, s->found_stride);
    put_u32(to, model_plan_architecture(p)->layer_input.size);
    put_units(to, p, MODEL_TO_INPUT_GATE);
    put_units(to, p, MODEL_TO_INPUT_OUT);
}

static void put_common(arguments *to, const plan *p, const dev_buffer *progress, uint32_t layers)
{
    const model_state        *s = p->state;
    const model_architecture *a = model_plan_architecture(p);
    const model_attention    *attention = &p->attention;
    const model_cache        *cache = attention->cache;
    put_buffer(to, progress);
    put_u32(to, p->rows);
    put_u32(to, p->cores);
    put_u32(to, layers);
    put(to, dev_arg_local(model_layers_local_bytes(p)));
    put_rows(to, &s->hidden, s->hidden_stride);
    put_rows(to, &s->qkv, s->qkv_stride);
    put_rows(to, &s->attention_out, s->attention_stride);
    put_rows(to, &s->mlp, s->mlp_stride);
    put_u32(to, a->hidden_size);
    put_u32(to, columns_of(p, MODEL_TO_OUTPUT));
    put_u32(to, columns_of(p, MODEL_TO_DOWN));
    put_units(to, p, MODEL_TO_QKV);
    put_units(to, p, MODEL_TO_OUTPUT);
    put_units(to, p, MODEL_TO_UP);
    put_units(to, p, MODEL_TO_DOWN);
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
    if (p->mixer != MODEL_MIXER_ATTENTION)
        put_mixer(to, p);
    else if (a->attention_gate)
        put_u32(to, model_qkv_width(a, p->first) - a->heads * model_head_dim(a, p->first)); /* they are last */
    if (p->latent)
        put_latent(to, p);
    if (p->experts)
        put_experts(to, p);
    if (a->layer_input.size > 0)
        put_input(to, p);
}

/* ---- Each layer's own */

/* The kernel's `look`: the window, whether by the rings' page table, and in the highest bits by which rotary positions. */
static uint32_t look_of(const model_architecture *a, const model_cache *cache, const model_attention *attention, uint32_t layer)
{
    const uint32_t rope = model_rope_of(a, layer) == NULL ? 2u : a->layer[layer].rope == MODEL_ROPE_SECOND ? 1u : 0u;
    const uint32_t ring = model_cache_table(cache, attention->layer) != &cache->table;
    return model_attention_window(&attention->shape) | ring << 29 | rope << 30;
}

static void put_weight(arguments *to, const model_products *products, model_product_name name)
{
    const dev_matrix *weight = products->all[name].weight;
    put_buffer(to, weight != NULL ? &weight->parts[0].buffer : NULL);
}

/* What attention has for itself. */
static void put_attention(arguments *to, const plan *p, const model_pass_shape *shape, uint32_t index)
{
    const model_attention a = model_pass_attention(p->state, shape, index);
    const model_cache    *cache = &p->state->cache;
    put_buffer(to, &cache->keys[a.layer]);
    put_buffer(to, &cache->values[a.layer]);
    put_u32(to, look_of(model_plan_architecture(p), cache, &a, index));
    if (a.shape.sinks)
        put_buffer(to, a.sinks);
    if (a.shape.qk_norm != MODEL_QK_NORM_NONE) {
        put_buffer(to, &a.q_norm->weight);
        put_buffer(to, &a.k_norm->weight);
    }
    if (a.shape.qk_norm != MODEL_QK_NORM_NONE && p->biases) {
        put_buffer(to, &a.q_norm->bias);
        put_buffer(to, &a.k_norm->bias);
    }
}

/* What layers without it have. */
static void put_layer_mixer(arguments *to, const plan *p, uint32_t index)
{
    const model_mixer_weights *w = &p->state->model->weights.layers[index].mixer;
    const model_recurrent     *states = &p->state->cache.recurrent;
    put_buffer(to, &w->conv);
    put_buffer(to, &w->conv_bias);
    put_buffer(to, &states->tails[index]);
    if (p->mixer != MODEL_MIXER_DELTA_NET)
        return;
    put_buffer(to, &states->memories[index]);
    put_buffer(to, &w->rate);
    put_buffer(to, &w->dt);
    put_buffer(to, &w->norm);
}

static void put_layer_latent(arguments *to, const plan *p, const model_products *products, const model_layer *weights)
{
    put_weight(to, products, MODEL_TO_LATENT);
    put_weight(to, products, MODEL_TO_HEADS_KV);
    put_buffer(to, &weights->latent_q_norm.weight);
    put_buffer(to, &weights->latent_kv_norm.weight);
    if (p->biases)
        put_buffer(to, products->all[MODEL_TO_LATENT].bias);
}

static void put_layer_experts(arguments *to, const plan *p, const model_products *products, const model_expert_weights *w)
{
    put_weight(to, products, MODEL_TO_LOGITS);
    put_weight(to, products, MODEL_TO_SHARED_GATE);
    put_weight(to, products, MODEL_TO_INNER);
    put_weight(to, products, MODEL_TO_OUTER);
    put_buffer(to, &w->correction);
    put_buffer(to, &w->counts);
    if (p->biases) {
        put_buffer(to, products->all[MODEL_TO_LOGITS].bias);
        put_buffer(to, products->all[MODEL_TO_INNER].bias);
        put_buffer(to, products->all[MODEL_TO_OUTER].bias);
    }
    if (model_plan_architecture(p)->experts.beside_mlp) {
        put_buffer(to, &w->norm.weight);
        put_buffer(to, &w->router_norm.weight);
        put_buffer(to, &w->post_dense_norm.weight);
        put_buffer(to, &w->post_norm.weight);
    }
}

static void put_layer(arguments *to, const plan *p, const model_pass_shape *shape, uint32_t index)
{
    static const model_product_name first[] = { MODEL_TO_QKV, MODEL_TO_OUTPUT, MODEL_TO_UP, MODEL_TO_DOWN };
    const model_architecture *a = model_plan_architecture(p);
    const model_products      products = model_products_of(p->state, p->rows, index);
    const model_layer        *weights = &p->state->model->weights.layers[index];
    const dev_norm           *attention_norm = &weights->attention_norm;
    const dev_norm           *mlp_norm = model_has_norm(a, MODEL_MLP_NORM) ? &weights->mlp_norm : attention_norm;
    for (size_t i = 0; i < COUNT(first); i++)
        put_weight(to, &products, first[i]);
    put_buffer(to, &attention_norm->weight);
    put_buffer(to, &mlp_norm->weight);
    for (size_t i = 0; i < COUNT(first) && p->biases; i++)
        put_buffer(to, products.all[first[i]].bias);
    if (p->biases) {
        put_buffer(to, &attention_norm->bias);
        put_buffer(to, &mlp_norm->bias);
    }
    if (p->mixer == MODEL_MIXER_ATTENTION)
        put_attention(to, p, shape, index);
    else
        put_layer_mixer(to, p, index);
    if (model_between_of(a) == MODEL_BETWEEN_ADDED) {
        put_buffer(to, &weights->post_attention_norm.weight);
        put_buffer(to, &weights->post_mlp_norm.weight);
    }
    if (a->xielu)
        put_buffer(to, &weights->xielu);
    if (a->layer_scalar)
        put_f32(to, weights->scalar);
    if (p->latent)
        put_layer_latent(to, p, &products, weights);
    if (p->experts)
        put_layer_experts(to, p, &products, &weights->experts);
    if (a->layer_input.size > 0) {
        put_weight(to, &products, MODEL_TO_INPUT_GATE);
        put_weight(to, &products, MODEL_TO_INPUT_OUT);
        put_buffer(to, &weights->post_input_norm.weight);
        put_u32(to, index);
    }
}

/* ---- All of them */

static size_t bytes_of(const arguments *a)
{
    size_t bytes = 0;
    for (cl_uint i = 0; i < a->count; i++)
        bytes += a->all[i].kind == DEV_ARG_U32 || a->all[i].kind == DEV_ARG_F32 ? 4 : 8;
    return bytes;
}

uint32_t model_layers_of_launch(const plan *p, const model_pass_shape *shape)
{
    dev_arg   room_for[2][DEV_MAX_ARGS];
    arguments common = { room_for[0], 0 }, layer = { room_for[1], 0 };
    put_common(&common, p, NULL, 1);
    put_layer(&layer, p, shape, p->first);
    const size_t taken = bytes_of(&common) + 8;
    assert(taken < MOST_ARGUMENT_BYTES);
    const size_t by_bytes = (MOST_ARGUMENT_BYTES - taken) / ((bytes_of(&layer) + 7) / 8 * 8);
    const size_t by_count = (DEV_MAX_ARGS - common.count) / layer.count, most = by_bytes < by_count ? by_bytes : by_count;
    assert(most > 0);
    return most < MODEL_LAUNCH_LAYERS ? (uint32_t)most : MODEL_LAUNCH_LAYERS;
}

cl_uint model_layers_arguments(const plan *p, const model_pass_shape *shape, const dev_buffer *progress, uint32_t first, uint32_t layers, dev_arg *args)
{
    arguments to = { args, 0 };
    put_common(&to, p, progress, layers);
    for (uint32_t i = 0; i < p->launch_layers; i++)
        put_layer(&to, p, shape, first + (i < layers ? i : layers - 1));
    return to.count;
}
