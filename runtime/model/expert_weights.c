/* expert_weights.c: the weights of experts, to the device. All experts of a layer are one matrix, one below the other, each from a panel of its
 * own on: gate and up with alternating panels, and down. In the checkpoint they are a tensor for each expert or one of three dimensions, gate
 * and up together or apart. */
#include <math.h>

#include "model/loader.h"

/* Some rows of one expert's part of a role: every `step`-th from `from` on, `count` of them. */
typedef struct rows_of {
    model_role role;
    uint32_t   expert, from, count, step;
    uint32_t   first_row, panel_step; /* where they go: as dev_matrix_source */
} rows_of;

static oclm_status fill(model_loader *l, uint32_t layer, const rows_of *r, dev_matrix *matrix)
{
    const model_role_shape shape = model_role_shape_of(l->binding->architecture, r->role, layer);
    const uint32_t         rows = shape.rows / shape.pieces; /* of this expert */
    const model_bound      first = model_bound_tensor(l->binding, r->role, layer);
    const bool             alone = first.pieces > 1;
    const ckpt_tensor     *tensor = alone ? model_bound_piece(l->binding, r->role, layer, r->expert).tensor : first.tensor;
    const model_rows       all = { .tensor = tensor, .transposed = first.transposed, .all_rows = rows, .columns = shape.columns,
                                   .from = r->from + (alone ? 0 : r->expert * rows), .count = r->count, .step = r->step, .first_row = r->first_row,
                                   .panel_step = r->panel_step };
    if (r->from == 0 && (alone || r->expert == 0))
        ckpt_will_need(l->binding->checkpoint, tensor);
    const oclm_status status = model_fill_rows(l, &all, matrix);
    if (status == OCLM_OK && !alone) { /* a tensor of all experts is as large as it likes: the pages of each leave behind it */
        const size_t      part = tensor->bytes / shape.pieces;
        const ckpt_tensor taken = { .data = (const char *)tensor->data + r->expert * part, .bytes = part, .file = tensor->file };
        ckpt_release(l->binding->checkpoint, &taken);
    }
    /* Its last rows are taken? */
    return status == OCLM_OK && r->from + (r->count - 1) * r->step + 1 == rows && (alone || r->expert + 1 == shape.pieces)
               ? model_loaded(l, tensor) : status;
}

/* A matrix of all experts' rows, in codes where all tensors of these roles are stored alike, and in no order of columns: each has its own. */
static oclm_status new_matrix(model_loader *l, uint32_t layer, const model_role *roles, size_t count, uint32_t rows, dev_matrix *matrix)
{
    const model_architecture *a = l->binding->architecture;
    const model_bound         first = model_bound_tensor(l->binding, roles[0], layer);
    const uint32_t            columns = model_role_shape_of(a, roles[0], layer).columns;
    dev_matrix_run            run = { model_storage_of(l->storing, l->binding, roles[0], &first), rows };
    for (size_t i = 0; i < count; i++) {
        const uint32_t pieces = model_bound_tensor(l->binding, roles[i], layer).pieces;
        for (uint32_t piece = 0; piece < pieces; piece++) {
            const model_bound  one = model_bound_piece(l->binding, roles[i], layer, piece);
            const core_storage storage = model_storage_of(l->storing, l->binding, roles[i], &one);
            if (!core_storage_equal(&storage, &run.storage) || (one.tensor->quantized != NULL && one.tensor->quantized->order != NULL))
                run.storage = core_storage_of(l->storing->dtype);
        }
    }
    return model_new_matrix(l, &run, 1, columns, (double)a->experts.routing.chosen / a->experts.routing.count, first.tensor->name, matrix);
}

static oclm_status load_up(model_loader *l, uint32_t layer, model_expert_weights *x)
{
    const model_architecture *a = l->binding->architecture;
    const uint32_t    width = a->experts.width, all = 2 * (uint32_t)dev_padded(width), experts = a->experts.routing.count;
    const bool        fused = model_bound_tensor(l->binding, MODEL_EXPERTS_GATE_UP, layer).tensor != NULL;
    const uint32_t    step = fused && a->experts.gate_up_interleaved ? 2 : 1, up = !fused ? 0 : step == 2 ? 1 : width;
    const model_role  gate_role = fused ? MODEL_EXPERTS_GATE_UP : MODEL_EXPERTS_GATE, up_role = fused ? MODEL_EXPERTS_GATE_UP : MODEL_EXPERTS_UP;
    oclm_status       status = new_matrix(l, layer, (const model_role[]){ gate_role, up_role }, 2, experts * all, &x->up);
    for (uint32_t e = 0; e < experts && status == OCLM_OK && !l->sizing; e++) {
        const rows_of gates = { gate_role, e, 0, width, step, e * all, 2 };
        const rows_of ups = { up_role, e, up, width, step, e * all + DEV_PANEL, 2 };
        if ((status = fill(l, layer, &gates, &x->up)) == OCLM_OK)
            status = fill(l, layer, &ups, &x->up);
    }
    return status;
}

static oclm_status load_down(model_loader *l, uint32_t layer, model_expert_weights *x)
{
    const model_architecture *a = l->binding->architecture;
    const uint32_t hidden = a->hidden_size, padded = (uint32_t)dev_padded(hidden), experts = a->experts.routing.count;
    oclm_status    status = new_matrix(l, layer, (const model_role[]){ MODEL_EXPERTS_DOWN }, 1, experts * padded, &x->down);
    for (uint32_t e = 0; e < experts && status == OCLM_OK && !l->sizing; e++) {
        const rows_of all = { MODEL_EXPERTS_DOWN, e, 0, hidden, 1, e * padded, 1 };
        status = fill(l, layer, &all, &x->down);
    }
    return status;
}

/* Tensors [experts][halves * count / parts], of gate and up together or apart; each expert's with its panels as those of the weight: with two
 * halves they alternate. */
static oclm_status load_bias(model_loader *l, const model_role *roles, uint32_t parts, uint32_t layer, uint32_t halves, uint32_t count,
                             dev_buffer *buffer)
{
    const ckpt_tensor *tensor = model_bound_tensor(l->binding, roles[0], layer).tensor;
    const uint32_t     experts = l->binding->architecture->experts.routing.count, stride = halves * (uint32_t)dev_padded(count);
    const bool         alternate = halves > parts && l->binding->architecture->experts.gate_up_interleaved;
    const size_t       bytes = (size_t)experts * stride * sizeof(float), own = (size_t)halves * count, part = own / parts;
    float             *values = core_alloc_zero((size_t)experts * stride, sizeof *values, tensor->name);
    float             *raw = core_alloc_zero(experts * own, sizeof *raw, tensor->name);
    oclm_status        status = values != NULL && raw != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (size_t n = 0; n < (size_t)experts * parts && status == OCLM_OK && !l->sizing; n++)
        status = model_read_floats(model_bound_tensor(l->binding, roles[n % parts], layer).tensor, n / parts * part, part,
                                   raw + n / parts * own + n % parts * part);
    for (size_t n = 0; n < experts * own && status == OCLM_OK; n++) {
        const size_t e = n / own, at = n % own;
        const size_t half = alternate ? at % 2 : at / count, i = alternate ? at / 2 : at % count;
        values[e * stride + i / DEV_PANEL * DEV_PANEL * halves + half * DEV_PANEL + i % DEV_PANEL] = raw[n];
    }
    if (status == OCLM_OK)
        status = model_new_vector(l, tensor->name, values, bytes, buffer);
    for (uint32_t i = 0; i < parts && status == OCLM_OK; i++)
        status = model_loaded(l, model_bound_tensor(l->binding, roles[i], layer).tensor);
    l->sizes.unread += bytes - bytes / experts * l->binding->architecture->experts.routing.chosen;
    core_free(values);
    core_free(raw);
    return status;
}

static oclm_status load_biases(model_loader *l, uint32_t layer, model_expert_weights *x)
{
    static const model_role both = MODEL_EXPERTS_GATE_UP_BIAS, apart[] = { MODEL_EXPERTS_GATE_BIAS, MODEL_EXPERTS_UP_BIAS },
                            down = MODEL_EXPERTS_DOWN_BIAS;
    const model_architecture *a = l->binding->architecture;
    const bool                fused = model_bound_tensor(l->binding, both, layer).tensor != NULL;
    const oclm_status status = load_bias(l, fused ? &both : apart, fused ? 1 : COUNT(apart), layer, 2, a->experts.width, &x->up_bias);
    return status == OCLM_OK ? load_bias(l, &down, 1, layer, 1, a->hidden_size, &x->down_bias) : status;
}

static oclm_status load_norms(model_loader *l, uint32_t layer, model_expert_weights *x)
{
    const model_architecture *a = l->binding->architecture;
    const float               root = (float)(1.0 / sqrt((double)a->hidden_size));
    oclm_status               status;
    if ((status = model_load_scaled_norm(l, &a->norm, MODEL_ROUTER_NORM, root, layer, &x->router_norm)) != OCLM_OK ||
        (status = model_load_norm(l, &a->norm, MODEL_EXPERTS_NORM, false, layer, &x->norm)) != OCLM_OK ||
        (status = model_load_norm(l, &a->norm, MODEL_POST_DENSE_NORM, false, layer, &x->post_dense_norm)) != OCLM_OK)
        return status;
    return model_load_norm(l, &a->norm, MODEL_POST_EXPERTS_NORM, false, layer, &x->post_norm);
}

oclm_status model_load_experts(model_loader *l, uint32_t layer, model_expert_weights *x)
{
    const model_architecture *a = l->binding->architecture;
    oclm_status status;
    if ((status = model_load_matrix(l, MODEL_ROUTER, layer, &x->router)) != OCLM_OK ||
        (status = model_load_vector(l, MODEL_ROUTER_BIAS, layer, &x->router_bias)) != OCLM_OK ||
        (status = model_load_vector(l, MODEL_ROUTER_CORRECTION, layer, &x->correction)) != OCLM_OK ||
        (status = model_load_vector(l, MODEL_ROUTER_COUNTS, layer, &x->counts)) != OCLM_OK || (status = load_norms(l, layer, x)) != OCLM_OK ||
        (status = load_up(l, layer, x)) != OCLM_OK || (status = load_down(l, layer, x)) != OCLM_OK)
        return status;
    if (a->experts.bias && (status = load_biases(l, layer, x)) != OCLM_OK)
        return status;
    return a->experts.shared_gate ? model_load_matrix(l, MODEL_SHARED_GATE, layer, &x->shared_gate) : OCLM_OK;
}

void model_experts_free(dev_device *device, model_expert_weights *x)
{
    dev_matrix *const matrices[] = { &x->router, &x->up, &x->down, &x->shared_gate };
    dev_buffer *const buffers[] = { &x->router_bias, &x->correction, &x->up_bias, &x->down_bias, &x->counts, &x->router_norm.weight,
                                    &x->norm.weight, &x->post_dense_norm.weight, &x->post_norm.weight };
    for (size_t i = 0; i < COUNT(matrices); i++)
        dev_matrix_free(device, matrices[i]);
    for (size_t i = 0; i < COUNT(buffers); i++)
        dev_buffer_free(device, buffers[i]);
}
