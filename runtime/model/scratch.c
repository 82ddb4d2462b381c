/* scratch.c: how much scratch the products of a pass want: what the largest of them does. */
#include <string.h>

#include "model/pass.h"

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static size_t layer_scratch(const model_model *model, uint32_t index, uint32_t rows)
{
    const model_layer   *layer = &model->weights.layers[index];
    const dev_norm_kind  norm = model->architecture.norm.kind;
    const dev_epilogue   up = model->architecture.mlp_gated ? DEV_GATED : DEV_STORE;
    dev_device          *device = model_layer_device(model, index);
    size_t most = larger(dev_matmul_scratch(device, &layer->qkv, rows, norm, DEV_STORE), model_latent_scratch(model, index, rows));
    most = larger(most, dev_matmul_scratch(device, &layer->output, rows, DEV_NORM_NONE, DEV_ADD));
    most = larger(most, model_layer_input_scratch(model, index, rows));
    if (model->architecture.layer[index].experts)
        most = larger(most, model_experts_scratch(model, index, rows));
    if (layer->up.part_count == 0 || (model->architecture.layer[index].experts && !model->architecture.experts.beside_mlp))
        return most;
    most = larger(most, dev_matmul_scratch(device, &layer->up, rows, norm, up));
    return larger(most, dev_matmul_scratch(device, &layer->down, rows, DEV_NORM_NONE, DEV_ADD));
}

/* Of the products before the layers. */
static size_t embedding_scratch(const model_model *model, dev_device *device, uint32_t rows)
{
    const model_weights *w = &model->weights;
    size_t               most = 0;
    if (model_has_projections(&model->architecture))
        most = dev_matmul_scratch(device, &w->project_in, rows, DEV_NORM_NONE, DEV_STORE);
    return model->architecture.layer_input.size > 0 ? larger(most, dev_matmul_scratch(device, &w->input_in, rows, DEV_NORM_NONE, DEV_STORE)) : most;
}

static size_t head_scratch(const model_model *model, dev_device *device, uint32_t rows)
{
    const dev_norm_kind norm = model->architecture.norm.kind;
    const size_t        floats = dev_matmul_scratch(device, model_head_of(&model->weights), rows, norm, DEV_STORE);
    return model_has_projections(&model->architecture)
               ? larger(floats, dev_matmul_scratch(device, &model->weights.project_out, rows, norm, DEV_STORE)) : floats;
}

/* Are two layers of one shape, and the weights of their products stored alike? */
static bool is_like(const model_model *model, uint32_t a, uint32_t b)
{
    const model_layer_shape *shapes = model->architecture.layer;
    const model_layer       *x = &model->weights.layers[a], *y = &model->weights.layers[b];
    const dev_matrix *const  all[][2] = {
        { &x->qkv, &y->qkv }, { &x->latent, &y->latent }, { &x->latent_kv, &y->latent_kv }, { &x->output, &y->output }, { &x->up, &y->up },
        { &x->down, &y->down }, { &x->input_gate, &y->input_gate }, { &x->input_out, &y->input_out },
        { &x->experts.router, &y->experts.router }, { &x->experts.shared_gate, &y->experts.shared_gate },
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        if (!dev_matrix_is_like(all[i][0], all[i][1]))
            return false;
    }
    return memcmp(&shapes[a], &shapes[b], sizeof shapes[a]) == 0;
}

size_t model_pass_scratch(const model_model *model, uint32_t device, uint32_t rows, uint32_t logit_rows)
{
    const uint32_t count = model->weights.layer_count;
    uint32_t       before = count;
    dev_device    *own = model->devices[device];
    size_t         most = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (model->placement.layers[i].device != device)
            continue;
        if (before == count || !is_like(model, i, before)) /* others want as much */
            most = larger(most, layer_scratch(model, i, rows));
        before = i;
    }
    if (model->placement.embedding.device == device)
        most = larger(most, embedding_scratch(model, own, rows));
    return device == model->main_index ? larger(most, head_scratch(model, own, logit_rows)) : most;
}
