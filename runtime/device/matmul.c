/* matmul.c: records y = norm(x) W^T with its epilogue: checks the request, asks who serves it, and puts the norm before the
 * product where that one does not take it along. */
#include "device/matmul.h"

#include <inttypes.h>
#include <string.h>

#include "device/provider.h"

/* Lanes first: they suit only where work-items are lanes. */
static const struct {
    const dev_provider *providers;
    const size_t       *count;
} tables[] = { { dev_lanes_providers, &dev_lanes_provider_count }, { dev_tile_providers, &dev_tile_provider_count } };

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

static const dev_provider *choose(const dev_device *device, const dev_matmul *m)
{
    for (size_t t = 0; t < COUNT(tables); t++)
        for (size_t i = 0; i < *tables[t].count; i++) {
            const dev_provider *provider = &tables[t].providers[i];
            if (provider->suits(provider, device, m))
                return provider;
        }
    return NULL;
}

const dev_provider *dev_provider_find(const char *name)
{
    for (size_t t = 0; t < COUNT(tables); t++)
        for (size_t i = 0; i < *tables[t].count; i++)
            if (strcmp(tables[t].providers[i].name, name) == 0)
                return &tables[t].providers[i];
    return NULL;
}

size_t dev_matmul_scratch(const dev_matrix *weight, uint32_t rows, dev_norm_kind norm, dev_epilogue epilogue)
{
    (void)epilogue;
    return norm == DEV_NORM_NONE ? 0 : (size_t)rows * weight->columns;
}

/* The rows go normalised to the scratch, where the product then finds them. */
static oclm_status add_norm(dev_work *work, dev_matmul *m)
{
    const uint32_t columns = m->weight->columns;
    const size_t   need = (size_t)m->rows * columns;
    if (!m->scratch || m->scratch_floats < need)
        return core_fail(OCLM_ERR_INTERNAL, "a product needs %zu floats of scratch, %zu are given", need, m->scratch_floats);
    const oclm_status status = dev_norm_add(work, &m->norm, m->x, m->x_offset, m->x_stride, m->scratch, 0, columns, m->rows, columns);
    m->norm.kind = DEV_NORM_NONE;
    m->x = m->scratch;
    m->x_offset = 0;
    m->x_stride = columns;
    return status;
}

oclm_status dev_matmul_add(dev_work *work, const dev_matmul *matmul)
{
    const dev_device *device = dev_work_device(work);
    dev_matmul        m = *matmul;
    oclm_status       status = check(&m);
    if (status != OCLM_OK)
        return status;
    const dev_provider *provider = choose(device, &m);
    if (!provider)
        return core_fail(OCLM_ERR_INTERNAL, "nobody serves a product of %" PRIu32 " rows on device \"%s\"", m.rows,
                         dev_get_traits(device)->info.name);
    if (m.norm.kind != DEV_NORM_NONE && !provider->takes_norm(provider, device, &m) && (status = add_norm(work, &m)) != OCLM_OK)
        return status;
    return provider->add(provider, work, &m);
}
