/* clblast.c: products of many rows by CLBlast's Sgemm (C interface, clblast_c.h). It knows neither our layout nor our types: a block of
 * panels is unpacked to a dense float32 matrix in scratch memory (unpack.cl), multiplied, and finished (epilogue.cl), unless
 * CLBlast may write the result itself. Never its half precision: wrong on several drivers.
 *
 * Its traps. It makes buffers of its own where none are given: they come from the scratch, so that memory stays counted. It keeps
 * compiled kernels until the process ends, after drivers are gone: the cache is cleared when a device closes. Its caches are not
 * sure to be safe between threads before 1.6.1: calls of a device take turns. */
#include <clblast_c.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/memory.h"
#include "device/device_internal.h"
#include "device/provider.h"

#define FEWEST_ROWS  16u
#define BLOCK_FLOATS ((size_t)4 << 20) /* of an unpacked block, unless two panels are more */
#define CPU_BLOCK    64                /* columns that a work-item of unpack.cl takes where it runs vector code */
#define LANES_BLOCK  8

/* ---- The device's slot: says that there is something to clear at the end */

static oclm_status used_make(dev_device *device, void **value)
{
    (void)device;
    return (*value = core_alloc(1, "CLBlast")) ? OCLM_OK : OCLM_ERR_MEMORY;
}

static void used_drop(dev_device *device, void *value)
{
    (void)device;
    (void)CLBlastClearCache();
    core_free(value);
}

static oclm_status fail(CLBlastStatusCode code, const char *what)
{
    if ((int)code > -1000) /* OpenCL's own */
        return dev_cl_fail((cl_int)code, "CLBlast: %s", what);
    return core_fail(OCLM_ERR_DEVICE, "CLBlast: %s: status %d of clblast_c.h; --matmul builtin does without CLBlast", what, (int)code);
}

/* ---- The scratch: [taken by the caller] block, product of a block, what CLBlast wants; each on a boundary for a buffer of its own */

typedef struct layout {
    uint32_t panels; /* of a block: even, so that a gate and its up stay together, or all there are */
    size_t   block, product, temporary; /* floats */
} layout;

static size_t aligned(const dev_device *device, size_t floats)
{
    const size_t align = dev_get_traits(device)->base_align_bytes / sizeof(float);
    return align > 1 ? (floats + align - 1) / align * align : floats;
}

static uint32_t block_panels(const dev_matrix *weight)
{
    const size_t panel = (size_t)weight->columns * DEV_PANEL;
    const size_t most = BLOCK_FLOATS / panel / 2 * 2;
    return most >= weight->panels ? weight->panels : most < 2 ? 2 : (uint32_t)most;
}

/* Floats that CLBlast wants besides for a block of n outputs, 0 where it says nothing. Strides of x and y are told so that they fit
 * no kernel: it then plans for copies of both, which fewer rows may need where more do not. */
static size_t ask_temporary(dev_device *device, uint32_t rows, size_t n, size_t k)
{
    cl_command_queue queue = dev_queue(device);
    size_t           bytes = 0;
    void            *used;
    if (dev_slot_get(device, DEV_SLOT_CLBLAST, used_make, used_drop, &used) != OCLM_OK)
        return 0;
    dev_slot_lock(device, DEV_SLOT_CLBLAST);
    if (CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, rows, n, k, 0, k + 1, 0, n, 0, n + 1,
                                   &queue, &bytes) != CLBlastSuccess)
        bytes = 0;
    dev_slot_unlock(device, DEV_SLOT_CLBLAST);
    return (bytes + sizeof(float) - 1) / sizeof(float);
}

/* The most that any block wants: whole ones, and the last of each part. */
static size_t most_temporary(dev_device *device, const dev_matrix *weight, uint32_t rows, uint32_t panels)
{
    size_t most = ask_temporary(device, rows, (size_t)panels * DEV_PANEL, weight->columns);
    for (uint32_t p = 0; p < weight->part_count; p++) {
        const uint32_t last = weight->parts[p].panels % panels;
        const size_t   floats = last ? ask_temporary(device, rows, (size_t)last * DEV_PANEL, weight->columns) : 0;
        most = floats > most ? floats : most;
    }
    return most;
}

static layout plan(dev_device *device, const dev_matrix *weight, uint32_t rows)
{
    layout       l = { .panels = block_panels(weight) };
    const size_t n = (size_t)l.panels * DEV_PANEL;
    l.block = aligned(device, n * weight->columns);
    l.product = aligned(device, rows * n);
    l.temporary = aligned(device, most_temporary(device, weight, rows, l.panels));
    return l;
}

static size_t scratch(const dev_provider *self, dev_device *device, const dev_matrix *weight, uint32_t rows)
{
    if (rows < self->rows)
        return 0;
    const layout l = plan(device, weight, rows);
    return l.block + l.product + l.temporary;
}

/* ---- One call */

typedef struct gemm {
    dev_device *device;
    cl_mem      x, w, y, temporary; /* retained */
    size_t      x_offset, x_stride, y_offset, y_stride, rows, n, k;
    float       alpha, beta;
} gemm;

static void gemm_free(void *payload)
{
    gemm        *g = payload;
    const cl_mem all[] = { g->x, g->w, g->y, g->temporary };
    for (size_t i = 0; i < COUNT(all); i++) {
        if (all[i])
            clReleaseMemObject(all[i]);
    }
    core_free(g);
}

static oclm_status gemm_call(cl_command_queue queue, void *payload)
{
    const gemm *g = payload;
    dev_slot_lock(g->device, DEV_SLOT_CLBLAST);
    const CLBlastStatusCode code =
        CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, g->rows, g->n, g->k, g->alpha, g->x, g->x_offset,
                                   g->x_stride, g->w, 0, g->n, g->beta, g->y, g->y_offset, g->y_stride, &queue, NULL, g->temporary);
    dev_slot_unlock(g->device, DEV_SLOT_CLBLAST);
    return code == CLBlastSuccess ? OCLM_OK : fail(code, "a matrix product");
}

/* ---- Recording */

/* Where everything lies; the views are buffers within the scratch, so that no two that a kernel sees overlap. */
typedef struct room {
    layout layout;
    cl_mem x, block, product, temporary; /* x: NULL where it is not in the scratch */
} room;

static void room_close(room *r)
{
    const cl_mem all[] = { r->x, r->block, r->product, r->temporary };
    for (size_t i = 0; i < COUNT(all); i++) {
        if (all[i])
            clReleaseMemObject(all[i]);
    }
}

static oclm_status view(const dev_matmul *m, size_t *first, size_t floats, cl_mem *out)
{
    const cl_buffer_region region = { *first * sizeof(float), floats * sizeof(float) };
    cl_int                 error;
    *first += floats;
    if (floats == 0)
        return OCLM_OK;
    cl_mem made = clCreateSubBuffer(m->scratch->memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "a part of the scratch, bytes %zu to %zu", region.origin, region.origin + region.size);
    *out = made;
    return OCLM_OK;
}

static oclm_status room_open(dev_device *device, const dev_matmul *m, room *r)
{
    size_t      first = 0;
    oclm_status status = OCLM_OK;
    *r = (room){ .layout = plan(device, m->weight, m->rows) };
    if (m->x == m->scratch)
        status = view(m, &first, m->scratch_taken, &r->x);
    first = m->scratch_taken;
    if (status != OCLM_OK || (status = view(m, &first, r->layout.block, &r->block)) != OCLM_OK ||
        (status = view(m, &first, r->layout.product, &r->product)) != OCLM_OK ||
        (status = view(m, &first, r->layout.temporary, &r->temporary)) != OCLM_OK)
        room_close(r);
    return status;
}

static oclm_status add_unpack(dev_work *work, const dev_matmul *m, const room *r, const dev_matrix_part *part, uint32_t first, uint32_t n)
{
    const bool    lanes = dev_get_traits(dev_work_device(work))->lanes_in_items;
    const int     vec = lanes ? 1 : 16, block = lanes ? LANES_BLOCK : CPU_BLOCK;
    char          options[DEV_STORAGE_OPTIONS + 64], storage[DEV_STORAGE_OPTIONS];
    const dev_arg args[] = { dev_arg_memory(r->block), dev_arg_buffer(&part->buffer), dev_arg_u32(first), dev_arg_u32(m->weight->columns),
                             dev_arg_u32(n) };
    dev_storage_options(&part->storage, storage);
    snprintf(options, sizeof options, "%s -DVEC=%d -DBLOCK=%d", storage, vec, block);
    const dev_launch launch = { .source = "unpack", .kernel = "unpack_panels", .options = options, .dims = 2,
                                .global = { n / (uint32_t)vec, (m->weight->columns + (uint32_t)block - 1) / (uint32_t)block },
                                .local = { lanes ? 0 : 1, lanes ? 0 : 1 }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

static oclm_status add_epilogue(dev_work *work, const dev_matmul *m, const room *r, uint32_t panel, uint32_t n)
{
    const bool     lanes = dev_get_traits(dev_work_device(work))->lanes_in_items, gated = m->epilogue == DEV_GATED;
    const uint32_t outputs = gated ? n / 2 : n, step = lanes ? outputs : 1;
    char           options[64];
    const dev_arg  args[] = {
        dev_arg_buffer(m->y), dev_arg_u64(m->y_offset + (uint64_t)panel * DEV_PANEL / (gated ? 2 : 1)), dev_arg_u32(m->y_stride),
        dev_arg_memory(r->product), dev_arg_u32(n), dev_arg_buffer(m->bias), dev_arg_u32(panel * DEV_PANEL), dev_arg_u32(step),
        dev_arg_f32(dev_matmul_add_scale(m)),
    };
    snprintf(options, sizeof options, "-DGATED=%d -DACTIVATION=%d -DVEC=%d", (int)gated, m->epilogue == DEV_ADD ? 0 : (int)m->activation,
             lanes ? 1 : 16);
    const dev_launch launch = { .source = "epilogue", .kernel = "epilogue", .options = options, .dims = 2, .global = { step, m->rows },
                                .local = { lanes ? 0 : 1, lanes ? 0 : 1 }, .args = args, .arg_count = COUNT(args) };
    return dev_work_add(work, &launch);
}

/* May CLBlast write y itself? */
static bool writes_itself(const dev_matmul *m)
{
    return !m->bias && (m->epilogue == DEV_ADD || (m->epilogue == DEV_STORE && m->activation == DEV_ACT_NONE));
}

static oclm_status add_gemm(dev_work *work, const dev_matmul *m, const room *r, uint32_t panel, uint32_t n)
{
    const bool itself = writes_itself(m), adds = itself && m->epilogue == DEV_ADD;
    gemm      *g = core_alloc_zero(1, sizeof *g, "a call of CLBlast");
    if (!g)
        return OCLM_ERR_MEMORY;
    *g = (gemm){
        .device = dev_work_device(work), .x = r->x ? r->x : m->x->memory, .w = r->block, .y = itself ? m->y->memory : r->product,
        .temporary = r->temporary, .x_offset = (size_t)m->x_offset, .x_stride = m->x_stride,
        .y_offset = itself ? (size_t)m->y_offset + (size_t)panel * DEV_PANEL : 0, .y_stride = itself ? m->y_stride : n,
        .rows = m->rows, .n = n, .k = m->weight->columns, .alpha = adds ? dev_matmul_add_scale(m) : 1.0f,
        .beta = adds ? 1.0f : 0.0f,
    };
    const cl_mem all[] = { g->x, g->w, g->y, g->temporary };
    for (size_t i = 0; i < COUNT(all); i++) {
        if (all[i])
            clRetainMemObject(all[i]);
    }
    return dev_work_add_call(work, gemm_call, g, gemm_free); /* frees it, also on failure */
}

static oclm_status add_blocks(dev_work *work, const dev_matmul *m, const room *r)
{
    oclm_status status = OCLM_OK;
    for (uint32_t p = 0; p < m->weight->part_count; p++) {
        const dev_matrix_part *part = &m->weight->parts[p];
        for (uint32_t first = 0; first < part->panels && status == OCLM_OK; first += r->layout.panels) {
            const uint32_t left = part->panels - first, panels = left < r->layout.panels ? left : r->layout.panels;
            const uint32_t n = panels * DEV_PANEL;
            if ((status = add_unpack(work, m, r, part, first, n)) == OCLM_OK &&
                (status = add_gemm(work, m, r, part->first_panel + first, n)) == OCLM_OK && !writes_itself(m))
                status = add_epilogue(work, m, r, part->first_panel + first, n);
        }
    }
    return status;
}

static oclm_status add(const dev_provider *self, dev_work *work, const dev_matmul *m)
{
    dev_device *device = dev_work_device(work);
    void       *used;
    room        r;
    oclm_status status;
    (void)self;
    if ((status = dev_slot_get(device, DEV_SLOT_CLBLAST, used_make, used_drop, &used)) != OCLM_OK ||
        (status = room_open(device, m, &r)) != OCLM_OK)
        return status;
    status = add_blocks(work, m, &r);
    room_close(&r); /* the calls keep what they use */
    return status;
}

static bool suits(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    (void)device;
    return m->rows >= self->rows;
}

static bool takes_norm(const dev_provider *self, const dev_device *device, const dev_matmul *m)
{
    (void)self, (void)device, (void)m;
    return false;
}

const dev_provider dev_clblast_provider = {
    .name = "clblast", .suits = suits, .takes_norm = takes_norm, .add = add, .rows = FEWEST_ROWS, .most_rows = UINT32_MAX,
    .scratch = scratch,
};
