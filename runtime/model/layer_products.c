/* layer_products.c: the order of a layer, and what it multiplies by: weights, what they read and where it goes. */
#include "model/layer_products.h"

/* ---- The order of a layer (model_residual) */

model_between model_between_of(const model_architecture *a)
{
    switch (a->residual) {
    case MODEL_RESIDUAL_POST: case MODEL_RESIDUAL_SANDWICH: return MODEL_BETWEEN_ADDED;
    case MODEL_RESIDUAL_POST_SUM: return MODEL_BETWEEN_AFTER;
    case MODEL_RESIDUAL_NORMED: return MODEL_BETWEEN_BEFORE;
    case MODEL_RESIDUAL_PRE: case MODEL_RESIDUAL_PARALLEL: case MODEL_RESIDUAL_PARALLEL_ONE: break;
    }
    return MODEL_BETWEEN_NOTHING;
}

bool model_is_parallel(const model_architecture *a)
{
    return a->residual == MODEL_RESIDUAL_PARALLEL || a->residual == MODEL_RESIDUAL_PARALLEL_ONE;
}

/* Does a norm of the stream ride on the products that read it? */
static bool norms_ride(const model_architecture *a)
{
    return model_between_of(a) != MODEL_BETWEEN_AFTER && model_between_of(a) != MODEL_BETWEEN_BEFORE;
}

/* ---- The products that every layer has */

dev_matmul model_product(const model_state *state, uint32_t rows, const dev_matrix *weight, const dev_buffer *bias)
{
    const model_architecture *a = &state->model->architecture;
    return (dev_matmul){ .weight = weight, .bias = bias != NULL ? model_optional(bias) : NULL, .rows = rows, .scratch = &state->scratch,
                         .scratch_floats = state->scratch_floats, .siblings = { a->norm.kind, a->mlp_gated, a->activation } };
}

static dev_matmul qkv_product(const model_state *state, uint32_t rows, const model_layer *layer)
{
    dev_matmul m = model_product(state, rows, &layer->qkv, &layer->qkv_bias);
    if (norms_ride(&state->model->architecture))
        m.norm = layer->attention_norm;
    m.x = &state->hidden, m.x_stride = state->hidden_stride;
    m.y = &state->qkv, m.y_stride = state->qkv_stride;
    m.epilogue = DEV_STORE;
    return m;
}

/* The product that ends a half of a layer: to the stream, or to where it is normalised. */
static void end_half(const model_state *state, dev_matmul *m)
{
    const bool aside = model_between_of(&state->model->architecture) == MODEL_BETWEEN_ADDED;
    m->y = aside ? &state->branch : &state->hidden, m->y_stride = state->hidden_stride;
    m->epilogue = aside ? DEV_STORE : DEV_ADD;
    m->add_scale = state->model->architecture.residual_scale;
}

static dev_matmul output_product(const model_state *state, uint32_t rows, const model_layer *layer)
{
    dev_matmul m = model_product(state, rows, &layer->output, &layer->output_bias);
    if (layer->latent.part_count > 0)
        m.x = &state->latent.kv, m.x_stride = state->latent.kv_stride;
    else
        m.x = &state->attention_out, m.x_stride = state->attention_stride;
    end_half(state, &m);
    return m;
}

static dev_matmul up_product(const model_state *state, uint32_t rows, const model_layer *layer)
{
    const model_architecture *a = &state->model->architecture;
    dev_matmul                m = model_product(state, rows, &layer->up, &layer->up_bias);
    if (norms_ride(a))
        m.norm = a->residual == MODEL_RESIDUAL_PARALLEL_ONE ? layer->attention_norm : layer->mlp_norm;
    m.x = &state->hidden, m.x_stride = state->hidden_stride;
    m.y = &state->mlp, m.y_stride = state->mlp_stride;
    m.epilogue = a->mlp_gated ? DEV_GATED : DEV_STORE;
    m.activation = a->xielu ? DEV_ACT_NONE : a->activation;
    return m;
}

static dev_matmul down_product(const model_state *state, uint32_t rows, const model_layer *layer)
{
    dev_matmul m = model_product(state, rows, &layer->down, &layer->down_bias);
    m.x = &state->mlp, m.x_stride = state->mlp_stride;
    end_half(state, &m);
    return m;
}

model_layer_products model_pass_products(const model_state *state, uint32_t rows, uint32_t index)
{
    const model_layer *layer = &state->model->weights.layers[index];
    return (model_layer_products){ qkv_product(state, rows, layer), output_product(state, rows, layer), up_product(state, rows, layer),
                                   down_product(state, rows, layer) };
}

/* ---- All that a layer may have, by name */

/* What reads the stream normalises it here, where steps that are launches of their own do it once for all. */
static void take_norm(const model_state *state, dev_matmul *m, const dev_norm *norm)
{
    m->norm = *norm;
    m->x = &state->hidden;
}

static dev_matmul of_experts(const dev_expert_matmul *m)
{
    return (dev_matmul){ .weight = m->weight, .bias = m->bias, .x = m->x, .x_stride = m->x_stride, .y = m->y, .y_stride = m->y_stride, .rows = m->rows,
                         .epilogue = m->epilogue, .activation = m->activation };
}

static void add_experts(const model_state *state, uint32_t rows, uint32_t layer, dev_matmul *all)
{
    const bool                  beside = state->model->architecture.experts.beside_mlp;
    const model_layer          *l = &state->model->weights.layers[layer];
    const model_expert_products p = model_expert_products_of(state, rows, layer);
    all[MODEL_TO_LOGITS] = p.router;
    all[MODEL_TO_INNER] = of_experts(&p.up);
    all[MODEL_TO_OUTER] = of_experts(&p.down);
    take_norm(state, &all[MODEL_TO_LOGITS], beside ? &l->experts.router_norm : &l->mlp_norm);
    take_norm(state, &all[MODEL_TO_INNER], beside ? &l->experts.norm : &l->mlp_norm);
    if (beside) /* then these are of the MLP */
        return;
    all[MODEL_TO_UP] = p.shared_up;
    all[MODEL_TO_DOWN] = p.shared_down;
    all[MODEL_TO_SHARED_GATE] = p.shared_gate;
    take_norm(state, &all[MODEL_TO_UP], &l->mlp_norm);
    take_norm(state, &all[MODEL_TO_SHARED_GATE], &l->mlp_norm);
}

model_products model_products_of(const model_state *state, uint32_t rows, uint32_t layer)
{
    const model_architecture  *a = &state->model->architecture;
    const model_layer_products p = model_pass_products(state, rows, layer);
    const dev_siblings         siblings = p.qkv.siblings;
    model_products             products = { .all = { [MODEL_TO_QKV] = p.qkv, [MODEL_TO_OUTPUT] = p.output, [MODEL_TO_UP] = p.up, [MODEL_TO_DOWN] = p.down } };
    if (a->latent.kv_rank > 0 && a->layer[layer].mixer == MODEL_MIXER_ATTENTION) {
        const model_latent_products latent = model_latent_products_of(state, rows, layer);
        products.all[MODEL_TO_LATENT] = latent.rows;
        products.all[MODEL_TO_QKV] = latent.queries;
        products.all[MODEL_TO_HEADS_KV] = latent.heads;
    }
    if (a->layer[layer].experts)
        add_experts(state, rows, layer, products.all);
    if (a->layer_input.size > 0) {
        const model_input_products inputs = model_input_products_of(state, rows, layer);
        products.all[MODEL_TO_INPUT_GATE] = inputs.gate;
        products.all[MODEL_TO_INPUT_OUT] = inputs.out;
    }
    for (size_t i = 0; i < MODEL_PRODUCTS; i++) {
        products.all[i].siblings = siblings;
        if (products.all[i].weight != NULL && products.all[i].weight->part_count == 0)
            products.all[i].weight = NULL;
    }
    return products;
}
