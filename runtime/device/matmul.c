/* matmul.c: records y = norm(x) W^T with its epilogue: checks the request, decides where the norm happens, and makes the
 * launches, one for each part of the weight. */
#include "device/matmul.h"

#include <inttypes.h>
#include <stdio.h>

/* A tile of matmul.cl. */
typedef struct tile {
    uint32_t rows, cols, vec;
} tile;

/* How many bytes ahead a product asks for its weights. With one row a core alone does not keep enough loads in flight once weights are
 * converted: 0.78 of the read rate became 0.92 with two-byte weights; float32 gained nothing (tests/bench). */
#define PREFETCH_BYTES 2048u

static uint32_t prefetch(const dev_matmul *m)
{
    return m->rows == 1 && core_dtype_size(m->weight->dtype) < sizeof(float) ? PREFETCH_BYTES : 0;
}

static tile choose_tile(uint32_t rows)
{
    if (rows == 1)
        return (tile){ 1, 32, 8 };
    if (rows <= 4)
        return (tile){ 4, 16, 8 };
    return (tile){ 6, 16, 8 };
}

/* A norm inside the product is worth it for the rows of one tile; it needs them all in local memory, of which half is left to
 * the driver. */
static bool norm_fits_inside(const dev_device *device, const dev_matmul *m, uint32_t tile_rows)
{
    const uint64_t bytes = (uint64_t)tile_rows * m->weight->columns * sizeof(float);
    return m->norm.kind != DEV_NORM_NONE && m->rows <= tile_rows && bytes <= dev_get_traits(device)->info.local_mem_bytes / 2;
}

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

size_t dev_matmul_scratch(const dev_matrix *weight, uint32_t rows, dev_norm_kind norm, dev_epilogue epilogue)
{
    (void)epilogue;
    return norm == DEV_NORM_NONE ? 0 : (size_t)rows * weight->columns;
}

static oclm_status add_tiles(dev_work *work, const dev_matmul *m, const tile *t, bool norm_inside)
{
    oclm_status       status = OCLM_OK;
    const dev_matrix *w = m->weight;
    const bool        gated = m->epilogue == DEV_GATED;
    char              options[192];
    snprintf(options, sizeof options,
             "-DSTORAGE=%d -DROWS=%" PRIu32 " -DCOLS=%" PRIu32 " -DVEC=%" PRIu32 " -DNORM=%d -DGATED=%d -DACTIVATION=%d -DPREFETCH=%" PRIu32,
             (int)w->dtype, t->rows, t->cols, t->vec, norm_inside ? (int)m->norm.kind : 0, (int)gated,
             m->epilogue == DEV_ADD ? 0 : (int)m->activation, prefetch(m));
    for (uint32_t p = 0; p < w->part_count && status == OCLM_OK; p++) {
        const dev_matrix_part *part = &w->parts[p];
        const dev_arg args[] = {
            dev_arg_buffer(m->y), dev_arg_u64(m->y_offset), dev_arg_u32(m->y_stride), dev_arg_buffer(m->x), dev_arg_u64(m->x_offset),
            dev_arg_u32(m->x_stride), dev_arg_buffer(&part->buffer), dev_arg_u32(part->first_panel), dev_arg_buffer(m->bias),
            dev_arg_u32(w->columns), dev_arg_u32(m->rows), dev_arg_u32(m->epilogue == DEV_ADD),
            /* the rest only with a norm inside */
            dev_arg_buffer(&m->norm.weight), dev_arg_buffer(&m->norm.bias), dev_arg_f32(m->norm.eps),
            dev_arg_local((size_t)t->rows * w->columns * sizeof(float)),
        };
        const dev_launch launch = { .source = "matmul", .kernel = "matmul_tile", .options = options, .dims = 2,
                                    .global = { (m->rows + t->rows - 1) / t->rows,
                                                (size_t)(gated ? part->panels / 2 : part->panels) * (DEV_PANEL / t->cols) },
                                    .local = { 1, 1 }, .args = args, .arg_count = COUNT(args) - (norm_inside ? 0 : 4) };
        status = dev_work_add(work, &launch);
    }
    return status;
}

oclm_status dev_matmul_add(dev_work *work, const dev_matmul *matmul)
{
    oclm_status status;
    dev_matmul  m = *matmul;
    const tile  t = choose_tile(m.rows);
    const bool  inside = norm_fits_inside(dev_work_device(work), &m, t.rows);
    if ((status = check(&m)) != OCLM_OK)
        return status;
    if (m.norm.kind != DEV_NORM_NONE && !inside) {
        const size_t need = dev_matmul_scratch(m.weight, m.rows, m.norm.kind, m.epilogue);
        if (!m.scratch || m.scratch_floats < need)
            return core_fail(OCLM_ERR_INTERNAL, "a product needs %zu floats of scratch, %zu are given", need, m.scratch_floats);
        if ((status = dev_norm_add(work, &m.norm, m.x, m.x_offset, m.x_stride, m.scratch, 0, m.weight->columns, m.rows,
                                   m.weight->columns)) != OCLM_OK)
            return status;
        m.x = m.scratch;
        m.x_offset = 0;
        m.x_stride = m.weight->columns;
    }
    return add_tiles(work, &m, &t, inside);
}
