/* matmul.c: records y = norm(x) W^T with its epilogue: checks the request, asks who serves it, and puts before the product what that one does
 * not do itself: norms, the order that a weight's columns have, and the sums of x that it wants. */
#include "device/matmul.h"

#include <inttypes.h>
#include <stdio.h>

#include "device/provider.h"

static oclm_status check(const dev_matmul *m)
{
    const uint32_t outputs = m->weight->panels * DEV_PANEL / (m->epilogue == DEV_GATED ? 2 : 1);
    if (m->rows == 0 || m->x_stride < m->weight->columns || m->y_stride < outputs || (m->epilogue == DEV_GATED && m->weight->panels % 2))
        return core_fail(OCLM_ERR_INTERNAL,
                         "a product of %" PRIu32 " rows with %" PRIu32 " x %" PRIu32 " (%" PRIu32 " panels), strides %" PRIu32
                         " and %" PRIu32,
                         m->rows, m->weight->rows, m->weight->columns, m->weight->panels, m->x_stride, m->y_stride);
    return OCLM_OK;
}

size_t dev_norm_floats(const dev_device *device, const dev_matmul *m)
{
    const size_t floats = m->norm.kind == DEV_NORM_NONE && !m->weight->ordered ? 0 : (size_t)m->rows * m->weight->columns;
    const size_t align = dev_get_traits(device)->base_align_bytes / sizeof(float);
    return align > 1 ? (floats + align - 1) / align * align : floats;
}

/* ---- Sums of x over the spans of codes */

#define SUMS_ROWS 48u /* of x, of which there are always whole tiles, of 6 rows and of 8 */
#define ITEM_ROWS 16u /* of a work-item of span_sums.cl */

static uint32_t sums_stride(uint32_t rows) { return (rows + SUMS_ROWS - 1) / SUMS_ROWS * SUMS_ROWS; }

static size_t sums_floats(const dev_matmul *m, const core_storage *storage)
{
    const uint32_t span = dev_code_span(storage);
    return storage->minimum == CORE_SCALE_NONE ? 0 : (size_t)sums_stride(m->rows) * ((m->weight->columns + span - 1) / span);
}

/* Whoever serves it: they are a small part of what the rows themselves take. */
static size_t most_sums(const dev_matmul *m)
{
    size_t most = 0;
    for (uint32_t p = 0; p < m->weight->part_count; p++) {
        const size_t floats = sums_floats(m, &m->weight->parts[p].storage);
        most = floats > most ? floats : most;
    }
    return most;
}

/* Behind what the scratch holds of x, which is not normalised here any more. */
static oclm_status add_sums(dev_work *work, dev_matmul *m)
{
    const core_storage *storage = dev_matrix_storage(m->weight);
    const uint32_t      stride = sums_stride(m->rows);
    const size_t        need = m->scratch_taken + sums_floats(m, storage);
    char                options[32];
    if (!m->scratch || m->scratch_floats < need)
        return core_fail(OCLM_ERR_INTERNAL, "a product needs %zu floats of scratch, %zu are given", need, m->scratch_floats);
    const dev_arg args[] = {
        dev_arg_buffer(m->scratch), dev_arg_u64(m->scratch_taken), dev_arg_u32(stride), dev_arg_buffer(m->x), dev_arg_u64(m->x_offset),
        dev_arg_u32(m->x_stride), dev_arg_u32(m->weight->columns), dev_arg_u32(m->rows),
    };
    snprintf(options, sizeof options, "-DGROUP=%" PRIu32, dev_code_span(storage));
    const dev_launch launch = { .source = "span_sums", .kernel = "span_sums", .options = options, .dims = 1,
                                .global = { stride / ITEM_ROWS }, .local = { 1 }, .args = args, .arg_count = COUNT(args) };
    m->sums_stride = stride;
    return dev_work_add(work, &launch);
}

size_t dev_matmul_scratch(dev_device *device, const dev_matrix *weight, uint32_t rows, dev_norm_kind norm, dev_epilogue epilogue)
{
    const dev_matmul m = { .weight = weight, .rows = rows, .norm.kind = norm, .epilogue = epilogue };
    dev_providers    all;
    dev_providers_all(&all);
    const size_t library = dev_provider_scratch(device, &all, &m), sums = most_sums(&m);
    return dev_norm_floats(device, &m) + (library > sums ? library : sums);
}

/* The rows go to the scratch, normalised, and in the weight's order, where the product then finds them. */
static oclm_status prepare_rows(dev_work *work, dev_matmul *m)
{
    const uint32_t columns = m->weight->columns;
    const size_t   need = dev_norm_floats(dev_work_device(work), m);
    if (!m->scratch || m->scratch_floats < need)
        return core_fail(OCLM_ERR_INTERNAL, "a product needs %zu floats of scratch, %zu are given", need, m->scratch_floats);
    const oclm_status status =
        m->weight->ordered
            ? dev_norm_ordered(work, &m->norm, &m->weight->order, m->x, m->x_offset, m->x_stride, m->scratch, 0, columns, m->rows, columns)
            : dev_norm_add(work, &m->norm, m->x, m->x_offset, m->x_stride, m->scratch, 0, columns, m->rows, columns);
    m->norm.kind = DEV_NORM_NONE;
    m->x = m->scratch;
    m->x_offset = 0;
    m->x_stride = columns;
    m->scratch_taken = need;
    return status;
}

/* Must rows be prepared before this product? The parts of an ordered weight find them in order after the first. */
static bool wants_rows(const dev_provider *provider, const dev_device *device, const dev_matmul *m)
{
    return (m->weight->ordered && m->scratch_taken == 0) || (m->norm.kind != DEV_NORM_NONE && !provider->takes_norm(provider, device, m));
}

/* Where rows are prepared, `m` finds them so from then on. */
static oclm_status add_by(dev_work *work, const dev_provider *provider, dev_matmul *m)
{
    oclm_status status = check(m);
    if (status == OCLM_OK && wants_rows(provider, dev_work_device(work), m))
        status = prepare_rows(work, m);
    dev_matmul with = *m; /* the sums are this product's alone: a library behind it takes their place */
    if (status == OCLM_OK && provider->wants_sums != NULL && provider->wants_sums(provider, m))
        status = add_sums(work, &with);
    return status == OCLM_OK ? provider->add(provider, work, &with) : status;
}

oclm_status dev_matmul_add_by(dev_work *work, const dev_provider *provider, const dev_matmul *matmul)
{
    dev_matmul m = *matmul;
    return add_by(work, provider, &m);
}

/* A product with parts that are stored alike. */
static oclm_status add_alike(dev_work *work, const dev_providers *all, dev_matmul *m)
{
    const dev_provider *provider = NULL;
    const oclm_status   status = dev_provider_choose(dev_work_device(work), all, m, &provider);
    return status == OCLM_OK ? add_by(work, provider, m) : status;
}

/* Parts that are stored differently are products of their own, each by the provider that is the fastest with its storage: a matrix of some
 * of the parts, which know which outputs are theirs. */
oclm_status dev_matmul_add(dev_work *work, const dev_matmul *matmul)
{
    dev_matmul    m = *matmul;
    dev_matrix    alike = *matmul->weight;
    oclm_status   status = OCLM_OK;
    dev_providers all;
    dev_providers_all(&all);
    m.weight = &alike;
    for (uint32_t p = 0; p < matmul->weight->part_count && status == OCLM_OK; p += alike.part_count) {
        alike.parts = &matmul->weight->parts[p];
        alike.part_count = 1;
        while (p + alike.part_count < matmul->weight->part_count &&
               core_storage_equal(&alike.parts[0].storage, &alike.parts[alike.part_count].storage))
            alike.part_count++;
        status = add_alike(work, &all, &m);
    }
    return status;
}

oclm_status dev_matmul_tune(dev_device *device, const core_storage *storage)
{
    dev_providers all;
    dev_providers_all(&all);
    return dev_provider_tune(device, &all, storage);
}
