/* pass.c: the forward pass. The residual stream is state->hidden; each half of a layer adds to it.
 *
 *     hidden = embedding[ids] (+ positions)
 *     each layer:  qkv = W_qkv norm(hidden);  out = attention(qkv, cache);  hidden += W_o out
 *                  mlp = act(W_up norm(hidden)), or act(W_gate ..) * W_up ..;  hidden += W_down mlp
 *     logits = W_head norm(hidden), of the rows that were asked for
 *
 * Norms, biases, activations and residuals ride on the products (device/matmul.h): a layer is four products and attention. */
#include "model/pass.h"

static const dev_matrix *head_of(const model_weights *weights)
{
    return weights->head.part_count > 0 ? &weights->head : &weights->embedding;
}

static const dev_buffer *optional(const dev_buffer *buffer) { return buffer->memory != NULL ? buffer : NULL; }

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

size_t model_pass_scratch(const model_model *model, uint32_t rows, uint32_t logit_rows)
{
    const model_layer   *layer = &model->weights.layers[0]; /* all are alike */
    const dev_norm_kind  norm = model->architecture.norm.kind;
    const dev_epilogue   up = model->architecture.mlp_gated ? DEV_GATED : DEV_STORE;
    size_t most = dev_matmul_scratch(&layer->qkv, rows, norm, DEV_STORE);
    most = larger(most, dev_matmul_scratch(&layer->output, rows, DEV_NORM_NONE, DEV_ADD));
    most = larger(most, dev_matmul_scratch(&layer->up, rows, norm, up));
    most = larger(most, dev_matmul_scratch(&layer->down, rows, DEV_NORM_NONE, DEV_ADD));
    return larger(most, dev_matmul_scratch(head_of(&model->weights), logit_rows, norm, DEV_STORE));
}

model_attention_shape model_pass_attention_shape(const model_architecture *a, uint32_t layer)
{
    return (model_attention_shape){
        .heads = a->heads, .kv_heads = a->kv_heads, .head_dim = a->head_dim,
        .scale = a->attention_scale_by_layer ? a->attention_scale / (float)(layer + 1) : a->attention_scale,
        .rotary_dims = a->position == MODEL_POSITION_ROPE ? a->rope.dims : 0,
        .rotary_interleaved = a->rope.interleaved,
    };
}

/* A product of all rows from one of the state's buffers into another. */
typedef struct product {
    const dev_matrix *weight;
    const dev_buffer *bias;
    const dev_norm   *norm; /* NULL: none */
    const dev_buffer *x, *y;
    uint32_t          x_stride, y_stride;
    dev_epilogue      epilogue;
    dev_activation    activation;
} product;

static oclm_status add_product(model_state *state, dev_work *work, uint32_t rows, const product *p)
{
    const dev_matmul matmul = {
        .weight = p->weight, .x = p->x, .x_stride = p->x_stride, .y = p->y, .y_stride = p->y_stride, .rows = rows,
        .bias = p->bias, .norm = p->norm != NULL ? *p->norm : (dev_norm){ .kind = DEV_NORM_NONE },
        .scratch = &state->scratch, .scratch_floats = state->scratch_floats,
        .epilogue = p->epilogue, .activation = p->activation,
    };
    return dev_matmul_add(work, &matmul);
}

static oclm_status add_embedding(model_state *state, dev_work *work, uint32_t rows)
{
    const model_weights *weights = &state->model->weights;
    oclm_status status = dev_rows_add(work, &weights->embedding, &state->ids, 0, rows, state->model->architecture.embedding_scale, false,
                                      &state->hidden, state->hidden_stride);
    if (status == OCLM_OK && weights->positions.part_count > 0)
        status = dev_rows_add(work, &weights->positions, &state->positions, 0, rows, 1.0f, true, &state->hidden, state->hidden_stride);
    return status;
}

static oclm_status add_attention(model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t layer)
{
    const model_attention attention = {
        .shape = model_pass_attention_shape(&state->model->architecture, layer),
        .cache = &state->cache, .layer = layer, .rows = shape->rows,
        .positions = &state->positions, .sequences = &state->sequences,
        .tiles = &state->tiles, .tile_count = shape->tile_count, .tile_rows = shape->tile_rows, .single_rows = shape->single_rows,
        .cos_table = &state->cos_table, .sin_table = &state->sin_table, .length_bound = shape->length_bound,
        .qkv = &state->qkv, .qkv_stride = state->qkv_stride,
        .out = &state->attention_out, .out_stride = state->attention_stride,
        .partial = &state->partial,
    };
    return model_attention_add(work, &attention);
}

static oclm_status add_layer(model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t index)
{
    const model_architecture *a = &state->model->architecture;
    const model_layer        *layer = &state->model->weights.layers[index];
    const product qkv = {
        .weight = &layer->qkv, .bias = optional(&layer->qkv_bias), .norm = &layer->attention_norm,
        .x = &state->hidden, .x_stride = state->hidden_stride, .y = &state->qkv, .y_stride = state->qkv_stride,
        .epilogue = DEV_STORE, .activation = DEV_ACT_NONE,
    };
    const product output = {
        .weight = &layer->output, .bias = optional(&layer->output_bias),
        .x = &state->attention_out, .x_stride = state->attention_stride, .y = &state->hidden, .y_stride = state->hidden_stride,
        .epilogue = DEV_ADD, .activation = DEV_ACT_NONE,
    };
    const product up = {
        .weight = &layer->up, .bias = optional(&layer->up_bias), .norm = &layer->mlp_norm,
        .x = &state->hidden, .x_stride = state->hidden_stride, .y = &state->mlp, .y_stride = state->mlp_stride,
        .epilogue = a->mlp_gated ? DEV_GATED : DEV_STORE, .activation = a->activation,
    };
    const product down = {
        .weight = &layer->down, .bias = optional(&layer->down_bias),
        .x = &state->mlp, .x_stride = state->mlp_stride, .y = &state->hidden, .y_stride = state->hidden_stride,
        .epilogue = DEV_ADD, .activation = DEV_ACT_NONE,
    };
    oclm_status status;
    if ((status = add_product(state, work, shape->rows, &qkv)) != OCLM_OK ||
        (status = add_attention(state, work, shape, index)) != OCLM_OK ||
        (status = add_product(state, work, shape->rows, &output)) != OCLM_OK ||
        (status = add_product(state, work, shape->rows, &up)) != OCLM_OK)
        return status;
    return add_product(state, work, shape->rows, &down);
}

/* Copies the rows that state->logit_rows names out of the residual stream. */
static oclm_status add_selection(model_state *state, dev_work *work, uint32_t rows)
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

static oclm_status add_head(model_state *state, dev_work *work, const model_pass_shape *shape)
{
    const model_weights *weights = &state->model->weights;
    const product head = {
        .weight = head_of(weights), .bias = optional(&weights->head_bias), .norm = &weights->final_norm,
        .x = shape->gather ? &state->selected : &state->hidden, .x_stride = state->hidden_stride,
        .y = &state->logits, .y_stride = state->logits_stride,
        .epilogue = DEV_STORE, .activation = DEV_ACT_NONE,
    };
    oclm_status status = shape->gather ? add_selection(state, work, shape->logit_rows) : OCLM_OK;
    return status == OCLM_OK ? add_product(state, work, shape->logit_rows, &head) : status;
}

oclm_status model_pass_record(model_state *state, dev_work *work, const model_pass_shape *shape)
{
    oclm_status status = add_embedding(state, work, shape->rows);
    for (uint32_t i = 0; i < state->model->weights.layer_count && status == OCLM_OK; i++)
        status = add_layer(state, work, shape, i);
    return status == OCLM_OK && shape->logit_rows > 0 ? add_head(state, work, shape) : status;
}
