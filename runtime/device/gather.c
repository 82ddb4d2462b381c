/* gather.c: records a gather of a matrix's rows: the embedding (embed.cl). */
#include <stdio.h>

#include "device/matmul.h"

#define GATHER_BLOCK 64 /* columns of a work-item that runs vector code */
#define GATHER_GROUP 64 /* lanes of a group; left to itself, a driver takes a divisor of the columns, which may be 1 */

/* Rows of one part. `more` may be NULL: another table of one part, whose rows `more_ids` are added. */
static oclm_status add_part(dev_work *work, const dev_matrix *matrix, const dev_matrix_part *part, const dev_buffer *ids, uint32_t ids_offset,
                            uint32_t count, float scale, bool add, const dev_buffer *y, uint32_t y_stride, const dev_matrix *more,
                            const dev_buffer *more_ids)
{
    const dev_traits *traits = dev_get_traits(dev_work_device(work));
    const bool        lanes = traits->lanes_in_items;
    const uint32_t    block = lanes ? 1 : GATHER_BLOCK;
    const size_t      group = !lanes ? 1 : traits->max_group < GATHER_GROUP ? traits->max_group : GATHER_GROUP;
    const size_t      blocks = (matrix->columns + block - 1) / block;
    char              options[DEV_STORAGE_OPTIONS + 96], storage[DEV_STORAGE_OPTIONS];
    dev_storage_options(&part->storage, storage);
    snprintf(options, sizeof options, "%s -DADD=%d%s -DBLOCK=%u%s", storage, (int)add, more != NULL ? " -DMORE=1" : "", (unsigned)block,
             lanes ? " -DHAS_VLOAD_HALF" : "");
    const dev_arg args[] = {
        dev_arg_buffer(y), dev_arg_u32(y_stride), dev_arg_buffer(ids), dev_arg_u32(ids_offset), dev_arg_buffer(&part->buffer),
        dev_arg_u32(matrix->columns), dev_arg_u32(matrix->rows), dev_arg_u32(part->first_panel * DEV_PANEL),
        dev_arg_u32(part->panels * DEV_PANEL), dev_arg_f32(scale),
        /* the rest only with another table */
        dev_arg_buffer(more_ids), dev_arg_buffer(more != NULL ? &more->parts[0].buffer : NULL), dev_arg_u32(more != NULL ? more->rows : 0),
    };
    const dev_launch launch = { .source = "embed", .kernel = "rows_gather", .options = options, .dims = 2,
                                .global = { (blocks + group - 1) / group * group, count }, .local = { group, 1 },
                                .args = args, .arg_count = COUNT(args) - (more != NULL ? 0 : 3) };
    return dev_work_add(work, &launch);
}

oclm_status dev_rows_add(dev_work *work, const dev_matrix *matrix, const dev_buffer *ids, uint32_t ids_offset, uint32_t count,
                         float scale, bool add, const dev_buffer *y, uint32_t y_stride)
{
    oclm_status status = OCLM_OK;
    for (uint32_t p = 0; p < matrix->part_count && status == OCLM_OK; p++)
        status = add_part(work, matrix, &matrix->parts[p], ids, ids_offset, count, scale, add, y, y_stride, NULL, NULL);
    return status;
}

oclm_status dev_rows_add_both(dev_work *work, const dev_matrix *matrix, const dev_buffer *ids, float scale, const dev_matrix *more,
                              const dev_buffer *more_ids, uint32_t count, const dev_buffer *y, uint32_t y_stride)
{
    /* With a scale the sum might be rounded at once with the product. */
    if (scale == 1.0f && matrix->part_count == 1 && more->part_count == 1 && matrix->columns == more->columns &&
        core_storage_equal(&matrix->parts[0].storage, &more->parts[0].storage))
        return add_part(work, matrix, &matrix->parts[0], ids, 0, count, 1.0f, false, y, y_stride, more, more_ids);
    const oclm_status status = dev_rows_add(work, matrix, ids, 0, count, scale, false, y, y_stride);
    return status == OCLM_OK ? dev_rows_add(work, more, more_ids, 0, count, 1.0f, true, y, y_stride) : status;
}
