/* pass.c: the forward pass. The residual stream is state->hidden; each half of a layer adds to it.
 *
 *     hidden = embedding[ids] (+ positions)
 *     each layer:  qkv = W_qkv norm(hidden);  out = attention(qkv, cache);  hidden += W_o out
 *                  mlp = act(W_up norm(hidden)), or act(W_gate ..) * W_up ..;  hidden += W_down mlp
 *     logits = W_head norm(hidden), of the rows that were asked for
 *
 * Norms, biases, activations and residuals ride on the products (device/matmul.h): a layer is four products and attention. Where
 * model_residual says otherwise, a norm of what is added or of the stream itself comes between them, or the MLP before attention's output. */
#include "model/pass.h"

#include <string.h>

#include "model/lent.h"
#include "model/offload.h"
#include "model/watch.h"

static const dev_matrix *head_of(const model_weights *weights)
{
    return weights->head.part_count > 0 ? &weights->head : &weights->embedding;
}

static const dev_buffer *optional(const dev_buffer *buffer) { return buffer->memory != NULL ? buffer : NULL; }

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

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

/* ---- Products */

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
    const size_t        floats = dev_matmul_scratch(device, head_of(&model->weights), rows, norm, DEV_STORE);
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

/* What is alike in all layers. */
static model_attention_shape attention_shape(const model_architecture *a)
{
    const bool alibi = a->position == MODEL_POSITION_ALIBI;
    return (model_attention_shape){
        .heads = a->heads, .scale = a->attention_scale, .value_norm = a->value_norm,
        .softcap = a->attention_softcap, .sinks = a->attention_sinks, .chunked = a->windows_are_chunks,
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
    shape.kv_heads = model_kv_heads(a, layer);
    shape.head_dim = model_head_dim(a, layer);
    shape.values_are_keys = a->layer[layer].values_are_keys;
    shape.queries_only = a->layer[layer].cache_of > 0;
    shape.window = a->layer[layer].window;
    shape.rotary_dims = rope != NULL ? rope->dims : 0;
    shape.rotary_interleaved = rope != NULL && rope->interleaved;
    return shape;
}

dev_matmul model_product(const model_state *state, uint32_t rows, const dev_matrix *weight, const dev_buffer *bias)
{
    const model_architecture *a = &state->model->architecture;
    return (dev_matmul){ .weight = weight, .bias = bias != NULL ? optional(bias) : NULL, .rows = rows, .scratch = &state->scratch,
                         .scratch_floats = state->scratch_floats, .siblings = { a->norm.kind, a->mlp_gated, a->activation } };
}

model_attention model_pass_attention(const model_state *state, const model_pass_shape *shape, uint32_t index)
{
    const model_architecture *a = &state->model->architecture;
    const model_layer        *layer = &state->model->weights.layers[index];
    const int                 set = a->layer[index].rope == MODEL_ROPE_SECOND ? 1 : 0;
    const bool                norm = a->qk_norm != MODEL_QK_NORM_NONE;
    model_attention_shape     heads = model_pass_attention_shape(a, index);
    heads.quantized = state->cache.quantized;
    return (model_attention){
        .shape = heads,
        .cache = &state->cache, .layer = model_cache_layer(a, index), .rows = shape->rows,
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

/* ---- Before the layers */

float model_rounded_scale(const model_state *state, float scale)
{
    const core_dtype stored = state->model->weights.dtype;
    const bool       rounded = state->model->architecture.embedding_scale_rounded;
    if (rounded && stored == CORE_F16)
        return core_f16_to_f32(core_f32_to_f16(scale));
    if (rounded && stored == CORE_BF16)
        return core_bf16_to_f32(core_f32_to_bf16(scale));
    return scale;
}

/* What the table's rows are multiplied by. */
static float embedding_scale(const model_state *state) { return model_rounded_scale(state, state->model->architecture.embedding_scale); }

/* Rows of the table, projected to the stream. */
static oclm_status add_projected(const model_state *state, dev_work *work, uint32_t rows, bool logits)
{
    const model_weights *weights = &state->model->weights;
    dev_matmul           m = model_product(state, rows, &weights->project_in, NULL);
    m.x = &state->table_rows, m.x_stride = state->table_stride;
    m.y = &state->hidden, m.y_stride = state->hidden_stride;
    m.epilogue = DEV_STORE;
    dev_work   *inner = NULL;
    oclm_status status = model_offload_rows(weights->offload, work, MODEL_UNIT_EMBEDDING, &weights->embedding, &state->ids, rows,
                                            embedding_scale(state), false, &state->table_rows, state->table_stride);
    if (status == OCLM_OK)
        status = model_offload_begin(weights->offload, work, MODEL_KEPT_PRODUCTS, logits, &inner);
    return status == OCLM_OK ? dev_matmul_add(inner, &m) : status;
}

static oclm_status add_embedding(const model_state *state, dev_work *work, uint32_t rows, bool logits)
{
    const model_architecture *a = &state->model->architecture;
    const model_weights      *weights = &state->model->weights;
    oclm_status status = model_has_projections(a) ? add_projected(state, work, rows, logits)
                                                  : model_offload_rows(weights->offload, work, MODEL_UNIT_EMBEDDING, &weights->embedding, &state->ids,
                                                                       rows, embedding_scale(state), false, &state->hidden, state->hidden_stride);
    if (status == OCLM_OK && weights->positions.part_count > 0)
        status = model_offload_rows(weights->offload, work, MODEL_KEPT_TABLES, &weights->positions, &state->positions, rows, 1.0f, true,
                                    &state->hidden, state->hidden_stride);
    if (status == OCLM_OK && a->embedding_norm)
        status = dev_norm_in_place(work, &weights->embedding_norm, &state->hidden, 0, state->hidden_stride, rows, a->hidden_size);
    return status == OCLM_OK ? model_layer_input_begin(state, work, rows, logits) : status;
}

/* ---- The layers */

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

static oclm_status add_layer(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t index)
{
    dev_work         *inner = NULL;
    const oclm_status status = model_offload_begin(state->model->weights.offload, work, MODEL_KEPT_LAYERS + index, shape->logit_rows > 0, &inner);
    return status == OCLM_OK ? add_steps(state, inner, shape, index) : status;
}

/* Layers [begin, end), which one part has. */
static oclm_status add_layers(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t begin, uint32_t end)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = begin, added; i < end && status == OCLM_OK; i += added) {
        status = model_layers_add(state, work, shape, i, end - i, &added);
        if (status == OCLM_OK && added == 0) {
            status = add_layer(state, work, shape, i);
            added = 1;
        }
    }
    return status;
}

/* ---- Behind the layers */

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
    dev_matmul           m = product_of_selected(state, shape, head_of(weights));
    if (model_has_projections(&state->model->architecture)) {
        m.norm.kind = DEV_NORM_NONE;
        m.x = &state->table_rows, m.x_stride = state->table_stride, m.x_offset = 0;
    }
    m.bias = optional(&weights->head_bias);
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

static oclm_status add_head(const model_state *state, dev_work *work, const model_pass_shape *shape)
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

/* ---- All of it: each part on its device */

/* What is being recorded, and where the stream is. */
typedef struct recording {
    model_relay_writer     *writer;
    const model_pass_shape *shape;
    const model_state      *at; /* NULL: nowhere yet */
} recording;

/* The stream goes on on a device; `work`: to what its launches are added. */
static oclm_status go_to(recording *r, uint32_t device, const model_state **part, dev_work **work)
{
    const model_state *to = *part = model_part_on(r->writer->state, device), *from = r->at;
    oclm_status        status = OCLM_OK;
    if (from != NULL && from != to)
        status = model_relay_send(r->writer, from, &from->hidden, to, &to->hidden,
                                  (size_t)r->shape->rows * to->hidden_stride * sizeof(float));
    r->at = to;
    return status == OCLM_OK ? model_relay_work(r->writer, to, work) : status;
}

/* Where a decoding step begins, only the main device knows what it reads. */
static oclm_status tell_others(const recording *r)
{
    const model_state *main = r->writer->state;
    const size_t       bytes = r->shape->rows * sizeof(int32_t);
    oclm_status        status = OCLM_OK;
    for (uint32_t i = 0; i < main->other_count && status == OCLM_OK; i++) {
        const model_state *other = main->others[i];
        if (other->device_index == main->model->placement.embedding.device)
            status = model_relay_send(r->writer, main, &main->ids, other, &other->ids, bytes);
        if (status == OCLM_OK)
            status = model_relay_send(r->writer, main, &main->positions, other, &other->positions, bytes);
    }
    return status;
}

/* What layers are told of the token goes to those of other devices. */
static oclm_status send_inputs(const recording *r, const model_state *from)
{
    const model_state *main = r->writer->state;
    const size_t       made = (size_t)r->shape->rows * from->inputs.made_stride * sizeof(float);
    const size_t       found = (size_t)r->shape->rows * from->inputs.found_stride * sizeof(float);
    oclm_status        status = OCLM_OK;
    for (uint32_t d = 0; d < main->model->device_count && status == OCLM_OK && made > 0; d++) {
        const model_state *to = model_uses_device(main->model, d) ? model_part_on(r->writer->state, d) : from;
        if (to == from || to->inputs.made.memory == NULL)
            continue;
        if ((status = model_relay_send(r->writer, from, &from->inputs.made, to, &to->inputs.made, made)) == OCLM_OK)
            status = model_relay_send(r->writer, from, &from->inputs.found, to, &to->inputs.found, found);
    }
    return status;
}

/* Layers from `first` on as far as one device has them: up to `*end`. */
static oclm_status record_layers(recording *r, uint32_t first, uint32_t *end)
{
    const model_model *model = r->writer->state->model;
    const uint32_t     device = model->placement.layers[first].device;
    const model_state *part;
    dev_work          *work;
    oclm_status        status = go_to(r, device, &part, &work);
    for (*end = first + 1; *end < model->weights.layer_count && model->placement.layers[*end].device == device;)
        ++*end;
    model_watch *const watch = r->writer->state->watch;
    if (status == OCLM_OK && watch == NULL)
        status = add_layers(part, work, r->shape, first, *end);
    for (uint32_t i = first; i < *end && status == OCLM_OK && watch != NULL; i++) {
        if ((status = add_layers(part, work, r->shape, i, i + 1)) == OCLM_OK)
            status = model_watch_add(watch, part, work, r->shape->rows, i);
    }
    for (uint32_t i = first; i < *end && status == OCLM_OK; i++)
        status = model_lent_add(r->writer, part, r->shape->rows, i);
    return status;
}

oclm_status model_pass_record(model_relay_writer *writer, const model_pass_shape *shape)
{
    const model_model *model = writer->state->model;
    recording          r = { .writer = writer, .shape = shape };
    const model_state *part;
    dev_work          *work;
    oclm_status        status = shape->decoding ? tell_others(&r) : OCLM_OK;
    if (status == OCLM_OK && (status = go_to(&r, model->placement.embedding.device, &part, &work)) == OCLM_OK &&
        (status = add_embedding(part, work, shape->rows, shape->logit_rows > 0)) == OCLM_OK && (status = send_inputs(&r, part)) == OCLM_OK &&
        writer->state->watch != NULL)
        status = model_watch_add(writer->state->watch, part, work, shape->rows, MODEL_WATCH_EMBEDDING);
    for (uint32_t i = 0, end; i < model->weights.layer_count && status == OCLM_OK; i = end)
        status = record_layers(&r, i, &end);
    if (status == OCLM_OK && shape->logit_rows > 0 && (status = go_to(&r, model->main_index, &part, &work)) == OCLM_OK)
        status = add_head(part, work, shape);
    const oclm_status ended = model_relay_end(writer);
    return status == OCLM_OK ? ended : status;
}
