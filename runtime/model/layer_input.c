/* layer_input.c: what each layer is told of its row's token once more (layer_input.h). */
#include "model/layer_input.h"

#include <math.h>

#include "model/offload.h"
#include "model/pass.h"

/* ---- What a state keeps */

static uint32_t made_stride(const model_architecture *a) { return a->layers * (uint32_t)dev_padded(a->layer_input.size); }

static uint32_t found_stride(const model_architecture *a) { return (uint32_t)dev_padded((uint64_t)a->layers * a->layer_input.size); }

uint64_t model_layer_input_bytes(const model_architecture *a, uint32_t max_rows)
{
    return a->layer_input.size > 0 ? (uint64_t)max_rows * (made_stride(a) + found_stride(a)) * sizeof(float) : 0;
}

oclm_status model_layer_input_new(dev_device *device, const model_architecture *a, uint32_t max_rows, model_layer_input_state *s)
{
    if (a->layer_input.size == 0)
        return OCLM_OK;
    s->made_stride = made_stride(a);
    s->found_stride = found_stride(a);
    const size_t      made = (size_t)max_rows * s->made_stride * sizeof(float), found = (size_t)max_rows * s->found_stride * sizeof(float);
    const oclm_status status = dev_buffer_new(device, made, "the inputs of layers", &s->made);
    return status == OCLM_OK ? dev_buffer_new(device, found, "rows of the table of layers' inputs", &s->found) : status;
}

void model_layer_input_free(dev_device *device, model_layer_input_state *s)
{
    dev_buffer_free(device, &s->made);
    dev_buffer_free(device, &s->found);
}

size_t model_layer_input_scratch(const model_model *model, uint32_t layer, uint32_t rows)
{
    const model_layer      *l = &model->weights.layers[layer];
    const dev_matrix *const all[] = { &l->input_gate, &l->input_out };
    size_t                  most = 0;
    for (size_t i = 0; i < COUNT(all) && model->architecture.layer_input.size > 0; i++) {
        const size_t floats = dev_matmul_scratch(model_layer_device(model, layer), all[i], rows, DEV_NORM_NONE, DEV_STORE);
        most = floats > most ? floats : most;
    }
    return most;
}

/* ---- Recording */

oclm_status model_layer_input_begin(const model_state *state, dev_work *work, uint32_t rows, bool logits)
{
    const model_architecture *a = &state->model->architecture;
    const model_weights      *w = &state->model->weights;
    const float               table_scale = model_rounded_scale(state, a->layer_input.table_scale) * (float)sqrt(0.5);
    const uint32_t            part = a->layer_input.size > 0 ? state->inputs.made_stride / a->layers : 0;
    dev_matmul                in = model_product(state, rows, &w->input_in, NULL);
    dev_work                 *inner = NULL;
    oclm_status               status;
    in.x = &state->hidden, in.x_stride = state->hidden_stride;
    in.y = &state->inputs.made, in.y_stride = state->inputs.made_stride;
    in.epilogue = DEV_STORE;
    if (a->layer_input.size == 0)
        return OCLM_OK;
    if ((status = model_offload_begin(w->offload, work, MODEL_KEPT_PRODUCTS, logits, &inner)) != OCLM_OK ||
        (status = dev_matmul_add(inner, &in)) != OCLM_OK ||
        (status = dev_norm_in_place(work, &w->input_in_norm, &state->inputs.made, 0, part, rows * a->layers, a->layer_input.size)) != OCLM_OK)
        return status;
    return model_offload_rows(w->offload, work, MODEL_KEPT_TABLES, &w->input_embedding, &state->ids, rows, table_scale, false,
                              &state->inputs.found, state->inputs.found_stride);
}

model_input_products model_input_products_of(const model_state *state, uint32_t rows, uint32_t layer)
{
    const model_layer   *l = &state->model->weights.layers[layer];
    model_input_products p = { model_product(state, rows, &l->input_gate, NULL), model_product(state, rows, &l->input_out, NULL) };
    p.gate.x = &state->hidden, p.gate.x_stride = state->hidden_stride;
    p.gate.y = &state->mlp, p.gate.y_stride = state->mlp_stride;
    p.gate.activation = state->model->architecture.activation;
    p.out.x = &state->mlp, p.out.x_stride = state->mlp_stride;
    p.out.y = &state->branch, p.out.y_stride = state->hidden_stride;
    p.gate.epilogue = p.out.epilogue = DEV_STORE;
    return p;
}

/* What the gate lets through. */
static oclm_status add_told(const model_state *state, dev_work *work, uint32_t rows, uint32_t index)
{
    const model_architecture      *a = &state->model->architecture;
    const model_layer_input_state *s = &state->inputs;
    const dev_arg args[] = {
        dev_arg_buffer(&state->mlp), dev_arg_u32(state->mlp_stride), dev_arg_buffer(&s->made), dev_arg_u32(s->made_stride),
        dev_arg_u32(index * (s->made_stride / a->layers)), dev_arg_buffer(&s->found), dev_arg_u32(s->found_stride),
        dev_arg_u32(index * a->layer_input.size),
    };
    const dev_launch launch = { .source = "layer_input", .kernel = "layer_input", .options = "", .dims = 2,
                                .global = { a->layer_input.size, rows }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

oclm_status model_layer_input_add(const model_state *state, dev_work *work, uint32_t rows, uint32_t index)
{
    const model_layer *layer = &state->model->weights.layers[index];
    oclm_status        status;
    if (state->model->architecture.layer_input.size == 0)
        return OCLM_OK;
    const model_input_products p = model_input_products_of(state, rows, index);
    if ((status = dev_matmul_add(work, &p.gate)) != OCLM_OK || (status = add_told(state, work, rows, index)) != OCLM_OK ||
        (status = dev_matmul_add(work, &p.out)) != OCLM_OK)
        return status;
    return dev_norm_residual(work, &layer->post_input_norm, &state->branch, state->hidden_stride, 1.0f, layer->scalar, &state->hidden, 0,
                             state->hidden_stride, rows, state->model->architecture.hidden_size);
}
