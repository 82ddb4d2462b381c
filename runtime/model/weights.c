/* weights.c: from the checkpoint to the device, role by role. What is multiplied together lies together: q, k and v are one
 * matrix, gate and up another with alternating panels, and their biases are laid out alike. */
#include "model/weights.h"

#include <stdio.h>
#include <string.h>

/* ---- Sizes */

static uint64_t padded(uint64_t count) { return (count + DEV_PANEL - 1) / DEV_PANEL * DEV_PANEL; }

static uint64_t vector_bytes(uint64_t count) { return padded(count) * sizeof(float); }

static uint64_t up_rows(const model_architecture *a) { return a->mlp_gated ? 2 * padded(a->intermediate_size) : a->intermediate_size; }

static uint64_t norm_bytes(const model_architecture *a) { return vector_bytes(a->hidden_size) * (a->norm.has_bias ? 2 : 1); }

/* The matrices of one layer. */
static uint64_t layer_matrix_bytes(const model_architecture *a, core_dtype dtype)
{
    const model_role_shape qkv = model_role_shape_of(a, MODEL_QKV), output = model_role_shape_of(a, MODEL_O);
    return dev_matrix_bytes(dtype, qkv.rows, qkv.columns) + dev_matrix_bytes(dtype, output.rows, output.columns) +
           dev_matrix_bytes(dtype, up_rows(a), a->hidden_size) + dev_matrix_bytes(dtype, a->hidden_size, a->intermediate_size);
}

static uint64_t layer_vector_bytes(const model_architecture *a)
{
    return 2 * norm_bytes(a) + (a->qkv_bias ? vector_bytes(model_role_shape_of(a, MODEL_QKV).rows) : 0) +
           (a->output_bias ? vector_bytes(a->hidden_size) : 0) +
           (a->mlp_bias ? vector_bytes(up_rows(a)) + vector_bytes(a->hidden_size) : 0);
}

uint64_t model_weights_bytes(const model_architecture *a, bool tied, core_dtype dtype)
{
    const uint64_t table = dev_matrix_bytes(dtype, a->vocab_size, a->hidden_size);
    const uint64_t positions = a->position == MODEL_POSITION_LEARNED
                                   ? dev_matrix_bytes(dtype, a->max_position_embeddings, a->hidden_size) : 0;
    return table * (tied ? 1 : 2) + positions + norm_bytes(a) + (a->head_bias ? vector_bytes(a->vocab_size) : 0) +
           a->layers * (layer_matrix_bytes(a, dtype) + layer_vector_bytes(a));
}

uint64_t model_weights_read_per_token(const model_architecture *a, core_dtype dtype)
{
    return dev_matrix_bytes(dtype, a->vocab_size, a->hidden_size) + norm_bytes(a) + (a->head_bias ? vector_bytes(a->vocab_size) : 0) +
           a->layers * (layer_matrix_bytes(a, dtype) + layer_vector_bytes(a));
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

typedef struct loader {
    dev_device             *device;
    const model_binding    *binding;
    core_dtype              dtype;
    oclm_progress_callback  progress;
    void                   *user;
    uint64_t                done, total; /* bytes of the checkpoint */
} loader;

/* One tensor is on the device: its pages may leave, and whoever waits is told. */
static oclm_status loaded(loader *l, const ckpt_tensor *tensor)
{
    ckpt_release(l->binding->checkpoint, tensor);
    l->done += tensor->bytes;
    if (l->progress != NULL && !l->progress("loading weights", l->done, l->total, l->user))
        return core_fail(OCLM_ERR_CANCELLED, "loading was cancelled after %.0f %% of the weights",
                         l->total > 0 ? 100.0 * (double)l->done / (double)l->total : 100.0);
    return OCLM_OK;
}

/* Puts a role's tensor into `matrix` from `first_row` on, every `panel_step`-th panel; leaves its first `skip` rows out. */
static oclm_status fill(loader *l, dev_matrix *matrix, model_role role, uint32_t layer, uint32_t first_row, uint32_t panel_step,
                        uint32_t skip)
{
    const model_bound      bound = model_bound_tensor(l->binding, role, layer);
    const model_role_shape shape = model_role_shape_of(l->binding->architecture, role);
    dev_matrix_source      source = {
        .data = bound.tensor->data, .dtype = bound.tensor->dtype, .rows = shape.rows - skip, .columns = shape.columns,
        .transposed = bound.transposed, .first_row = first_row, .panel_step = panel_step,
    };
    source.data = (const char *)source.data + (size_t)skip * shape.columns * core_dtype_size(source.dtype);
    ckpt_will_need(l->binding->checkpoint, bound.tensor);
    oclm_status status = dev_matrix_fill(l->device, dev_queue(l->device), matrix, &source);
    return status == OCLM_OK ? loaded(l, bound.tensor) : status;
}

static oclm_status make_matrix(loader *l, uint64_t rows, uint32_t columns, model_role role, uint32_t layer, dev_matrix *matrix)
{
    const model_bound bound = model_bound_tensor(l->binding, role, layer);
    return dev_matrix_new(l->device, l->dtype, (uint32_t)rows, columns, bound.tensor->name, matrix);
}

/* A matrix of one tensor. */
static oclm_status load_matrix(loader *l, model_role role, uint32_t layer, uint32_t skip, dev_matrix *matrix)
{
    const model_role_shape shape = model_role_shape_of(l->binding->architecture, role);
    oclm_status            status = make_matrix(l, shape.rows - skip, shape.columns, role, layer, matrix);
    return status == OCLM_OK ? fill(l, matrix, role, layer, 0, 1, skip) : status;
}

/* Where a vector's panels of 32 go: as dev_matrix_source. */
typedef struct vector_part {
    model_role role;
    uint32_t   first_row, panel_step;
} vector_part;

static oclm_status place_vector(loader *l, const vector_part *part, uint32_t layer, float *into)
{
    const ckpt_tensor *tensor = model_bound_tensor(l->binding, part->role, layer).tensor;
    const size_t       size = core_dtype_size(tensor->dtype), count = (size_t)tensor->elements;
    const size_t       step = part->panel_step == 1 ? count : DEV_PANEL; /* elements that stay together */
    for (size_t i = 0; i < count; i += step) {
        const size_t here = count - i < step ? count - i : step;
        core_dtype_to_f32(tensor->dtype, (const char *)tensor->data + i * size, into + part->first_row + i * part->panel_step, here);
    }
    return loaded(l, tensor);
}

/* One or several vectors, in float32, as one buffer of `rows`, padded with zeros to whole panels. */
static oclm_status load_vectors(loader *l, const vector_part *parts, size_t count, uint32_t layer, uint64_t rows, dev_buffer *buffer)
{
    const size_t bytes = (size_t)vector_bytes(rows);
    const char  *name = model_bound_tensor(l->binding, parts[0].role, layer).tensor->name;
    float       *values = core_alloc_zero(bytes / sizeof *values, sizeof *values, name);
    oclm_status  status = values != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = place_vector(l, &parts[i], layer, values);
    if (status == OCLM_OK)
        status = dev_buffer_new(l->device, bytes, name, buffer);
    if (status == OCLM_OK)
        status = dev_buffer_write(dev_queue(l->device), buffer, 0, values, bytes);
    core_free(values);
    return status;
}

static oclm_status load_vector(loader *l, model_role role, uint32_t layer, dev_buffer *buffer)
{
    const vector_part part = { role, 0, 1 };
    return load_vectors(l, &part, 1, layer, model_role_shape_of(l->binding->architecture, role).rows, buffer);
}

static oclm_status load_norm(loader *l, model_role weight, model_role bias, uint32_t layer, dev_norm *norm)
{
    const model_norm_shape *shape = &l->binding->architecture->norm;
    oclm_status             status = load_vector(l, weight, layer, &norm->weight);
    norm->kind = shape->kind;
    norm->eps = shape->eps;
    return status == OCLM_OK && shape->has_bias ? load_vector(l, bias, layer, &norm->bias) : status;
}

/* Queries, keys and values: fused in the checkpoint, or three tensors below each other. */
static oclm_status load_qkv(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const uint32_t    q = a->heads * a->head_dim, kv = a->kv_heads * a->head_dim;
    const bool        fused = model_bound_tensor(l->binding, MODEL_QKV, i).tensor != NULL;
    const vector_part fused_bias = { MODEL_QKV_BIAS, 0, 1 };
    const vector_part biases[] = { { MODEL_Q_BIAS, 0, 1 }, { MODEL_K_BIAS, q, 1 }, { MODEL_V_BIAS, q + kv, 1 } };
    oclm_status       status = make_matrix(l, (uint64_t)q + 2 * kv, a->hidden_size, fused ? MODEL_QKV : MODEL_Q, i, &layer->qkv);
    if (status == OCLM_OK && fused)
        status = fill(l, &layer->qkv, MODEL_QKV, i, 0, 1, 0);
    if (status == OCLM_OK && !fused && (status = fill(l, &layer->qkv, MODEL_Q, i, 0, 1, 0)) == OCLM_OK &&
        (status = fill(l, &layer->qkv, MODEL_K, i, q, 1, 0)) == OCLM_OK)
        status = fill(l, &layer->qkv, MODEL_V, i, q + kv, 1, 0);
    if (status == OCLM_OK && a->qkv_bias)
        status = load_vectors(l, fused ? &fused_bias : biases, fused ? 1 : COUNT(biases), i, (uint64_t)q + 2 * kv, &layer->qkv_bias);
    return status;
}

static oclm_status load_up(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    const vector_part biases[] = { { MODEL_GATE_BIAS, 0, 2 }, { MODEL_UP_BIAS, DEV_PANEL, 2 } };
    oclm_status       status;
    if (!a->mlp_gated) {
        status = load_matrix(l, MODEL_UP, i, 0, &layer->up);
        return status == OCLM_OK && a->mlp_bias ? load_vector(l, MODEL_UP_BIAS, i, &layer->up_bias) : status;
    }
    if ((status = make_matrix(l, up_rows(a), a->hidden_size, MODEL_GATE, i, &layer->up)) != OCLM_OK ||
        (status = fill(l, &layer->up, MODEL_GATE, i, 0, 2, 0)) != OCLM_OK ||
        (status = fill(l, &layer->up, MODEL_UP, i, DEV_PANEL, 2, 0)) != OCLM_OK)
        return status;
    return a->mlp_bias ? load_vectors(l, biases, COUNT(biases), i, up_rows(a), &layer->up_bias) : OCLM_OK;
}

static oclm_status load_layer(loader *l, uint32_t i, model_layer *layer)
{
    const model_architecture *a = l->binding->architecture;
    oclm_status status;
    if ((status = load_norm(l, MODEL_ATTENTION_NORM, MODEL_ATTENTION_NORM_BIAS, i, &layer->attention_norm)) != OCLM_OK ||
        (status = load_qkv(l, i, layer)) != OCLM_OK ||
        (status = load_matrix(l, MODEL_O, i, 0, &layer->output)) != OCLM_OK ||
        (a->output_bias && (status = load_vector(l, MODEL_O_BIAS, i, &layer->output_bias)) != OCLM_OK) ||
        (status = load_norm(l, MODEL_MLP_NORM, MODEL_MLP_NORM_BIAS, i, &layer->mlp_norm)) != OCLM_OK ||
        (status = load_up(l, i, layer)) != OCLM_OK ||
        (status = load_matrix(l, MODEL_DOWN, i, 0, &layer->down)) != OCLM_OK ||
        (a->mlp_bias && (status = load_vector(l, MODEL_DOWN_BIAS, i, &layer->down_bias)) != OCLM_OK))
        return status;
    return OCLM_OK;
}

static oclm_status load_all(loader *l, model_weights *w)
{
    const model_architecture *a = l->binding->architecture;
    oclm_status status;
    if ((status = load_matrix(l, MODEL_EMBEDDING, 0, 0, &w->embedding)) != OCLM_OK ||
        (a->position == MODEL_POSITION_LEARNED &&
         (status = load_matrix(l, MODEL_POSITIONS, 0, a->position_offset, &w->positions)) != OCLM_OK))
        return status;
    for (uint32_t i = 0; i < w->layer_count; i++) {
        if ((status = load_layer(l, i, &w->layers[i])) != OCLM_OK)
            return status;
    }
    if ((status = load_norm(l, MODEL_FINAL_NORM, MODEL_FINAL_NORM_BIAS, 0, &w->final_norm)) != OCLM_OK ||
        (!l->binding->tied && (status = load_matrix(l, MODEL_HEAD, 0, 0, &w->head)) != OCLM_OK))
        return status;
    return a->head_bias ? load_vector(l, MODEL_HEAD_BIAS, 0, &w->head_bias) : OCLM_OK;
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

void model_weights_free(dev_device *device, model_weights *weights)
{
    for (uint32_t i = 0; i < weights->layer_count; i++) {
        model_layer *layer = &weights->layers[i];
        free_norm(device, &layer->attention_norm);
        free_norm(device, &layer->mlp_norm);
        dev_matrix_free(device, &layer->qkv);
        dev_matrix_free(device, &layer->output);
        dev_matrix_free(device, &layer->up);
        dev_matrix_free(device, &layer->down);
        dev_buffer_free(device, &layer->qkv_bias);
        dev_buffer_free(device, &layer->output_bias);
        dev_buffer_free(device, &layer->up_bias);
        dev_buffer_free(device, &layer->down_bias);
    }
    core_free(weights->layers);
    dev_matrix_free(device, &weights->embedding);
    dev_matrix_free(device, &weights->positions);
    dev_matrix_free(device, &weights->head);
    free_norm(device, &weights->final_norm);
    dev_buffer_free(device, &weights->head_bias);
    memset(weights, 0, sizeof *weights);
}
