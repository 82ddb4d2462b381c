/* head.c: what comes behind the layers: the last norm and logits of the rows that are wanted. */
#include "model/offload.h"
#include "model/pass.h"

/* Copies the rows that state->logit_rows names out of the residual stream. */
static oclm_status add_selection(const model_state *state, dev_work *work, uint32_t rows)
{
    const dev_arg args[] = {
        dev_arg_buffer(&state->hidden), dev_arg_u32(state->hidden_stride), dev_arg_buffer(&state->logit_rows),
        dev_arg_buffer(&state->selected), dev_arg_u32(state->hidden_stride),
    };
    const dev_launch launch = {
        .source = "select_rows", .kernel = "select_rows", .options = "", .dims = 2,
        .global = { state->hidden_stride / 16, rows }, .args = args, .arg_count = COUNT(args),
    };
    return dev_work_add(work, &launch);
}

/* A product that reads the wanted rows of the stream. */
static dev_matmul product_of_selected(const model_state *state, const model_pass_shape *shape, const dev_matrix *weight)
{
    dev_matmul m = model_product(state, shape->logit_rows, weight, NULL);
    m.norm = state->model->weights.final_norm;
    m.x = shape->gather ? &state->selected : &state->hidden, m.x_stride = state->hidden_stride;
    m.x_offset = shape->gather ? 0 : (uint64_t)(shape->rows - shape->logit_rows) * state->hidden_stride;
    m.epilogue = DEV_STORE;
    m.siblings = (dev_siblings){ .norm = DEV_NORM_NONE }; /* of one row, where a layer's have many: nobody's kernel but its own */
    return m;
}

/* Back to the width of the table. */
static oclm_status add_project_out(const model_state *state, dev_work *work, const model_pass_shape *shape)
{
    dev_matmul m = product_of_selected(state, shape, &state->model->weights.project_out);
    m.y = &state->table_rows, m.y_stride = state->table_stride;
    return dev_matmul_add(work, &m);
}

static dev_matmul head_product(const model_state *state, const model_pass_shape *shape)
{
    const model_weights *weights = &state->model->weights;
    dev_matmul           m = product_of_selected(state, shape, model_head_of(weights));
    if (model_has_projections(&state->model->architecture)) {
        m.norm.kind = DEV_NORM_NONE;
        m.x = &state->table_rows, m.x_stride = state->table_stride, m.x_offset = 0;
    }
    m.bias = model_optional(&weights->head_bias);
    m.y = &state->logits, m.y_stride = state->logits_stride;
    return m;
}

/* Scales and caps the logits, where the architecture says so. */
static oclm_status finish_logits(const model_state *state, dev_work *work, uint32_t rows)
{
    const model_architecture *a = &state->model->architecture;
    const dev_arg    args[] = { dev_arg_buffer(&state->logits), dev_arg_u32(state->logits_stride), dev_arg_f32(a->logits_scale),
                                dev_arg_f32(a->logits_softcap) };
    const dev_launch launch = { .source = "logits", .kernel = "logits", .options = "", .dims = 2,
                                .global = { state->logits_stride / 16, rows }, .args = args, .arg_count = COUNT(args) };
    return a->logits_scale == 1.0f && a->logits_softcap == 0.0f ? OCLM_OK : dev_work_add(work, &launch);
}

oclm_status model_head_add(const model_state *state, dev_work *work, const model_pass_shape *shape)
{
    const dev_matmul head = head_product(state, shape);
    dev_work        *inner = NULL;
    oclm_status      status = shape->gather ? add_selection(state, work, shape->logit_rows) : OCLM_OK;
    if (status == OCLM_OK)
        status = model_offload_begin(state->model->weights.offload, work, MODEL_UNIT_HEAD, true, &inner);
    if (status == OCLM_OK && model_has_projections(&state->model->architecture))
        status = add_project_out(state, inner, shape);
    if (status == OCLM_OK)
        status = dev_matmul_add(inner, &head);
    return status == OCLM_OK ? finish_logits(state, work, shape->logit_rows) : status;
}
