/* layer_products.c: what a layer multiplies by, whatever it is. */
#include "model/layer_products.h"

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
