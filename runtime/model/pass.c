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
    dev_device          *device = model->device;
    size_t most = dev_matmul_scratch(device, &layer->qkv, rows, norm, DEV_STORE);
    most = larger(most, dev_matmul_scratch(device, &layer->output, rows, DEV_NORM_NONE, DEV_ADD));
    most = larger(most, dev_matmul_scratch(device, &layer->up, rows, norm, up));
    most = larger(most, dev_matmul_scratch(device, &layer->down, rows, DEV_NORM_NONE, DEV_ADD));
    return larger(most, dev_matmul_scratch(device, head_of(&model->weights), logit_rows, norm, DEV_STORE));
}

/* What is alike in all layers. */
static model_attention_shape attention_shape(const model_architecture *a)
{
    const bool alibi = a->position == MODEL_POSITION_ALIBI;
    return (model_attention_shape){
        .heads = a->heads, .kv_heads = a->kv_heads, .head_dim = a->head_dim, .scale = a->attention_scale,
        .softcap = a->attention_softcap, .sinks = a->attention_sinks,
        .alibi = alibi, .alibi_rounded = alibi && a->alibi == MODEL_ALIBI_FALCON,
        .clip = a->qkv_clip, .clip_late = a->qkv_clip_after_norm,
        .qk_norm = a->qk_norm, .qk_norm_kind = a->qk_norm_shape.kind, .qk_eps = a->qk_norm_shape.eps, .qk_norm_late = a->qk_norm_after_rope,
        .query_length = model_growth_count(a, 1) > 0 ? a->query_length : 0,
    };
}

model_attention_shape model_pass_attention_shape(const model_architecture *a, uint32_t layer)
{
    const model_rope     *rope = model_rope_of(a, layer);
    model_attention_shape shape = attention_shape(a);
    if (a->attention_scale_by_layer)
        shape.scale /= (float)(layer + 1);
    shape.window = a->layer[layer].window;
    shape.rotary_dims = rope != NULL ? rope->dims : 0;
    shape.rotary_interleaved = rope != NULL && rope->interleaved;
    return shape;
}

/* A product of all rows, as far as every product of a pass is alike. */
static dev_matmul product_of(const model_state *state, uint32_t rows, const dev_matrix *weight, const dev_buffer *bias)
{
    return (dev_matmul){ .weight = weight, .bias = optional(bias), .rows = rows, .scratch = &state->scratch,
                         .scratch_floats = state->scratch_floats };
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

model_attention model_pass_attention(const model_state *state, const model_pass_shape *shape, uint32_t index)
{
    const model_architecture *a = &state->model->architecture;
    const model_layer        *layer = &state->model->weights.layers[index];
    const int                 set = a->layer[index].rope == MODEL_ROPE_SECOND ? 1 : 0;
    const bool                norm = a->qk_norm != MODEL_QK_NORM_NONE;
    return (model_attention){
        .shape = model_pass_attention_shape(a, index),
        .cache = &state->cache, .layer = index, .rows = shape->rows,
        .positions = &state->positions, .sequences = &state->sequences,
        .tiles = &state->tiles, .tile_count = shape->tile_count, .tile_rows = shape->tile_rows, .single_rows = shape->single_rows,
        .cos_table = &state->cos_table[set], .sin_table = &state->sin_table[set],
        .slopes = optional(&state->slopes), .sinks = optional(&layer->sinks), .growth = optional(&state->growth),
        .q_norm = norm ? &layer->q_norm : NULL, .k_norm = norm ? &layer->k_norm : NULL,
        .length_bound = shape->length_bound,
        .qkv = &state->qkv, .qkv_stride = state->qkv_stride,
        .out = &state->attention_out, .out_stride = state->attention_stride,
        .partial = &state->partial,
    };
}

static dev_matmul qkv_product(const model_state *state, uint32_t rows, const model_layer *layer)
{
    dev_matmul m = product_of(state, rows, &layer->qkv, &layer->qkv_bias);
    m.norm = layer->attention_norm;
    m.x = &state->hidden, m.x_stride = state->hidden_stride;
    m.y = &state->qkv, m.y_stride = state->qkv_stride;
    m.epilogue = DEV_STORE;
    return m;
}

static dev_matmul output_product(const model_state *state, uint32_t rows, const model_layer *layer)
{
    dev_matmul m = product_of(state, rows, &layer->output, &layer->output_bias);
    m.x = &state->attention_out, m.x_stride = state->attention_stride;
    m.y = &state->hidden, m.y_stride = state->hidden_stride;
    m.epilogue = DEV_ADD;
    return m;
}

static dev_matmul up_product(const model_state *state, uint32_t rows, const model_layer *layer)
{
    const model_architecture *a = &state->model->architecture;
    dev_matmul                m = product_of(state, rows, &layer->up, &layer->up_bias);
    m.norm = layer->mlp_norm;
    m.x = &state->hidden, m.x_stride = state->hidden_stride;
    m.y = &state->mlp, m.y_stride = state->mlp_stride;
    m.epilogue = a->mlp_gated ? DEV_GATED : DEV_STORE;
    m.activation = a->activation;
    return m;
}

static dev_matmul down_product(const model_state *state, uint32_t rows, const model_layer *layer)
{
    dev_matmul m = product_of(state, rows, &layer->down, &layer->down_bias);
    m.x = &state->mlp, m.x_stride = state->mlp_stride;
    m.y = &state->hidden, m.y_stride = state->hidden_stride;
    m.epilogue = DEV_ADD;
    return m;
}

model_layer_products model_pass_products(const model_state *state, uint32_t rows, uint32_t index)
{
    const model_layer *layer = &state->model->weights.layers[index];
    return (model_layer_products){ qkv_product(state, rows, layer), output_product(state, rows, layer), up_product(state, rows, layer),
                                   down_product(state, rows, layer) };
}

static dev_matmul head_product(const model_state *state, const model_pass_shape *shape)
{
    const model_weights *weights = &state->model->weights;
    dev_matmul           m = product_of(state, shape->logit_rows, head_of(weights), &weights->head_bias);
    m.norm = weights->final_norm;
    m.x = shape->gather ? &state->selected : &state->hidden, m.x_stride = state->hidden_stride;
    m.y = &state->logits, m.y_stride = state->logits_stride;
    m.epilogue = DEV_STORE;
    return m;
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

static oclm_status add_layer(model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t index)
{
    const model_layer_products products = model_pass_products(state, shape->rows, index);
    const model_attention      attention = model_pass_attention(state, shape, index);
    oclm_status                status;
    if ((status = dev_matmul_add(work, &products.qkv)) != OCLM_OK || (status = model_attention_add(work, &attention)) != OCLM_OK ||
        (status = dev_matmul_add(work, &products.output)) != OCLM_OK || (status = dev_matmul_add(work, &products.up)) != OCLM_OK)
        return status;
    return dev_matmul_add(work, &products.down);
}

static oclm_status add_layers(model_state *state, dev_work *work, const model_pass_shape *shape)
{
    bool        added = false;
    oclm_status status = model_layers_add(state, work, shape, &added);
    for (uint32_t i = 0; i < state->model->weights.layer_count && status == OCLM_OK && !added; i++)
        status = add_layer(state, work, shape, i);
    return status;
}

static oclm_status add_head(model_state *state, dev_work *work, const model_pass_shape *shape)
{
    const dev_matmul  head = head_product(state, shape);
    const oclm_status status = shape->gather ? add_selection(state, work, shape->logit_rows) : OCLM_OK;
    return status == OCLM_OK ? dev_matmul_add(work, &head) : status;
}

oclm_status model_pass_record(model_state *state, dev_work *work, const model_pass_shape *shape)
{
    oclm_status status = add_embedding(state, work, shape->rows);
    if (status == OCLM_OK)
        status = add_layers(state, work, shape);
    return status == OCLM_OK && shape->logit_rows > 0 ? add_head(state, work, shape) : status;
}
