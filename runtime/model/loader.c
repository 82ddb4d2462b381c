/* loader.c: one tensor or several to a matrix, a vector or a norm on the device, whatever way the checkpoint holds them. */
#include "model/loader.h"

#include <string.h>

#include "core/memory.h"

typedef model_loader loader;
typedef model_part   part;

oclm_status model_loaded(loader *l, const ckpt_tensor *tensor)
{
    if (l->sizing)
        return OCLM_OK;
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

/* The last part of a tensor was taken? */
static bool is_last_of_tensor(const part *parts, size_t count, size_t i) { return i + 1 == count || parts[i + 1].role != parts[i].role; }

/* ---- Matrices */

static void count_kind(model_weight_sizes *sizes, const core_storage *storage, uint64_t weights)
{
    size_t i = 0;
    while (i < sizes->kind_count && !core_storage_equal(&sizes->kinds[i].storage, storage))
        i++;
    if (i == MODEL_STORAGES)
        return;
    if (i == sizes->kind_count)
        sizes->kinds[sizes->kind_count++].storage = *storage;
    sizes->kinds[i].weights += weights;
}

oclm_status model_new_matrix(loader *l, const dev_matrix_run *runs, size_t count, uint32_t columns, double share, const char *name,
                             dev_matrix *matrix)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += dev_storage_bytes(&runs[i].storage, runs[i].rows, columns);
        if (share > 0.0)
            count_kind(&l->sizes, &runs[i].storage, (uint64_t)runs[i].rows * columns);
    }
    l->matrices++;
    l->sizes.bytes += bytes;
    l->sizes.unread += bytes - (uint64_t)((double)bytes * share + 0.5);
    if (l->sizing)
        return l->device != NULL ? dev_matrix_outline(l->device, runs, count, columns, name, matrix) : OCLM_OK;
    return dev_matrix_new_stored(l->device, runs, count, columns, name, matrix);
}

static core_storage part_storage(const loader *l, model_role role, uint32_t layer)
{
    const model_bound bound = model_bound_tensor(l->binding, role, layer);
    return model_storage_of(l->storing, l->binding, role, &bound);
}

/* The order of columns that a part's codes have; NULL: none, or it becomes floats. */
static const uint32_t *part_order(const loader *l, model_role role, uint32_t layer)
{
    const model_bound  bound = model_bound_tensor(l->binding, role, layer);
    const core_storage storage = part_storage(l, role, layer);
    return bound.tensor->quantized != NULL && !core_storage_is_float(&storage) ? bound.tensor->quantized->order : NULL;
}

/* Have all parts the columns in one order, which is then `*order`? */
static bool find_order(const loader *l, const part *parts, size_t count, uint32_t layer, const uint32_t **order)
{
    const size_t bytes = model_role_shape_of(l->binding->architecture, parts[0].role, layer).columns * sizeof **order;
    *order = part_order(l, parts[0].role, layer);
    for (size_t i = 1; i < count; i++) {
        const uint32_t *const other = parts[i].role == parts[i - 1].role ? *order : part_order(l, parts[i].role, layer);
        if ((*order == NULL) != (other == NULL) || (other != NULL && memcmp(*order, other, bytes) != 0))
            return false;
    }
    return true;
}

/* Gives each panel that a part touches the part's storage: a run for each. False where parts differ and share panels, or alternate. */
static bool mark_panels(const loader *l, const part *parts, size_t count, uint32_t layer, dev_matrix_run *panels)
{
    for (size_t i = 0; i < count; i++) {
        const core_storage storage = part_storage(l, parts[i].role, layer);
        if (parts[i].panel_step != 1)
            return false;
        for (uint32_t p = parts[i].first_row / DEV_PANEL; p <= (parts[i].first_row + parts[i].count - 1) / DEV_PANEL; p++) {
            if (panels[p].rows > 0 && !core_storage_equal(&panels[p].storage, &storage))
                return false;
            panels[p] = (dev_matrix_run){ storage, DEV_PANEL };
        }
    }
    return true;
}

/* How the parts lie together: all alike, each run of panels as its part is stored, or, where neither can be, as floats; and the order of their
 * columns, NULL: as inputs are. `runs` has room for one each panel, zeroed. `table`: rows are wanted, whose elements lie as they should. */
static size_t plan_runs(const loader *l, const part *parts, size_t count, uint32_t layer, uint32_t rows, bool table, dev_matrix_run *runs,
                        const uint32_t **order)
{
    const size_t panels = (size_t)(dev_padded(rows) / DEV_PANEL);
    core_storage first = part_storage(l, parts[0].role, layer);
    bool         alike = find_order(l, parts, count, layer, order) && !(table && *order != NULL);
    const bool   codes = alike; /* may be kept */
    for (size_t i = 1; i < count && alike; i++) {
        const core_storage other = parts[i].role == parts[i - 1].role ? first : part_storage(l, parts[i].role, layer);
        alike = core_storage_equal(&first, &other);
    }
    if (!alike && codes && mark_panels(l, parts, count, layer, runs)) {
        for (size_t p = 1; p < panels; p++) {
            if (runs[p].rows == 0) /* padding between parts */
                runs[p] = (dev_matrix_run){ runs[p - 1].storage, DEV_PANEL };
        }
        runs[panels - 1].rows = rows - (uint32_t)(panels - 1) * DEV_PANEL;
        return panels;
    }
    if (!alike) {
        first = core_storage_of(l->storing->dtype);
        *order = NULL;
    }
    runs[0] = (dev_matrix_run){ first, rows };
    return 1;
}

/* Codes along the other dimension cannot be turned: their values can. The caller frees them. */
static oclm_status read_values(const ckpt_tensor *tensor, ckpt_tensor *plain, float **values)
{
    *values = core_alloc_array((size_t)tensor->elements, sizeof **values, tensor->name);
    *plain = *tensor;
    plain->quantized = NULL;
    plain->dtype = CORE_F32;
    plain->data = *values;
    return *values != NULL ? model_read_floats(tensor, 0, (size_t)tensor->elements, *values) : OCLM_ERR_MEMORY;
}

/* Parts that follow one another of one tensor: those from `i` on. The tensor may be quantised while they are read. */
static oclm_status fill_tensor(loader *l, const part *parts, size_t count, size_t i, uint32_t layer, dev_matrix *matrix)
{
    const model_storing   *s = l->storing;
    const model_bound      bound = model_bound_tensor(l->binding, parts[i].role, layer);
    const model_role_shape shape = model_role_shape_of(l->binding->architecture, parts[i].role, layer);
    const bool             quantize = model_is_to_quantize(s, l->binding, parts[i].role, bound.tensor);
    ckpt_quantizer         q = { .absmax = NULL };
    ckpt_tensor            tensor = *bound.tensor;
    float                 *values = NULL;
    oclm_status            status = OCLM_OK;
    ckpt_will_need(l->binding->checkpoint, bound.tensor);
    if (quantize) {
        status = ckpt_quantizer_open(bound.tensor, bound.transposed, s->quantize, s->nested, s->dtype, &q);
        tensor = q.tensor;
    } else if (bound.transposed && tensor.quantized != NULL) {
        status = read_values(bound.tensor, &tensor, &values);
    }
    for (size_t end = i; status == OCLM_OK; end++) {
        const part      *p = &parts[end];
        const model_rows rows = { .tensor = &tensor, .transposed = bound.transposed && !quantize,
                                  .all_rows = shape.pieces > 0 ? shape.rows / shape.pieces : shape.rows, .columns = shape.columns, .from = p->from,
                                  .count = p->count, .step = 1, .first_row = p->first_row, .panel_step = p->panel_step };
        status = model_fill_rows(l, &rows, matrix);
        if (is_last_of_tensor(parts, count, end))
            break;
    }
    core_free(values);
    ckpt_quantizer_close(&q);
    return status == OCLM_OK ? model_loaded(l, bound.tensor) : status;
}

/* `table`: of which a token's pass reads single rows, and no product. */
static oclm_status load_matrix(loader *l, const part *parts, size_t count, uint32_t layer, uint64_t rows, bool table, dev_matrix *matrix)
{
    const uint32_t  columns = model_role_shape_of(l->binding->architecture, parts[0].role, layer).columns;
    const char     *name = name_of(l, parts[0].role, layer);
    dev_matrix_run *runs = core_alloc_zero((size_t)(dev_padded(rows) / DEV_PANEL), sizeof *runs, "the runs of a matrix");
    if (runs == NULL)
        return OCLM_ERR_MEMORY;
    const uint32_t *order;
    const size_t    run_count = plan_runs(l, parts, count, layer, (uint32_t)rows, table, runs, &order);
    oclm_status     status = model_new_matrix(l, runs, run_count, columns, table ? 0.0 : 1.0, name, matrix);
    core_free(runs);
    matrix->ordered = order != NULL;
    if (status == OCLM_OK && order != NULL)
        status = model_new_vector(l, name, order, columns * sizeof *order, &matrix->order);
    for (size_t i = 0; i < count && status == OCLM_OK && !l->sizing; i++) {
        if (i == 0 || parts[i].role != parts[i - 1].role)
            status = fill_tensor(l, parts, count, i, layer, matrix);
    }
    return status;
}

oclm_status model_load_parts(loader *l, const part *parts, size_t count, uint32_t layer, uint64_t rows, dev_matrix *matrix)
{
    return load_matrix(l, parts, count, layer, rows, false, matrix);
}

oclm_status model_load_table(loader *l, const part *p, dev_matrix *matrix)
{
    return load_matrix(l, p, 1, 0, p->count, true, matrix);
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
        if (l->sizing)
            memset(into + piece * count, 0, count * sizeof *into);
        else
            status = model_read_floats(tensor, p->from, count, into + piece * count);
        if (status == OCLM_OK && is_last)
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

oclm_status model_new_vector(loader *l, const char *name, const void *values, size_t bytes, dev_buffer *buffer)
{
    l->sizes.bytes += bytes;
    l->vectors += bytes;
    if (l->sizing)
        return OCLM_OK;
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
    float       *values = core_alloc_zero(bytes / sizeof *values, 2 * sizeof *values, name);
    oclm_status  status = OCLM_OK;
    if (values == NULL)
        return OCLM_ERR_MEMORY;
    float *const raw = values + bytes / sizeof *values;
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
