/* layer.c: a layer in which each step is a launch: prompts, and devices whose work-groups have no order. layer_steps.c writes the same steps for
 * launches that layers share, with the same bits (tests/model/test_layers.c). */
#include "model/offload.h"
#include "model/pass.h"

/* The stream becomes its norm, where that comes here. */
static oclm_status norm_stream(const model_state *state, dev_work *work, uint32_t rows, model_between here, const dev_norm *norm)
{
    const model_architecture *a = &state->model->architecture;
    return model_between_of(a) == here ? dev_norm_in_place(work, norm, &state->hidden, 0, state->hidden_stride, rows, a->hidden_size) : OCLM_OK;
}

/* What the order asks for behind the product that ends a half. `keep`: by what the stream is multiplied then. */
static oclm_status add_branch(const model_state *state, dev_work *work, uint32_t rows, const dev_norm *post_norm, float keep, const dev_norm *norm)
{
    const model_architecture *a = &state->model->architecture;
    oclm_status               status = OCLM_OK;
    if (model_between_of(a) == MODEL_BETWEEN_ADDED)
        status = dev_norm_residual(work, post_norm, &state->branch, state->hidden_stride, a->residual_scale, keep, &state->hidden, 0,
                                   state->hidden_stride, rows, a->hidden_size);
    return status == OCLM_OK ? norm_stream(state, work, rows, MODEL_BETWEEN_AFTER, norm) : status;
}

/* An activation that does not ride on the product. */
static oclm_status add_xielu(const model_state *state, dev_work *work, uint32_t rows, const model_layer *layer)
{
    const dev_arg    args[] = { dev_arg_buffer(&state->mlp), dev_arg_u32(state->mlp_stride), dev_arg_buffer(&layer->xielu) };
    const dev_launch launch = { .source = "xielu", .kernel = "xielu", .options = "", .dims = 2,
                                .global = { state->mlp_stride / 16, rows }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

/* The MLP as far as it reads the stream. */
static oclm_status add_up(const model_state *state, dev_work *work, const dev_matmul *up, const model_layer *layer)
{
    const oclm_status status = dev_matmul_add(work, up);
    return status == OCLM_OK && state->model->architecture.xielu ? add_xielu(state, work, up->rows, layer) : status;
}

/* Attention over what the first product made, or what the layer does in its place. */
static oclm_status add_mixing(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t index)
{
    if (state->model->architecture.layer[index].mixer != MODEL_MIXER_ATTENTION)
        return model_mixer_add(state, work, shape->rows, index);
    const model_attention attention = model_pass_attention(state, shape, index);
    const oclm_status     status = model_attention_add(work, &attention);
    return status == OCLM_OK ? model_attention_gate_add(state, work, shape->rows, index) : status;
}

/* The end of a layer: the product behind the MLP, experts beside it, and what the layer is told once more. */
static oclm_status add_last(const model_state *state, dev_work *work, const dev_matmul *down, uint32_t index)
{
    const model_architecture *a = &state->model->architecture;
    const model_layer        *layer = &state->model->weights.layers[index];
    oclm_status               status = dev_matmul_add(work, down);
    if (status == OCLM_OK && a->layer[index].experts)
        status = model_experts_add(state, work, down->rows, index);
    if (status == OCLM_OK)
        status = add_branch(state, work, down->rows, &layer->post_mlp_norm, a->layer_input.size > 0 ? 1.0f : layer->scalar, &layer->mlp_norm);
    return status == OCLM_OK ? model_layer_input_add(state, work, down->rows, index) : status;
}

static oclm_status add_steps(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t index)
{
    const model_layer         *layer = &state->model->weights.layers[index];
    const model_layer_products products = model_pass_products(state, shape->rows, index);
    const bool                 parallel = model_is_parallel(&state->model->architecture);
    const bool                 latent = layer->latent.part_count > 0;
    oclm_status                status;
    if ((status = norm_stream(state, work, shape->rows, MODEL_BETWEEN_BEFORE, &layer->attention_norm)) != OCLM_OK ||
        (status = latent ? model_latent_add_before(state, work, shape->rows, index) : dev_matmul_add(work, &products.qkv)) != OCLM_OK ||
        (status = add_mixing(state, work, shape, index)) != OCLM_OK ||
        (latent && (status = model_latent_add_after(state, work, shape->rows)) != OCLM_OK))
        return status;
    if (parallel && (status = add_up(state, work, &products.up, layer)) != OCLM_OK)
        return status;
    if ((status = dev_matmul_add(work, &products.output)) != OCLM_OK ||
        (status = add_branch(state, work, shape->rows, &layer->post_attention_norm, 1.0f, &layer->attention_norm)) != OCLM_OK)
        return status;
    if (state->model->architecture.layer[index].experts && !state->model->architecture.experts.beside_mlp)
        return model_experts_add(state, work, shape->rows, index);
    if (!parallel && ((status = norm_stream(state, work, shape->rows, MODEL_BETWEEN_BEFORE, &layer->mlp_norm)) != OCLM_OK ||
                      (status = add_up(state, work, &products.up, layer)) != OCLM_OK))
        return status;
    return add_last(state, work, &products.down, index);
}

oclm_status model_layer_add(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t index)
{
    dev_work         *inner = NULL;
    const oclm_status status = model_offload_begin(state->model->weights.offload, work, MODEL_KEPT_LAYERS + index, shape->logit_rows > 0, &inner);
    return status == OCLM_OK ? add_steps(state, inner, shape, index) : status;
}
