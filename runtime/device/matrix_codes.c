/* matrix_codes.c: rows of codes on their way into panels. As in matrix.c they travel in slabs through the staging buffer: the members of
 * core_codes one behind the other, as they lie, and pack_codes.cl puts each into its region of the panels. */
#include <inttypes.h>
#include <stdio.h>

#include "device/device_internal.h"
#include "device/filling.h"
#include "device/launch.h"
#include "device/program.h"

#define REGION_ALIGN 16u
#define CPU_BLOCK    64u /* columns of a work-item that runs vector code: a line of each row */
#define LANES_BLOCK  1u  /* where they are lanes, neighbours read neighbouring bytes */
#define MOST_REGIONS 6u

/* What becomes one region of a panel: a plane of bits of the codes, or the numbers of a member. */
typedef struct region {
    const void *data;        /* [rows][count] of the source */
    uint32_t    count, size; /* of a row; bytes of one */
    uint32_t    bits, shift; /* of a plane; 0 bits: numbers */
    uint64_t    to;          /* within a panel */
    size_t      at;          /* in the staging buffer */
    bool        is_sent;     /* with the region before */
} region;

typedef struct filling {
    dev_device             *device;
    cl_command_queue        queue;
    dev_matrix             *matrix;
    const dev_codes_source *source;
    const core_storage     *storage; /* of all parts that the rows touch */
    uint64_t                panel_bytes;
    const dev_buffer       *staging;
    region                  regions[MOST_REGIONS];
    cl_kernel               kernels[MOST_REGIONS];
    size_t                  region_count;
    uint32_t                rows; /* of a slab */
} filling;

static void add_numbers(filling *f, const void *data, uint64_t count, size_t size, uint64_t to)
{
    if (size > 0)
        f->regions[f->region_count++] = (region){ .data = data, .count = (uint32_t)count, .size = (uint32_t)size, .to = to };
}

static void add_regions(filling *f)
{
    const core_storage *s = f->storage;
    const core_codes   *c = f->source->codes;
    const uint32_t      columns = f->source->columns, low = dev_low_bits(s);
    const uint64_t      groups = core_storage_groups(s, columns), super = core_storage_super_groups(columns);
    const dev_panel     panel = dev_panel_of(s, columns);
    f->panel_bytes = panel.bytes;
    f->regions[f->region_count++] = (region){ .data = c->codes, .count = columns, .size = 1, .bits = low, .to = panel.low };
    if (s->bits > low)
        f->regions[f->region_count++] =
            (region){ .data = c->codes, .count = columns, .size = 1, .bits = s->bits - low, .shift = low, .to = panel.high, .is_sent = true };
    add_numbers(f, c->scales, groups, core_scale_size((core_scale)s->scale), panel.scales);
    add_numbers(f, c->minima, groups, core_scale_size((core_scale)s->minimum), panel.minima);
    add_numbers(f, c->super_scales, super, core_scale_has_levels((core_scale)s->scale) ? sizeof(uint16_t) : 0, panel.super_scales);
    add_numbers(f, c->super_minima, super, core_scale_has_levels((core_scale)s->minimum) ? sizeof(uint16_t) : 0, panel.super_minima);
}

/* As many rows as the staging buffer holds; whole panels, if it is more than one. */
static oclm_status plan_slabs(filling *f)
{
    size_t row_bytes = 0, at = 0;
    for (size_t i = 0; i < f->region_count; i++)
        row_bytes += f->regions[i].is_sent ? 0 : (size_t)f->regions[i].count * f->regions[i].size;
    const size_t room = f->staging->bytes < MOST_REGIONS * REGION_ALIGN ? 0 : f->staging->bytes - MOST_REGIONS * REGION_ALIGN;
    const size_t most = room / row_bytes;
    if (most == 0)
        return core_fail(OCLM_ERR_DEVICE_MEMORY,
                         "a row of %zu bytes of codes does not fit into the staging buffer of %zu bytes; choose a device with larger buffers",
                         row_bytes, f->staging->bytes);
    f->rows = most >= f->source->rows ? f->source->rows : (uint32_t)(most > DEV_PANEL ? most - most % DEV_PANEL : most);
    for (size_t i = 0; i < f->region_count; i++) {
        region *r = &f->regions[i];
        if (r->is_sent) {
            r->at = f->regions[i - 1].at;
            continue;
        }
        r->at = at;
        at += ((size_t)f->rows * r->count * r->size + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;
    }
    return OCLM_OK;
}

static uint32_t block_of(const filling *f) { return dev_get_traits(f->device)->lanes_in_items ? LANES_BLOCK : CPU_BLOCK; }

static oclm_status make_kernels(filling *f)
{
    oclm_status status = OCLM_OK;
    char        options[96];
    for (size_t i = 0; i < f->region_count && status == OCLM_OK; i++) {
        const region *r = &f->regions[i];
        if (r->bits > 0)
            snprintf(options, sizeof options, "-DBITS=%" PRIu32 " -DSHIFT=%" PRIu32 " -DBLOCK=%" PRIu32, r->bits, r->shift, block_of(f));
        else
            snprintf(options, sizeof options, "-DSIZE=%" PRIu32 " -DBLOCK=%" PRIu32, r->size, block_of(f));
        status = dev_kernel(f->device, "pack_codes", options, r->bits > 0 ? "pack_plane" : "pack_numbers", &f->kernels[i]);
    }
    return status;
}

static oclm_status send(const filling *f, uint32_t first, uint32_t rows)
{
    cl_int error = CL_SUCCESS;
    for (size_t i = 0; i < f->region_count && error == CL_SUCCESS; i++) {
        const region *r = &f->regions[i];
        const size_t  row = (size_t)r->count * r->size;
        if (!r->is_sent)
            error = clEnqueueWriteBuffer(f->queue, f->staging->memory, CL_FALSE, r->at, row * rows, (const char *)r->data + row * first, 0, NULL,
                                         NULL);
    }
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "sending quantised weights to the device");
}

static oclm_status pack(const filling *f, const region *r, cl_kernel kernel, const dev_matrix_part *part, const dev_matrix_piece *piece)
{
    const cl_uint  rows = piece->end - piece->begin, panels = (piece->first_row % DEV_PANEL + rows + DEV_PANEL - 1) / DEV_PANEL;
    const cl_ulong from = r->at / r->size + (cl_ulong)piece->begin * r->count, panel_bytes = f->panel_bytes, to = r->to;
    const uint32_t block = block_of(f);
    const size_t   global[2] = { (r->count + block - 1) / block, panels }, one[2] = { 1, 1 };
    cl_int         error = CL_SUCCESS;
    cl_uint        i = 0;
#define SET(value) (error |= clSetKernelArg(kernel, i++, sizeof(value), &(value)))
    SET(part->buffer.memory);
    SET(panel_bytes);
    SET(to);
    SET(f->staging->memory);
    SET(from);
    SET(r->count);
    SET(rows);
    SET(piece->first_row);
    SET(f->source->panel_step);
    SET(piece->shift);
#undef SET
    if (error == CL_SUCCESS)
        error = clEnqueueNDRangeKernel(f->queue, kernel, 2, NULL, global, block == LANES_BLOCK ? NULL : one, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "packing quantised weights");
}

static oclm_status fill_slab(const filling *f, uint32_t first, uint32_t count)
{
    const dev_codes_source *source = f->source;
    const dev_rows          rows = { source->first_row + first, count };
    oclm_status             status = send(f, first, count);
    dev_matrix_piece        piece;
    for (uint32_t p = 0; p < f->matrix->part_count && status == OCLM_OK; p++) {
        const dev_matrix_part *part = &f->matrix->parts[p];
        const bool             touched = dev_matrix_piece_of(part, source->first_row, source->panel_step, &rows, &piece);
        for (size_t i = 0; i < f->region_count && touched && status == OCLM_OK; i++)
            status = pack(f, &f->regions[i], f->kernels[i], part, &piece);
    }
    return status;
}

/* Finds the storage, which all parts that the rows touch must share: a core_codes is of one. */
static oclm_status find_storage(filling *f)
{
    const dev_codes_source *s = f->source;
    const dev_rows          rows = { s->first_row, s->rows };
    dev_matrix_piece        piece;
    char                    name[96];
    for (uint32_t p = 0; p < f->matrix->part_count; p++) {
        const core_storage *storage = &f->matrix->parts[p].storage;
        if (!dev_matrix_piece_of(&f->matrix->parts[p], s->first_row, s->panel_step, &rows, &piece))
            continue;
        if (core_storage_is_float(storage) || (f->storage && !core_storage_equal(f->storage, storage)))
            return core_fail(OCLM_ERR_INTERNAL, "rows of codes from row %" PRIu32 " on for a part that is stored as %s", s->first_row,
                             core_storage_name(storage, name));
        f->storage = storage;
    }
    return OCLM_OK;
}

oclm_status dev_matrix_fill_codes(dev_device *device, cl_command_queue queue, dev_matrix *matrix, const dev_codes_source *source)
{
    oclm_status status, finished;
    filling     f = { .device = device, .queue = queue, .matrix = matrix, .source = source };
    if ((status = dev_check_rows(matrix, source->rows, source->columns, source->first_row, source->panel_step)) != OCLM_OK ||
        (status = find_storage(&f)) != OCLM_OK || (status = dev_staging_get(device, &f.staging)) != OCLM_OK)
        return status;
    add_regions(&f);
    dev_slot_lock(device, DEV_SLOT_STAGING); /* one fill at a time has the buffer */
    if ((status = plan_slabs(&f)) == OCLM_OK)
        status = make_kernels(&f);
    for (uint64_t first = 0; first < source->rows && status == OCLM_OK; first += f.rows)
        status = fill_slab(&f, (uint32_t)first, source->rows - first < f.rows ? (uint32_t)(source->rows - first) : f.rows);
    finished = dev_finish(queue); /* also after a failure: what was enqueued reads the source */
    dev_slot_unlock(device, DEV_SLOT_STAGING);
    for (size_t i = 0; i < COUNT(f.kernels); i++) {
        if (f.kernels[i])
            clReleaseKernel(f.kernels[i]);
    }
    return status != OCLM_OK ? status : finished;
}
