/* matrix.c: weights in panels, cut into parts that fit the device's largest buffer, and filled from a checkpoint's tensors.
 *
 * A tensor travels in slabs through one staging buffer that the device keeps: the slab is written as it lies in the file, then
 * pack.cl converts and transposes it on the device, where all cores or lanes help. The queue is in order, so the next slab
 * waits by itself until the buffer is free again. */
#include "device/matrix.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/memory.h"
#include "device/device_internal.h"
#include "device/filling.h"
#include "device/launch.h"
#include "device/program.h"

#define STAGING_BYTES ((size_t)4 << 20)
#define PACK_BLOCK    64 /* columns that a work-item packs: 32 rows of them are 4 to 8 KB, which a first-level cache holds */

const core_storage *dev_matrix_storage(const dev_matrix *matrix) { return &matrix->parts[0].storage; }

bool dev_matrix_is_uniform(const dev_matrix *matrix)
{
    for (uint32_t i = 1; i < matrix->part_count; i++) {
        if (!core_storage_equal(&matrix->parts[i].storage, &matrix->parts[0].storage))
            return false;
    }
    return true;
}

bool dev_matrix_is_like(const dev_matrix *a, const dev_matrix *b)
{
    for (uint32_t i = 0; i < a->part_count && i < b->part_count; i++) {
        if (!core_storage_equal(&a->parts[i].storage, &b->parts[i].storage))
            return false;
    }
    return a->part_count == b->part_count;
}

/* Adds the parts of one run of rows. They have an even number of panels but for the last, so that a gate and its up lie in one part. */
static oclm_status add_parts(const dev_device *device, const char *what, const core_storage *storage, uint32_t panels, dev_matrix *matrix)
{
    const uint64_t          panel_bytes = dev_panel_of(storage, matrix->columns).bytes;
    const oclm_device_info *info = &dev_get_traits(device)->info;
    uint64_t                most = info->max_alloc_bytes / panel_bytes;
    if (most > 1)
        most -= most % 2;
    if (most == 0 || (most == 1 && panels > 1))
        return core_fail(OCLM_ERR_DEVICE_MEMORY,
                         "%s: two panels of %u rows take %" PRIu64 " bytes, the largest buffer of device \"%s\" is %" PRIu64
                         " bytes; choose a smaller dtype or another device",
                         what, DEV_PANEL, 2 * panel_bytes, info->name, info->max_alloc_bytes);
    if (most > panels)
        most = panels;
    const uint32_t   count = (uint32_t)((panels + most - 1) / most);
    dev_matrix_part *grown = core_realloc_array(matrix->parts, matrix->part_count + count, sizeof *grown, what);
    if (!grown)
        return OCLM_ERR_MEMORY;
    matrix->parts = grown;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t before = i * (uint32_t)most, left = panels - before;
        grown[matrix->part_count++] = (dev_matrix_part){ .storage = *storage, .first_panel = matrix->panels + before,
                                                         .panels = left < most ? left : (uint32_t)most };
    }
    matrix->panels += panels;
    return OCLM_OK;
}

/* Rows of the runs from run *at on that are stored alike; *at becomes the first that is not. */
static uint64_t take_alike(const dev_matrix_run *runs, size_t run_count, size_t *at)
{
    const core_storage *storage = &runs[*at].storage;
    uint64_t            rows = 0;
    for (; *at < run_count && core_storage_equal(&runs[*at].storage, storage); ++*at)
        rows += runs[*at].rows;
    return rows;
}

static oclm_status check_runs(const dev_matrix_run *runs, size_t run_count, uint32_t columns, const char *what)
{
    char     name[96];
    uint64_t rows = 0;
    for (size_t i = 0; i < run_count; i++) {
        const core_storage *s = &runs[i].storage;
        rows += runs[i].rows;
        if (runs[i].rows == 0 || columns == 0 || rows > UINT32_MAX - DEV_PANEL || !core_storage_is_valid(s) ||
            (i + 1 < run_count && runs[i].rows % DEV_PANEL != 0))
            return core_fail(OCLM_ERR_INTERNAL, "%s: a matrix of %" PRIu64 " x %" PRIu32 " whose rows %" PRIu64 " on are %s", what, rows, columns,
                             rows - runs[i].rows, s->code <= CORE_CODE_E4M3 ? core_storage_name(s, name) : "of no storage");
    }
    return run_count > 0 ? OCLM_OK : core_fail(OCLM_ERR_INTERNAL, "%s: a matrix without rows", what);
}

oclm_status dev_matrix_new(dev_device *device, core_dtype dtype, uint32_t rows, uint32_t columns, const char *what, dev_matrix *matrix)
{
    *matrix = (dev_matrix){ 0 };
    if (dtype > CORE_BF16)
        return core_fail(OCLM_ERR_INTERNAL, "%s: a matrix of %" PRIu32 " x %" PRIu32 " of %s", what, rows, columns, core_dtype_name(dtype));
    const dev_matrix_run run = { core_storage_of(dtype), rows };
    return dev_matrix_new_stored(device, &run, 1, columns, what, matrix);
}

oclm_status dev_matrix_outline(dev_device *device, const dev_matrix_run *runs, size_t run_count, uint32_t columns, const char *what,
                               dev_matrix *matrix)
{
    *matrix = (dev_matrix){ .columns = columns };
    oclm_status status = check_runs(runs, run_count, columns, what);
    for (size_t i = 0; i < run_count && status == OCLM_OK;) {
        const core_storage *storage = &runs[i].storage;
        const uint64_t      rows = take_alike(runs, run_count, &i);
        matrix->rows += (uint32_t)rows;
        status = add_parts(device, what, storage, (uint32_t)(dev_padded(rows) / DEV_PANEL), matrix);
    }
    if (status != OCLM_OK)
        dev_matrix_free(device, matrix);
    return status;
}

oclm_status dev_matrix_new_stored(dev_device *device, const dev_matrix_run *runs, size_t run_count, uint32_t columns, const char *what,
                                  dev_matrix *matrix)
{
    oclm_status status = dev_matrix_outline(device, runs, run_count, columns, what, matrix);
    for (uint32_t i = 0; i < matrix->part_count && status == OCLM_OK; i++) {
        dev_matrix_part *part = &matrix->parts[i];
        const uint64_t   bytes = part->panels * dev_panel_of(&part->storage, columns).bytes;
        status = dev_buffer_new_zero(device, dev_queue(device), (size_t)bytes, what, &part->buffer);
    }
    if (status != OCLM_OK)
        dev_matrix_free(device, matrix);
    return status;
}

void dev_matrix_free(dev_device *device, dev_matrix *matrix)
{
    for (uint32_t i = 0; i < matrix->part_count; i++)
        dev_buffer_free(device, &matrix->parts[i].buffer);
    dev_buffer_free(device, &matrix->order);
    core_free(matrix->parts);
    *matrix = (dev_matrix){ 0 };
}

/* ---- Filling */

size_t dev_matrix_staging_bytes(const dev_device *device)
{
    const uint64_t most = dev_get_traits(device)->info.max_alloc_bytes;
    return STAGING_BYTES < most ? STAGING_BYTES : (size_t)most;
}

static oclm_status staging_make(dev_device *device, void **value)
{
    oclm_status status;
    dev_buffer *staging = core_alloc_zero(1, sizeof *staging, "a staging buffer");
    if (!staging)
        return OCLM_ERR_MEMORY;
    if ((status = dev_buffer_new(device, dev_matrix_staging_bytes(device), "the staging buffer for loading weights", staging)) != OCLM_OK) {
        core_free(staging);
        return status;
    }
    *value = staging;
    return OCLM_OK;
}

static void staging_drop(dev_device *device, void *value)
{
    dev_buffer_free(device, value);
    core_free(value);
}

/* What one fill carries from call to call. A line is what lies together in the source: a row, or transposed a column. */
typedef struct filling {
    dev_device              *device;
    cl_command_queue         queue;
    cl_kernel                kernels[CORE_CODE_BF16 + 1]; /* by the code of a part */
    dev_matrix              *matrix;
    const dev_matrix_source *source;
    const dev_buffer        *staging;
    uint32_t                 lines, length; /* of the whole source */
    size_t                   line_stride, element;
} filling;

/* A rectangle of the source: lines and elements of each. */
typedef struct slab {
    uint32_t first_line, lines, first, length;
} slab;

static oclm_status send(const filling *f, const slab *s)
{
    const size_t row_bytes = s->length * f->element, pitch = f->line_stride * f->element;
    const unsigned char *from = (const unsigned char *)f->source->data + s->first_line * pitch + s->first * f->element;
    cl_int error;
    if (row_bytes == pitch || s->lines == 1) {
        error = clEnqueueWriteBuffer(f->queue, f->staging->memory, CL_FALSE, 0, row_bytes * s->lines, from, 0, NULL, NULL);
    } else {
        const size_t origin[3] = { 0, 0, 0 }, region[3] = { row_bytes, s->lines, 1 };
        error = clEnqueueWriteBufferRect(f->queue, f->staging->memory, CL_FALSE, origin, origin, region, row_bytes, 0, pitch, 0, from, 0,
                                         NULL, NULL);
    }
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "sending weights to the device");
}

/* Packs a piece of the slab. */
static oclm_status pack(const filling *f, const slab *s, const dev_matrix_part *part, const dev_matrix_piece *piece)
{
    const dev_matrix_source *source = f->source;
    const uint32_t rows = piece->end - piece->begin, columns = source->transposed ? s->lines : s->length;
    const uint32_t first_column = source->transposed ? s->first_line : s->first;
    const uint64_t from_offset = source->transposed ? piece->begin : (uint64_t)piece->begin * s->length;
    const uint32_t panels = (piece->first_row % DEV_PANEL + rows + DEV_PANEL - 1) / DEV_PANEL;
    const size_t   global[2] = { (columns + PACK_BLOCK - 1) / PACK_BLOCK, panels };
    const size_t   one[2] = { 1, 1 };
    const bool     lanes = dev_get_traits(f->device)->lanes_in_items;
    cl_kernel      kernel = f->kernels[part->storage.code];
    cl_int         error = CL_SUCCESS;
    cl_uint        i = 0;
#define SET(value) (error |= clSetKernelArg(kernel, i++, sizeof(value), &(value)))
    SET(part->buffer.memory);
    SET(f->matrix->columns);
    SET(f->staging->memory);
    SET(from_offset);
    SET(s->length);
    SET(rows);
    SET(columns);
    SET(piece->first_row);
    SET(first_column);
    SET(source->panel_step);
    SET(piece->shift);
#undef SET
    if (error == CL_SUCCESS)
        error = clEnqueueNDRangeKernel(f->queue, kernel, 2, NULL, global, lanes ? NULL : one, 0, NULL, NULL);
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "packing weights");
}

/* A kernel for each storage that the matrix has; parts of codes have none. */
static oclm_status make_kernels(filling *f)
{
    oclm_status status = OCLM_OK;
    char        options[96];
    for (uint32_t p = 0; p < f->matrix->part_count && status == OCLM_OK; p++) {
        const core_storage *to = &f->matrix->parts[p].storage;
        if (!core_storage_is_float(to) || f->kernels[to->code])
            continue;
        snprintf(options, sizeof options, "-DFROM=%d -DTO=%d -DTRANSPOSED=%d -DBLOCK=%d", (int)f->source->dtype, to->code,
                 (int)f->source->transposed, PACK_BLOCK);
        status = dev_kernel(f->device, "pack", options, "pack_columns", &f->kernels[to->code]);
    }
    return status;
}

bool dev_matrix_piece_of(const dev_matrix_part *part, uint32_t origin_row, uint32_t step, const dev_rows *rows, dev_matrix_piece *piece)
{
    const uint32_t origin = origin_row / DEV_PANEL;
    /* Panel v goes to panel origin + (v - origin) * step: which v fall into this part? */
    const uint32_t low = part->first_panel <= origin ? origin : origin + (part->first_panel - origin + step - 1) / step;
    const uint32_t after = part->first_panel + part->panels;
    const uint32_t high = after <= origin ? origin : origin + (after - origin + step - 1) / step;
    const uint64_t begin = (uint64_t)low * DEV_PANEL > rows->first ? (uint64_t)low * DEV_PANEL : rows->first;
    const uint64_t last = (uint64_t)rows->first + rows->count;
    const uint64_t end = (uint64_t)high * DEV_PANEL < last ? (uint64_t)high * DEV_PANEL : last;
    if (begin >= end)
        return false;
    *piece = (dev_matrix_piece){ .begin = (uint32_t)(begin - rows->first), .end = (uint32_t)(end - rows->first), .first_row = (uint32_t)begin,
                                 .shift = (int32_t)(-(int64_t)origin * (step - 1) - part->first_panel) };
    return true;
}

/* Sends one slab and packs it into every part that its rows touch. */
static oclm_status fill_slab(const filling *f, const slab *s)
{
    const dev_matrix_source *source = f->source;
    oclm_status              status = send(f, s);
    const dev_rows           rows = { source->first_row + (source->transposed ? s->first : s->first_line),
                                      source->transposed ? s->length : s->lines };
    dev_matrix_piece         piece;
    for (uint32_t p = 0; status == OCLM_OK && p < f->matrix->part_count; p++) {
        const dev_matrix_part *part = &f->matrix->parts[p];
        if (!dev_matrix_piece_of(part, source->first_row, source->panel_step, &rows, &piece))
            continue;
        if (!core_storage_is_float(&part->storage)) {
            char name[96];
            status = core_fail(OCLM_ERR_INTERNAL, "plain rows for a part that is stored as %s", core_storage_name(&part->storage, name));
        } else {
            status = pack(f, s, part, &piece);
        }
    }
    return status;
}

static oclm_status fill_slabs(const filling *f)
{
    oclm_status    status = OCLM_OK;
    const size_t   room = f->staging->bytes / f->element;
    const uint32_t length = f->length < room ? f->length : (uint32_t)room;
    const size_t   fitting = room / length;
    const uint32_t lines = f->lines < fitting ? f->lines : (uint32_t)fitting;
    for (uint64_t line = 0; line < f->lines && status == OCLM_OK; line += lines)
        for (uint64_t first = 0; first < f->length && status == OCLM_OK; first += length) {
            const uint64_t rest = f->lines - line, rest_length = f->length - first;
            const slab     s = { .first_line = (uint32_t)line, .lines = rest < lines ? (uint32_t)rest : lines,
                                 .first = (uint32_t)first, .length = rest_length < length ? (uint32_t)rest_length : length };
            status = fill_slab(f, &s);
        }
    return status;
}

oclm_status dev_check_rows(const dev_matrix *matrix, uint32_t rows, uint32_t columns, uint32_t first_row, uint32_t panel_step)
{
    const uint64_t panels = panel_step == 2 ? 2 * (((uint64_t)rows + DEV_PANEL - 1) / DEV_PANEL) - 1 : 0;
    const uint64_t end = panel_step == 2 ? first_row + panels * DEV_PANEL : (uint64_t)first_row + rows;
    if (rows == 0 || columns != matrix->columns || panel_step < 1 || panel_step > 2 || end > (uint64_t)matrix->panels * DEV_PANEL ||
        (panel_step == 2 && first_row % DEV_PANEL != 0))
        return core_fail(OCLM_ERR_INTERNAL,
                         "rows %" PRIu32 " x %" PRIu32 " (panel step %" PRIu32 ") do not fit into a matrix of %" PRIu32 " x %" PRIu32
                         " from row %" PRIu32 " on",
                         rows, columns, panel_step, matrix->rows, matrix->columns, first_row);
    return OCLM_OK;
}

static oclm_status check_source(const dev_matrix *matrix, const dev_matrix_source *source)
{
    const uint32_t line = source->transposed ? source->rows : source->columns;
    if (source->dtype > CORE_BF16 || (source->row_stride && source->row_stride < line))
        return core_fail(OCLM_ERR_INTERNAL, "rows %" PRIu32 " x %" PRIu32 " of %s, stride %" PRIu64 ", do not fit into a matrix of %" PRIu32
                         " x %" PRIu32, source->rows, source->columns, core_dtype_name(source->dtype), source->row_stride, matrix->rows,
                         matrix->columns);
    return dev_check_rows(matrix, source->rows, source->columns, source->first_row, source->panel_step);
}

oclm_status dev_staging_get(dev_device *device, const dev_buffer **staging)
{
    void             *value = NULL;
    const oclm_status status = dev_slot_get(device, DEV_SLOT_STAGING, staging_make, staging_drop, &value);
    *staging = value;
    return status;
}

oclm_status dev_matrix_fill(dev_device *device, cl_command_queue queue, dev_matrix *matrix, const dev_matrix_source *source)
{
    oclm_status status;
    filling     f = { .device = device, .queue = queue, .matrix = matrix, .source = source };
    if ((status = check_source(matrix, source)) != OCLM_OK ||
        (status = dev_staging_get(device, &f.staging)) != OCLM_OK)
        return status;
    f.lines = source->transposed ? source->columns : source->rows;
    f.length = source->transposed ? source->rows : source->columns;
    f.line_stride = source->row_stride ? (size_t)source->row_stride : f.length;
    f.element = core_dtype_size(source->dtype);
    dev_slot_lock(device, DEV_SLOT_STAGING); /* one fill at a time has the buffer */
    if ((status = make_kernels(&f)) == OCLM_OK)
        status = fill_slabs(&f);
    /* Also after a failure: what was enqueued reads the source. */
    const oclm_status finished = dev_finish(queue);
    dev_slot_unlock(device, DEV_SLOT_STAGING);
    for (size_t i = 0; i < COUNT(f.kernels); i++) {
        if (f.kernels[i])
            clReleaseKernel(f.kernels[i]);
    }
    return status != OCLM_OK ? status : finished;
}
