/* weights.c: from the checkpoint to the device, role by role. What is multiplied together lies together: q, k and v are one
 * matrix, gate and up another with alternating panels, and their biases are laid out alike, whatever way the checkpoint holds them. */
#include "model/weights.h"

#include <math.h>
#include <string.h>

#include "model/loader.h"

typedef model_loader loader;
typedef model_part   part;

/* Queries, keys, values and gates below each other. The checkpoint has each head's queries and gates in turn. */
static oclm_status load_gated_qkv(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const uint32_t dim = model_head_dim(a, i), q = a->heads * dim, kv = model_kv_heads(a, i) * dim;
    part          *parts = core_alloc_array(2 * (size_t)a->heads + 2, sizeof *parts, "the parts of queries, keys, values and gates");
    size_t         count = 0;
    if (parts == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t h = 0; h < a->heads; h++) {
        parts[count++] = (part){ MODEL_Q, 2 * h * dim, dim, h * dim, 1 };
        parts[count++] = (part){ MODEL_Q, (2 * h + 1) * dim, dim, q + 2 * kv + h * dim, 1 };
    }
    parts[count++] = (part){ MODEL_K, 0, kv, q, 1 };
    parts[count++] = (part){ MODEL_V, 0, kv, q + kv, 1 };
    const oclm_status status = model_load_fused(l, parts, count, i, 2 * ((uint64_t)q + kv), a->qkv_bias, &layer->qkv, &layer->qkv_bias);
    core_free(parts);
    return status;
}

/* Queries, keys and values below each other, as far as the layer has them: three tensors, or blocks of a fused one with each one's share
 * of all three. */
static oclm_status load_qkv(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const bool     fused = model_bound_tensor(l->binding, MODEL_QKV, i).tensor != NULL;
    const uint32_t blocks = fused && a->qkv_layout.blocks > 1 ? a->qkv_layout.blocks : 1;
    const uint32_t q = model_role_shape_of(a, MODEL_Q, i).rows, k = model_role_shape_of(a, MODEL_K, i).rows;
    const uint32_t v = model_role_shape_of(a, MODEL_V, i).rows, q_share = q / blocks, k_share = k / blocks, v_share = v / blocks;
    const uint32_t k_first = a->qkv_layout.v_first ? q_share + v_share : q_share, v_first = a->qkv_layout.v_first ? q_share : q_share + k_share;
    size_t         count = 0;
    part          *parts = core_alloc_array(3 * (size_t)blocks, sizeof *parts, "the parts of queries, keys and values");
    if (parts == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t b = 0; b < blocks; b++) {
        const uint32_t from = b * (q_share + k_share + v_share);
        parts[count++] = (part){ fused ? MODEL_QKV : MODEL_Q, from, q_share, b * q_share, 1 };
        if (k > 0)
            parts[count++] = (part){ fused ? MODEL_QKV : MODEL_K, fused ? from + k_first : 0, k_share, q + b * k_share, 1 };
        if (v > 0)
            parts[count++] = (part){ fused ? MODEL_QKV : MODEL_V, fused ? from + v_first : 0, v_share, q + k + b * v_share, 1 };
    }
    const oclm_status status = model_load_fused(l, parts, count, i, (uint64_t)q + k + v, a->qkv_bias, &layer->qkv, &layer->qkv_bias);
    core_free(parts);
    return status;
}

/* Queries of latent attention: in each head what turns moves before what does not. */
static oclm_status load_latent_q(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const model_latent *m = &a->latent;
    const model_role    role = m->q_rank > 0 ? MODEL_Q_B : MODEL_Q;
    part               *parts = core_alloc_array(2 * (size_t)a->heads, sizeof *parts, "the parts of queries");
    if (parts == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t h = 0; h < a->heads; h++) {
        parts[2 * h] = (part){ role, h * a->head_dim, m->nope_dim, h * a->head_dim + m->rope_dim, 1 };
        parts[2 * h + 1] = (part){ role, h * a->head_dim + m->nope_dim, m->rope_dim, h * a->head_dim, 1 };
    }
    const oclm_status status = model_load_parts(l, parts, 2 * (size_t)a->heads, i, (uint64_t)a->heads * a->head_dim, &layer->qkv);
    core_free(parts);
    return status;
}

/* Keys and values of each head below each other: one tensor, or one of keys and one of values. */
static oclm_status load_latent_kv(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const uint32_t keys = a->latent.nope_dim, values = a->latent.value_dim, heads = a->heads;
    if (model_bound_tensor(l->binding, MODEL_KV_B, i).tensor != NULL)
        return model_load_matrix(l, MODEL_KV_B, i, &layer->latent_kv);
    part *parts = core_alloc_array(2 * (size_t)heads, sizeof *parts, "the parts of latent keys and values");
    if (parts == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t h = 0; h < heads; h++) {
        parts[h] = (part){ MODEL_K_B, h * keys, keys, h * (keys + values), 1 };
        parts[heads + h] = (part){ MODEL_V_B, h * values, values, h * (keys + values) + keys, 1 };
    }
    const oclm_status status = model_load_parts(l, parts, 2 * (size_t)heads, i, (uint64_t)heads * (keys + values), &layer->latent_kv);
    core_free(parts);
    return status;
}

static oclm_status load_latent(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const model_latent *m = &a->latent;
    const uint32_t      kv_rows = m->kv_rank + m->rope_dim, first = m->q_rank > 0 ? 0 : 1; /* without a rank, queries come from elsewhere */
    part                parts[] = { { MODEL_Q_A, 0, m->q_rank, 0, 1 }, { MODEL_KV_A, 0, kv_rows, m->q_rank, 1 } };
    oclm_status         status;
    if ((status = model_load_fused(l, parts + first, COUNT(parts) - first, i, m->q_rank + kv_rows, a->qkv_bias, &layer->latent,
                             &layer->latent_bias)) != OCLM_OK ||
        (status = model_load_norm(l, &m->norm, MODEL_Q_A_NORM, false, i, &layer->latent_q_norm)) != OCLM_OK ||
        (status = model_load_norm(l, &m->norm, MODEL_KV_A_NORM, false, i, &layer->latent_kv_norm)) != OCLM_OK ||
        (status = load_latent_q(l, i, layer)) != OCLM_OK)
        return status;
    return load_latent_kv(l, i, layer);
}

/* Rows of the matrix of a layer's up product, gates included. */
static uint64_t up_rows(const model_architecture *a, uint32_t layer)
{
    const uint32_t inner = model_inner_width(a, layer);
    return a->mlp_gated ? 2 * dev_padded(inner) : inner;
}

static oclm_status load_up(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const uint32_t inner = model_inner_width(a, i);
    const bool     fused = model_bound_tensor(l->binding, MODEL_GATE_UP, i).tensor != NULL;
    part           plain[] = { model_whole(l, MODEL_UP, i) };
    part           gated[] = { { fused ? MODEL_GATE_UP : MODEL_GATE, 0, inner, 0, 2 },
                               { fused ? MODEL_GATE_UP : MODEL_UP, fused ? inner : 0, inner, DEV_PANEL, 2 } };
    return model_load_fused(l, a->mlp_gated ? gated : plain, a->mlp_gated ? COUNT(gated) : COUNT(plain), i, up_rows(a, i), a->mlp_bias, &layer->up,
                      &layer->up_bias);
}

static double softplus(double x) { return x > 20.0 ? x : log1p(exp(x)); } /* with torch's threshold */

static oclm_status load_xielu(loader *l, uint32_t layer, dev_buffer *buffer)
{
    static const model_role roles[] = { MODEL_XIELU_ALPHA_P, MODEL_XIELU_ALPHA_N, MODEL_XIELU_BETA, MODEL_XIELU_EPS };
    float       stored[COUNT(roles)], values[DEV_PANEL] = { 0 };
    oclm_status status = OCLM_OK;
    if (!l->binding->architecture->xielu)
        return OCLM_OK;
    for (size_t i = 0; i < COUNT(roles) && status == OCLM_OK; i++) {
        const part p = model_whole(l, roles[i], layer);
        status = model_read_elements(l, &p, layer, true, &stored[i]);
    }
    if (status != OCLM_OK)
        return status;
    values[0] = (float)softplus(stored[0]);
    values[1] = (float)(stored[2] + softplus(stored[1]));
    values[2] = stored[2];
    values[3] = stored[3];
    return model_new_vector(l, "the numbers of xIELU", values, sizeof values, buffer);
}

static oclm_status load_attention(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    oclm_status status;
    if ((status = a->latent.kv_rank > 0 ? load_latent(l, i, layer)
                  : a->attention_gate   ? load_gated_qkv(l, i, layer) : load_qkv(l, i, layer)) != OCLM_OK ||
        (status = model_load_norm(l, &a->qk_norm_shape, MODEL_Q_NORM, true, i, &layer->q_norm)) != OCLM_OK ||
        (status = model_load_norm(l, &a->qk_norm_shape, MODEL_K_NORM, true, i, &layer->k_norm)) != OCLM_OK ||
        (status = model_load_vector(l, MODEL_SINKS, i, &layer->sinks)) != OCLM_OK ||
        (status = model_load_matrix(l, MODEL_O, i, &layer->output)) != OCLM_OK)
        return status;
    return model_load_vector(l, MODEL_O_BIAS, i, &layer->output_bias);
}

/* How a layer's rows meet, with the norms around it. */
static oclm_status load_mixing(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const bool  attention = a->layer[i].mixer == MODEL_MIXER_ATTENTION;
    oclm_status status;
    if ((status = model_load_norm(l, &a->norm, MODEL_ATTENTION_NORM, true, i, &layer->attention_norm)) != OCLM_OK ||
        (status = attention ? load_attention(l, i, layer) : model_load_mixer(l, i, layer)) != OCLM_OK)
        return status;
    return model_load_norm(l, &a->norm, MODEL_POST_ATTENTION_NORM, false, i, &layer->post_attention_norm);
}

/* The dense part: the MLP, or what every row has beside the experts it chose. */
static oclm_status load_dense(loader *l, uint32_t i, model_layer *layer)
{
    oclm_status status;
    if (model_inner_width(l->binding->architecture, i) == 0)
        return OCLM_OK;
    if ((status = load_up(l, i, layer)) != OCLM_OK ||
        (status = load_xielu(l, i, &layer->xielu)) != OCLM_OK ||
        (status = model_load_matrix(l, MODEL_DOWN, i, &layer->down)) != OCLM_OK)
        return status;
    return model_load_vector(l, MODEL_DOWN_BIAS, i, &layer->down_bias);
}

static oclm_status load_mlp(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    oclm_status status;
    if ((status = model_load_norm(l, &a->norm, MODEL_MLP_NORM, true, i, &layer->mlp_norm)) != OCLM_OK ||
        (status = load_dense(l, i, layer)) != OCLM_OK ||
        (a->layer[i].experts && (status = model_load_experts(l, i, &layer->experts)) != OCLM_OK))
        return status;
    return model_load_norm(l, &a->norm, MODEL_POST_MLP_NORM, false, i, &layer->post_mlp_norm);
}

/* What a layer is told of its row's token once more, and by what it multiplies at its end. */
static oclm_status load_input(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const part  scalar = model_whole(l, MODEL_LAYER_SCALAR, i);
    oclm_status status = OCLM_OK;
    layer->scalar = 1.0f;
    if (a->layer_scalar && (status = model_read_elements(l, &scalar, i, true, &layer->scalar)) != OCLM_OK)
        return status;
    if (a->layer_input.size > 0 && ((status = model_load_matrix(l, MODEL_INPUT_GATE, i, &layer->input_gate)) != OCLM_OK ||
                                    (status = model_load_matrix(l, MODEL_INPUT_OUT, i, &layer->input_out)) != OCLM_OK))
        return status;
    return model_load_norm(l, &a->norm, MODEL_POST_INPUT_NORM, false, i, &layer->post_input_norm);
}

/* All layers' parts of what they are told: each from a panel of its own on. */
static oclm_status load_inputs(loader *l, model_weights *w)
{
    const model_architecture *a = l->binding->architecture;
    const uint32_t            size = a->layer_input.size, padded = (uint32_t)dev_padded(size);
    const model_norm_shape    norm = { .kind = a->norm.kind, .eps = a->layer_input.norm_eps };
    part                     *parts = core_alloc_array(a->layers, sizeof *parts, "the parts of layers' inputs");
    oclm_status               status = parts != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < a->layers && status == OCLM_OK; i++)
        parts[i] = (part){ MODEL_INPUT_IN, i * size, size, i * padded, 1 };
    const part table = model_whole(l, MODEL_INPUT_EMBEDDING, 0);
    if (status == OCLM_OK && (status = model_load_table(l, &table, &w->input_embedding)) == OCLM_OK &&
        (status = model_load_parts(l, parts, a->layers, 0, (uint64_t)a->layers * padded, &w->input_in)) == OCLM_OK)
        status = model_load_scaled_norm(l, &norm, MODEL_INPUT_IN_NORM, (float)sqrt(0.5), 0, &w->input_in_norm);
    core_free(parts);
    return status;
}

static oclm_status load_embedding(loader *l, model_weights *w)
{
    const model_architecture *a = l->binding->architecture;
    const part  table = model_whole(l, MODEL_EMBEDDING, 0);
    const part  positions = { MODEL_POSITIONS, a->position_offset, a->max_position_embeddings, 0, 1 };
    oclm_status status;
    if ((status = l->binding->tied ? model_load_parts(l, &table, 1, 0, table.count, &w->embedding)
                                    : model_load_table(l, &table, &w->embedding)) != OCLM_OK ||
        (model_has_projections(a) && (status = model_load_matrix(l, MODEL_PROJECT_IN, 0, &w->project_in)) != OCLM_OK) ||
        (a->position == MODEL_POSITION_LEARNED &&
         (status = model_load_table(l, &positions, &w->positions)) != OCLM_OK) ||
        (a->layer_input.size > 0 && (status = load_inputs(l, w)) != OCLM_OK))
        return status;
    return model_load_norm(l, &a->norm, MODEL_EMBEDDING_NORM, true, 0, &w->embedding_norm);
}

static oclm_status load_head(loader *l, model_weights *w)
{
    const model_architecture *a = l->binding->architecture;
    oclm_status status;
    if ((status = model_load_norm(l, &a->norm, MODEL_FINAL_NORM, true, 0, &w->final_norm)) != OCLM_OK ||
        (model_has_projections(a) && (status = model_load_matrix(l, MODEL_PROJECT_OUT, 0, &w->project_out)) != OCLM_OK) ||
        (!l->binding->tied && (status = model_load_matrix(l, MODEL_HEAD, 0, &w->head)) != OCLM_OK))
        return status;
    return model_load_vector(l, MODEL_HEAD_BIAS, 0, &w->head_bias);
}

/* A unit of placement begins: what comes goes to its device. */
static void begin_unit(loader *l, uint32_t unit)
{
    if (!l->sizing)
        l->device = model_site(l->sites, unit);
}

/* A unit of placement ends: what was counted since the one before it is its own. */
static void note_unit(loader *l, uint32_t unit)
{
    if (l->units != NULL)
        l->units[unit] = (model_unit_size){ l->sizes.bytes - l->unit_begin.bytes, l->vectors - l->unit_begin.vectors,
                                            l->matrices - l->unit_begin.matrices };
    l->unit_begin = (model_unit_size){ l->sizes.bytes, l->vectors, l->matrices };
}

/* It may live elsewhere. */
static oclm_status end_unit(const loader *l, model_weights *w, uint32_t unit)
{
    return l->sizing ? OCLM_OK : model_offload_take(w->offload, w, unit);
}

static oclm_status load_layer(loader *l, uint32_t i, model_weights *w)
{
    model_layer *layer = &w->layers[i];
    oclm_status status;
    begin_unit(l, MODEL_UNIT_LAYERS + i);
    if ((status = load_mixing(l, i, layer)) != OCLM_OK || (status = load_mlp(l, i, layer)) != OCLM_OK ||
        (status = load_input(l, i, layer)) != OCLM_OK)
        return status;
    note_unit(l, MODEL_UNIT_LAYERS + i);
    return end_unit(l, w, MODEL_UNIT_LAYERS + i);
}

oclm_status model_load_all(loader *l, model_weights *w)
{
    begin_unit(l, MODEL_UNIT_EMBEDDING);
    oclm_status status = load_embedding(l, w);
    note_unit(l, MODEL_UNIT_EMBEDDING);
    if (status == OCLM_OK)
        status = end_unit(l, w, MODEL_UNIT_EMBEDDING);
    for (uint32_t i = 0; i < w->layer_count && status == OCLM_OK; i++)
        status = load_layer(l, i, w);
    begin_unit(l, MODEL_UNIT_HEAD);
    if (status == OCLM_OK)
        status = load_head(l, w);
    note_unit(l, MODEL_UNIT_HEAD);
    if (status == OCLM_OK)
        status = end_unit(l, w, MODEL_UNIT_HEAD);
    return status == OCLM_OK ? model_offload_open(w->offload) : status;
}

oclm_status model_weights_load(const model_sites *sites, const model_binding *binding, const model_storing *storing, oclm_progress_callback progress,
                               void *user, model_weights *weights)
{
    loader      l = { .sites = sites, .binding = binding, .storing = storing, .progress = progress, .user = user };
    oclm_status status;
    memset(weights, 0, sizeof *weights);
    if ((status = model_storing_check(storing, binding)) != OCLM_OK ||
        (status = model_weights_check_budget(sites, binding, storing)) != OCLM_OK)
        return status;
    l.total = binding->bytes;
    weights->dtype = storing->dtype;
    weights->parameters = binding->parameters;
    weights->layers = core_alloc_zero(binding->architecture->layers, sizeof *weights->layers, "the table of layers");
    if (weights->layers == NULL)
        return OCLM_ERR_MEMORY;
    weights->layer_count = binding->architecture->layers;
    status = model_offload_new(sites, weights->layer_count, binding->tied, sites->offload, &weights->offload);
    if (status == OCLM_OK)
        status = model_load_all(&l, weights);
    weights->sizes = l.sizes;
    weights->storage = model_main_storage(&l.sizes);
    if (status != OCLM_OK)
        model_weights_free(sites, weights);
    return status;
}

static void free_norm(dev_device *device, dev_norm *norm)
{
    dev_buffer_free(device, &norm->weight);
    dev_buffer_free(device, &norm->bias);
}

static void free_layer(dev_device *device, model_layer *layer)
{
    dev_norm *const   norms[] = { &layer->attention_norm, &layer->mlp_norm, &layer->post_attention_norm, &layer->post_mlp_norm,
                                  &layer->q_norm, &layer->k_norm, &layer->latent_q_norm, &layer->latent_kv_norm, &layer->post_input_norm };
    dev_matrix *const matrices[] = { &layer->qkv, &layer->output, &layer->up, &layer->down, &layer->latent,
                                  &layer->latent_kv, &layer->input_gate, &layer->input_out };
    dev_buffer *const buffers[] = { &layer->qkv_bias, &layer->latent_bias, &layer->sinks, &layer->output_bias, &layer->up_bias, &layer->xielu,
                                    &layer->down_bias };
    model_experts_free(device, &layer->experts);
    model_mixer_free(device, &layer->mixer);
    for (size_t i = 0; i < COUNT(norms); i++)
        free_norm(device, norms[i]);
    for (size_t i = 0; i < COUNT(matrices); i++)
        dev_matrix_free(device, matrices[i]);
    for (size_t i = 0; i < COUNT(buffers); i++)
        dev_buffer_free(device, buffers[i]);
}

void model_weights_free(const model_sites *sites, model_weights *weights)
{
    dev_matrix *const first[] = { &weights->embedding, &weights->positions, &weights->project_in, &weights->input_embedding,
                                  &weights->input_in };
    dev_matrix *const last[] = { &weights->project_out, &weights->head };
    dev_device *const begin = model_site(sites, MODEL_UNIT_EMBEDDING), *const end = model_site(sites, MODEL_UNIT_HEAD);
    model_offload_free(weights->offload);
    for (uint32_t i = 0; i < weights->layer_count; i++)
        free_layer(model_site(sites, MODEL_UNIT_LAYERS + i), &weights->layers[i]);
    core_free(weights->layers);
    for (size_t i = 0; i < COUNT(first); i++)
        dev_matrix_free(begin, first[i]);
    for (size_t i = 0; i < COUNT(last); i++)
        dev_matrix_free(end, last[i]);
    free_norm(begin, &weights->input_in_norm);
    free_norm(begin, &weights->embedding_norm);
    free_norm(end, &weights->final_norm);
    dev_buffer_free(end, &weights->head_bias);
    memset(weights, 0, sizeof *weights);
}
