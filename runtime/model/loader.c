/* loader.c: one tensor or several to a matrix, a vector or a norm on the device, whatever way the checkpoint holds them. */
#include "model/loader.h"

#include <string.h>

typedef model_loader loader;
typedef model_part   part;

oclm_status model_loaded(loader *l, const ckpt_tensor *tensor)
{
    ckpt_release(l->binding->checkpoint, tensor);
    l->done += tensor->bytes;
    if (l->progress != NULL && !l->progress("loading weights", l->done, l->total, l->user))
        return core_fail(OCLM_ERR_CANCELLED, "loading was cancelled after %.0f %% of the weights",
                         l->total > 0 ? 100.0 * (double)l->done / (double)l->total : 100.0);
    return OCLM_OK;
}

part model_whole(const loader *l, model_role role, uint32_t layer)
{
    return (part){ role, 0, model_role_shape_of(l->binding->architecture, role, layer).rows, 0, 1 };
}

part model_bias_of(part p)
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
    const part p = model_whole(l, role, layer);
    return model_load_parts(l, &p, 1, layer, p.count, matrix);
}

oclm_status model_read_elements(loader *l, const part *p, uint32_t layer, bool is_last, float *into)
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

oclm_status model_new_vector(loader *l, const char *name, const float *values, size_t bytes, dev_buffer *buffer)
{
    const oclm_status status = dev_buffer_new(l->device, bytes, name, buffer);
    return status == OCLM_OK ? dev_buffer_write(dev_queue(l->device), buffer, 0, values, bytes) : status;
}

/* A vector of one or several parts, in float32, each element more by `plus` and then times `times`, padded with zeros to whole panels of
 * `rows`. */
static oclm_status load_elements(loader *l, const part *parts, size_t count, uint32_t layer, uint64_t rows, float plus, float times,
                                 dev_buffer *buffer)
{
    const size_t bytes = (size_t)model_vector_bytes(rows);
    const char  *name = name_of(l, parts[0].role, layer);
    float       *values = core_alloc_zero(bytes / sizeof *values, 2 * sizeof *values, name), *const raw = values + bytes / sizeof *values;
    oclm_status  status = values != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        status = model_read_elements(l, &parts[i], layer, is_last_of_tensor(parts, count, i), raw);
        for (uint32_t j = 0; j < parts[i].count; j++)
            raw[j] = (raw[j] + plus) * times;
        spread(raw, &parts[i], values);
    }
    if (status == OCLM_OK)
        status = model_new_vector(l, name, values, bytes, buffer);
    core_free(values);
    return status;
}

oclm_status model_load_vector(loader *l, model_role role, uint32_t layer, dev_buffer *buffer)
{
    const part p = model_whole(l, role, layer);
    return p.count > 0 ? load_elements(l, &p, 1, layer, p.count, 0.0f, 1.0f, buffer) : OCLM_OK;
}

oclm_status model_load_scaled_norm(loader *l, const model_norm_shape *shape, model_role role, float times, uint32_t layer, dev_norm *norm)
{
    const part p = model_whole(l, role, layer);
    if (!model_has_norm(l->binding->architecture, role))
        return OCLM_OK;
    norm->kind = shape->kind;
    norm->eps = shape->eps;
    return p.count > 0 ? load_elements(l, &p, 1, layer, p.count, shape->weight_plus_one ? 1.0f : 0.0f, times, &norm->weight) : OCLM_OK;
}

oclm_status model_load_norm(loader *l, const model_norm_shape *shape, model_role role, bool may_have_bias, uint32_t layer, dev_norm *norm)
{
    const oclm_status status = model_load_scaled_norm(l, shape, role, 1.0f, layer, norm);
    if (status != OCLM_OK || !may_have_bias || !model_has_norm(l->binding->architecture, role))
        return status;
    return model_load_vector(l, model_bias_of(model_whole(l, role, layer)).role, layer, &norm->bias);
}

oclm_status model_load_fused(loader *l, part *parts, size_t count, uint32_t layer, uint64_t rows, bool has_bias, dev_matrix *matrix,
                              dev_buffer *bias)
{
    oclm_status status = model_load_parts(l, parts, count, layer, rows, matrix);
    for (size_t i = 0; i < count; i++)
        parts[i] = model_bias_of(parts[i]);
    return status == OCLM_OK && has_bias ? load_elements(l, parts, count, layer, rows, 0.0f, 1.0f, bias) : status;
}
