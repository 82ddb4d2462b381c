/* weights.c: from the checkpoint to the device, role by role. What is multiplied together lies together: q, k and v are one
 * matrix, gate and up another with alternating panels, and their biases are laid out alike, whatever way the checkpoint holds them. */
#include "model/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/loader.h"

/* ---- Sizes */

static uint64_t padded(uint64_t count) { return (count + DEV_PANEL - 1) / DEV_PANEL * DEV_PANEL; }

static uint64_t vector_bytes(uint64_t count) { return padded(count) * sizeof(float); }

static uint64_t up_rows(const model_architecture *a, uint32_t layer)
{
    const uint32_t inner = model_inner_width(a, layer);
    return a->mlp_gated ? 2 * padded(inner) : inner;
}

/* What a role takes on the device. Nothing for those that lie in another one, as q, k and v in MODEL_QKV, whatever the checkpoint does. */
static uint64_t role_bytes(const model_architecture *a, model_role role, uint32_t layer, core_dtype dtype)
{
    const model_role_shape shape = model_role_shape_of(a, role, layer);
    if (role >= MODEL_MIX_IN && role <= MODEL_MIX_OUT_BIAS)
        return model_mixer_bytes(a, role, layer, dtype);
    switch (role) {
    case MODEL_Q:
        if (a->latent.kv_rank == 0)
            return 0;
        break;
    case MODEL_Q_BIAS: case MODEL_K: case MODEL_K_BIAS: case MODEL_V: case MODEL_V_BIAS: case MODEL_GATE: case MODEL_GATE_BIAS:
    case MODEL_XIELU_ALPHA_N: case MODEL_XIELU_BETA: case MODEL_XIELU_EPS: return 0;
    case MODEL_UP: case MODEL_UP_BIAS:
        if (a->mlp_gated)
            return 0;
        break;
    case MODEL_GATE_UP:
        if (shape.rows > 0)
            return dev_matrix_bytes(dtype, up_rows(a, layer), shape.columns);
        break;
    case MODEL_GATE_UP_BIAS: return shape.rows > 0 ? vector_bytes(up_rows(a, layer)) : 0;
    case MODEL_POSITIONS: return shape.rows > 0 ? dev_matrix_bytes(dtype, a->max_position_embeddings, shape.columns) : 0;
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP: case MODEL_EXPERTS_GATE_UP: case MODEL_EXPERTS_GATE_UP_BIAS: case MODEL_EXPERTS_DOWN:
    case MODEL_EXPERTS_DOWN_BIAS:
        return shape.rows > 0 ? a->experts.routing.count * model_expert_bytes(a, role, dtype) : 0;
    default: break;
    }
    return shape.columns > 0 ? dev_matrix_bytes(dtype, shape.rows, shape.columns) : vector_bytes(shape.rows);
}

static uint64_t layer_bytes(const model_architecture *a, uint32_t layer, core_dtype dtype)
{
    uint64_t bytes = 0;
    for (model_role role = MODEL_FIRST_LAYER_ROLE; role < MODEL_ROLE_COUNT; role++)
        bytes += role_bytes(a, role, layer, dtype);
    return bytes;
}

uint64_t model_weights_bytes(const model_architecture *a, bool tied, core_dtype dtype)
{
    uint64_t bytes = 0;
    for (model_role role = 0; role < MODEL_FIRST_LAYER_ROLE; role++)
        bytes += tied && role == MODEL_HEAD ? 0 : role_bytes(a, role, 0, dtype);
    for (uint32_t layer = 0; layer < a->layers; layer++)
        bytes += layer_bytes(a, layer, dtype);
    return bytes;
}

/* Of experts that a row did not choose nothing is read. */
static uint64_t unread_bytes(const model_architecture *a, uint32_t layer, core_dtype dtype)
{
    static const model_role roles[] = { MODEL_EXPERTS_GATE_UP, MODEL_EXPERTS_GATE_UP_BIAS, MODEL_EXPERTS_DOWN, MODEL_EXPERTS_DOWN_BIAS };
    uint64_t bytes = 0;
    for (size_t i = 0; i < COUNT(roles) && a->layer[layer].experts; i++)
        bytes += (a->experts.routing.count - a->experts.routing.chosen) * model_expert_bytes(a, roles[i], dtype);
    return bytes;
}

uint64_t model_weights_read_per_token(const model_architecture *a, core_dtype dtype)
{
    uint64_t bytes = model_weights_bytes(a, false, dtype) - role_bytes(a, MODEL_EMBEDDING, 0, dtype) - role_bytes(a, MODEL_POSITIONS, 0, dtype);
    for (uint32_t layer = 0; layer < a->layers; layer++)
        bytes -= unread_bytes(a, layer, dtype);
    return bytes;
}

static oclm_status check_budget(dev_device *device, const model_binding *b, core_dtype dtype)
{
    const uint64_t available = dev_memory_left(device), staging = dev_matrix_staging_bytes(device);
    const uint64_t needed = model_weights_bytes(b->architecture, b->tied, dtype) + staging;
    const uint64_t half = model_weights_bytes(b->architecture, b->tied, CORE_F16) + staging;
    const dev_traits *traits = dev_get_traits(device);
    const bool     told = traits->budget_bytes < traits->info.global_mem_bytes / 100 * 89; /* not the default of 90 % */
    char           needed_text[32], staging_text[32], available_text[32], half_text[32], way_out[200];
    if (needed <= available)
        return OCLM_OK;
    if (half <= available)
        snprintf(way_out, sizeof way_out, "as float16 or bfloat16 they need %s, which fits", core_format_bytes(half, half_text));
    else
        snprintf(way_out, sizeof way_out, "no dtype makes them fit; %schoose a device with more memory%s (oclm info tells which)",
                 told ? "allow more (max_device_bytes, --max-memory) or " : "", traits->info.host_unified ? "" : ", such as the CPU");
    return core_fail(OCLM_ERR_DEVICE_MEMORY, "device \"%s\": the weights in %s need %s (%s of it to load through), available are %s; %s",
                     traits->info.name, core_dtype_long_name(core_dtype_public(dtype)), core_format_bytes(needed, needed_text),
                     core_format_bytes(staging, staging_text), core_format_bytes(available, available_text), way_out);
}

/* ---- Loading */

typedef model_loader loader;

/* One tensor is on the device: its pages may leave, and whoever waits is told. */
oclm_status model_loaded(loader *l, const ckpt_tensor *tensor)
{
    ckpt_release(l->binding->checkpoint, tensor);
    l->done += tensor->bytes;
    if (l->progress != NULL && !l->progress("loading weights", l->done, l->total, l->user))
        return core_fail(OCLM_ERR_CANCELLED, "loading was cancelled after %.0f %% of the weights",
                         l->total > 0 ? 100.0 * (double)l->done / (double)l->total : 100.0);
    return OCLM_OK;
}

typedef model_part part;

static part whole(const loader *l, model_role role, uint32_t layer)
{
    return (part){ role, 0, model_role_shape_of(l->binding->architecture, role, layer).rows, 0, 1 };
}

/* The same of the biases. */
static part bias_of(part p)
{
    p.role = (model_role)(p.role + 1);
    return p;
}

static const char *name_of(const loader *l, model_role role, uint32_t layer)
{
    return model_bound_tensor(l->binding, role, layer).tensor->name;
}

static oclm_status fill(loader *l, dev_matrix *matrix, const part *p, uint32_t layer)
{
    const model_bound       bound = model_bound_tensor(l->binding, p->role, layer);
    const model_role_shape  shape = model_role_shape_of(l->binding->architecture, p->role, layer);
    const size_t            skip = (size_t)p->from * (bound.transposed ? 1 : shape.columns); /* elements before the first row */
    const dev_matrix_source source = {
        .data = (const char *)bound.tensor->data + skip * core_dtype_size(bound.tensor->dtype), .dtype = bound.tensor->dtype,
        .rows = p->count, .columns = shape.columns, .row_stride = bound.transposed ? shape.rows : shape.columns,
        .transposed = bound.transposed, .first_row = p->first_row, .panel_step = p->panel_step,
    };
    if (p->from == 0)
        ckpt_will_need(l->binding->checkpoint, bound.tensor);
    return dev_matrix_fill(l->device, dev_queue(l->device), matrix, &source);
}

/* The last part of a tensor was taken? */
static bool is_last_of_tensor(const part *parts, size_t count, size_t i) { return i + 1 == count || parts[i + 1].role != parts[i].role; }

oclm_status model_load_parts(loader *l, const part *parts, size_t count, uint32_t layer, uint64_t rows, dev_matrix *matrix)
{
    const uint32_t columns = model_role_shape_of(l->binding->architecture, parts[0].role, layer).columns;
    oclm_status    status = dev_matrix_new(l->device, l->dtype, (uint32_t)rows, columns, name_of(l, parts[0].role, layer), matrix);
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        status = fill(l, matrix, &parts[i], layer);
        if (status == OCLM_OK && is_last_of_tensor(parts, count, i))
            status = model_loaded(l, model_bound_tensor(l->binding, parts[i].role, layer).tensor);
    }
    return status;
}

oclm_status model_load_matrix(loader *l, model_role role, uint32_t layer, dev_matrix *matrix)
{
    const part p = whole(l, role, layer);
    return model_load_parts(l, &p, 1, layer, p.count, matrix);
}

/* Reads the elements that a part says, of one tensor or, where each head has its own, of all in turn. */
static oclm_status read_elements(loader *l, const part *p, uint32_t layer, bool is_last, float *into)
{
    const uint32_t pieces = model_bound_tensor(l->binding, p->role, layer).pieces;
    oclm_status    status = OCLM_OK;
    for (uint32_t piece = 0; piece < pieces && status == OCLM_OK; piece++) {
        const ckpt_tensor *tensor = model_bound_piece(l->binding, p->role, layer, piece).tensor;
        const size_t       count = p->count / pieces;
        core_dtype_to_f32(tensor->dtype, (const char *)tensor->data + p->from * core_dtype_size(tensor->dtype), into + piece * count,
                          count);
        if (is_last)
            status = model_loaded(l, tensor);
    }
    return status;
}

/* Moves panels apart, from the last to the first. What lies between them stays. */
static void spread(const float *from, const part *p, float *into)
{
    const uint32_t together = p->panel_step == 1 ? p->count : DEV_PANEL; /* elements that stay so */
    for (uint32_t i = 0; i < p->count; i += together) {
        const uint32_t here = p->count - i < together ? p->count - i : together;
        memcpy(into + p->first_row + i * p->panel_step, from + i, here * sizeof *from);
    }
}

static oclm_status new_vector(loader *l, const char *name, const float *values, size_t bytes, dev_buffer *buffer)
{
    const oclm_status status = dev_buffer_new(l->device, bytes, name, buffer);
    return status == OCLM_OK ? dev_buffer_write(dev_queue(l->device), buffer, 0, values, bytes) : status;
}

/* A vector of one or several parts, in float32, each element more by `plus`, padded with zeros to whole panels of `rows`. */
static oclm_status load_elements(loader *l, const part *parts, size_t count, uint32_t layer, uint64_t rows, float plus, dev_buffer *buffer)
{
    const size_t bytes = (size_t)vector_bytes(rows);
    const char  *name = name_of(l, parts[0].role, layer);
    float       *values = core_alloc_zero(bytes / sizeof *values, 2 * sizeof *values, name), *const raw = values + bytes / sizeof *values;
    oclm_status  status = values != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        status = read_elements(l, &parts[i], layer, is_last_of_tensor(parts, count, i), raw);
        for (uint32_t j = 0; j < parts[i].count; j++)
            raw[j] += plus;
        spread(raw, &parts[i], values);
    }
    if (status == OCLM_OK)
        status = new_vector(l, name, values, bytes, buffer);
    core_free(values);
    return status;
}

/* A vector of one tensor; none where the architecture has none. */
oclm_status model_load_vector(loader *l, model_role role, uint32_t layer, dev_buffer *buffer)
{
    const part p = whole(l, role, layer);
    return p.count > 0 ? load_elements(l, &p, 1, layer, p.count, 0.0f, buffer) : OCLM_OK;
}

/* A norm, of which the architecture may have all, no tensors, or nothing. `role` is its weight's. */
static oclm_status load_norm(loader *l, const model_norm_shape *shape, model_role role, bool may_have_bias, uint32_t layer, dev_norm *norm)
{
    const part  p = whole(l, role, layer);
    oclm_status status = OCLM_OK;
    if (!model_has_norm(l->binding->architecture, role))
        return OCLM_OK;
    norm->kind = shape->kind;
    norm->eps = shape->eps;
    if (p.count > 0)
        status = load_elements(l, &p, 1, layer, p.count, shape->weight_plus_one ? 1.0f : 0.0f, &norm->weight);
    return status == OCLM_OK && may_have_bias ? model_load_vector(l, bias_of(p).role, layer, &norm->bias) : status;
}

/* A weight of several parts and, where the architecture has one, its bias, which lies alike. */
static oclm_status load_fused(loader *l, part *parts, size_t count, uint32_t layer, uint64_t rows, bool has_bias, dev_matrix *matrix,
                              dev_buffer *bias)
{
    oclm_status status = model_load_parts(l, parts, count, layer, rows, matrix);
    for (size_t i = 0; i < count; i++)
        parts[i] = bias_of(parts[i]);
    return status == OCLM_OK && has_bias ? load_elements(l, parts, count, layer, rows, 0.0f, bias) : status;
}

/* Queries, keys, values and gates below each other. The checkpoint has each head's queries and gates in turn. */
static oclm_status load_gated_qkv(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const uint32_t dim = a->head_dim, q = a->heads * dim, kv = a->kv_heads * dim;
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
    const oclm_status status = load_fused(l, parts, count, i, 2 * ((uint64_t)q + kv), a->qkv_bias, &layer->qkv, &layer->qkv_bias);
    core_free(parts);
    return status;
}

/* Queries, keys and values below each other: three tensors, or blocks of a fused one with each one's share of all three. */
static oclm_status load_qkv(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const bool     fused = model_bound_tensor(l->binding, MODEL_QKV, i).tensor != NULL;
    const uint32_t blocks = fused && a->qkv_layout.blocks > 1 ? a->qkv_layout.blocks : 1;
    const uint32_t q = a->heads * a->head_dim, kv = a->kv_heads * a->head_dim, q_share = q / blocks, kv_share = kv / blocks;
    const uint32_t k_first = a->qkv_layout.v_first ? q_share + kv_share : q_share, v_first = a->qkv_layout.v_first ? q_share : q_share + kv_share;
    part          *parts = core_alloc_array(3 * (size_t)blocks, sizeof *parts, "the parts of queries, keys and values");
    if (parts == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t b = 0; b < blocks; b++) {
        const uint32_t from = b * (q_share + 2 * kv_share);
        parts[3 * b] = (part){ fused ? MODEL_QKV : MODEL_Q, from, q_share, b * q_share, 1 };
        parts[3 * b + 1] = (part){ fused ? MODEL_QKV : MODEL_K, fused ? from + k_first : 0, kv_share, q + b * kv_share, 1 };
        parts[3 * b + 2] = (part){ fused ? MODEL_QKV : MODEL_V, fused ? from + v_first : 0, kv_share, q + kv + b * kv_share, 1 };
    }
    const oclm_status status =
        load_fused(l, parts, 3 * (size_t)blocks, i, (uint64_t)q + 2 * kv, a->qkv_bias, &layer->qkv, &layer->qkv_bias);
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

static oclm_status load_latent(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const model_latent *m = &a->latent;
    const uint32_t      kv_rows = m->kv_rank + m->rope_dim, first = m->q_rank > 0 ? 0 : 1; /* without a rank, queries come from elsewhere */
    part                parts[] = { { MODEL_Q_A, 0, m->q_rank, 0, 1 }, { MODEL_KV_A, 0, kv_rows, m->q_rank, 1 } };
    oclm_status         status;
    if ((status = load_fused(l, parts + first, COUNT(parts) - first, i, m->q_rank + kv_rows, a->qkv_bias, &layer->latent,
                             &layer->latent_bias)) != OCLM_OK ||
        (status = load_norm(l, &m->norm, MODEL_Q_A_NORM, false, i, &layer->latent_q_norm)) != OCLM_OK ||
        (status = load_norm(l, &m->norm, MODEL_KV_A_NORM, false, i, &layer->latent_kv_norm)) != OCLM_OK ||
        (status = load_latent_q(l, i, layer)) != OCLM_OK)
        return status;
    return model_load_matrix(l, MODEL_KV_B, i, &layer->latent_kv);
}

static oclm_status load_up(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const uint32_t inner = model_inner_width(a, i);
    const bool     fused = model_bound_tensor(l->binding, MODEL_GATE_UP, i).tensor != NULL;
    part           plain[] = { whole(l, MODEL_UP, i) };
    part           gated[] = { { fused ? MODEL_GATE_UP : MODEL_GATE, 0, inner, 0, 2 },
                               { fused ? MODEL_GATE_UP : MODEL_UP, fused ? inner : 0, inner, DEV_PANEL, 2 } };
    return load_fused(l, a->mlp_gated ? gated : plain, a->mlp_gated ? COUNT(gated) : COUNT(plain), i, up_rows(a, i), a->mlp_bias, &layer->up,
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
        const part p = whole(l, roles[i], layer);
        status = read_elements(l, &p, layer, true, &stored[i]);
    }
    if (status != OCLM_OK)
        return status;
    values[0] = (float)softplus(stored[0]);
    values[1] = (float)(stored[2] + softplus(stored[1]));
    values[2] = stored[2];
    values[3] = stored[3];
    return new_vector(l, name_of(l, roles[0], layer), values, sizeof values, buffer);
}

static oclm_status load_attention(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    oclm_status status;
    if ((status = a->latent.kv_rank > 0 ? load_latent(l, i, layer)
                  : a->attention_gate   ? load_gated_qkv(l, i, layer) : load_qkv(l, i, layer)) != OCLM_OK ||
        (status = load_norm(l, &a->qk_norm_shape, MODEL_Q_NORM, true, i, &layer->q_norm)) != OCLM_OK ||
        (status = load_norm(l, &a->qk_norm_shape, MODEL_K_NORM, true, i, &layer->k_norm)) != OCLM_OK ||
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
    if ((status = load_norm(l, &a->norm, MODEL_ATTENTION_NORM, true, i, &layer->attention_norm)) != OCLM_OK ||
        (status = attention ? load_attention(l, i, layer) : model_load_mixer(l, i, layer)) != OCLM_OK)
        return status;
    return load_norm(l, &a->norm, MODEL_POST_ATTENTION_NORM, false, i, &layer->post_attention_norm);
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
    if ((status = load_norm(l, &a->norm, MODEL_MLP_NORM, true, i, &layer->mlp_norm)) != OCLM_OK ||
        (status = load_dense(l, i, layer)) != OCLM_OK ||
        (a->layer[i].experts && (status = model_load_experts(l, i, &layer->experts)) != OCLM_OK))
        return status;
    return load_norm(l, &a->norm, MODEL_POST_MLP_NORM, false, i, &layer->post_mlp_norm);
}

static oclm_status load_embedding(loader *l, model_weights *w)
{
    const model_architecture *a = l->binding->architecture;
    const part  positions = { MODEL_POSITIONS, a->position_offset, a->max_position_embeddings, 0, 1 };
    oclm_status status;
    if ((status = model_load_matrix(l, MODEL_EMBEDDING, 0, &w->embedding)) != OCLM_OK ||
        (model_has_projections(a) && (status = model_load_matrix(l, MODEL_PROJECT_IN, 0, &w->project_in)) != OCLM_OK) ||
        (a->position == MODEL_POSITION_LEARNED &&
         (status = model_load_parts(l, &positions, 1, 0, positions.count, &w->positions)) != OCLM_OK))
        return status;
    return load_norm(l, &a->norm, MODEL_EMBEDDING_NORM, true, 0, &w->embedding_norm);
}

static oclm_status load_head(loader *l, model_weights *w)
{
    const model_architecture *a = l->binding->architecture;
    oclm_status status;
    if ((status = load_norm(l, &a->norm, MODEL_FINAL_NORM, true, 0, &w->final_norm)) != OCLM_OK ||
        (model_has_projections(a) && (status = model_load_matrix(l, MODEL_PROJECT_OUT, 0, &w->project_out)) != OCLM_OK) ||
        (!l->binding->tied && (status = model_load_matrix(l, MODEL_HEAD, 0, &w->head)) != OCLM_OK))
        return status;
    return model_load_vector(l, MODEL_HEAD_BIAS, 0, &w->head_bias);
}

static oclm_status load_all(loader *l, model_weights *w)
{
    oclm_status status = load_embedding(l, w);
    for (uint32_t i = 0; i < w->layer_count && status == OCLM_OK; i++) {
        if ((status = load_mixing(l, i, &w->layers[i])) == OCLM_OK)
            status = load_mlp(l, i, &w->layers[i]);
    }
    return status == OCLM_OK ? load_head(l, w) : status;
}

oclm_status model_weights_load(dev_device *device, const model_binding *binding, core_dtype dtype, oclm_progress_callback progress,
                               void *user, model_weights *weights)
{
    loader      l = { .device = device, .binding = binding, .dtype = dtype, .progress = progress, .user = user };
    oclm_status status;
    memset(weights, 0, sizeof *weights);
    if ((status = check_budget(device, binding, dtype)) != OCLM_OK)
        return status;
    l.total = binding->bytes;
    weights->dtype = dtype;
    weights->parameters = binding->parameters;
    weights->layers = core_alloc_zero(binding->architecture->layers, sizeof *weights->layers, "the table of layers");
    if (weights->layers == NULL)
        return OCLM_ERR_MEMORY;
    weights->layer_count = binding->architecture->layers;
    if ((status = load_all(&l, weights)) != OCLM_OK)
        model_weights_free(device, weights);
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
                                  &layer->q_norm, &layer->k_norm, &layer->latent_q_norm, &layer->latent_kv_norm };
    dev_matrix *const matrices[] = { &layer->qkv, &layer->output, &layer->up, &layer->down, &layer->latent,
                                  &layer->latent_kv };
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

void model_weights_free(dev_device *device, model_weights *weights)
{
    dev_matrix *const matrices[] = { &weights->embedding, &weights->positions, &weights->project_in, &weights->project_out,
                                     &weights->head };
    for (uint32_t i = 0; i < weights->layer_count; i++)
        free_layer(device, &weights->layers[i]);
    core_free(weights->layers);
    for (size_t i = 0; i < COUNT(matrices); i++)
        dev_matrix_free(device, matrices[i]);
    free_norm(device, &weights->embedding_norm);
    free_norm(device, &weights->final_norm);
    dev_buffer_free(device, &weights->head_bias);
    memset(weights, 0, sizeof *weights);
}
